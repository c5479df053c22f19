//! Verifying everything that an account says about its entries, a part at a time: the entries themselves, and then what is
//! derived from them: rows of usage, the sum of pending charges, and the counters of limits.
//!
//! Each part is bounded, and what the next one has to know has a bounded size too, however large the account is. The
//! account may change in between: rows are compared with the cursor of their fold, pending charges with the moment at
//! which the account was read, and counters with the entries up to a `seq`.

use super::verify_history::{Failure, Position, Problem, Verification, VerifyError, verify_history};
use crate::domain::spending::Limit;
use crate::domain::usage::{RowMisfit, RowsVerified, StoredRows};
use crate::domain::{
    AccountId, Cause, Granularity, IdempotencyKey, Limits, Period, Periods, Spender, UsageEntry, Verified, date_of,
};
use crate::ports::{Accounts, Entries, EntryList, PendingChargeList, SpenderList, Spenders, StoredEntries, UsageRows};
use crate::use_cases::usage::with_charges;
use crate::use_cases::{Capabilities, Context};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

trait_alias! {
    /// The ports that a verification uses.
    pub trait VerifiedLedger:
        Accounts + Entries + EntryList + PendingChargeList + SpenderList + Spenders + StoredEntries + UsageRows
}

/// Where a part begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerPosition {
    Entries(Position),
    Rows(Verified, RowsVerified),
    Pending(Verified, Option<PendingPosition>),
    Limits(Verified, LimitsPosition),
}

impl LedgerPosition {
    pub const BEGINNING: Self = Self::Entries(Position::BEGINNING);

    /// How far the entries are verified.
    pub fn verified(&self) -> &Verified {
        match self {
            Self::Entries(position) => &position.verified,
            Self::Rows(verified, _) | Self::Pending(verified, _) | Self::Limits(verified, _) => verified,
        }
    }
}

/// How far the pending charges are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPosition {
    /// The account when it was read: its entries, its pending credits, and when that was.
    pub seq: u64,
    pub pending: i64,
    pub at: Timestamp,
    /// What was pending then, and what ended at about that time.
    pub sure: i64,
    pub unsure: i64,
    pub after: Option<IdempotencyKey>,
}

/// Whose counters are added up, and how far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsPosition {
    /// Whether the account's own limits fit, and the last spender whose limits do.
    pub is_account_done: bool,
    pub spender: Option<Spender>,
    /// The limits that are being added up. `None` between two.
    pub counting: Option<Box<Counting>>,
}

/// Counters that are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    pub spender: Option<Spender>,
    pub limits: Limits,
    pub date: Date,
    /// The counters are those after an entry from the first to the second: between two reads of the account.
    pub between: [u64; 2],
    pub after_seq: u64,
    /// What was spent so far: per day, per month and in all, and whether that was ever what is stored.
    pub spent: [i64; 3],
    pub matched: [bool; 3],
}

/// The result of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerVerification {
    /// Everything fits.
    Verified(Verified),
    Unfinished(LedgerPosition),
    /// The index does not show an entry yet.
    Behind(LedgerPosition),
    /// The first thing that does not fit.
    Failed(Verified, Failure),
}

/// How far clocks may differ.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(1);
/// Entries and records on one page.
const PAGE: u32 = 100;
const EVER: [&str; 2] = ["1970-01-01", "9999-12-31"];

/// What one step of a phase found.
enum Step<P> {
    /// So far, after reading so many items.
    On(P, u32),
    Done(u32),
    Behind(P),
    Failed(Failure),
}

/// Verifies at most about `limit` (1–500) entries or records behind a position.
///
/// # Errors
/// [`VerifyError`].
pub async fn verify_ledger<C: Capabilities<Ledger: VerifiedLedger>>(
    context: &Context<C>,
    id: &AccountId,
    from: LedgerPosition,
    limit: u32,
) -> Result<LedgerVerification, VerifyError> {
    let (mut position, mut left) = (from, limit);
    loop {
        let verified = *position.verified();
        let (next, read) = match position {
            LedgerPosition::Entries(from) => match verify_history(context, id, from, left).await? {
                Verification::Verified(done) => {
                    let read = u32::try_from(done.seq.saturating_sub(verified.seq)).unwrap_or(u32::MAX);
                    (LedgerPosition::Rows(done, RowsVerified::default()), read)
                }
                Verification::Unfinished(at) => return Ok(LedgerVerification::Unfinished(LedgerPosition::Entries(at))),
                Verification::Behind(at) => return Ok(LedgerVerification::Behind(LedgerPosition::Entries(at))),
                Verification::Failed(verified, failure) => return Ok(LedgerVerification::Failed(verified, failure)),
            },
            LedgerPosition::Rows(_, at) => match rows_step(context, id, at, (left, verified)).await? {
                Step::On(at, read) => (LedgerPosition::Rows(verified, at), read),
                Step::Done(read) => (LedgerPosition::Pending(verified, None), read),
                Step::Behind(at) => return Ok(LedgerVerification::Behind(LedgerPosition::Rows(verified, at))),
                Step::Failed(failure) => return Ok(LedgerVerification::Failed(verified, failure)),
            },
            LedgerPosition::Pending(_, at) => match pending_step(context, id, at, verified).await? {
                Step::On(at, read) => (LedgerPosition::Pending(verified, Some(at)), read),
                Step::Done(read) => (LedgerPosition::Limits(verified, LimitsPosition::default()), read),
                Step::Behind(at) => return Ok(LedgerVerification::Behind(LedgerPosition::Pending(verified, Some(at)))),
                Step::Failed(failure) => return Ok(LedgerVerification::Failed(verified, failure)),
            },
            LedgerPosition::Limits(_, at) => match limits_step(context, id, at, (left, verified)).await? {
                Step::On(at, read) => (LedgerPosition::Limits(verified, at), read),
                Step::Done(_) => return Ok(LedgerVerification::Verified(verified)),
                Step::Behind(at) => return Ok(LedgerVerification::Behind(LedgerPosition::Limits(verified, at))),
                Step::Failed(failure) => return Ok(LedgerVerification::Failed(verified, failure)),
            },
        };
        position = next;
        left = left.saturating_sub(read.max(1));
        if left == 0 {
            return Ok(LedgerVerification::Unfinished(position));
        }
    }
}

fn failed(verified: Verified, item: String, problem: Problem) -> Failure {
    Failure { seq: verified.seq, entry: None, item: Some(item), problem }
}

/// The entries that follow, up to a `seq`, each with its charge. `None` if the index does not show one of them yet.
async fn entries_through<C: Capabilities<Ledger: Entries + EntryList>>(
    context: &Context<C>,
    id: &AccountId,
    (after, through): (u64, u64),
    left: u32,
) -> Result<Option<Vec<UsageEntry>>, VerifyError> {
    let wanted = u32::try_from(through.saturating_sub(after)).unwrap_or(u32::MAX).min(left).min(PAGE);
    if wanted == 0 {
        return Ok(Some(vec![]));
    }
    let entries = context.ledger.entries_after(id, after, wanted).await?;
    let shown = (after.saturating_add(1)..).zip(&entries).take_while(|(seq, entry)| *seq == entry.seq).count();
    if shown < usize::try_from(wanted).unwrap_or(usize::MAX) {
        return Ok(None);
    }
    Ok(Some(with_charges(context, id, entries).await?))
}

/// Recomputes rows from the next entries, and compares those that no further entry belongs to.
async fn rows_step<C: Capabilities<Ledger: VerifiedLedger>>(
    context: &Context<C>,
    id: &AccountId,
    at: RowsVerified,
    (left, verified): (u32, Verified),
) -> Result<Step<RowsVerified>, VerifyError> {
    let cursor = context.ledger.usage_cursor_get(id).await?;
    let entries = entries_through(context, id, (at.after_seq, cursor.through_seq), left).await?;
    let Some(entries) = entries else { return Ok(Step::Behind(at)) };
    let is_end = at.after_seq.saturating_add(entries.len() as u64) >= cursor.through_seq;
    let newest = entries.iter().map(|counted| counted.entry.created_at).max();
    let stored = stored_rows(context, id, &at, newest.filter(|_| !is_end)).await?;
    if context.ledger.usage_cursor_get(id).await? != cursor {
        // The rows may be newer than the cursor that was read before them.
        return Ok(Step::On(at, 1));
    }
    let stored = if cursor.is_nameless {
        stored.into_iter().map(|(period, row)| (period, row.nameless())).collect()
    } else {
        stored
    };
    let mut next = at;
    for counted in &entries {
        next.count(&stored, counted, cursor.is_nameless);
    }
    let read = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    match next.compare(&stored, newest.filter(|_| !is_end)) {
        Err((period, misfit)) => Ok(Step::Failed(failed(verified, name_of(period), misfit.into()))),
        Ok(()) if is_end => Ok(Step::Done(read)),
        Ok(()) => Ok(Step::On(next, read)),
    }
}

/// The rows behind those that were compared, up to the period of an instant, or all.
async fn stored_rows<C: Capabilities<Ledger: UsageRows>>(
    context: &Context<C>,
    id: &AccountId,
    at: &RowsVerified,
    newest: Option<Timestamp>,
) -> Result<StoredRows, VerifyError> {
    let ever = EVER.map(|date| date.parse::<Date>().unwrap_or(Date::MAX));
    let mut rows = StoredRows::new();
    for granularity in Granularity::ALL {
        let compared = at.compared.get(&granularity).map(|date| Period::of_date(granularity, *date));
        let from = compared.and_then(Period::next).map_or(ever[0], Period::first);
        let to = newest.map_or(ever[1], date_of);
        if let Some(periods) = Periods::new(granularity, from, to) {
            let read = context.ledger.usage_rows(id, periods).await?;
            rows.extend(read.into_iter().map(|row| (row.period, row)));
        }
    }
    Ok(rows)
}

fn name_of(period: Period) -> String {
    format!("usage of {} {}", period.granularity().name(), period.first())
}

/// Adds up pending charges as they were when the account was read.
async fn pending_step<C: Capabilities<Ledger: VerifiedLedger>>(
    context: &Context<C>,
    id: &AccountId,
    at: Option<PendingPosition>,
    verified: Verified,
) -> Result<Step<PendingPosition>, VerifyError> {
    let mut at = match at {
        Some(at) => at,
        None => {
            let account = context.account::<VerifyError>(id).await?;
            let (pending, at) = (account.pending.get(), context.now());
            PendingPosition { seq: account.seq, pending, at, sure: 0, unsure: 0, after: None }
        }
    };
    let page = context.ledger.pending_charges_page(id, at.after.as_ref(), 100).await?;
    for charge in page.charges.iter().filter(|charge| charge.seq <= at.seq) {
        let held = charge.credits.get();
        match charge.end.map(|end| end.at.duration_since(at.at)) {
            None => at.sure = at.sure.saturating_add(held),
            Some(after) if after > CLOCKS_DIFFER_MAX => at.sure = at.sure.saturating_add(held),
            Some(after) if after >= -CLOCKS_DIFFER_MAX => at.unsure = at.unsure.saturating_add(held),
            Some(_) => {}
        }
    }
    let read = u32::try_from(page.charges.len()).unwrap_or(u32::MAX);
    if page.has_more {
        at.after = page.charges.last().map(|charge| charge.charge.clone());
        return Ok(Step::On(at, read));
    }
    let PendingPosition { pending, sure, unsure, .. } = at;
    if (sure..=sure.saturating_add(unsure)).contains(&pending) {
        return Ok(Step::Done(read));
    }
    Ok(Step::Failed(failed(verified, "pending charges".to_owned(), Problem::Pending { pending, sum: sure })))
}

/// Adds up the counters of the account, and then of one spender after the other.
async fn limits_step<C: Capabilities<Ledger: VerifiedLedger>>(
    context: &Context<C>,
    id: &AccountId,
    at: LimitsPosition,
    (left, verified): (u32, Verified),
) -> Result<Step<LimitsPosition>, VerifyError> {
    let Some(counting) = at.counting.clone() else {
        return Ok(match next_counting(context, id, &at).await? {
            Some(counting) => Step::On(LimitsPosition { counting: Some(Box::new(counting)), ..at }, 1),
            None if !at.is_account_done => Step::On(LimitsPosition { is_account_done: true, ..at }, 1),
            None => Step::Done(1),
        });
    };
    let entries = entries_through(context, id, (counting.after_seq, counting.between[1]), left).await?;
    let Some(entries) = entries else { return Ok(Step::Behind(at)) };
    let mut counting = counting;
    entries.iter().for_each(|counted| counting.count(counted));
    let read = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    if counting.after_seq < counting.between[1] {
        return Ok(Step::On(LimitsPosition { counting: Some(counting), ..at }, read));
    }
    if let Some((limit, used, spent)) = counting.misfit() {
        let item = counting
            .spender
            .as_ref()
            .map_or("limits of the account".to_owned(), |spender| format!("limits of {spender}"));
        return Ok(Step::Failed(failed(verified, item, Problem::Limit { limit, used, spent })));
    }
    let spender = counting.spender.clone().or(at.spender);
    Ok(Step::On(LimitsPosition { is_account_done: true, spender, counting: None }, read))
}

/// The limits that come next. The account is read before and after those of a spender, because they change together.
async fn next_counting<C: Capabilities<Ledger: VerifiedLedger>>(
    context: &Context<C>,
    id: &AccountId,
    at: &LimitsPosition,
) -> Result<Option<Counting>, VerifyError> {
    let before = context.account::<VerifyError>(id).await?;
    if before.closed_at.is_some() {
        // Limits of a closed account are erased one after the other.
        return Ok(None);
    }
    if !at.is_account_done {
        let date = before.limits_date.unwrap_or(Date::MIN);
        let is_any = before.limits != Limits::default();
        return Ok(is_any.then(|| Counting::of(None, before.limits, date, [before.seq, before.seq])));
    }
    let page = context.ledger.spenders_page(id, at.spender.as_ref(), 1).await?;
    let Some(listed) = page.spenders.into_iter().next() else { return Ok(None) };
    let after = context.account::<VerifyError>(id).await?;
    Ok(Some(Counting::of(Some(listed.spender), listed.limits, listed.date, [before.seq, after.seq])))
}

impl Counting {
    fn of(spender: Option<Spender>, limits: Limits, date: Date, between: [u64; 2]) -> Self {
        let each = [limits.day, limits.month, limits.total];
        let after_seq = each.into_iter().flatten().map(|limit| limit.after_seq).min().unwrap_or(between[1]);
        let mut counting = Self { spender, limits, date, between, after_seq, spent: [0; 3], matched: [false; 3] };
        counting.compare();
        counting
    }

    fn each(&self) -> [Option<Limit>; 3] {
        [self.limits.day, self.limits.month, self.limits.total]
    }

    /// Counts an entry against the limits whose period its charge is in, and what is given back as long as that period
    /// lasts.
    fn count(&mut self, counted: &UsageEntry) {
        let entry = &counted.entry;
        let charge = counted.charge.as_ref().unwrap_or(entry);
        if let Cause::Charge { spender, .. } = &charge.cause
            && (self.spender.is_none() || *spender == self.spender)
        {
            let date = date_of(entry.created_at);
            let is_in = [date <= self.date, date.first_of_month() <= self.date, true];
            for ((limit, spent), is_in) in self.each().into_iter().zip(&mut self.spent).zip(is_in) {
                let is_counted = limit.is_some_and(|limit| charge.seq > limit.after_seq);
                if is_counted && (is_in || counted.charge.is_none()) {
                    *spent = spent.saturating_sub(entry.credits.get());
                }
            }
        }
        self.after_seq = entry.seq;
        self.compare();
    }

    /// Notes what fits now, if the counters may have been read now.
    fn compare(&mut self) {
        if self.after_seq < self.between[0] {
            return;
        }
        for ((limit, spent), matched) in self.each().into_iter().zip(self.spent).zip(&mut self.matched) {
            *matched |= limit.is_none_or(|limit| limit.used.get() == spent);
        }
    }

    /// The first counter that was never what the entries add up to.
    fn misfit(&self) -> Option<(&'static str, i64, i64)> {
        let names =
            ["day", "month", "total"].into_iter().zip(self.each()).zip(self.spent.into_iter().zip(self.matched));
        let mut misfits = names.filter_map(|((name, limit), (spent, is_matched))| {
            limit.filter(|_| !is_matched).map(|limit| (name, limit.used.get(), spent))
        });
        misfits.next()
    }
}

impl From<RowMisfit> for Problem {
    fn from(misfit: RowMisfit) -> Self {
        Self::Row(misfit)
    }
}
