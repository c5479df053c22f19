//! Events on an Amazon EventBridge bus. No other module uses its SDK.

use crate::error::chain;
use crate::ports::{EventBus, EventBusError, StoredEvent};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

/// The `source` of every event.
pub const SOURCE: &str = "prepaid";

/// The most entries of one request, which may have 256 KB: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>.
/// The longest event has less than 1 KB.
pub const ENTRIES_MAX: usize = 10;

/// Publishes on one bus.
#[derive(Clone, Debug)]
pub struct EventBridgeBus {
    client: Client,
    bus: String,
}

impl EventBridgeBus {
    /// `bus` is the name or the ARN of the bus.
    pub fn new(client: Client, bus: impl Into<String>) -> Self {
        Self { client, bus: bus.into() }
    }

    /// The answer has an entry for each one of the request, in their order. An entry without an error has an event id.
    async fn put(&self, events: &[StoredEvent]) -> Vec<Result<(), EventBusError>> {
        let entries = events.iter().map(|event| self.entry(event)).collect();
        match self.client.put_events().set_entries(Some(entries)).send().await {
            Ok(answer) => (0..events.len()).map(|place| published(answer.entries().get(place))).collect(),
            Err(error) => vec![Err(EventBusError(chain(&error))); events.len()],
        }
    }

    fn entry(&self, event: &StoredEvent) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(SOURCE)
            .detail_type(&event.name)
            .detail(&event.detail)
            .time(DateTime::from_millis(event.created_at.as_millisecond()))
            .build()
    }
}

impl EventBus for EventBridgeBus {
    async fn publish(&self, events: &[StoredEvent]) -> Vec<Result<(), EventBusError>> {
        let mut published = Vec::with_capacity(events.len());
        for batch in events.chunks(ENTRIES_MAX) {
            published.extend(self.put(batch).await);
        }
        published
    }
}

/// EventBridge answers 200 even if it took none of the entries.
fn published(entry: Option<&PutEventsResultEntry>) -> Result<(), EventBusError> {
    let entry = entry.ok_or_else(|| EventBusError("the answer has no entry for it".to_owned()))?;
    match (entry.event_id(), entry.error_code()) {
        (Some(_), None) => Ok(()),
        (_, code) => {
            let (code, message) = (code.unwrap_or("no event id"), entry.error_message().unwrap_or_default());
            Err(EventBusError(format!("{code} {message}").trim_end().to_owned()))
        }
    }
}
