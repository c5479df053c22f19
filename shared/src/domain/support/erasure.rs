//! How far what is personal in an account is erased.

use jiff::Timestamp;

/// Where the items of an account continue, in the store's own order. Only the store can read it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemKey(String);

impl ItemKey {
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far what is personal in a closed account is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub started_at: Timestamp,
    /// The last item that was looked at. `None` at the beginning.
    pub after: Option<ItemKey>,
    /// How many items were changed or deleted.
    pub items: u64,
    pub completed_at: Option<Timestamp>,
}

impl Erasure {
    pub(super) fn starting(now: Timestamp) -> Self {
        Self { started_at: now, after: None, items: 0, completed_at: None }
    }
}
