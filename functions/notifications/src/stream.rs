//! The notices, events and refused requests in a batch of the table's stream.

use crate::rendering::{Links, render};
use crate::reversed::Reversals;
use crate::{App, Outside};
use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::Error;
use shared::domain::charging::RefusalRow;
use shared::domain::{AccountId, Notice, NoticeId};
use shared::error::chain;
use shared::ledger::{is_outbound_event, is_refusal, notice_of, refusal_row_of, stored_event_of};
use shared::ports::{EventBus, LedgerError, StoredEvent};
use shared::telemetry::embedded_metrics;
use shared::use_cases::accounts::{SendNoticeError, Sent, send_notice};
use shared::use_cases::events::tell_limit_reached;

/// Sends the notices in a batch of the stream, one after the other, and publishes its events together. A failure does not
/// stop the others.
///
/// Lambda retries the stream from the lowest failed record. A notice that was already sent is not sent again; an event may
/// be published again, under its id.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
///
/// # Errors
/// If a failed record has no sequence number, so that it cannot be reported. The whole batch is retried.
pub async fn handle<O: Outside, B: EventBus>(app: &App<O, B>, event: Event) -> Result<DynamoDbEventResponse, Error> {
    let mut response = DynamoDbEventResponse::default();
    let (mut records, mut events) = (vec![], vec![]);
    for record in &event.records {
        match owed(record) {
            None => {}
            Some(Ok(Owed::Event(event))) => {
                records.push(record);
                events.push(event);
            }
            Some(Ok(Owed::Notice(account, notice))) => match send(app, &account, &notice).await {
                Ok(sent) => tracing::info!(account.id = %account, notice.id = %notice, ?sent, "notice handled"),
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(account.id = %account, notice.id = %notice, error, "notice failed");
                    response.batch_item_failures.push(failure(record)?);
                }
            },
            Some(Ok(Owed::Refusal(row))) => {
                let account = row.account.clone();
                if let Err(error) = tell_limit_reached(&app.context, *row).await {
                    let error = chain(&error);
                    tracing::error!(account.id = %account, error, "the event of a limit was not stored");
                    response.batch_item_failures.push(failure(record)?);
                }
            }
            Some(Err(error)) => {
                tracing::error!(error = chain(&error), "a record cannot be read");
                response.batch_item_failures.push(failure(record)?);
            }
        }
    }
    let mut reversals = Reversals::default();
    for ((record, event), published) in records.into_iter().zip(&events).zip(app.bus.publish(&events).await) {
        let StoredEvent { id, account, name, .. } = event;
        match published {
            Ok(()) => {
                tracing::info!(account.id = %account, event.id = %id, event.r#type = name, "event published");
                reversals.add(event);
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(account.id = %account, event.id = %id, event.r#type = name, error, "event failed");
                response.batch_item_failures.push(failure(record)?);
            }
        }
    }
    // Most batches tell of none, and pay for no metrics.
    if reversals != Reversals::default() {
        (app.emit)(&embedded_metrics("notifications", &reversals.counts(), app.context.now()));
    }
    Ok(response)
}

async fn send<O: Outside, B: EventBus>(
    app: &App<O, B>,
    account: &AccountId,
    notice: &NoticeId,
) -> Result<Sent, SendNoticeError> {
    let links = Links { key: &app.links, public_url: &app.public_url, now: app.context.now() };
    let render = |notice: &Notice, to| render(notice, to, links);
    send_notice(&app.context, account, notice, render).await
}

/// What a record says is to be done.
enum Owed {
    Notice(AccountId, NoticeId),
    Event(StoredEvent),
    Refusal(Box<RefusalRow>),
}

/// `None` for a record of another kind. Where the stream has filters, none arrives.
fn owed(record: &EventRecord) -> Option<Result<Owed, LedgerError>> {
    let key = |name: &str| match record.change.keys.get(name)? {
        serde_dynamo::AttributeValue::S(text) => Some(text.as_str()),
        _ => None,
    };
    let (partition, sort, is_new) = (key("PK")?, key("SK")?, record.event_name == "INSERT");
    let image = || record.change.new_image.clone().into();
    // A row of refused requests may take another one's place.
    if is_refusal(sort) && (is_new || record.event_name == "MODIFY") {
        return Some(refusal_row_of(&image()).map(|row| Owed::Refusal(Box::new(row))));
    }
    if !is_new {
        return None;
    }
    if is_outbound_event(sort) {
        return Some(stored_event_of(&image()).map(Owed::Event));
    }
    notice_of(partition, sort).map(|(account, notice)| Ok(Owed::Notice(account, notice)))
}

fn failure(record: &EventRecord) -> Result<DynamoDbBatchItemFailure, Error> {
    let sequence_number =
        record.change.sequence_number.clone().ok_or("a record of the stream has no SequenceNumber")?;
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = Some(sequence_number);
    Ok(failure)
}
