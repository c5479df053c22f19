//! Maps `x-amz-target` to a method of the embedded database, and its errors to AWS JSON 1.0.
//!
//! This is only the database: no faults, no recording. See
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html>.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LocalDynamoDb;

const TARGET_PREFIX: &str = "DynamoDB_20120810.";
const UNKNOWN_OPERATION: &[u8] = br#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
const STREAMS_TARGET_PREFIX: &str = "DynamoDBStreams_20120810.";

/// The prefix of the `x-amz-target` of a request to DynamoDB or to its streams.
pub(crate) const TARGET_PREFIXES: &str = "DynamoDB";

impl LocalDynamoDb {
    /// Carries out one request without faults and without recording it. Returns the HTTP status and the JSON body.
    ///
    /// The database works on the calling thread, so calls from one task are carried out in their order.
    pub async fn dispatch(&self, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let operation = operation_name(target);
        match dispatch_operation(&self.database, operation, body) {
            Ok(answer) => {
                if is_write(operation) {
                    self.writes.send_modify(|count| *count = count.wrapping_add(1));
                }
                (200, answer)
            }
            Err(DynoxideError::UnsupportedCapability(_)) => (400, UNKNOWN_OPERATION.to_vec()),
            Err(error) => (error.status_code(), error.to_json().into_bytes()),
        }
    }
}

/// The operation of an `x-amz-target`, without the service's prefix; empty for another service.
pub(super) fn operation_name(target: &str) -> &str {
    target.strip_prefix(TARGET_PREFIX).or_else(|| target.strip_prefix(STREAMS_TARGET_PREFIX)).unwrap_or_default()
}

fn is_write(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems")
}

fn dispatch_operation(database: &Database, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
    let call = Call { operation, body };
    match operation {
        "GetItem" => call.run(|request| database.get_item(request)),
        "PutItem" => call.run(|request| database.put_item(request)),
        "UpdateItem" => call.run(|request| database.update_item(request)),
        "DeleteItem" => call.run(|request| database.delete_item(request)),
        "Query" => call.run(|request| database.query(request)),
        "Scan" => call.run(|request| database.scan(request)),
        "BatchGetItem" => call.run(|request| database.batch_get_item(request)),
        "BatchWriteItem" => call.run(|request| database.batch_write_item(request)),
        "TransactGetItems" => call.run(|request| database.transact_get_items(request)),
        "TransactWriteItems" => call.run(|request| database.transact_write_items(request)),
        "CreateTable" => call.run(|request| database.create_table(request)),
        "UpdateTable" => call.run(|request| database.update_table(request)),
        "DescribeTable" => call.run(|request| database.describe_table(request)),
        "DeleteTable" => call.run(|request| database.delete_table(request)),
        "ListTables" => call.run(|request| database.list_tables(request)),
        "UpdateTimeToLive" => call.run(|request| database.update_time_to_live(request)),
        "DescribeTimeToLive" => call.run(|request| database.describe_time_to_live(request)),
        "ListStreams" => call.run(|request| database.list_streams(request)),
        "DescribeStream" => call.run(|request| database.describe_stream(request)),
        "GetShardIterator" => call.run(|request| database.get_shard_iterator(request)),
        "GetRecords" => call.run(|request| database.get_records(request)),
        _ => Err(DynoxideError::UnsupportedCapability(operation.to_owned())),
    }
}

struct Call<'a> {
    operation: &'a str,
    body: &'a [u8],
}

impl Call<'_> {
    fn run<Request: DeserializeOwned, Response: Serialize>(
        &self,
        method: impl FnOnce(Request) -> Result<Response, DynoxideError>,
    ) -> Result<Vec<u8>, DynoxideError> {
        let response = serde_json::from_slice(self.body)
            .map_err(|error| decode_error(&error))
            .and_then(method)
            .map_err(|error| self.in_envelope(error))?;
        serde_json::to_vec(&response).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    }

    /// DynamoDB adds a count to one class of errors, but only for the three single-item writes.
    fn in_envelope(&self, error: DynoxideError) -> DynoxideError {
        match error {
            DynoxideError::EnvelopedValidation(message)
                if matches!(self.operation, "PutItem" | "UpdateItem" | "DeleteItem") =>
            {
                DynoxideError::ValidationException(format!("1 validation error detected: {message}"))
            }
            other => other,
        }
    }
}

/// dynoxide's decoders mark the DynamoDB error that they mean by a tag before the message, and serde_json appends the
/// position. Neither may reach the client.
fn decode_error(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    let message = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
    let tagged = |tag: &str| message.strip_prefix(tag).map(str::to_owned);
    if let Some(message) = tagged("VALIDATION_REQUEST:") {
        DynoxideError::EnvelopedValidation(message)
    } else if let Some(message) = tagged("VALIDATION_AS_READ:").or_else(|| tagged("VALIDATION:")) {
        DynoxideError::ValidationException(message)
    } else if let Some(message) = tagged("SERIALIZATION_AS_READ:").or_else(|| tagged("SERIALIZATION:")) {
        DynoxideError::SerializationException(message)
    } else if ["missing field", "unknown variant", "invalid type: null", "AttributeValue"]
        .iter()
        .any(|part| message.contains(part))
    {
        DynoxideError::ValidationException(message.to_owned())
    } else {
        DynoxideError::SerializationException(message.to_owned())
    }
}
