//! Records the requests, for tests that count reads and writes.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;

use super::Operation;
use crate::wire::{Loss, WireAnswer};

/// One operation and its result.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedOperation {
    /// The requested operation.
    pub operation: Operation,
    /// The items returned by a read, or named by a write.
    pub item_count: usize,
    /// `ConsumedCapacity` from the answer: an object, or a list for batches and transactions. `None` if it was not
    /// requested.
    pub consumed_capacity: Option<Value>,
    /// The error's name without its namespace; `None` if the operation succeeded or was lost.
    pub error: Option<String>,
    /// How the request or its answer was lost. The operation may have been carried out.
    pub loss: Option<Loss>,
}

impl RecordedOperation {
    /// The capacity units of all tables and indexes together, 0 if they were not requested.
    pub fn capacity_units(&self) -> f64 {
        let units = |table: &Value| table["CapacityUnits"].as_f64().unwrap_or(0.0);
        match &self.consumed_capacity {
            Some(Value::Array(tables)) => tables.iter().map(units).sum(),
            Some(table) => units(table),
            None => 0.0,
        }
    }
}

/// A recording that continues until it is dropped.
#[derive(Debug)]
pub struct Recording(Arc<Log>);

type Log = Mutex<Vec<RecordedOperation>>;

impl Recording {
    /// Everything recorded so far, oldest first.
    pub fn operations(&self) -> Vec<RecordedOperation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything recorded so far, oldest first. It is then removed from the recording.
    pub fn take(&self) -> Vec<RecordedOperation> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many operations of this name (such as `"Query"`) were recorded.
    pub fn count(&self, operation: &str) -> usize {
        self.operations().iter().filter(|recorded| recorded.operation.name == operation).count()
    }

    /// The names of the recorded operations, oldest first.
    pub fn names(&self) -> Vec<String> {
        self.operations().into_iter().map(|recorded| recorded.operation.name).collect()
    }

    /// Removes everything recorded so far.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The running recordings of one database.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Vec<Weak<Log>>>>);

impl Recorder {
    pub(super) fn start(&self) -> Recording {
        let log = Arc::new(Log::default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&log));
        Recording(log)
    }

    pub(super) fn note(&self, operation: &Operation, outcome: &Result<WireAnswer, Loss>) {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|log| log.strong_count() > 0);
        if logs.is_empty() {
            return;
        }
        let recorded = recorded(operation, outcome);
        for log in logs.iter().filter_map(Weak::upgrade) {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(recorded.clone());
        }
    }
}

fn recorded(operation: &Operation, outcome: &Result<WireAnswer, Loss>) -> RecordedOperation {
    let error = outcome.as_ref().ok().and_then(WireAnswer::error_type);
    let answer = outcome.as_ref().ok().and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
    let answer = answer.unwrap_or(Value::Null);
    RecordedOperation {
        operation: operation.clone(),
        item_count: if error.is_some() { 0 } else { item_count(operation, &answer) },
        consumed_capacity: answer.get("ConsumedCapacity").cloned(),
        error,
        loss: outcome.as_ref().err().copied(),
    }
}

fn item_count(operation: &Operation, answer: &Value) -> usize {
    match operation.name.as_str() {
        "GetItem" => usize::from(answer.get("Item").is_some()),
        "Query" | "Scan" => answer["Count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0),
        "BatchGetItem" => answer["Responses"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, items)| items.as_array())
            .map(Vec::len)
            .sum(),
        "TransactGetItems" => answer["Responses"]
            .as_array()
            .map_or(0, |responses| responses.iter().filter(|response| response.get("Item").is_some()).count()),
        _ => operation.requested_item_count(),
    }
}
