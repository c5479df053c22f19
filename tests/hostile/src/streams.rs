//! The records of the table's stream, and the reports of the mail service.

use crate::world::{account_id, ledger_with, link_key, now};
use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use notifications::App;
use serde_json::Value;
use shared::domain::OutboundEventId;
use shared::ports::{Email, EventBus, EventBusError, Mailer, MailerError, NoPauses, RandomIds, StoredEvent};
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use simulation::ledger::MemoryLedger;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Any bytes as an event of the function: only unsent notices are sent, and every failure is reported.
pub fn streams(data: &[u8]) {
    let Ok(payload) = serde_json::from_slice::<Value>(data) else { return };
    let records = serde_json::from_value::<Event>(payload.clone()).map(|event| event.records).unwrap_or_default();
    let numbers: Vec<Option<String>> = records.iter().map(|record| record.change.sequence_number.clone()).collect();
    let context = Context {
        ledger: ledger_with(&[500]),
        payments: Absent,
        mailer: Counting::default(),
        timers: Absent,
        clock: now as fn() -> _,
        pauses: NoPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: Absent,
    };
    let public_url = "https://api.example.com".to_owned();
    let app = App::<InMemory, Checking> { context, bus: Checking, links: link_key(), public_url, emit: |_| {} };
    assert!(app.context.ledger.tables().partitions[&account_id()].notices.is_empty());
    let handled = futures::executor::block_on(notifications::handle(
        &app,
        LambdaEvent::new(payload, lambda_runtime::Context::default()),
    ));
    assert_eq!(app.context.mailer.0.load(Ordering::Relaxed), 0, "no notice is stored, so none is owed");
    assert!(app.context.ledger.tables().partitions[&account_id()].notices.is_empty(), "and nothing is owed again");
    let response = handled.ok().and_then(|answer| serde_json::from_value::<DynamoDbEventResponse>(answer).ok());
    for failure in response.map(|response| response.batch_item_failures).unwrap_or_default() {
        assert!(numbers.contains(&failure.item_identifier), "a failed record was in the batch");
    }
}

enum InMemory {}

impl Capabilities for InMemory {
    type Ledger = MemoryLedger;
    type Payments = Absent;
    type Mailer = Counting;
    type Timers = Absent;
    type Clock = fn() -> Timestamp;
    type Pauses = NoPauses;
    type Ids = RandomIds;
    type PriceBook = Absent;
}

/// Whatever is published has the key of an event.
struct Checking;

impl EventBus for Checking {
    async fn publish(&self, events: &[StoredEvent]) -> Vec<Result<(), EventBusError>> {
        let check = |event: &StoredEvent| {
            assert!(OutboundEventId::parse(event.id.as_str()).is_ok(), "an event has an id");
            Ok(())
        };
        events.iter().map(check).collect()
    }
}

#[derive(Default)]
struct Counting(AtomicUsize);

impl Mailer for Counting {
    async fn send(&self, _: &Email) -> Result<(), MailerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
