//! EventBridge: accepts events as AWS would, and keeps them for tests and people to read. They reach nobody else.
//!
//! Only `PutEvents` is supported: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>.
//! There are no rules, so nothing is delivered. The answer is 200 even if no entry was taken; each entry says for itself.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::page::page;
use crate::wire::{self, Door, Loss, WireAnswer, WireRequest};
use crate::{ACCOUNT, Clock, REGION};

pub(crate) const TARGET_PREFIX: &str = "AWSEvents.";

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html#API_PutEvents_RequestSyntax>
const ENTRIES_MAX: usize = 10;

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevents-entry-size>
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// How many events are kept; older ones are dropped.
pub const EVENTS_MAX: usize = 5_000;

/// The buses of an account. Clones share events and faults.
#[derive(Clone)]
pub struct LocalEventBus {
    clock: Clock,
    buses: Arc<BTreeSet<String>>,
    state: Arc<Mutex<Events>>,
}

#[derive(Default)]
struct Events {
    events: VecDeque<Value>,
    faults: VecDeque<EventBusFault>,
}

/// What happens to one `PutEvents` instead of a normal answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventBusFault {
    /// `ThrottlingException`, status 400; nothing is taken.
    Throttle,
    /// `InternalException`, status 500; nothing is taken.
    InternalException,
    /// The entry in this place is refused with `InternalFailure`, and the others are taken.
    RefuseEntry(usize),
    /// Nothing is taken, and no answer arrives.
    LoseRequest(Loss),
    /// The events are taken, and no answer arrives.
    LoseAnswer(Loss),
}

/// The body of `PutEvents`. `Time` is in seconds since 1970.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    event_bus_name: Option<String>,
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    time: Option<f64>,
    #[serde(default)]
    resources: Vec<String>,
}

impl Entry {
    fn bus(&self) -> &str {
        let name = self.event_bus_name.as_deref().unwrap_or("default");
        name.rsplit_once(":event-bus/").map_or(name, |(_, name)| name)
    }

    /// A time counts as 14 bytes, whatever it is.
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail].into_iter().flatten();
        let time = if self.time.is_some() { 14 } else { 0 };
        time + texts.chain(&self.resources).map(String::len).sum::<usize>()
    }

    /// The code and the message of the entry's error.
    /// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
    fn refusal(&self, buses: &BTreeSet<String>) -> Option<(&'static str, String)> {
        let missing = |name: &str| format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        for (name, value) in [("Source", &self.source), ("DetailType", &self.detail_type), ("Detail", &self.detail)] {
            if value.as_deref().unwrap_or_default().is_empty() {
                return Some(("InvalidArgument", missing(name)));
            }
        }
        if self.source.as_deref().is_some_and(|source| source.starts_with("aws.")) {
            return Some(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
        }
        let detail: Option<Value> = self.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok());
        if !detail.is_some_and(|detail| detail.is_object()) {
            return Some(("MalformedDetail", "Detail is malformed.".to_owned()));
        }
        let is_known = self.bus() == "default" || buses.contains(self.bus());
        let unknown = || ("ResourceNotFoundException", format!("Event bus {} does not exist.", self.bus()));
        (!is_known).then(unknown)
    }

    /// The event as rules and targets see it.
    /// <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
    fn into_event(self, id: &str, now: Timestamp) -> Value {
        let given = self.time.and_then(|seconds| Timestamp::from_millisecond((seconds * 1_000.0) as i64).ok());
        let detail: Value = serde_json::from_str(self.detail.as_deref().unwrap_or_default()).unwrap_or_default();
        json!({
            "version": "0",
            "id": id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": ACCOUNT,
            // To the second, as EventBridge shows it.
            "time": format!("{:.0}", given.unwrap_or(now)),
            "region": REGION,
            "resources": self.resources,
            "detail": detail,
        })
    }
}

impl LocalEventBus {
    /// `buses` exist in addition to `default`.
    pub fn new(buses: impl IntoIterator<Item = impl Into<String>>, clock: Clock) -> Self {
        Self { clock, buses: Arc::new(buses.into_iter().map(Into::into).collect()), state: Arc::default() }
    }

    /// Everything on the buses, oldest first and in EventBridge's format.
    pub fn events(&self) -> Vec<Value> {
        self.state().events.iter().cloned().collect()
    }

    /// Applies `fault` to the next `times` calls that carry out `PutEvents`.
    pub fn fail_next(&self, times: usize, fault: EventBusFault) {
        self.state().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// An HTTP client for an SDK configuration that sends EventBridge calls here, in process.
    pub fn sdk_config_http_client(&self) -> SharedHttpClient {
        wire::http_client(self.clone())
    }

    /// The events as pages for a browser: `/events` and `/events.json`, the newest first.
    pub fn pages(&self) -> Router {
        Router::new().route("/events", get(list)).route("/events.json", get(list_json)).with_state(self.clone())
    }

    /// The ARNs of the buses that a request names.
    pub(crate) fn bus_arns(body: &[u8]) -> BTreeSet<String> {
        let request: PutEvents = serde_json::from_slice(body).unwrap_or(PutEvents { entries: vec![] });
        let arn = |entry: &Entry| format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{}", entry.bus());
        request.entries.iter().map(arn).collect()
    }

    fn put_events(&self, body: &[u8]) -> Result<WireAnswer, Loss> {
        let fault = self.state().faults.pop_front();
        match fault {
            None => Ok(self.take(body, None)),
            Some(EventBusFault::Throttle) => Ok(WireAnswer::error(400, "ThrottlingException", "Rate exceeded")),
            Some(EventBusFault::InternalException) => Ok(WireAnswer::error(500, "InternalException", "Internal error")),
            Some(EventBusFault::RefuseEntry(place)) => Ok(self.take(body, Some(place))),
            Some(EventBusFault::LoseRequest(loss)) => Err(loss),
            Some(EventBusFault::LoseAnswer(loss)) => {
                self.take(body, None);
                Err(loss)
            }
        }
    }

    fn take(&self, body: &[u8], refused: Option<usize>) -> WireAnswer {
        let entries = match serde_json::from_slice(body) {
            Ok(PutEvents { entries }) => entries,
            Err(error) => return WireAnswer::error(400, "SerializationException", &error.to_string()),
        };
        if !(1..=ENTRIES_MAX).contains(&entries.len()) {
            let message = "1 validation error detected: Value at 'entries' failed to satisfy constraint: \
                           Member must have length from 1 to 10";
            return WireAnswer::error(400, "ValidationException", message);
        }
        if entries.iter().map(Entry::bytes).sum::<usize>() > REQUEST_BYTES_MAX {
            let message = "Total size of the entries in the request is over the limit.";
            return WireAnswer::error(400, "ValidationException", message);
        }
        let now = (self.clock)();
        let mut state = self.state();
        let mut take = |(place, entry): (usize, Entry)| {
            let internal = || ("InternalFailure", "The request processing has failed.".to_owned());
            let failure = (refused == Some(place)).then(internal).or_else(|| entry.refusal(&self.buses));
            if let Some((code, message)) = failure {
                return json!({ "ErrorCode": code, "ErrorMessage": message });
            }
            let id = uuid::Uuid::now_v7().to_string();
            state.events.push_back(entry.into_event(&id, now));
            json!({ "EventId": id })
        };
        let answers: Vec<Value> = entries.into_iter().enumerate().map(&mut take).collect();
        let surplus = state.events.len().saturating_sub(EVENTS_MAX);
        state.events.drain(..surplus);
        let failed = answers.iter().filter(|answer| answer["ErrorCode"].is_string()).count();
        WireAnswer::ok(&json!({ "FailedEntryCount": failed, "Entries": answers }))
    }

    fn state(&self) -> MutexGuard<'_, Events> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door for LocalEventBus {
    async fn exchange(&self, request: WireRequest) -> Result<WireAnswer, Loss> {
        let operation = request.target.as_deref().and_then(|target| target.strip_prefix(TARGET_PREFIX));
        match operation {
            Some("PutEvents") => self.put_events(&request.body),
            _ => Ok(WireAnswer::unknown_operation()),
        }
    }
}

impl fmt::Debug for LocalEventBus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalEventBus").field("buses", &self.buses).finish_non_exhaustive()
    }
}

#[derive(askama::Template)]
#[template(path = "events.html")]
struct EventsPage {
    events: Vec<Shown>,
}

struct Shown {
    time: String,
    name: String,
    json: String,
}

async fn list(State(bus): State<LocalEventBus>) -> Response {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = |event: Value| Shown {
        time: text(&event["time"]),
        name: text(&event["detail-type"]),
        json: format!("{:#}", event["detail"]),
    };
    page(&EventsPage { events: newest_first(&bus).map(shown).collect() })
}

async fn list_json(State(bus): State<LocalEventBus>) -> Json<Vec<Value>> {
    Json(newest_first(&bus).collect())
}

fn newest_first(bus: &LocalEventBus) -> impl Iterator<Item = Value> {
    bus.events().into_iter().rev()
}
