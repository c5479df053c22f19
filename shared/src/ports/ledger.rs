//! The store of accounts, their entries and records, as narrow traits: a function uses those that its role allows.
//!
//! Reads by key are strongly consistent: they see every change committed before they began.
//! Only [`History`], [`EntryList`], [`DueIndex`], [`DueAlerts`], [`DueCards`] and [`DueCharges`] read indexes, which are
//! eventually consistent.

use super::ledger_error::{CommitError, FoldError, LedgerError};
use crate::domain::alerts::Alerts;
use crate::domain::charging::{PendingCharge, RefusalPlace, RefusalRow};
use crate::domain::contacts::Contacts;
use crate::domain::payments::{AskedCard, ConsentRecord, Invoiced, SweepLog};
use crate::domain::support::{Erasure, ErasurePage, ItemKey};
use crate::domain::usage::{Flag, FlagPlace};
use crate::domain::{
    Account, AccountId, Act, ActId, Change, ConsentId, CustomerId, EmailAddress, Entry, EventId, IdempotencyKey,
    Notice, NoticeId, Origin, OutboundEvent, Periods, Purchase, PurchaseId, Spender, SpenderLimits, SpendingChange,
    TopUp, TopUpId, TopUpRetry, UsageCursor, UsageFold, UsageRow,
};
use jiff::Timestamp;
use jiff::civil::Date;
use std::future::Future;

/// Accounts, read and changed as a whole.
pub trait Accounts: Send + Sync {
    fn account_get(&self, account: &AccountId) -> impl Future<Output = Result<Option<Account>, LedgerError>> + Send;

    /// Writes all of the change in one transaction, or nothing. An adapter may send the same transaction again when its
    /// answer was lost, and never waits for other transactions: the caller does.
    ///
    /// # Errors
    /// [`CommitError::Contended`] when the store did not judge the change, in preference to
    /// [`CommitError::Duplicate`] when entries of the same origins exist, in preference to
    /// [`CommitError::Stale`] when the stored account is not at `change.account.version - 1`.
    /// [`CommitError::Failed`] when the outcome is unknown after a limited number of retries: the change may have been
    /// written, and a caller who repeats the request learns whether it was.
    fn commit(&self, change: &Change) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// Single entries, by their origin.
pub trait Entries: Send + Sync {
    fn entry_get(
        &self,
        account: &AccountId,
        origin: &Origin,
    ) -> impl Future<Output = Result<Option<Entry>, LedgerError>> + Send;
}

/// The records of charges that were made pending.
pub trait PendingCharges: Send + Sync {
    fn pending_charge_get(
        &self,
        account: &AccountId,
        charge: &IdempotencyKey,
    ) -> impl Future<Output = Result<Option<PendingCharge>, LedgerError>> + Send;
}

/// An account's records of charges that were made pending, by their keys.
pub trait PendingChargeList: Send + Sync {
    /// The records that follow `after` (from the first, if `None`), at most `limit` (1–100) of them, strongly consistent.
    fn pending_charges_page(
        &self,
        account: &AccountId,
        after: Option<&IdempotencyKey>,
        limit: u8,
    ) -> impl Future<Output = Result<PendingChargesPage, LedgerError>> + Send;
}

/// An account's entries in order of time.
pub trait History: Send + Sync {
    /// The entries below `before_seq` (from the newest, if `None`), newest first, at most `limit` (1–1,000) of them.
    fn history_page(
        &self,
        account: &AccountId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Entry>, LedgerError>> + Send;
}

/// Requests that were refused, to be looked at. Nothing depends on them.
pub trait RefusalRows: Send + Sync {
    /// Writes the row, in place of another one that may be there. It is deleted once [`RefusalRow::KEPT_FOR`] is over.
    fn refusal_row_put(&self, row: &RefusalRow) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// An account's refused requests, newest first.
pub trait RefusalList: Send + Sync {
    /// The rows in places from `oldest` on, and below `before` (from the newest, if `None`), at most `limit` (1–100) of
    /// them.
    fn refusals_page(
        &self,
        account: &AccountId,
        oldest: RefusalPlace,
        before: Option<RefusalPlace>,
        limit: u8,
    ) -> impl Future<Output = Result<RefusalsPage, LedgerError>> + Send;
}

/// An account's entries as they are stored, even those that cannot be read, to verify them.
pub trait StoredEntries: Send + Sync {
    /// The entries from `from_seq` on, oldest first, at most `limit` (1–1,000) of them.
    ///
    /// An entry may be missing here for a moment although a later one is there already.
    fn stored_entries(
        &self,
        account: &AccountId,
        from_seq: u64,
        limit: u32,
    ) -> impl Future<Output = Result<StoredEntriesPage, LedgerError>> + Send;
}

/// Purchases.
pub trait Purchases: Send + Sync {
    fn purchase_get(
        &self,
        account: &AccountId,
        purchase: &PurchaseId,
    ) -> impl Future<Output = Result<Option<Purchase>, LedgerError>> + Send;

    /// The purchase that was opened with this key, if any.
    fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<Option<PurchaseId>, LedgerError>> + Send;
}

/// An account's purchases, newest first.
pub trait PurchaseList: Send + Sync {
    /// The purchases that follow `after` in the list (from the newest, if `None`), at most `limit` (1–100) of them.
    ///
    /// They are ordered by their ids, which never change. So a purchase that is opened in the meantime is before the
    /// pages that are still to come. `after` does not have to exist.
    fn purchases_page(
        &self,
        account: &AccountId,
        after: Option<&PurchaseId>,
        limit: u8,
    ) -> impl Future<Output = Result<PurchasesPage, LedgerError>> + Send;
}

/// Top-up attempts.
pub trait TopUps: Send + Sync {
    fn top_up_get(
        &self,
        account: &AccountId,
        top_up: &TopUpId,
    ) -> impl Future<Output = Result<Option<TopUp>, LedgerError>> + Send;
}

/// The customer's requests to pay an attempt's open invoice now.
pub trait TopUpRetries: Send + Sync {
    /// The retry that was asked for with this key, if any.
    fn top_up_retry_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<Option<TopUpRetry>, LedgerError>> + Send;
}

/// An account's attempts, newest first.
pub trait TopUpList: Send + Sync {
    /// The attempts that follow `after` in the list (from the newest, if `None`), at most `limit` (1–100) of them.
    fn top_ups_page(
        &self,
        account: &AccountId,
        after: Option<&TopUpId>,
        limit: u8,
    ) -> impl Future<Output = Result<NewestFirst<TopUp>, LedgerError>> + Send;
}

/// What sweeps decided about an account without opening an attempt.
pub trait SweepLogs: Send + Sync {
    /// The default if there is none yet.
    fn sweep_log_get(&self, account: &AccountId) -> impl Future<Output = Result<SweepLog, LedgerError>> + Send;

    /// Replaces the revision before this one. Returns false, and writes nothing, if another sweep was first.
    fn sweep_log_put(
        &self,
        account: &AccountId,
        log: &SweepLog,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}

/// What support did to an account, newest first.
pub trait Acts: Send + Sync {
    /// The acts that follow `after` in the list (from the newest, if `None`), at most `limit` (1–100) of them.
    fn acts_page(
        &self,
        account: &AccountId,
        after: Option<&ActId>,
        limit: u8,
    ) -> impl Future<Output = Result<NewestFirst<Act>, LedgerError>> + Send;
}

/// Flags for unusual usage, newest first. A fold writes them.
pub trait Flags: Send + Sync {
    /// The account's flags that follow `after` in the list (from the newest, if `None`), at most `limit` (1–100) of them.
    fn flags_page(
        &self,
        account: &AccountId,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> impl Future<Output = Result<NewestFirst<Flag>, LedgerError>> + Send;

    /// The same of all accounts, for those that were raised in the month that begins with this day.
    fn flags_of_month_page(
        &self,
        month: Date,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> impl Future<Output = Result<NewestFirst<Flag>, LedgerError>> + Send;
}

/// The e-mails of an account that are still stored, newest first.
pub trait NoticeList: Send + Sync {
    /// The notices that follow `after` in the list (from the newest, if `None`), at most `limit` (1–100) of them.
    fn notices_page(
        &self,
        account: &AccountId,
        after: Option<&NoticeId>,
        limit: u8,
    ) -> impl Future<Output = Result<NewestFirst<Notice>, LedgerError>> + Send;
}

/// The exact texts that customers agreed to.
pub trait Consents: Send + Sync {
    fn consent_get(
        &self,
        account: &AccountId,
        consent: &ConsentId,
    ) -> impl Future<Output = Result<Option<ConsentRecord>, LedgerError>> + Send;
}

/// All consents of an account, newest first.
pub trait ConsentList: Send + Sync {
    /// The consents that follow `after` in the list (from the newest, if `None`), at most `limit` (1–100) of them.
    fn consents_page(
        &self,
        account: &AccountId,
        after: Option<&ConsentId>,
        limit: u8,
    ) -> impl Future<Output = Result<NewestFirst<ConsentRecord>, LedgerError>> + Send;
}

/// Who stopped spending or allowed it again.
pub trait SpendingChanges: Send + Sync {
    /// The change of the instant that the account names.
    fn spending_change_get(
        &self,
        account: &AccountId,
        changed_at: Timestamp,
    ) -> impl Future<Output = Result<Option<SpendingChange>, LedgerError>> + Send;
}

/// The limits of single spenders.
pub trait Spenders: Send + Sync {
    fn spender_limits_get(
        &self,
        account: &AccountId,
        spender: &Spender,
    ) -> impl Future<Output = Result<Option<SpenderLimits>, LedgerError>> + Send;
}

/// An account's spenders with limits, by name.
pub trait SpenderList: Send + Sync {
    /// The spenders that follow `after` in the list (from the first, if `None`), at most `limit` (1–100) of them.
    /// `after` does not have to have limits any more.
    fn spenders_page(
        &self,
        account: &AccountId,
        after: Option<&Spender>,
        limit: u8,
    ) -> impl Future<Output = Result<SpendersPage, LedgerError>> + Send;
}

/// Where an account's e-mails go.
pub trait ContactRecords: Send + Sync {
    /// `None` until the contacts are first changed.
    fn contacts_get(&self, account: &AccountId) -> impl Future<Output = Result<Option<Contacts>, LedgerError>> + Send;
}

/// The account that belongs to a Stripe customer.
pub trait Customers: Send + Sync {
    fn customer_account_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<Option<AccountId>, LedgerError>> + Send;
}

/// The Stripe events that were applied.
pub trait Events: Send + Sync {
    fn event_is_applied(&self, event: &EventId) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Records for 35 days that an event was applied, which is longer than Stripe retries it.
    fn event_mark_applied(
        &self,
        event: &EventId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// E-mails that have to be sent.
pub trait Notices: Send + Sync {
    fn notice_get(
        &self,
        account: &AccountId,
        notice: &NoticeId,
    ) -> impl Future<Output = Result<Option<Notice>, LedgerError>> + Send;

    /// Records where and when a notice was sent. Marking it twice keeps the first time.
    fn notice_mark_sent(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        sent: (&EmailAddress, Timestamp),
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// Events that the company's other systems are told and that no change caused.
pub trait OutboundEvents: Send + Sync {
    /// Stores the event, unless one with its id is stored.
    fn outbound_event_put_new(&self, event: &OutboundEvent) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The index of accounts that are due for a sweep.
pub trait DueIndex: Send + Sync {
    /// One page of the accounts of a shard that are due at `now`; those that became due first come first.
    fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> impl Future<Output = Result<DuePage, LedgerError>> + Send;
}

/// The levels at which customers are told that the balance runs low.
pub trait AlertRows: Send + Sync {
    /// `None` if the customer never chose any, and nothing was told either.
    fn alerts_get(&self, account: &AccountId) -> impl Future<Output = Result<Option<Alerts>, LedgerError>> + Send;

    /// When the account's alerts are evaluated; `None` if nothing is due.
    fn alerts_due_get(
        &self,
        account: &AccountId,
    ) -> impl Future<Output = Result<Option<Timestamp>, LedgerError>> + Send;
}

/// The index of accounts whose alerts are evaluated.
pub trait DueAlerts: Send + Sync {
    /// One page of the accounts of a shard whose evaluation is due at `now`; those that became due first come first.
    fn due_alerts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> impl Future<Output = Result<DuePage, LedgerError>> + Send;
}

/// Unpaid attempts and purchases by invoice of which a reminder or the end is due.
pub trait DueUnpaid: Send + Sync {
    /// A page of those that are due by `now`, longest due first. An index may lag behind the table.
    fn due_unpaid(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<Unpaid>,
    ) -> impl Future<Output = Result<UnpaidPage, LedgerError>> + Send;
}

/// What is known of the cards that are asked.
pub trait AskedCards: Send + Sync {
    /// The default if nothing is known.
    fn asked_card_get(&self, account: &AccountId) -> impl Future<Output = Result<AskedCard, LedgerError>> + Send;
}

/// The index of accounts whose customers are told that their card expires.
pub trait DueCards: Send + Sync {
    /// One page of the accounts of a shard for which that is due at `now`; those that became due first come first.
    fn due_cards(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> impl Future<Output = Result<DuePage, LedgerError>> + Send;
}

/// The index of pending charges by their expiry.
pub trait DueCharges: Send + Sync {
    /// One page of the pending charges of a shard that have expired at `now`; those that expired first come first.
    ///
    /// All charges of one account are in the same shard.
    fn due_charges(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCharge>,
    ) -> impl Future<Output = Result<DueChargesPage, LedgerError>> + Send;
}

/// What is stored of an account's usage. Both reads are strongly consistent.
pub trait UsageRows: Send + Sync {
    /// How far the account is folded: through 0 if no entry is.
    fn usage_cursor_get(&self, account: &AccountId) -> impl Future<Output = Result<UsageCursor, LedgerError>> + Send;

    /// The rows of these periods in order. A period that no entry was folded into has none.
    ///
    /// The rows are not read at one moment: a fold may be in some of them and not in others.
    fn usage_rows(
        &self,
        account: &AccountId,
        periods: Periods,
    ) -> impl Future<Output = Result<Vec<UsageRow>, LedgerError>> + Send;
}

/// An account's entries in the order in which they were made.
pub trait EntryList: Send + Sync {
    /// The entries above `after_seq`, oldest first, at most `limit` (1–100) of them.
    ///
    /// It reads an index, which is eventually consistent: entries may be missing, also between others.
    fn entries_after(
        &self,
        account: &AccountId,
        after_seq: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Entry>, LedgerError>> + Send;
}

/// Folding.
pub trait UsageFolds: Send + Sync {
    /// Writes the rows, their flags and how far the account is folded now, all or nothing.
    ///
    /// # Errors
    /// [`FoldError::Stale`] if the account's cursor is not `fold.before`.
    /// [`FoldError::Failed`] when the outcome is unknown, or when it conflicted with another fold.
    fn usage_fold(&self, account: &AccountId, fold: &UsageFold) -> impl Future<Output = Result<(), FoldError>> + Send;
}

/// A page of refused requests, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalsPage {
    pub rows: Vec<RefusalRow>,
    pub has_more: bool,
}

/// A page of stored entries, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntriesPage {
    pub entries: Vec<Result<Entry, UnreadableEntry>>,
    pub has_more: bool,
}

/// An entry that this program cannot have written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute {attribute} of the entry {origin} is not as it was written")]
pub struct UnreadableEntry {
    /// What it is stored under, as far as that can be read.
    pub origin: String,
    /// The first attribute that is wrong.
    pub attribute: String,
}

/// A page of purchases, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchasesPage {
    pub purchases: Vec<Purchase>,
    pub has_more: bool,
}

/// A page of records in the order of their ids, the newest first, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestFirst<R> {
    pub records: Vec<R>,
    pub has_more: bool,
}

/// A page of records of charges that were made pending, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingChargesPage {
    pub charges: Vec<PendingCharge>,
    pub has_more: bool,
}

/// A page of spenders with limits, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendersPage {
    pub spenders: Vec<SpenderLimits>,
    pub has_more: bool,
}

/// One of the sixteen partitions of the directory and of each index of what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard(u8);

impl Shard {
    pub const COUNT: u8 = 16;

    /// The shard of any number.
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

/// The end of a page of due accounts.
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

/// A pending charge that has expired, and its place in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCharge {
    pub account: AccountId,
    pub charge: IdempotencyKey,
    pub due_at: Timestamp,
}

/// A page of expired charges; `next` is where the next page continues, `None` on the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueChargesPage {
    pub charges: Vec<DueCharge>,
    pub next: Option<DueCharge>,
}

/// An unpaid attempt or purchase of which something is due, and its place in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpaid {
    pub account: AccountId,
    pub what: Invoiced,
    pub due_at: Timestamp,
}

/// A page of what is unpaid; `next` is where the next page continues, `None` on the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpaidPage {
    pub unpaid: Vec<Unpaid>,
    pub next: Option<Unpaid>,
}

/// The items of an account one after the other, to erase what is personal in them.
pub trait Erasures: Send + Sync {
    /// How far a closed account is erased. `None` if it is not closed.
    fn erasure_get(&self, account: &AccountId) -> impl Future<Output = Result<Option<Erasure>, LedgerError>> + Send;

    /// The items behind `after` (from the first, if `None`), at most `limit` (1–90) of them, strongly consistent.
    ///
    /// # Errors
    /// [`LedgerError::Broken`] for an item of a kind of which it is not known what is personal in it.
    fn erasable_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u8,
    ) -> impl Future<Output = Result<ErasurePage, LedgerError>> + Send;
}
