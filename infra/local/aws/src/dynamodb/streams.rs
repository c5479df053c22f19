//! A table's stream, as the events that Lambda would send to a function.
//!
//! The caller keeps the cursor and decides when to advance it, as an event source mapping does: a batch whose function
//! failed is read again. See <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>.

use std::fmt;

use dynoxide::DynoxideError;
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::streams;
use serde_json::{Value, json};

use super::LocalDynamoDb;
use crate::REGION;

/// A position in a table's stream, just after a record. Its text form can be stored in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamCursor(Option<String>);

impl StreamCursor {
    /// Before the oldest record.
    pub const TRIM_HORIZON: Self = Self(None);

    /// The cursor that [`Display`](fmt::Display) wrote. An invalid text is refused when the cursor is used.
    pub fn from_text(text: &str) -> Self {
        Self(Some(text).filter(|text| !text.is_empty()).map(str::to_owned))
    }
}

impl fmt::Display for StreamCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_deref().unwrap_or_default())
    }
}

/// One page of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamBatch {
    /// The Lambda event `{"Records": […]}`; `None` if it would have no records.
    pub event: Option<Value>,
    /// Where to continue after the event was handled.
    pub next: StreamCursor,
    /// Whether the stream was read to its end.
    pub is_at_end: bool,
}

/// The stream could not be read: there is no such table, it has no stream, or the cursor is from another stream.
#[derive(Debug, thiserror::Error)]
#[error("the stream of table {table} cannot be read: {message}")]
pub struct StreamError {
    table: String,
    message: String,
}

impl LocalDynamoDb {
    /// Reads up to `limit` (1–1,000) records of the table's stream after `cursor`, in the order of the writes.
    ///
    /// For a write that changes nothing, DynamoDB writes no stream record, but dynoxide does. Such records are removed
    /// here. This needs both images, so they remain with any view type other than `NEW_AND_OLD_IMAGES`.
    ///
    /// # Errors
    /// If the table has no stream or the cursor is from another stream.
    pub fn stream_batch(&self, table: &str, cursor: &StreamCursor, limit: usize) -> Result<StreamBatch, StreamError> {
        let failed = |message: String| StreamError { table: table.to_owned(), message };
        let stream_arn = self.stream_arn(table).ok_or_else(|| failed("it has none".to_owned()))?;
        let records = self.records_after(table, cursor, limit).map_err(|error| failed(error.to_string()))?;
        let next = records.last().map_or_else(|| cursor.clone(), cursor_after);
        let is_at_end = records.len() < limit;
        let events: Vec<Value> =
            records.iter().filter(|record| !changes_nothing(record)).map(|record| event(record, &stream_arn)).collect();
        let event = (!events.is_empty()).then(|| json!({ "Records": events }));
        Ok(StreamBatch { event, next, is_at_end })
    }

    /// The cursor after the newest record. A poller that starts here sees only later writes.
    ///
    /// # Errors
    /// If the table has no stream.
    pub fn stream_end(&self, table: &str) -> Result<StreamCursor, StreamError> {
        let mut cursor = StreamCursor::TRIM_HORIZON;
        loop {
            let batch = self.stream_batch(table, &cursor, RECORDS_MAX)?;
            cursor = batch.next;
            if batch.is_at_end {
                return Ok(cursor);
            }
        }
    }

    fn stream_arn(&self, table: &str) -> Option<String> {
        let metadata = self.database.get_table_metadata(table).ok().flatten()?;
        let label = metadata.stream_label.filter(|_| metadata.stream_enabled)?;
        Some(streams::stream_arn(table, &label))
    }

    fn records_after(&self, table: &str, cursor: &StreamCursor, limit: usize) -> Result<Vec<Record>, DynoxideError> {
        let kind = if cursor.0.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let iterator = self.database.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: streams::stream_arn(table, ""),
            shard_id: streams::shard_id(table),
            shard_iterator_type: kind.to_owned(),
            sequence_number: cursor.0.clone(),
        })?;
        let shard_iterator = iterator.shard_iterator.unwrap_or_default();
        let request = GetRecordsRequest { shard_iterator, limit: Some(limit.clamp(1, RECORDS_MAX)) };
        Ok(self.database.get_records(request)?.records)
    }
}

/// The most records that `GetRecords` returns.
const RECORDS_MAX: usize = 1_000;

fn cursor_after(record: &Record) -> StreamCursor {
    StreamCursor(Some(record.dynamodb.sequence_number.clone()))
}

fn changes_nothing(record: &Record) -> bool {
    let images = &record.dynamodb;
    record.event_name == "MODIFY" && images.new_image.is_some() && images.new_image == images.old_image
}

fn event(record: &Record, stream_arn: &str) -> Value {
    let mut event = serde_json::to_value(record).unwrap_or_default();
    event["awsRegion"] = json!(REGION);
    event["eventSourceARN"] = json!(stream_arn.replace(streams::LOCAL_REGION, REGION));
    // Lambda's events have whole seconds as an integer.
    event["dynamodb"]["ApproximateCreationDateTime"] =
        json!(record.dynamodb.approximate_creation_date_time.floor() as i64);
    event
}
