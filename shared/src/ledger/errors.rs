//! Questions about DynamoDB's errors, which also look inside a cancelled transaction.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>

use super::attributes::Unreadable;
use crate::ports::LedgerError;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use std::error::Error;

/// Codes of transient errors, both of whole requests and of single items of a cancelled transaction.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors>
const TRANSIENT: [&str; 8] = [
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// The cancellation reason of each item of a transaction, in the order of the items. Empty for any other error.
pub(super) fn cancellation_reasons(error: &SdkError<TransactWriteItemsError>) -> &[CancellationReason] {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        _ => &[],
    }
}

/// Whether the transaction was cancelled because it conflicted with another one, or because an item was throttled.
/// Unlike a request that is throttled as a whole, the client does not send it again.
///
/// One such reason is enough, because it makes the conditions meaningless: DynamoDB may report a condition as failed
/// against a state that the other transaction is about to replace.
pub(super) fn is_contended(error: &SdkError<TransactWriteItemsError>) -> bool {
    cancellation_reasons(error).iter().any(|reason| reason.code().is_some_and(is_transient_code))
}

pub(super) fn is_condition_failed(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// The port's error for an SDK error that has no more specific meaning.
pub(super) fn ledger_error<E>(operation: &'static str, error: SdkError<E>) -> LedgerError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if is_temporary(&error) { unavailable(operation, error) } else { broken(operation, error) }
}

/// Whether the same request may succeed in a moment.
pub(super) fn is_temporary<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(refusal) => is_transient(error) || refusal.raw().status().as_u16() >= 500,
        _ => false,
    }
}

pub(super) fn unavailable(operation: &'static str, source: impl Error + Send + Sync + 'static) -> LedgerError {
    LedgerError::Unavailable { operation, source: Box::new(source) }
}

pub(super) fn broken(operation: &'static str, source: impl Error + Send + Sync + 'static) -> LedgerError {
    LedgerError::Broken { operation, source: Box::new(source) }
}

pub(super) fn unreadable(operation: &'static str) -> impl Fn(Unreadable) -> LedgerError {
    move |unreadable| broken(operation, unreadable)
}

fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(is_transient_code)
}

fn is_transient_code(code: &str) -> bool {
    TRANSIENT.contains(&code)
}
