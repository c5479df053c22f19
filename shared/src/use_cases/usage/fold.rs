//! Folding an account's entries into rows, block by block.

use super::with_charges;
use crate::domain::usage::{FairUse, Flag, decide_fold, past_needed, raise_flags};
use crate::domain::{AccountId, Entry, Granularity, Periods, UsageEntry, UsageFold, UsageRow};
use crate::ports::{Entries, EntryList, FoldError, LedgerError, UsageFolds, UsageRows};
use crate::use_cases::{Capabilities, Context};
use futures::future::try_join_all;

/// How much is folded at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldLimits {
    /// Entries in a block, at most the 100 that one page of the history holds.
    pub block: u64,
    /// Rows that one transaction changes, at least 2. With 200 spenders a row is about 40 KB, and a transaction may have
    /// 4 MB in 100 items.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
    pub rows_max: usize,
    /// Transactions.
    pub folds_max: u32,
    /// What raises a flag.
    pub fair_use: FairUse,
}

impl FoldLimits {
    pub const BLOCK: u64 = 100;
    const ROWS_MAX: usize = 40;
    /// For a reader who finds the rows far behind: well within the time that an API answers in.
    pub const READER: Self = Self::of(20);

    /// At most this many transactions.
    pub const fn of(folds_max: u32) -> Self {
        Self { block: Self::BLOCK, rows_max: Self::ROWS_MAX, folds_max, fair_use: FairUse::REFERENCE }
    }

    /// The end of the last block that is complete when an account has this many entries.
    pub fn last_block_end(&self, seq: u64) -> u64 {
        seq - seq % self.block
    }
}

/// How far an account is folded now, and what that took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub through_seq: u64,
    /// Transactions, with those that another fold was faster than.
    pub folds: u32,
    /// Rows written.
    pub rows: u64,
}

/// Why an account is not folded as far as it could be.
#[derive(Debug, thiserror::Error)]
pub enum FoldUsageError {
    /// The index does not show all entries of the block yet.
    #[error("the history does not show entry {seq} yet")]
    Behind { seq: u64 },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl FoldUsageError {
    /// Whether it may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Behind { .. } => true,
            Self::Ledger(error) => error.is_retryable(),
        }
    }
}

/// Folds the account's entries through `through_seq`, the end of a block, or as far as the limits allow.
///
/// It may be called for any block, in any order, any number of times, and by several processes at once: each block begins
/// where the stored cursor says, and is written only if the cursor is still there.
///
/// # Errors
/// [`FoldUsageError`]. What was folded before stays folded, and the caller tries again.
pub async fn fold_usage<C: Capabilities<Ledger: UsageRows + EntryList + Entries + UsageFolds>>(
    context: &Context<C>,
    account: &AccountId,
    through_seq: u64,
    limits: FoldLimits,
) -> Result<Folded, FoldUsageError> {
    let mut folded = Folded::default();
    loop {
        let cursor = context.ledger.usage_cursor_get(account).await?;
        let after = cursor.through_seq;
        folded.through_seq = after;
        if after >= through_seq || folded.folds >= limits.folds_max {
            return Ok(folded);
        }
        let end = limits.last_block_end(after).saturating_add(limits.block).min(through_seq);
        let block = with_charges(context, account, block(context, account, (after, end)).await?).await?;
        let stored = stored_rows(context, account, &block).await?;
        let fold = decide_fold(cursor, &block, stored, limits.rows_max);
        let fold = fold.ok_or(FoldUsageError::Behind { seq: after.saturating_add(1) })?;
        let fold = with_flags(context, account, fold, &limits.fair_use).await?;
        folded.folds += 1;
        match context.ledger.usage_fold(account, &fold).await {
            Ok(()) => {
                folded.rows += fold.rows.len() as u64;
                fold.flags.iter().for_each(tell);
            }
            Err(FoldError::Stale) => {}
            Err(FoldError::Failed(error)) => return Err(error.into()),
        }
    }
}

/// The fold with the flags that it raises. The days before are read only if a day counts enough to be unusual.
async fn with_flags<C: Capabilities<Ledger: UsageRows>>(
    context: &Context<C>,
    account: &AccountId,
    fold: UsageFold,
    fair_use: &FairUse,
) -> Result<UsageFold, LedgerError> {
    match past_needed(&fold, fair_use) {
        Some(periods) => {
            let past = context.ledger.usage_rows(account, periods).await?;
            Ok(raise_flags(account, fold, &past, fair_use, context.now()))
        }
        None => Ok(fold),
    }
}

fn tell(flag: &Flag) {
    let Flag { account, kind, date, value, threshold, .. } = flag;
    tracing::warn!(account.id = %account, flag.kind = kind.name(), flag.date = %date, flag.value = value, flag.threshold = threshold, "usage is unusual");
}

/// The entries above the first `seq` through the second.
async fn block<C: Capabilities<Ledger: EntryList>>(
    context: &Context<C>,
    account: &AccountId,
    (after, end): (u64, u64),
) -> Result<Vec<Entry>, FoldUsageError> {
    let limit = u32::try_from(end.saturating_sub(after)).unwrap_or(u32::MAX);
    let entries = context.ledger.entries_after(account, after, limit).await?;
    let shown = (after + 1..=end).zip(&entries).take_while(|(seq, entry)| entry.seq == *seq).count() as u64;
    if shown < end - after { Err(FoldUsageError::Behind { seq: after + 1 + shown }) } else { Ok(entries) }
}

/// The rows that the block may change. Hardly any others lie between them, because entries are in order of time.
async fn stored_rows<C: Capabilities<Ledger: UsageRows>>(
    context: &Context<C>,
    account: &AccountId,
    block: &[UsageEntry],
) -> Result<Vec<UsageRow>, LedgerError> {
    let instants = block.iter().map(|counted| counted.entry.created_at);
    let periods =
        Granularity::ALL.into_iter().filter_map(|granularity| Periods::spanning(granularity, instants.clone()));
    let rows = try_join_all(periods.map(|periods| context.ledger.usage_rows(account, periods))).await?;
    Ok(rows.concat())
}
