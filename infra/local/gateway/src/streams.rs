//! The event source mapping between a table's stream and a function.
//!
//! Records reach the function in order, at least once, in batches. Failures are handled as in
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>. Retries are immediate.
//! The age of records is not checked, because they have the machine's time, not the movable clock's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::function::{FunctionError, Functions};
use crate::template::{Stream, Template};

/// The source of the records.
pub trait StreamSource: Send + Sync {
    /// Up to `limit` records of the table after `cursor`, oldest first; an empty cursor is before the first record.
    ///
    /// # Errors
    /// Why the stream cannot be read.
    fn read<'a>(
        &'a self,
        table: &'a str,
        cursor: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<StreamPage, StreamError>>;
}

/// One page of records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamPage {
    /// The records in the format of Lambda's events. A page may be empty before the end.
    pub records: Vec<Value>,
    /// Where to continue.
    pub cursor: String,
    pub is_at_end: bool,
}

/// The stream cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream cannot be read: {0}")]
pub struct StreamError(pub String);

/// Records that were given up after their last retry.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedBatch {
    /// The logical id of the function.
    pub function: String,
    pub records: Vec<Value>,
    pub reason: String,
}

/// Receives what an `OnFailure` destination would receive.
pub type OnFailure = Arc<dyn Fn(FailedBatch) + Send + Sync>;

/// The result of a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub records_read: usize,
    /// Excluded by the filter.
    pub records_filtered_out: usize,
    /// Handled by the function.
    pub records_handled: usize,
    /// Given up and passed to [`OnFailure`].
    pub records_failed: usize,
    pub invocations: usize,
    /// The function keeps failing on the oldest record and the template sets no retry limit, or it cannot be reached.
    pub is_blocked: bool,
}

/// One stream of the template and its function's position.
pub struct StreamConsumer {
    stream: Stream,
    table: String,
    source: Arc<dyn StreamSource>,
    functions: Functions,
    on_failure: OnFailure,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cursor: String,
    /// Read but not handled yet, oldest first.
    batches: VecDeque<Batch>,
    /// Where to start after a restart.
    checkpoint: String,
}

struct Batch {
    records: Vec<Value>,
    failures: u32,
}

/// The result of an invocation for its batch.
enum Outcome {
    Handled,
    /// Everything before the index was handled.
    FailedFrom(usize),
    Failed(String),
    Unreachable(String),
}

impl StreamConsumer {
    /// A consumer for each stream of the template, starting at the beginning.
    pub fn all(
        template: &Template,
        source: &Arc<dyn StreamSource>,
        functions: &Functions,
        on_failure: &OnFailure,
    ) -> Vec<Self> {
        let consumer = |stream: &Stream| Self {
            stream: stream.clone(),
            table: template.tables[&stream.table].name.clone(),
            source: Arc::clone(source),
            functions: functions.clone(),
            on_failure: Arc::clone(on_failure),
            state: Mutex::default(),
        };
        template.streams.iter().map(consumer).collect()
    }

    /// The logical id of the function that is invoked.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.stream.function
    }

    /// Everything before it is handled or given up. Pass it to [`StreamConsumer::resume_from`] after a restart.
    pub async fn checkpoint(&self) -> String {
        self.state.lock().await.checkpoint.clone()
    }

    /// Drops what was read and continues at a checkpoint.
    pub async fn resume_from(&self, checkpoint: &str) {
        let (cursor, checkpoint) = (checkpoint.to_owned(), checkpoint.to_owned());
        *self.state.lock().await = State { cursor, checkpoint, batches: VecDeque::new() };
    }

    /// Delivers everything that is in the stream now, with all retries.
    ///
    /// # Errors
    /// If the stream cannot be read. What was delivered before stays delivered.
    pub async fn drain(&self) -> Result<Delivered, StreamError> {
        let mut state = self.state.lock().await;
        let mut delivered = Delivered::default();
        loop {
            while let Some(batch) = state.batches.pop_front() {
                self.deliver(batch, &mut state.batches, &mut delivered).await;
                if delivered.is_blocked {
                    return Ok(delivered);
                }
            }
            state.checkpoint = state.cursor.clone();
            let page = self.source.read(&self.table, &state.cursor, self.stream.batch_size).await?;
            delivered.records_read += page.records.len();
            let read = page.records.len();
            let records: Vec<_> =
                page.records.into_iter().filter(|record| self.stream.filters.matches(record)).collect();
            delivered.records_filtered_out += read - records.len();
            state.cursor = page.cursor;
            if !records.is_empty() {
                state.batches.push_back(Batch { records, failures: 0 });
            } else if page.is_at_end {
                state.checkpoint = state.cursor.clone();
                return Ok(delivered);
            }
        }
    }

    /// Drains the stream repeatedly, with a pause of `idle` in between, until the future is dropped.
    pub async fn run(&self, idle: Duration) {
        loop {
            match self.drain().await {
                Ok(delivered) if delivered.is_blocked => {
                    tracing::warn!(function = self.stream.function, "the stream is blocked by a failing batch");
                }
                Ok(_) => {}
                Err(error) => tracing::error!(function = self.stream.function, %error, "no records"),
            }
            tokio::time::sleep(idle).await;
        }
    }

    /// Invokes the function once. What has to be retried goes back to the front.
    async fn deliver(&self, batch: Batch, batches: &mut VecDeque<Batch>, delivered: &mut Delivered) {
        delivered.invocations += 1;
        match self.invoke(&batch.records).await {
            Outcome::Handled => delivered.records_handled += batch.records.len(),
            Outcome::Unreachable(reason) => {
                tracing::error!(function = self.stream.function, reason, "the function cannot be reached");
                delivered.is_blocked = true;
                batches.push_front(batch);
            }
            Outcome::FailedFrom(index) => {
                delivered.records_handled += index;
                // The record that is first now has not been retried yet.
                let failures = if index == 0 { batch.failures } else { 0 };
                let records = batch.records.into_iter().skip(index).collect();
                let reason = "the function reported the record as failed".to_owned();
                self.retry(Batch { records, failures }, reason, batches, delivered);
            }
            Outcome::Failed(reason) if self.stream.bisect && batch.records.len() > 1 => {
                tracing::warn!(function = self.stream.function, reason, "splitting the batch in two");
                // Splitting does not count as a retry.
                let Batch { mut records, failures } = batch;
                let second = records.split_off(records.len() / 2);
                batches.push_front(Batch { records: second, failures });
                batches.push_front(Batch { records, failures });
            }
            Outcome::Failed(reason) => self.retry(batch, reason, batches, delivered),
        }
    }

    fn retry(&self, batch: Batch, reason: String, batches: &mut VecDeque<Batch>, delivered: &mut Delivered) {
        let Batch { records, failures } = batch;
        match self.stream.retries {
            Some(retries) if failures >= retries => {
                tracing::error!(function = self.stream.function, reason, records = records.len(), "records given up");
                delivered.records_failed += records.len();
                (self.on_failure)(FailedBatch { function: self.stream.function.clone(), records, reason });
            }
            retries => {
                delivered.is_blocked = retries.is_none();
                batches.push_front(Batch { records, failures: failures.saturating_add(1) });
            }
        }
    }

    async fn invoke(&self, records: &[Value]) -> Outcome {
        match self.functions.invoke(&self.stream.function, json!({ "Records": records })).await {
            Ok(answer) if self.stream.reports_item_failures => reported(&answer, records),
            Ok(_) => Outcome::Handled,
            Err(error @ (FunctionError::Unavailable { .. } | FunctionError::Unknown { .. })) => {
                Outcome::Unreachable(error.to_string())
            }
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}

/// Reads `batchItemFailures`. A report that cannot be parsed fails the whole batch.
fn reported(answer: &Value, records: &[Value]) -> Outcome {
    let failures = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => return Outcome::Handled,
        Some(Value::Array(failures)) => failures,
        Some(_) => return Outcome::Failed("batchItemFailures is not a list".to_owned()),
    };
    let index_of = |failure: &Value| {
        let identifier = failure.get("itemIdentifier")?.as_str().filter(|text| !text.is_empty())?;
        records.iter().position(|record| record["dynamodb"]["SequenceNumber"] == identifier)
    };
    let indexes: Option<Vec<usize>> = failures.iter().map(index_of).collect();
    match indexes.map(|indexes| indexes.into_iter().min()) {
        Some(None) => Outcome::Handled,
        Some(Some(first)) => Outcome::FailedFrom(first),
        None => Outcome::Failed("an itemIdentifier is not in the batch".to_owned()),
    }
}

#[cfg(test)]
mod tests;
