//! Folds the entries of accounts into rows per day and month, whenever the table's stream shows the last entry of a block.
//!
//! The record only says that a block is complete. What is folded comes from the table, from where the account's cursor
//! is, so a record may arrive late, twice, in any order or never.

pub mod wiring;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::{Error, LambdaEvent};
use shared::domain::AccountId;
use shared::error::chain;
use shared::ledger::account_of_entry;
use shared::ports::{Entries, EntryList, UsageFolds, UsageRows};
use shared::use_cases::usage::{FoldLimits, fold_usage};
use shared::use_cases::{Capabilities, Context};

/// Transactions of one invocation: of about 30 milliseconds each, a quarter of the function's time. An account with
/// 100,000 entries that were never folded takes three invocations.
const FOLDS_MAX: u32 = 500;

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: Capabilities<Ledger: UsageRows + EntryList + Entries + UsageFolds>
}

/// The ports that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
}

/// Folds the accounts of a batch of the stream, one after the other. A failure does not stop the others.
///
/// A block whose entries the index does not show yet is a failure, and so is one for which this invocation had no
/// transactions left: Lambda delivers the records from the first such block again, and the fold goes on where it was.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
///
/// # Errors
/// If a failed record has no sequence number, so that it cannot be reported. The whole batch is retried.
pub async fn handle<O: Outside>(app: &App<O>, event: LambdaEvent<Event>) -> Result<DynamoDbEventResponse, Error> {
    let mut response = DynamoDbEventResponse::default();
    let mut folds_left = FOLDS_MAX;
    for record in &event.payload.records {
        let Some((account, seq)) = block_end(record) else { continue };
        if !fold(app, (&account, seq), &mut folds_left).await {
            response.batch_item_failures.push(failure(record)?);
        }
    }
    Ok(response)
}

/// Whether the account is folded through this entry now.
async fn fold<O: Outside>(app: &App<O>, (account, seq): (&AccountId, u64), folds_left: &mut u32) -> bool {
    // Boxed, because the compiler follows futures within futures only so far, and those of the SDK are deep.
    match Box::pin(fold_usage(&app.context, account, seq, FoldLimits::of(*folds_left))).await {
        Ok(folded) => {
            *folds_left = folds_left.saturating_sub(folded.folds);
            tracing::info!(account.id = %account, folded.through = folded.through_seq, folded.rows, seq, "usage folded");
            folded.through_seq >= seq
        }
        Err(error) if error.is_retryable() => {
            tracing::warn!(account.id = %account, seq, error = chain(&error), "usage is folded later");
            false
        }
        Err(error) => {
            tracing::error!(account.id = %account, seq, error = chain(&error), "usage cannot be folded");
            false
        }
    }
}

/// The account and the `seq` of a newly stored entry that ends a block. Where the stream has a filter, only such records
/// arrive.
fn block_end(record: &EventRecord) -> Option<(AccountId, u64)> {
    let key = |name: &str| match record.change.keys.get(name)? {
        serde_dynamo::AttributeValue::S(text) => Some(text.as_str()),
        _ => None,
    };
    let seq: u64 = match record.change.new_image.get("seq")? {
        serde_dynamo::AttributeValue::N(number) => number.parse().ok()?,
        _ => return None,
    };
    let account = account_of_entry(key("PK")?, key("SK")?)?;
    (record.event_name == "INSERT" && seq.is_multiple_of(FoldLimits::BLOCK)).then_some((account, seq))
}

fn failure(record: &EventRecord) -> Result<DynamoDbBatchItemFailure, Error> {
    let sequence_number =
        record.change.sequence_number.clone().ok_or("a record of the stream has no SequenceNumber")?;
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = Some(sequence_number);
    Ok(failure)
}
