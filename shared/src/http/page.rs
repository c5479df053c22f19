//! Paginated lists.

use super::Parameters;
use serde::Serialize;

/// How many items a page has, and how many it may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub default: u16,
    pub max: u16,
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

impl<T> Page<T> {
    pub const LIMITS: Limits = Limits { default: 20, max: 100 };

    pub fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { data, has_more: next_cursor.is_some(), next_cursor }
    }
}

impl Parameters {
    /// The place in a list after which a page begins. `parse` reads what an earlier page said.
    pub fn cursor<T>(&mut self, parse: impl FnOnce(String) -> Option<T>) -> Option<T> {
        self.optional("cursor", "the next_cursor of a page", parse)
    }

    /// How many items a page of a list may have.
    pub fn limit(&mut self) -> u8 {
        u8::try_from(self.limit_within(Page::<()>::LIMITS)).unwrap_or(u8::MAX)
    }

    /// The same for a list with other limits.
    pub fn limit_within(&mut self, Limits { default, max }: Limits) -> usize {
        let limit = self.integer("limit", 1..=max.into());
        limit.and_then(|limit| limit.try_into().ok()).unwrap_or(default.into())
    }
}
