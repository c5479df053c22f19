//! Sends the e-mails of the notices that arrive through the table's stream.
//!
//! It only records that a notice was sent, and decides nothing: the notice was stored with the change that caused it.

mod content;
mod rendering;
pub mod wiring;

pub use rendering::{RenderError, render};

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::{Error, LambdaEvent};
use shared::domain::{AccountId, NoticeId};
use shared::error::chain;
use shared::ledger::notice_of;
use shared::links::LinkKey;
use shared::ports::{Mailer, Notices};
use shared::use_cases::accounts::{SendNoticeError, Sent, send_notice};
use shared::use_cases::{Capabilities, Context};

/// The ports that the function needs.
pub trait Outside: Capabilities<Ledger: Notices, Mailer: Mailer> {}

impl<C: Capabilities<Ledger: Notices, Mailer: Mailer>> Outside for C {}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    pub links: LinkKey,
    /// The public URL of the API, `https://…`.
    pub public_url: String,
}

/// Sends the notices in a batch of the stream, one after the other. A failure does not stop the others.
///
/// Lambda retries the stream from the lowest failed record, and a notice that was already sent is not sent again.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
///
/// # Errors
/// If a failed record has no sequence number, so that it cannot be reported. The whole batch is retried.
pub async fn handle<O: Outside>(app: &App<O>, event: LambdaEvent<Event>) -> Result<DynamoDbEventResponse, Error> {
    let mut response = DynamoDbEventResponse::default();
    for record in &event.payload.records {
        let Some((account, notice)) = owed(record) else { continue };
        match send(app, &account, &notice).await {
            Ok(sent) => tracing::info!(account.id = %account, notice.id = %notice, ?sent, "notice handled"),
            Err(error) => {
                let error = chain(&error);
                tracing::error!(account.id = %account, notice.id = %notice, error, "notice failed");
                response.batch_item_failures.push(failure(record)?);
            }
        }
    }
    Ok(response)
}

async fn send<O: Outside>(app: &App<O>, account: &AccountId, notice: &NoticeId) -> Result<Sent, SendNoticeError> {
    let render = |notice: &_| render(notice, &app.links, &app.public_url, app.context.now());
    send_notice(&app.context, account, notice, render).await
}

/// The notice that a record newly stored. Where the stream has a filter, only such records arrive.
fn owed(record: &EventRecord) -> Option<(AccountId, NoticeId)> {
    let key = |name: &str| match record.change.keys.get(name)? {
        serde_dynamo::AttributeValue::S(text) => Some(text.as_str()),
        _ => None,
    };
    if record.event_name == "INSERT" { notice_of(key("PK")?, key("SK")?) } else { None }
}

fn failure(record: &EventRecord) -> Result<DynamoDbBatchItemFailure, Error> {
    let sequence_number =
        record.change.sequence_number.clone().ok_or("a record of the stream has no SequenceNumber")?;
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = Some(sequence_number);
    Ok(failure)
}
