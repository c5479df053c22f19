//! Does what stored rows owe, as they arrive through the table's stream: sends the e-mails of notices, and publishes
//! events.
//!
//! It decides nothing: a notice or an event was stored with the change that caused it. Only a refused charge changes
//! nothing, so the event of the limit that refused it is stored here.

mod content;
mod rendering;
pub mod wiring;

pub use rendering::{RenderError, render};

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::{Error, LambdaEvent};
use shared::domain::charging::RefusalRow;
use shared::domain::{AccountId, NoticeId};
use shared::error::chain;
use shared::ledger::{is_outbound_event, is_refusal, notice_of, refusal_row_of, stored_event_of};
use shared::links::LinkKey;
use shared::ports::{EventBus, LedgerError, Mailer, Notices, OutboundEvents, StoredEvent};
use shared::use_cases::accounts::{SendNoticeError, Sent, send_notice};
use shared::use_cases::events::tell_limit_reached;
use shared::use_cases::{Capabilities, Context};

/// The ports that the function needs.
pub trait Outside: Capabilities<Ledger: Notices + OutboundEvents, Mailer: Mailer> {}

impl<C: Capabilities<Ledger: Notices + OutboundEvents, Mailer: Mailer>> Outside for C {}

/// The ports and settings that the function works with.
pub struct App<O: Outside, B: EventBus> {
    pub context: Context<O>,
    pub bus: B,
    pub links: LinkKey,
    /// The public URL of the API, `https://…`.
    pub public_url: String,
}

/// Sends the notices in a batch of the stream, one after the other, and publishes its events together. A failure does not
/// stop the others.
///
/// Lambda retries the stream from the lowest failed record. A notice that was already sent is not sent again; an event may
/// be published again, under its id.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
///
/// # Errors
/// If a failed record has no sequence number, so that it cannot be reported. The whole batch is retried.
pub async fn handle<O: Outside, B: EventBus>(
    app: &App<O, B>,
    event: LambdaEvent<Event>,
) -> Result<DynamoDbEventResponse, Error> {
    let mut response = DynamoDbEventResponse::default();
    let (mut records, mut events) = (vec![], vec![]);
    for record in &event.payload.records {
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
    for ((record, event), published) in records.into_iter().zip(&events).zip(app.bus.publish(&events).await) {
        let StoredEvent { id, account, name, .. } = event;
        match published {
            Ok(()) => tracing::info!(account.id = %account, event.id = %id, event.r#type = name, "event published"),
            Err(error) => {
                let error = chain(&error);
                tracing::error!(account.id = %account, event.id = %id, event.r#type = name, error, "event failed");
                response.batch_item_failures.push(failure(record)?);
            }
        }
    }
    Ok(response)
}

async fn send<O: Outside, B: EventBus>(
    app: &App<O, B>,
    account: &AccountId,
    notice: &NoticeId,
) -> Result<Sent, SendNoticeError> {
    let render = |notice: &_| render(notice, &app.links, &app.public_url, app.context.now());
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
