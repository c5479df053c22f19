//! All items of an account one after the other: to export them.

use super::LedgerError;
use crate::domain::AccountId;
use crate::domain::support::ItemKey;
use std::collections::BTreeMap;
use std::future::Future;

/// Everything that is stored about an account, as it is stored.
pub trait StoredItems: Send + Sync {
    /// The items behind `after` (from the first, if `None`), at most `limit` (1–500) of them and at most 1 MB, strongly
    /// consistent.
    fn stored_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u16,
    ) -> impl Future<Output = Result<StoredItemsPage, LedgerError>> + Send;
}

/// A value as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredValue {
    Text(String),
    /// Its decimal digits.
    Number(String),
    Flag(bool),
    Bytes(Vec<u8>),
    List(Vec<StoredValue>),
    Map(BTreeMap<String, StoredValue>),
}

/// An item as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredItem {
    /// What it is, in one word.
    pub kind: &'static str,
    /// What tells it from the others of its kind. Empty if there is only one.
    pub id: String,
    pub attributes: BTreeMap<String, StoredValue>,
}

/// A page of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredItemsPage {
    pub items: Vec<StoredItem>,
    /// The last item of the page. `None` if no page follows.
    pub next: Option<ItemKey>,
}
