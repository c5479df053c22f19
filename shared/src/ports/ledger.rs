//! The store of accounts, their entries and records, in narrow parts: a function names those that its role allows.
//!
//! Reads by key are strongly consistent: they see every change committed before they began.
//! Only [`History`] and [`DueIndex`] read indexes and may lag by moments.

use crate::domain::payments::ConsentRecord;
use crate::domain::{
    Account, AccountId, Change, ConsentId, CustomerId, Entry, EventId, IdempotencyKey, Notice, NoticeId, Origin,
    Purchase, PurchaseId, TopUp, TopUpId,
};
use jiff::Timestamp;
use std::error::Error;
use std::future::Future;

/// Accounts, read and changed as a whole.
pub trait Accounts: Send + Sync {
    fn account_get(&self, account: &AccountId) -> impl Future<Output = Result<Option<Account>, LedgerError>> + Send;

    /// Writes all of the change in one transaction, or nothing.
    ///
    /// # Errors
    /// [`CommitError::Duplicate`] when an entry of the same origin exists, in preference to
    /// [`CommitError::Stale`] when the stored account is not at `change.account.version - 1`.
    /// [`CommitError::Failed`] when nothing is known of the outcome, after bounded retries: the change may have
    /// been written, and whoever repeats the request finds out.
    fn commit(&self, change: &Change) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// Single entries, by what caused them.
pub trait Entries: Send + Sync {
    fn entry_get(
        &self,
        account: &AccountId,
        origin: &Origin,
    ) -> impl Future<Output = Result<Option<Entry>, LedgerError>> + Send;
}

/// An account's entries in order.
pub trait History: Send + Sync {
    /// The entries below `before_seq` (from the newest, if `None`), newest first, at most `limit` (1–100) of them.
    fn history_page(
        &self,
        account: &AccountId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Entry>, LedgerError>> + Send;
}

/// Purchases.
pub trait Purchases: Send + Sync {
    fn purchase_get(
        &self,
        account: &AccountId,
        purchase: &PurchaseId,
    ) -> impl Future<Output = Result<Option<Purchase>, LedgerError>> + Send;

    /// The purchase that this key opened, if it opened one.
    fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<Option<PurchaseId>, LedgerError>> + Send;
}

/// Top-up attempts.
pub trait TopUps: Send + Sync {
    fn top_up_get(
        &self,
        account: &AccountId,
        top_up: &TopUpId,
    ) -> impl Future<Output = Result<Option<TopUp>, LedgerError>> + Send;
}

/// What customers agreed to, word for word.
pub trait Consents: Send + Sync {
    fn consent_get(
        &self,
        account: &AccountId,
        consent: &ConsentId,
    ) -> impl Future<Output = Result<Option<ConsentRecord>, LedgerError>> + Send;
}

/// Which account a Stripe customer pays for.
pub trait Customers: Send + Sync {
    fn customer_account_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<Option<AccountId>, LedgerError>> + Send;
}

/// Which of Stripe's events were applied.
pub trait Events: Send + Sync {
    fn event_is_applied(&self, event: &EventId) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Remembers that an event was applied, for 35 days, which is longer than Stripe sends it again.
    fn event_mark_applied(
        &self,
        event: &EventId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// E-mails that are owed.
pub trait Notices: Send + Sync {
    fn notice_get(
        &self,
        account: &AccountId,
        notice: &NoticeId,
    ) -> impl Future<Output = Result<Option<Notice>, LedgerError>> + Send;

    /// Remembers that a notice was sent. Marking it twice keeps the first instant.
    fn notice_mark_sent(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The index of accounts on which a sweep has something to do.
pub trait DueIndex: Send + Sync {
    /// One page of the accounts of a shard that are due at `now`, longest due first.
    fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> impl Future<Output = Result<DuePage, LedgerError>> + Send;
}

/// Every part at once, for whoever has the whole store.
pub trait Ledger:
    Accounts + Entries + History + Purchases + TopUps + Consents + Customers + Events + Notices + DueIndex
{
}

impl<L> Ledger for L where
    L: Accounts + Entries + History + Purchases + TopUps + Consents + Customers + Events + Notices + DueIndex
{
}

/// One of the sixteen partitions of the index of due accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard(u8);

impl Shard {
    pub const COUNT: u8 = 16;

    /// The shard of a number, whatever its size.
    pub fn of(number: u32) -> Self {
        Self((number % u32::from(Self::COUNT)) as u8)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    pub fn get(self) -> u8 {
        self.0
    }
}

/// Where a page of due accounts ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCursor {
    pub account: AccountId,
    pub due_at: Timestamp,
}

/// A page of due accounts; `next` is `None` on the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuePage {
    pub accounts: Vec<AccountId>,
    pub next: Option<DueCursor>,
}

/// The store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It may answer later: throttling, conflicts beyond the bound of retries, the network, a failure on AWS's side.
    #[error("the ledger is not available now: {operation}")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It never will: an item that cannot be read, a table that is not there, a permission that is missing.
    #[error("the ledger failed: {operation}")]
    Broken {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl LedgerError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Broken { .. } => false,
        }
    }
}

/// Why a change was not written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed the account first. It stands as given here; decide again. `None` if it does not exist.
    #[error("the account was changed in between")]
    Stale { current: Option<Box<Account>> },
    /// The same cause made this entry before.
    #[error("the entry exists")]
    Duplicate { entry: Box<Entry> },
    #[error(transparent)]
    Failed(#[from] LedgerError),
}
