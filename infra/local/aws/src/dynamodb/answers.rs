//! Error answers in DynamoDB's name.
//!
//! Wording and format follow <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html> and
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>.

use serde_json::{Value, json};

use super::faults::{CancellationCode, Refusal};
use crate::wire::WireAnswer;

const NAMESPACE: &str = "com.amazonaws.dynamodb.v20120810";

impl Refusal {
    pub(super) fn answer(self) -> WireAnswer {
        let (status, name, message) = match self {
            Self::ProvisionedThroughputExceeded => (
                400,
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            Self::Throttling => (400, "ThrottlingException", "Throughput exceeds the current capacity of your table."),
            Self::TransactionInProgress => {
                (400, "TransactionInProgressException", "The transaction with the given request token is in progress.")
            }
            Self::TransactionConflict => (400, "TransactionConflictException", "Transaction is ongoing for the item"),
            Self::InternalServerError => (500, "InternalServerError", "Internal server error"),
        };
        WireAnswer::error(status, &format!("{NAMESPACE}#{name}"), message)
    }
}

/// `codes` in the order of the request's items.
pub(super) fn transaction_cancelled(codes: &[CancellationCode]) -> WireAnswer {
    let names: Vec<&str> = codes.iter().map(|code| code.name()).collect();
    let reasons: Vec<Value> = codes.iter().map(|code| reason(*code)).collect();
    let body = json!({
        "__type": format!("{NAMESPACE}#TransactionCanceledException"),
        "Message": format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            names.join(", ")
        ),
        "CancellationReasons": reasons,
    });
    WireAnswer { status: 400, body: body.to_string().into_bytes() }
}

fn reason(code: CancellationCode) -> Value {
    match code.message() {
        None => json!({ "Code": code.name() }),
        Some(message) => json!({ "Code": code.name(), "Message": message }),
    }
}
