//! An in-memory ledger with the semantics that the port takes from DynamoDB: conditions, atomic writes, and eventually
//! consistent indexes.
//!
//! It answers immediately and never fails; [`crate::outside`] injects the faults.

use crate::bugs::has_bug;
use crate::portal::Passes;
use crate::reconciliation::Kept;
use crate::request::FOLD_LIMITS;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use shared::domain::alerts::Alerts;
use shared::domain::charging::{PendingCharge, RefusalPlace, RefusalRow};
use shared::domain::contacts::Contacts;
use shared::domain::liability::{ClosedDays, LiabilityRow};
use shared::domain::payments::{AskedCard, ClaimLog, ConsentRecord, Invoiced, SweepLog};
use shared::domain::support::{Erasure, ErasurePage, Imported, ItemKey, PersonalItem};
use shared::domain::usage::{Flag, FlagPlace};
use shared::domain::{
    Account, AccountId, Act, ActId, Change, ConsentId, CustomerId, EmailAddress, Entry, EventId, IdempotencyKey,
    Notice, NoticeId, Origin, OutboundEvent, OutboundEventId, Period, Periods, Purchase, PurchaseId, Record, SourceId,
    Spender, SpenderLimits, SpendingChange, TopUp, TopUpId, TopUpRetry, UsageCursor, UsageFold, UsageRow,
};
use shared::ports::{
    Accounts, AccountsPage, Acts, AlertRows, AskedCards, CommitError, ConsentList, Consents, ContactRecords, Customers,
    Directory, DueAlerts, DueCards, DueCharge, DueCharges, DueChargesPage, DueCursor, DueIndex, DuePage, DueUnpaid,
    Entries, EntryList, Erasures, Events, Flags, FoldError, History, Imports, LedgerError, LiabilityRows,
    ListedAccount, NewestFirst, NoticeList, Notices, OutboundEvents, PendingChargeList, PendingCharges,
    PendingChargesPage, PurchaseList, Purchases, PurchasesPage, RefusalList, RefusalRows, RefusalsPage, ReplaceError,
    Shard, SpenderList, Spenders, SpendersPage, SpendingChanges, StoredEntries, StoredEntriesPage, StoredItem,
    StoredItems, StoredItemsPage, SweepLogs, TopUpList, TopUpRetries, TopUps, Unpaid, UnpaidPage, UsageFolds,
    UsageRows,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the indexes behave.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLedgerSettings {
    pub due_page_size: usize,
    /// Whether the indexes wait for [`Tables::catch_up`].
    pub is_lagging: bool,
}

/// All items of the table.
#[derive(Debug)]
pub struct MemoryLedger {
    settings: MemoryLedgerSettings,
    tables: Mutex<Tables>,
}

/// The stored data.
#[derive(Debug, Default)]
pub struct Tables {
    pub partitions: BTreeMap<AccountId, Partition>,
    customers: BTreeMap<CustomerId, AccountId>,
    pub imported: BTreeMap<SourceId, Imported>,
    /// The directory: when each account was listed.
    pub listed: BTreeMap<AccountId, Timestamp>,
    pub closed_days: Option<ClosedDays>,
    /// The rows of the liability, by day and shard.
    pub liability_rows: BTreeMap<(Date, u8), LiabilityRow>,
    events: BTreeSet<EventId>,
    /// What the reconciliation keeps.
    pub kept: Kept,
    /// The index `due` as readers see it, possibly outdated.
    pub due: BTreeMap<AccountId, Timestamp>,
    /// The pending charges in the index `due` as readers see them, possibly outdated.
    pub due_charges: BTreeMap<(AccountId, IdempotencyKey), Timestamp>,
    pub due_unpaid: BTreeMap<(AccountId, Invoiced), Timestamp>,
    /// The accounts whose alerts are due, as readers of the index `due` see them, possibly outdated.
    pub due_alerts: BTreeMap<AccountId, Timestamp>,
    /// The accounts whose card expires, as readers of the index `due` see them, possibly outdated.
    pub due_cards: BTreeMap<AccountId, Timestamp>,
    /// The index `history` as readers see it, possibly outdated.
    pub history: BTreeMap<AccountId, BTreeMap<u64, Entry>>,
    behind: VecDeque<IndexUpdate>,
    /// Entries that the index shows later than those that were made with them.
    left_behind: Vec<(AccountId, Entry)>,
    /// The ends of blocks that the stream has to deliver to the fold: an account, and the `seq` of an entry.
    pub blocks: BTreeSet<(AccountId, u64)>,
    /// The accounts that were folded since the last [`Tables::take_folded`].
    folded: BTreeSet<AccountId>,
    /// The changes since the last [`Tables::take_journal`], each with the previous state of the account.
    journal: Vec<Committed>,
}

/// A committed change.
#[derive(Clone, Debug)]
pub struct Committed {
    pub before: Option<Account>,
    pub change: Change,
    /// What was known of the asked card.
    pub asked_before: Option<AskedCard>,
}

/// All items of one account.
#[derive(Debug, Default)]
pub struct Partition {
    pub account: Option<Account>,
    pub entries: BTreeMap<Origin, Entry>,
    pub pending: BTreeMap<IdempotencyKey, PendingCharge>,
    pub purchases: BTreeMap<PurchaseId, Purchase>,
    pub purchase_keys: BTreeMap<IdempotencyKey, PurchaseId>,
    pub top_ups: BTreeMap<TopUpId, TopUp>,
    pub retries: BTreeMap<IdempotencyKey, TopUpRetry>,
    pub notices: BTreeMap<NoticeId, Notice>,
    pub consents: BTreeMap<ConsentId, ConsentRecord>,
    pub usage_rows: BTreeMap<Period, UsageRow>,
    pub usage_cursor: UsageCursor,
    pub spending_changes: BTreeMap<Timestamp, SpendingChange>,
    pub spender_limits: BTreeMap<Spender, SpenderLimits>,
    pub refusals: BTreeMap<RefusalPlace, RefusalRow>,
    pub acts: BTreeMap<ActId, Act>,
    pub erasure: Option<Erasure>,
    pub outbox: BTreeMap<OutboundEventId, OutboundEvent>,
    pub flags: BTreeMap<FlagPlace, Flag>,
    pub contacts: Option<Contacts>,
    pub alerts: Option<Alerts>,
    pub alerts_due: Option<Timestamp>,
    pub asked: Option<AskedCard>,
    /// Its place in the index `due`, as it was written.
    pub asked_due: Option<Timestamp>,
    pub sweep_log: SweepLog,
    pub claim_log: ClaimLog,
    pub passes: Passes,
}

#[derive(Debug)]
struct IndexUpdate {
    account: AccountId,
    due_at: Option<Timestamp>,
    charges: Vec<PendingCharge>,
    alerts: Option<Timestamp>,
    /// The attempts and purchases that are written, and when something is due of each.
    unpaid: Vec<(Invoiced, Option<Timestamp>)>,
    /// The same for looks.
    looks: Vec<(Invoiced, Option<Timestamp>)>,
    card: Option<Timestamp>,
    entries: Vec<Entry>,
}

impl MemoryLedger {
    pub fn new(settings: MemoryLedgerSettings) -> Self {
        Self { settings, tables: Mutex::default() }
    }

    /// Everything stored, for checks.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of<T>(&self, account: &AccountId, read: impl FnOnce(&Partition) -> Option<T>) -> Option<T> {
        self.tables().partitions.get(account).and_then(read)
    }

    /// [`Ledger::commit`], without waiting.
    ///
    /// # Errors
    /// Those of [`Ledger::commit`].
    pub fn write(&self, change: &Change) -> Result<(), CommitError> {
        let mut tables = self.tables();
        if let Err(refusal) = tables.check(change) {
            if has_bug("ledger_writes_in_part") {
                tables.put_records(change);
            }
            return Err(refusal);
        }
        tables.put(change);
        if !self.settings.is_lagging {
            tables.catch_up(usize::MAX);
        }
        Ok(())
    }

    /// [`Ledger::due_accounts`], without waiting.
    pub fn due_page(&self, shard: Shard, now: Timestamp, after: Option<&DueCursor>) -> DuePage {
        let tables = self.tables();
        due_page(&tables.due, self.settings.due_page_size, (shard, now, after))
    }

    /// [`DueAlerts::due_alerts`], without waiting.
    pub fn due_alerts_page(&self, shard: Shard, now: Timestamp, after: Option<&DueCursor>) -> DuePage {
        let tables = self.tables();
        due_page(&tables.due_alerts, self.settings.due_page_size, (shard, now, after))
    }

    /// [`DueUnpaid::due_unpaid`], without waiting.
    pub fn unpaid_page(&self, shard: Shard, now: Timestamp, after: Option<&Unpaid>) -> UnpaidPage {
        self.due_page_of(|tables| &tables.due_unpaid, (shard, now, after))
    }

    /// A page of purchases and attempts.
    pub fn due_page_of(
        &self,
        index: impl Fn(&Tables) -> &BTreeMap<(AccountId, Invoiced), Timestamp>,
        (shard, now, after): (Shard, Timestamp, Option<&Unpaid>),
    ) -> UnpaidPage {
        let tables = self.tables();
        let after = after.map(|after| (after.due_at, &after.account, &after.what));
        let mut due: Vec<_> = index(&tables)
            .iter()
            .filter(|((account, _), due_at)| **due_at <= now && shard_of(account) == shard)
            .map(|((account, what), due_at)| (*due_at, account, what))
            .filter(|position| after.as_ref().is_none_or(|after| position > after))
            .collect();
        due.sort();
        due.truncate(self.settings.due_page_size);
        let is_full = due.len() == self.settings.due_page_size;
        let of = |(due_at, account, what): (Timestamp, &AccountId, &Invoiced)| Unpaid {
            account: account.clone(),
            what: what.clone(),
            due_at,
        };
        let unpaid: Vec<_> = due.into_iter().map(of).collect();
        // DynamoDB returns the end of a full page even if nothing follows.
        let next = unpaid.last().filter(|_| is_full).cloned();
        UnpaidPage { unpaid, next }
    }

    /// [`DueCards::due_cards`], without waiting.
    pub fn due_cards_page(&self, shard: Shard, now: Timestamp, after: Option<&DueCursor>) -> DuePage {
        let tables = self.tables();
        due_page(&tables.due_cards, self.settings.due_page_size, (shard, now, after))
    }

    /// [`DueCharges::due_charges`], without waiting.
    pub fn due_charges_page(&self, shard: Shard, now: Timestamp, after: Option<&DueCharge>) -> DueChargesPage {
        let tables = self.tables();
        let after = after.map(|after| (after.due_at, &after.account, &after.charge));
        let mut due: Vec<_> = tables
            .due_charges
            .iter()
            .filter(|((account, _), due_at)| **due_at <= now && shard_of(account) == shard)
            .map(|((account, charge), due_at)| (*due_at, account, charge))
            .filter(|position| after.as_ref().is_none_or(|after| position > after))
            .collect();
        due.sort();
        due.truncate(self.settings.due_page_size);
        let is_full = due.len() == self.settings.due_page_size;
        let of = |(due_at, account, charge): (Timestamp, &AccountId, &IdempotencyKey)| DueCharge {
            account: account.clone(),
            charge: charge.clone(),
            due_at,
        };
        let charges: Vec<_> = due.into_iter().map(of).collect();
        // DynamoDB returns the end of a full page even if nothing follows.
        let next = charges.last().filter(|_| is_full).cloned();
        DueChargesPage { charges, next }
    }
}

/// A page of an index of accounts.
fn due_page(
    index: &BTreeMap<AccountId, Timestamp>,
    page_size: usize,
    (shard, now, after): (Shard, Timestamp, Option<&DueCursor>),
) -> DuePage {
    let after = after.map(|cursor| (cursor.due_at, &cursor.account));
    let mut due: Vec<_> = index
        .iter()
        .filter(|(account, due_at)| **due_at <= now && shard_of(account) == shard)
        .map(|(account, due_at)| (*due_at, account))
        .filter(|position| after.as_ref().is_none_or(|after| position > after))
        .collect();
    due.sort();
    due.truncate(page_size);
    // DynamoDB returns the end of a full page even if nothing follows.
    let last = due.last().filter(|_| due.len() == page_size);
    let next = last.map(|(due_at, account)| DueCursor { account: (*account).clone(), due_at: *due_at });
    DuePage { accounts: due.into_iter().map(|(_, account)| account.clone()).collect(), next }
}

/// The adapter uses another hash function; which one does not matter.
pub fn shard_of(account: &AccountId) -> Shard {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    Shard::of(account.as_str().bytes().fold(2_166_136_261, mix) >> 8)
}

impl Tables {
    /// Every account.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.partitions.values().filter_map(|partition| partition.account.as_ref())
    }

    pub fn purchase(&self, id: &PurchaseId) -> Option<&Purchase> {
        self.partitions.values().find_map(|partition| partition.purchases.get(id))
    }

    /// The conditions in order of precedence: a replay, a race, anything else.
    pub fn check(&self, change: &Change) -> Result<(), CommitError> {
        let partition = self.partitions.get(&change.account.id);
        let stored = partition.and_then(|partition| partition.account.as_ref());
        let stored_entry = |entry: &Entry| partition?.entries.get(&entry.origin());
        let existing: Vec<_> = change.entries.iter().filter_map(stored_entry).cloned().collect();
        if !existing.is_empty() && !has_bug("ledger_without_entry_guard") {
            return Err(CommitError::Duplicate { entries: existing });
        }
        let expected = (change.account.version > 1).then(|| change.account.version - 1);
        if stored.map(|account| account.version) != expected && !has_bug("ledger_without_compare_and_swap") {
            return Err(CommitError::Stale { current: stored.cloned().map(Box::new) });
        }
        let is_there = |record: &Record| match record {
            Record::Customer { customer, .. } => self.customers.contains_key(customer),
            Record::Imported(imported) => self.imported.contains_key(&imported.source),
            Record::Listed { .. } => self.listed.contains_key(&change.account.id),
            _ => false,
        };
        if change.records.iter().any(is_there) {
            let source = "a record that must be new exists".into();
            return Err(LedgerError::Broken { operation: "commit", source }.into());
        }
        Ok(())
    }

    fn put(&mut self, change: &Change) {
        let account = &change.account;
        let partition = self.partitions.entry(account.id.clone()).or_default();
        let before = partition.account.replace(account.clone());
        let asked_before = partition.asked.clone();
        for entry in &change.entries {
            partition.entries.insert(entry.origin(), entry.clone());
        }
        let ends = change.entries.iter().filter(|entry| entry.seq.is_multiple_of(FOLD_LIMITS.block));
        self.blocks.extend(ends.map(|entry| (account.id.clone(), entry.seq)));
        self.put_records(change);
        let erased = change.records.iter().filter_map(|record| match record {
            Record::ErasedEntry(entry) => Some(entry),
            _ => None,
        });
        let (due_at, entries) = (account.top_up_due_at(), change.entries.iter().chain(erased).cloned().collect());
        let charges = change.records.iter().filter_map(|record| match record {
            Record::PendingCharge(pending) => Some(pending.clone()),
            _ => None,
        });
        let alerts = self.partitions.get(&account.id).and_then(|partition| partition.alerts_due);
        let card = self.partitions.get(&account.id).and_then(|partition| partition.asked_due);
        let charges = charges.collect();
        let unpaid = change.records.iter().filter_map(|record| match record {
            Record::TopUp(top_up) => Some((Invoiced::TopUp(top_up.id.clone()), top_up.unpaid_due_at())),
            Record::Purchase(purchase) => Some((Invoiced::Purchase(purchase.id.clone()), purchase.invoice_due_at())),
            _ => None,
        });
        let looks = change.records.iter().filter_map(|record| match record {
            Record::TopUp(top_up) => Some((Invoiced::TopUp(top_up.id.clone()), top_up.looked_at_since())),
            Record::Purchase(purchase) => Some((Invoiced::Purchase(purchase.id.clone()), purchase.looked_at_since())),
            _ => None,
        });
        let (id, unpaid, looks) = (account.id.clone(), unpaid.collect(), looks.collect());
        self.behind.push_back(IndexUpdate { account: id, due_at, charges, alerts, unpaid, looks, card, entries });
        self.journal.push(Committed { before, change: change.clone(), asked_before });
    }

    fn put_records(&mut self, change: &Change) {
        let partition = self.partitions.entry(change.account.id.clone()).or_default();
        for record in &change.records {
            match record.clone() {
                Record::PendingCharge(pending) => drop(partition.pending.insert(pending.charge.clone(), pending)),
                Record::Purchase(purchase) => drop(partition.purchases.insert(purchase.id.clone(), purchase)),
                Record::PurchaseKey { key, purchase } => drop(partition.purchase_keys.insert(key, purchase)),
                Record::TopUpRetry(retry) => drop(partition.retries.insert(retry.key.clone(), retry)),
                Record::TopUp(top_up) => drop(partition.top_ups.insert(top_up.id.clone(), top_up)),
                Record::Consent(consent) => drop(partition.consents.insert(consent.consent.id.clone(), consent)),
                Record::SpendingChange(change) => drop(partition.spending_changes.insert(change.changed_at, change)),
                Record::SpenderLimits(limits) => {
                    drop(partition.spender_limits.insert(limits.spender.clone(), limits));
                }
                Record::Alerts(alerts) => partition.alerts = Some(alerts),
                Record::AlertsDue { at } => partition.alerts_due = Some(at),
                Record::AlertsEvaluated => partition.alerts_due = None,
                Record::AskedCard(asked) => {
                    partition.asked_due = asked.due_at(&change.account);
                    partition.asked = Some(asked);
                }
                Record::AskedCardForgotten => (partition.asked, partition.asked_due) = (None, None),
                Record::Act(act) => drop(partition.acts.insert(act.id.clone(), act)),
                Record::Contacts(contacts) => partition.contacts = Some(*contacts),
                Record::SpenderUnlimited(spender) => drop(partition.spender_limits.remove(&spender)),
                Record::Erasure(erasure) => partition.erasure = Some(erasure),
                Record::ErasedEntry(entry) => drop(partition.entries.insert(entry.origin(), entry)),
                Record::SpendingForgotten(changed_at) => drop(partition.spending_changes.remove(&changed_at)),
                Record::RefusalForgotten(place) => drop(partition.refusals.remove(&place)),
                Record::NoticeForgotten(notice) => drop(partition.notices.remove(&notice)),
                Record::EventForgotten(event) => drop(partition.outbox.remove(&event)),
                Record::ContactsForgotten => partition.contacts = None,
                Record::Customer { customer, account } => drop(self.customers.insert(customer, account)),
                Record::Imported(imported) => drop(self.imported.insert(imported.source.clone(), imported)),
                Record::Listed { at } => drop(self.listed.insert(change.account.id.clone(), at)),
            }
        }
        for notice in &change.notices {
            partition.notices.insert(notice.id.clone(), notice.clone());
        }
        for event in &change.events {
            partition.outbox.insert(event.id.clone(), event.clone());
        }
    }

    pub fn is_event_applied(&self, event: &EventId) -> bool {
        self.events.contains(event)
    }

    /// Applies at most this many of the oldest pending changes to the indexes.
    ///
    /// Items reach an index one by one, in any order: of the entries of one change, the first one comes with the next
    /// call, unless all changes are applied.
    pub fn catch_up(&mut self, count: usize) {
        for (account, entry) in std::mem::take(&mut self.left_behind) {
            self.history.entry(account).or_default().insert(entry.seq, entry);
        }
        for update in self.behind.drain(..count.min(self.behind.len())) {
            match update.due_at {
                Some(due_at) => drop(self.due.insert(update.account.clone(), due_at)),
                None => drop(self.due.remove(&update.account)),
            }
            match update.alerts {
                Some(due_at) => drop(self.due_alerts.insert(update.account.clone(), due_at)),
                None => drop(self.due_alerts.remove(&update.account)),
            }
            for (what, due_at) in update.unpaid {
                let key = (update.account.clone(), what);
                match due_at {
                    Some(due_at) => drop(self.due_unpaid.insert(key, due_at)),
                    None => drop(self.due_unpaid.remove(&key)),
                }
            }
            for (what, since) in update.looks {
                let key = (update.account.clone(), what);
                match since {
                    Some(since) => drop(self.kept.due_looks.insert(key, since)),
                    None => drop(self.kept.due_looks.remove(&key)),
                }
            }
            match update.card {
                Some(due_at) => drop(self.due_cards.insert(update.account.clone(), due_at)),
                None => drop(self.due_cards.remove(&update.account)),
            }
            for pending in update.charges {
                let key = (update.account.clone(), pending.charge.clone());
                match pending.due_at() {
                    Some(due_at) => drop(self.due_charges.insert(key, due_at)),
                    None => drop(self.due_charges.remove(&key)),
                }
            }
            let mut entries = update.entries;
            if entries.len() > 1 && count < usize::MAX {
                self.left_behind.push((update.account.clone(), entries.remove(0)));
            }
            for entry in entries {
                self.history.entry(update.account.clone()).or_default().insert(entry.seq, entry);
            }
        }
    }

    fn put_fold(&mut self, account: &AccountId, fold: &UsageFold) -> Result<(), FoldError> {
        let partition = self.partitions.entry(account.clone()).or_default();
        if partition.usage_cursor != fold.before && !has_bug("fold_without_the_cursors_condition") {
            return Err(FoldError::Stale);
        }
        partition.usage_cursor = fold.after;
        partition.usage_rows.extend(fold.rows.iter().map(|row| (row.period, row.clone())));
        for flag in &fold.flags {
            let before = partition.flags.insert(flag.place(), flag.clone());
            debug_assert!(before.is_none(), "a flag takes the place of another one");
            partition.outbox.extend(flag.event().map(|event| (event.id.clone(), event)));
        }
        self.folded.insert(account.clone());
        Ok(())
    }

    /// The accounts that were folded since the last call.
    pub fn take_folded(&mut self) -> BTreeSet<AccountId> {
        std::mem::take(&mut self.folded)
    }

    /// The changes since the last call, oldest first.
    pub fn take_journal(&mut self) -> Vec<Committed> {
        std::mem::take(&mut self.journal)
    }
}

impl Accounts for MemoryLedger {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        Ok(self.of(account, |partition| partition.account.clone()))
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        self.write(change)
    }
}

impl Entries for MemoryLedger {
    async fn entry_get(&self, account: &AccountId, origin: &Origin) -> Result<Option<Entry>, LedgerError> {
        Ok(self.of(account, |partition| partition.entries.get(origin).cloned()))
    }
}

impl PendingCharges for MemoryLedger {
    async fn pending_charge_get(
        &self,
        account: &AccountId,
        charge: &IdempotencyKey,
    ) -> Result<Option<PendingCharge>, LedgerError> {
        Ok(self.of(account, |partition| partition.pending.get(charge).cloned()))
    }
}

impl PendingChargeList for MemoryLedger {
    async fn pending_charges_page(
        &self,
        account: &AccountId,
        after: Option<&IdempotencyKey>,
        limit: u8,
    ) -> Result<PendingChargesPage, LedgerError> {
        let tables = self.tables();
        let listed = tables.partitions.get(account).map(|partition| partition.pending.iter());
        let is_behind = |(key, _): &(&IdempotencyKey, &PendingCharge)| after.is_none_or(|after| *key > after);
        let mut rest = listed.into_iter().flatten().filter(is_behind).map(|(_, pending)| pending.clone());
        let charges = rest.by_ref().take(limit.clamp(1, 100).into()).collect();
        Ok(PendingChargesPage { charges, has_more: rest.next().is_some() })
    }
}

impl RefusalRows for MemoryLedger {
    async fn refusal_row_put(&self, row: &RefusalRow) -> Result<(), LedgerError> {
        let mut tables = self.tables();
        tables.partitions.entry(row.account.clone()).or_default().refusals.insert(row.place, row.clone());
        Ok(())
    }
}

impl RefusalList for MemoryLedger {
    async fn refusals_page(
        &self,
        account: &AccountId,
        oldest: RefusalPlace,
        before: Option<RefusalPlace>,
        limit: u8,
    ) -> Result<RefusalsPage, LedgerError> {
        let tables = self.tables();
        let listed = tables.partitions.get(account).map(|partition| partition.refusals.iter().rev());
        let is_listed = |(place, _): &(&RefusalPlace, &RefusalRow)| {
            **place >= oldest && before.is_none_or(|before| **place < before)
        };
        let mut rest = listed.into_iter().flatten().filter(is_listed).map(|(_, row)| row.clone());
        let rows = rest.by_ref().take(limit.clamp(1, 100).into()).collect();
        Ok(RefusalsPage { rows, has_more: rest.next().is_some() })
    }
}

impl Purchases for MemoryLedger {
    async fn purchase_get(&self, account: &AccountId, id: &PurchaseId) -> Result<Option<Purchase>, LedgerError> {
        Ok(self.of(account, |partition| partition.purchases.get(id).cloned()))
    }

    async fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<PurchaseId>, LedgerError> {
        Ok(self.of(account, |partition| partition.purchase_keys.get(key).cloned()))
    }
}

impl PurchaseList for MemoryLedger {
    async fn purchases_page(
        &self,
        account: &AccountId,
        after: Option<&PurchaseId>,
        limit: u8,
    ) -> Result<PurchasesPage, LedgerError> {
        let tables = self.tables();
        let listed = tables.partitions.get(account).map(|partition| partition.purchases.iter().rev());
        let is_below = |(id, _): &(&PurchaseId, &Purchase)| after.is_none_or(|after| *id < after);
        let mut rest = listed.into_iter().flatten().filter(is_below).map(|(_, purchase)| purchase.clone());
        let purchases = rest.by_ref().take(limit.clamp(1, 100).into()).collect();
        Ok(PurchasesPage { purchases, has_more: rest.next().is_some() })
    }
}

impl TopUps for MemoryLedger {
    async fn top_up_get(&self, account: &AccountId, id: &TopUpId) -> Result<Option<TopUp>, LedgerError> {
        Ok(self.of(account, |partition| partition.top_ups.get(id).cloned()))
    }
}

impl TopUpRetries for MemoryLedger {
    async fn top_up_retry_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<TopUpRetry>, LedgerError> {
        Ok(self.of(account, |partition| partition.retries.get(key).cloned()))
    }
}

/// A page of what is stored under ids that sort by time.
fn newest_first<I: Ord, R: Clone>(stored: Option<&BTreeMap<I, R>>, after: Option<&I>, limit: u8) -> NewestFirst<R> {
    let is_behind = |(id, _): &(&I, &R)| after.is_none_or(|after| *id < after);
    let mut rest = stored.into_iter().flat_map(|stored| stored.iter().rev()).filter(is_behind);
    let records = rest.by_ref().take(limit.clamp(1, 100).into()).map(|(_, record)| record.clone()).collect();
    NewestFirst { records, has_more: rest.next().is_some() }
}

impl TopUpList for MemoryLedger {
    async fn top_ups_page(
        &self,
        account: &AccountId,
        after: Option<&TopUpId>,
        limit: u8,
    ) -> Result<NewestFirst<TopUp>, LedgerError> {
        let tables = self.tables();
        Ok(newest_first(tables.partitions.get(account).map(|partition| &partition.top_ups), after, limit))
    }
}

impl SweepLogs for MemoryLedger {
    async fn sweep_log_get(&self, account: &AccountId) -> Result<SweepLog, LedgerError> {
        Ok(self.of(account, |partition| Some(partition.sweep_log.clone())).unwrap_or_default())
    }

    async fn sweep_log_put(&self, account: &AccountId, log: &SweepLog) -> Result<bool, LedgerError> {
        let mut tables = self.tables();
        let stored = &mut tables.partitions.entry(account.clone()).or_default().sweep_log;
        let is_next = stored.revision + 1 == log.revision;
        if is_next {
            *stored = log.clone();
        }
        Ok(is_next)
    }
}

impl Acts for MemoryLedger {
    async fn acts_page(
        &self,
        account: &AccountId,
        after: Option<&ActId>,
        limit: u8,
    ) -> Result<NewestFirst<Act>, LedgerError> {
        let tables = self.tables();
        Ok(newest_first(tables.partitions.get(account).map(|partition| &partition.acts), after, limit))
    }
}

impl Partition {
    /// Every item that may hold something personal, in an order that stays.
    pub fn personal_items(&self) -> BTreeMap<ItemKey, PersonalItem> {
        let mut items = BTreeMap::new();
        let mut add = |kind: &str, id: String, item| drop(items.insert(ItemKey::new(format!("{kind}#{id}")), item));
        for (origin, entry) in &self.entries {
            add("ENTRY", origin.to_string(), PersonalItem::Entry(entry.clone()));
        }
        for (spender, limits) in &self.spender_limits {
            add("LIMIT", spender.to_string(), PersonalItem::SpenderLimits(limits.spender.clone()));
        }
        for id in self.notices.keys() {
            add("NOTICE", id.to_string(), PersonalItem::Notice(id.clone()));
        }
        for id in self.outbox.keys() {
            add("OUTBOX", id.to_string(), PersonalItem::OutboundEvent(id.clone()));
        }
        if self.asked.is_some() {
            add("ASKED_CARD", String::new(), PersonalItem::AskedCard);
        }
        if self.contacts.is_some() {
            add("CONTACTS", String::new(), PersonalItem::Contacts);
        }
        for (key, pending) in &self.pending {
            add("PENDING", key.to_string(), PersonalItem::PendingCharge(pending.clone()));
        }
        for (id, purchase) in &self.purchases {
            add("PURCHASE", id.to_string(), PersonalItem::Purchase(purchase.clone()));
        }
        for (id, consent) in &self.consents {
            add("CONSENT", id.to_string(), PersonalItem::Consent(consent.clone()));
        }
        for place in self.refusals.keys() {
            add("REQUEST", format!("{:010}#{:02}", place.minute(), place.slot()), PersonalItem::Refusal(*place));
        }
        for changed_at in self.spending_changes.keys() {
            add("SPENDING", changed_at.as_millisecond().to_string(), PersonalItem::SpendingChange(*changed_at));
        }
        for (period, row) in &self.usage_rows {
            add("USAGE", format!("{period:?}"), PersonalItem::UsageRow(Box::new(row.clone())));
        }
        items
    }
}

impl Erasures for MemoryLedger {
    async fn erasure_get(&self, account: &AccountId) -> Result<Option<Erasure>, LedgerError> {
        Ok(self.of(account, |partition| partition.erasure.clone()))
    }

    async fn erasable_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u8,
    ) -> Result<ErasurePage, LedgerError> {
        let all = self.of(account, |partition| Some(partition.personal_items())).unwrap_or_default();
        let behind = all.into_iter().filter(|(key, _)| after.is_none_or(|after| key > after));
        let (keys, items): (Vec<_>, Vec<_>) = behind.take(limit.clamp(1, 90).into()).unzip();
        // DynamoDB returns the end of a full page even if nothing follows.
        let next = keys.last().filter(|_| keys.len() == usize::from(limit)).cloned();
        Ok(ErasurePage { items, next })
    }
}

/// Only to answer requests: the items have no attributes here.
impl StoredItems for MemoryLedger {
    async fn stored_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u16,
    ) -> Result<StoredItemsPage, LedgerError> {
        let all = self.of(account, |partition| Some(partition.personal_items())).unwrap_or_default();
        let behind = all.into_iter().filter(|(key, _)| after.is_none_or(|after| key > after));
        let page: Vec<_> = behind.take(limit.clamp(1, 500).into()).collect();
        let next = page.last().filter(|_| page.len() == usize::from(limit)).map(|(key, _)| key.clone());
        let item = |(key, item): (ItemKey, PersonalItem)| StoredItem {
            kind: match item {
                PersonalItem::Entry(_) => "entry",
                PersonalItem::PendingCharge(_) => "pending_charge",
                PersonalItem::Purchase(_) => "purchase",
                PersonalItem::Consent(_) => "consent",
                PersonalItem::SpendingChange(_) => "spending_change",
                PersonalItem::SpenderLimits(_) => "spender_limits",
                PersonalItem::Refusal(_) => "refused_requests",
                PersonalItem::Notice(_) => "notice",
                PersonalItem::OutboundEvent(_) => "outbound_event",
                PersonalItem::Contacts => "contacts",
                PersonalItem::AskedCard => "asked_card",
                PersonalItem::UsageRow(_) => "usage_day",
            },
            id: key.as_str().to_owned(),
            attributes: BTreeMap::new(),
        };
        Ok(StoredItemsPage { items: page.into_iter().map(item).collect(), next })
    }
}

impl Flags for MemoryLedger {
    async fn flags_page(
        &self,
        account: &AccountId,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> Result<NewestFirst<Flag>, LedgerError> {
        let tables = self.tables();
        Ok(newest_first(tables.partitions.get(account).map(|partition| &partition.flags), after, limit))
    }

    async fn flags_of_month_page(
        &self,
        month: Date,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> Result<NewestFirst<Flag>, LedgerError> {
        let tables = self.tables();
        let all = tables.partitions.values().flat_map(|partition| &partition.flags);
        let is_of_month = |place: &FlagPlace| {
            let raised = place.raised_at.to_zoned(TimeZone::UTC).date();
            raised.first_of_month() == month.first_of_month()
        };
        let of_month = all.filter(|(place, _)| is_of_month(place)).map(|(place, flag)| (place.clone(), flag.clone()));
        Ok(newest_first(Some(&of_month.collect()), after, limit))
    }
}

impl NoticeList for MemoryLedger {
    async fn notices_page(
        &self,
        account: &AccountId,
        after: Option<&NoticeId>,
        limit: u8,
    ) -> Result<NewestFirst<Notice>, LedgerError> {
        let tables = self.tables();
        Ok(newest_first(tables.partitions.get(account).map(|partition| &partition.notices), after, limit))
    }
}

impl Consents for MemoryLedger {
    async fn consent_get(&self, account: &AccountId, id: &ConsentId) -> Result<Option<ConsentRecord>, LedgerError> {
        Ok(self.of(account, |partition| partition.consents.get(id).cloned()))
    }
}

impl ConsentList for MemoryLedger {
    async fn consents_page(
        &self,
        account: &AccountId,
        after: Option<&ConsentId>,
        limit: u8,
    ) -> Result<NewestFirst<ConsentRecord>, LedgerError> {
        let tables = self.tables();
        Ok(newest_first(tables.partitions.get(account).map(|partition| &partition.consents), after, limit))
    }
}

impl SpendingChanges for MemoryLedger {
    async fn spending_change_get(
        &self,
        account: &AccountId,
        changed_at: Timestamp,
    ) -> Result<Option<SpendingChange>, LedgerError> {
        Ok(self.of(account, |partition| partition.spending_changes.get(&changed_at).cloned()))
    }
}

impl Spenders for MemoryLedger {
    async fn spender_limits_get(
        &self,
        account: &AccountId,
        spender: &Spender,
    ) -> Result<Option<SpenderLimits>, LedgerError> {
        Ok(self.of(account, |partition| partition.spender_limits.get(spender).cloned()))
    }
}

impl SpenderList for MemoryLedger {
    async fn spenders_page(
        &self,
        account: &AccountId,
        after: Option<&Spender>,
        limit: u8,
    ) -> Result<SpendersPage, LedgerError> {
        let tables = self.tables();
        let listed = tables.partitions.get(account).map(|partition| partition.spender_limits.values());
        let is_behind = |limits: &&SpenderLimits| after.is_none_or(|after| limits.spender > *after);
        let mut rest = listed.into_iter().flatten().filter(is_behind).cloned();
        let spenders = rest.by_ref().take(limit.clamp(1, 100).into()).collect();
        Ok(SpendersPage { spenders, has_more: rest.next().is_some() })
    }
}

impl Notices for MemoryLedger {
    async fn notice_get(&self, account: &AccountId, id: &NoticeId) -> Result<Option<Notice>, LedgerError> {
        Ok(self.of(account, |partition| partition.notices.get(id).cloned()))
    }

    async fn notice_mark_sent(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        (to, now): (&EmailAddress, Timestamp),
    ) -> Result<(), LedgerError> {
        let mut tables = self.tables();
        let partition = tables.partitions.get_mut(account);
        let notice = partition.and_then(|partition| partition.notices.get_mut(notice));
        if let Some(notice) = notice.filter(|notice| notice.sent_at.is_none()) {
            (notice.sent_at, notice.sent_to) = (Some(now), Some(to.clone()));
        }
        Ok(())
    }
}

impl OutboundEvents for MemoryLedger {
    async fn outbound_event_put_new(&self, event: &OutboundEvent) -> Result<(), LedgerError> {
        let mut tables = self.tables();
        let partition = tables.partitions.entry(event.account.clone()).or_default();
        partition.outbox.entry(event.id.clone()).or_insert_with(|| event.clone());
        Ok(())
    }
}

impl ContactRecords for MemoryLedger {
    async fn contacts_get(&self, account: &AccountId) -> Result<Option<Contacts>, LedgerError> {
        Ok(self.of(account, |partition| partition.contacts.clone()))
    }
}

impl AlertRows for MemoryLedger {
    async fn alerts_get(&self, account: &AccountId) -> Result<Option<Alerts>, LedgerError> {
        Ok(self.of(account, |partition| partition.alerts.clone()))
    }

    async fn alerts_due_get(&self, account: &AccountId) -> Result<Option<Timestamp>, LedgerError> {
        Ok(self.of(account, |partition| partition.alerts_due))
    }
}

impl AskedCards for MemoryLedger {
    async fn asked_card_get(&self, account: &AccountId) -> Result<AskedCard, LedgerError> {
        Ok(self.of(account, |partition| partition.asked.clone()).unwrap_or_default())
    }
}

impl DueCards for MemoryLedger {
    async fn due_cards(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        Ok(self.due_cards_page(shard, now, after.as_ref()))
    }
}

impl DueAlerts for MemoryLedger {
    async fn due_alerts(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        Ok(self.due_alerts_page(shard, now, after.as_ref()))
    }
}

impl Customers for MemoryLedger {
    async fn customer_account_get(&self, customer: &CustomerId) -> Result<Option<AccountId>, LedgerError> {
        Ok(self.tables().customers.get(customer).cloned())
    }
}

impl Imports for MemoryLedger {
    async fn imported_get(&self, source: &SourceId) -> Result<Option<Imported>, LedgerError> {
        Ok(self.tables().imported.get(source).cloned())
    }
}

impl Directory for MemoryLedger {
    async fn listed_get(&self, account: &AccountId) -> Result<Option<ListedAccount>, LedgerError> {
        let listed_at = self.tables().listed.get(account).copied();
        Ok(listed_at.map(|listed_at| ListedAccount { account: account.clone(), listed_at }))
    }

    async fn accounts_page(
        &self,
        shard: Shard,
        after: Option<&AccountId>,
        limit: u16,
    ) -> Result<AccountsPage, LedgerError> {
        let tables = self.tables();
        let is_listed = |account: &AccountId| shard_of(account) == shard && after.is_none_or(|after| account > after);
        let listed = tables.listed.iter().filter(|(account, _)| is_listed(account));
        let listed = listed.map(|(account, at)| ListedAccount { account: account.clone(), listed_at: *at });
        let accounts: Vec<_> = listed.take(limit.into()).collect();
        // DynamoDB returns the end of a full page even if nothing follows.
        Ok(AccountsPage { has_more: accounts.len() == usize::from(limit), accounts })
    }
}

impl LiabilityRows for MemoryLedger {
    async fn closed_days_get(&self) -> Result<Option<ClosedDays>, LedgerError> {
        Ok(self.tables().closed_days)
    }

    async fn closed_days_put(&self, closed: &ClosedDays, before: Option<&ClosedDays>) -> Result<(), ReplaceError> {
        let mut tables = self.tables();
        if tables.closed_days.map(|stored| stored.through) != before.map(|before| before.through) {
            return Err(ReplaceError::Stale);
        }
        tables.closed_days = Some(*closed);
        Ok(())
    }

    async fn liability_row_get(&self, day: Date, shard: Shard) -> Result<Option<LiabilityRow>, LedgerError> {
        Ok(self.tables().liability_rows.get(&(day, shard.get())).cloned())
    }

    async fn liability_row_put(
        &self,
        shard: Shard,
        row: &LiabilityRow,
        before: Option<&LiabilityRow>,
    ) -> Result<(), ReplaceError> {
        let mut tables = self.tables();
        let stored = tables.liability_rows.get(&(row.day, shard.get()));
        let is_as_read = stored.map(|stored| (&stored.after, stored.accounts, stored.is_complete))
            == before.map(|before| (&before.after, before.accounts, false));
        if !is_as_read && !has_bug("liability_row_without_its_condition") {
            return Err(ReplaceError::Stale);
        }
        tables.liability_rows.insert((row.day, shard.get()), row.clone());
        Ok(())
    }

    async fn liability_rows(&self, day: Date) -> Result<Vec<LiabilityRow>, LedgerError> {
        let tables = self.tables();
        Ok(tables.liability_rows.range((day, 0)..=(day, u8::MAX)).map(|(_, row)| row.clone()).collect())
    }
}

impl Events for MemoryLedger {
    async fn event_is_applied(&self, event: &EventId) -> Result<bool, LedgerError> {
        Ok(self.tables().events.contains(event))
    }

    async fn event_mark_applied(&self, event: &EventId, _now: Timestamp) -> Result<(), LedgerError> {
        self.tables().events.insert(event.clone());
        Ok(())
    }
}

impl History for MemoryLedger {
    async fn history_page(
        &self,
        account: &AccountId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerError> {
        let tables = self.tables();
        let Some(entries) = tables.history.get(account) else { return Ok(vec![]) };
        let limit = usize::try_from(limit.clamp(1, 1_000)).unwrap_or(1_000);
        Ok(entries.range(..before_seq.unwrap_or(u64::MAX)).rev().take(limit).map(|(_, entry)| entry.clone()).collect())
    }
}

impl StoredEntries for MemoryLedger {
    async fn stored_entries(
        &self,
        account: &AccountId,
        from_seq: u64,
        limit: u32,
    ) -> Result<StoredEntriesPage, LedgerError> {
        let tables = self.tables();
        let listed = tables.history.get(account).map(|entries| entries.range(from_seq..));
        let mut rest = listed.into_iter().flatten().map(|(_, entry)| Ok(entry.clone()));
        let limit = usize::try_from(limit.clamp(1, 1_000)).unwrap_or(1_000);
        let entries: Vec<_> = rest.by_ref().take(limit).collect();
        // DynamoDB returns the end of a full page even if nothing follows.
        Ok(StoredEntriesPage { has_more: entries.len() == limit, entries })
    }
}

impl DueIndex for MemoryLedger {
    async fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, LedgerError> {
        Ok(self.due_page(shard, now, after.as_ref()))
    }
}

impl DueUnpaid for MemoryLedger {
    async fn due_unpaid(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        Ok(self.unpaid_page(shard, now, after.as_ref()))
    }
}

impl DueCharges for MemoryLedger {
    async fn due_charges(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCharge>,
    ) -> Result<DueChargesPage, LedgerError> {
        Ok(self.due_charges_page(shard, now, after.as_ref()))
    }
}

impl UsageRows for MemoryLedger {
    async fn usage_cursor_get(&self, account: &AccountId) -> Result<UsageCursor, LedgerError> {
        Ok(self.of(account, |partition| Some(partition.usage_cursor)).unwrap_or_default())
    }

    async fn usage_rows(&self, account: &AccountId, periods: Periods) -> Result<Vec<UsageRow>, LedgerError> {
        let rows = |partition: &Partition| {
            let rows = partition.usage_rows.range(periods.first()..=periods.last());
            Some(rows.map(|(_, row)| row.clone()).collect())
        };
        Ok(self.of(account, rows).unwrap_or_default())
    }
}

impl EntryList for MemoryLedger {
    async fn entries_after(&self, account: &AccountId, after_seq: u64, limit: u32) -> Result<Vec<Entry>, LedgerError> {
        let tables = self.tables();
        let Some(entries) = tables.history.get(account) else { return Ok(vec![]) };
        let limit = usize::try_from(limit.clamp(1, 100)).unwrap_or(100);
        Ok(entries.range(after_seq + 1..).take(limit).map(|(_, entry)| entry.clone()).collect())
    }
}

impl UsageFolds for MemoryLedger {
    async fn usage_fold(&self, account: &AccountId, fold: &UsageFold) -> Result<(), FoldError> {
        self.tables().put_fold(account, fold)
    }
}
