//! Reading what an account used, up to its newest entry.

use super::{FoldLimits, FoldUsageError, fold_usage, with_charges};
use crate::domain::usage::with_tail;
use crate::domain::{Account, AccountId, Entry, Periods, UsageRow};
use crate::ports::{Accounts, Entries, EntryList, LedgerError, UsageFolds, UsageRows};
use crate::use_cases::{Capabilities, Context, NotFound};
use jiff::Timestamp;

/// Entries on one page of the history.
const PAGE: u32 = 100;

/// What an account used in some periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub account: Account,
    /// In order. A period without entries has no row.
    pub rows: Vec<UsageRow>,
    /// Every entry up to this one is counted, and none above it.
    pub through_seq: u64,
    /// Until when all entries are counted.
    pub as_of: Timestamp,
}

impl Usage {
    /// Whether every entry is counted that the account had when it was read.
    pub fn is_complete(&self) -> bool {
        self.through_seq >= self.account.seq
    }
}

/// Why there is no usage to show, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ReadUsageError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The rows of these periods, with the entries that are in no row yet.
///
/// If more than a block of entries is in no row (the stream is behind, or the account is older than its rows), this folds
/// as many blocks as `limits` allow and then reads at most two more: a larger rest is not counted, and the answer says so.
///
/// # Errors
/// [`ReadUsageError`].
pub async fn read_usage<C: Capabilities<Ledger: Accounts + UsageRows + EntryList + Entries + UsageFolds>>(
    context: &Context<C>,
    account: &AccountId,
    periods: Periods,
    limits: FoldLimits,
) -> Result<Usage, ReadUsageError> {
    let now = context.now();
    let stored = context.account::<ReadUsageError>(account).await?;
    // Before the rows: an entry that is folded in between is in its row, and known to be.
    let after = folded_through(context, &stored, limits).await?;
    let rows = context.ledger.usage_rows(account, periods).await?;
    // What was folded between the two reads is in the rows, and in the tail however long that is: only then are all rows
    // counted up to the same entry.
    let counted = rows.iter().map(|row| row.through_seq).max().unwrap_or(after);
    let tail_max = (2 * limits.block).max(counted.saturating_sub(after));
    let tail = tail(context, account, after, tail_max).await?;
    let through_seq = tail.last().map_or(after, |entry| entry.seq);
    let as_of = match tail.last() {
        _ if through_seq >= stored.seq => now,
        Some(last) => last.created_at,
        None => created_at(context, &stored, after).await?,
    };
    let tail = with_charges(context, account, tail).await?;
    Ok(Usage { account: stored, rows: with_tail(periods, rows, &tail), through_seq, as_of })
}

/// When this entry of the account was made, or the account itself if it has none.
async fn created_at<C: Capabilities<Ledger: EntryList>>(
    context: &Context<C>,
    account: &Account,
    seq: u64,
) -> Result<Timestamp, LedgerError> {
    let entries = context.ledger.entries_after(&account.id, seq.saturating_sub(1), 1).await?;
    let entry = entries.into_iter().find(|entry| entry.seq == seq);
    Ok(entry.map_or(account.created_at, |entry| entry.created_at))
}

/// How far the account is folded, after this has folded what is long overdue.
async fn folded_through<C: Capabilities<Ledger: UsageRows + EntryList + Entries + UsageFolds>>(
    context: &Context<C>,
    account: &Account,
    limits: FoldLimits,
) -> Result<u64, LedgerError> {
    let after = context.ledger.usage_cursor_get(&account.id).await?.through_seq;
    let overdue = limits.last_block_end(account.seq);
    if overdue.saturating_sub(after) < 2 * limits.block {
        return Ok(after);
    }
    match fold_usage(context, &account.id, overdue, limits).await {
        Ok(folded) => Ok(folded.through_seq),
        // What is not folded now is in the tail, or will be folded later.
        Err(FoldUsageError::Behind { .. }) => Ok(context.ledger.usage_cursor_get(&account.id).await?.through_seq),
        Err(FoldUsageError::Ledger(error)) => Err(error),
    }
}

/// The entries that follow, without a gap, at most so many.
async fn tail<C: Capabilities<Ledger: EntryList>>(
    context: &Context<C>,
    account: &AccountId,
    after: u64,
    max: u64,
) -> Result<Vec<Entry>, LedgerError> {
    let mut tail: Vec<Entry> = vec![];
    loop {
        let known = tail.len() as u64;
        let limit = u32::try_from(max - known).unwrap_or(PAGE).min(PAGE);
        let page = context.ledger.entries_after(account, after + known, limit).await?;
        let next = (after + known + 1..).zip(page).take_while(|(seq, entry)| entry.seq == *seq);
        tail.extend(next.map(|(_, entry)| entry));
        let is_page_full = tail.len() as u64 == known + u64::from(limit);
        if !is_page_full || tail.len() as u64 >= max {
            return Ok(tail);
        }
    }
}
