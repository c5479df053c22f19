//! The requests that came in, for tests to read.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

use crate::faults::path_matches;

/// The most requests that are remembered.
const KEPT_MAX: usize = 10_000;

/// One request to the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub idempotency_key: Option<String>,
    /// The status of the answer, even if the answer was lost; `None` if the request itself was lost.
    pub status: Option<u16>,
    /// The connection was closed without an answer.
    pub is_lost: bool,
    /// The answer came from the idempotency key.
    pub is_replayed: bool,
}

impl RequestRecord {
    /// Whether this is a `method` request to a path that matches `pattern`, whose segments may be `*`.
    #[must_use]
    pub fn is(&self, method: &str, pattern: &str) -> bool {
        self.method == method && path_matches(pattern, &self.path)
    }
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    records: VecDeque<RequestRecord>,
    total: u64,
    effects: u64,
}

impl RequestLog {
    pub(crate) fn add(&mut self, record: RequestRecord) {
        if self.records.len() == KEPT_MAX {
            self.records.pop_front();
        }
        let is_answered = !record.is_lost && record.status.is_some_and(|status| status < 400);
        // No other run waits for the list of events, so one that fails makes no other run worth while.
        let is_read = record.method == "GET" && (is_answered || record.path == "/v1/events");
        self.effects += u64::from(!is_read);
        self.records.push_back(record);
        self.total += 1;
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        self.records.iter().cloned().collect()
    }

    /// Includes requests that are no longer remembered.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Those that were no read, or that failed: the next one may be answered.
    pub(crate) fn effects(&self) -> u64 {
        self.effects
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}
