//! Paginated lists.

use super::Parameters;
use serde::Serialize;

const LIMIT_DEFAULT: u8 = 20;
const LIMIT_MAX: i64 = 100;

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

impl<T> Page<T> {
    pub fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { data, has_more: next_cursor.is_some(), next_cursor }
    }
}

impl Parameters {
    /// How many items a page of a list may have.
    pub fn limit(&mut self) -> u8 {
        let limit = self.integer("limit", 1..=LIMIT_MAX);
        limit.and_then(|limit| limit.try_into().ok()).unwrap_or(LIMIT_DEFAULT)
    }
}
