//! Closing the days that have passed, in order, shard by shard and page by page.
//!
//! Runs may overlap, be repeated, and die at any line: each page of accounts is added to its row by a write that requires
//! the row to be as it was read. So every account is counted once on every day.

use super::account_day::account_day;
use super::limits::{CloseError, CloseLimits};
use crate::domain::liability::{ClosedDays, LiabilityRow, closable_from};
use crate::domain::{date_of, start_of_next_day};
use crate::error::chain;
use crate::ports::{
    Directory, EntryList, History, LedgerError, LiabilityRows, ListedAccount, ReplaceError, Shard, UsageRows,
};
use crate::use_cases::{Capabilities, Context};
use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff::civil::Date;

/// Shards that are worked on side by side, and accounts of each.
const SHARDS_AT_ONCE: usize = 4;
const ACCOUNTS_AT_ONCE: usize = 16;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseSummary {
    /// Days whose last page this run counted, or saw counted.
    pub days: u64,
    /// Accounts that this run counted.
    pub accounts: u64,
    /// Shards of a day whose entries and balances do not agree.
    pub disagreeing: u64,
    /// Accounts among those that this run counted whose balance was below zero at the end of the day.
    pub negative: u64,
    /// Whether time ran out first, or another run was faster. The next run does the rest.
    pub is_cut_short: bool,
}

/// Closes every day that has passed and is not closed yet. No page begins after `begin_before`.
///
/// # Errors
/// [`CloseError`]. What was counted before stays counted.
pub async fn close_days<C>(
    context: &Context<C>,
    limits: CloseLimits,
    begin_before: Timestamp,
) -> Result<CloseSummary, CloseError>
where
    C: Capabilities<Ledger: Directory + History + EntryList + UsageRows + LiabilityRows>,
{
    let mut summary = CloseSummary::default();
    loop {
        let Some(closed) = closed_days(context).await? else { return Ok(summary) };
        let Some(day) = closed.next().filter(|day| closable_from(*day).is_some_and(|from| from <= context.now()))
        else {
            return Ok(summary);
        };
        let run = Run { context, limits, begin_before, day, is_first: day == closed.first };
        if !run.close_shards(&mut summary).await? {
            summary.is_cut_short = true;
            return Ok(summary);
        }
        match context.ledger.closed_days_put(&ClosedDays { through: day, ..closed }, Some(&closed)).await {
            Ok(()) => summary.days += 1,
            // Another run has closed the day as well.
            Err(ReplaceError::Stale) => {}
            Err(ReplaceError::Failed(error)) => return Err(error.into()),
        }
        tracing::info!(day = %day, "the liability is closed");
    }
}

/// The days that are closed. The first run of all says where they begin. `None` if another one just did.
async fn closed_days<C: Capabilities<Ledger: LiabilityRows>>(
    context: &Context<C>,
) -> Result<Option<ClosedDays>, LedgerError> {
    if let Some(closed) = context.ledger.closed_days_get().await? {
        return Ok(Some(closed));
    }
    let Some(none) = ClosedDays::none(date_of(context.now())) else { return Ok(None) };
    match context.ledger.closed_days_put(&none, None).await {
        Ok(()) => Ok(Some(none)),
        Err(ReplaceError::Stale) => context.ledger.closed_days_get().await,
        Err(ReplaceError::Failed(error)) => Err(error),
    }
}

struct Run<'a, C: Capabilities> {
    context: &'a Context<C>,
    limits: CloseLimits,
    begin_before: Timestamp,
    day: Date,
    is_first: bool,
}

/// What a run did with one shard.
#[derive(Clone, Copy, Debug, Default)]
struct ShardSummary {
    accounts: u64,
    negative: u64,
    is_complete: bool,
    is_disagreeing: bool,
}

impl<C> Run<'_, C>
where
    C: Capabilities<Ledger: Directory + History + EntryList + UsageRows + LiabilityRows>,
{
    /// Whether all shards are complete. One that fails does not hold up the others.
    async fn close_shards(&self, summary: &mut CloseSummary) -> Result<bool, CloseError> {
        let shards = stream::iter(Shard::all()).map(|shard| self.close_shard(shard).boxed());
        let closed: Vec<_> = shards.buffer_unordered(SHARDS_AT_ONCE).collect().await;
        let (mut is_complete, mut failed) = (true, Ok(()));
        for shard in closed {
            match shard {
                Ok(shard) => {
                    summary.accounts += shard.accounts;
                    summary.negative += shard.negative;
                    summary.disagreeing += u64::from(shard.is_disagreeing);
                    is_complete &= shard.is_complete;
                }
                Err(error) => {
                    tracing::warn!(day = %self.day, error = %chain(&error), "a shard of the liability could not be closed");
                    failed = Err(error);
                }
            }
        }
        failed.map(|()| is_complete)
    }

    async fn close_shard(&self, shard: Shard) -> Result<ShardSummary, CloseError> {
        let ledger = &self.context.ledger;
        let mut summary = ShardSummary::default();
        let mut stored = ledger.liability_row_get(self.day, shard).await?;
        let mut row = match &stored {
            Some(row) => row.clone(),
            None => LiabilityRow::open(self.day, self.day_before(shard).await?.as_ref()),
        };
        while !row.is_complete {
            if self.context.now() >= self.begin_before {
                return Ok(summary);
            }
            let (next, negative) = self.with_next_page(shard, &row).await?;
            match ledger.liability_row_put(shard, &next, stored.as_ref()).await {
                Ok(()) => {}
                // Another run counts this shard. It, or the next run, does the rest.
                Err(ReplaceError::Stale) => return Ok(summary),
                Err(ReplaceError::Failed(error)) => return Err(error.into()),
            }
            summary.accounts += next.accounts.saturating_sub(row.accounts);
            summary.negative += negative;
            (stored, row) = (Some(next.clone()), next);
        }
        (summary.is_complete, summary.is_disagreeing) = (true, self.disagrees(shard, &row));
        Ok(summary)
    }

    async fn day_before(&self, shard: Shard) -> Result<Option<LiabilityRow>, CloseError> {
        if self.is_first {
            return Ok(None);
        }
        let missing = || CloseError::Missing { day: self.day };
        let before = self.day.yesterday().map_err(|_| missing())?;
        let row = self.context.ledger.liability_row_get(before, shard).await?;
        row.filter(|row| row.is_complete).map(Some).ok_or_else(missing)
    }

    /// The row with the next page of the directory, and how many balances on it are below zero. Accounts that were listed after the day are not of that day.
    async fn with_next_page(&self, shard: Shard, row: &LiabilityRow) -> Result<(LiabilityRow, u64), CloseError> {
        let page = self.context.ledger.accounts_page(shard, row.after.as_ref(), self.limits.accounts).await?;
        let after = page.accounts.last().map(|last| last.account.clone()).or_else(|| row.after.clone());
        let end = start_of_next_day(self.day).unwrap_or(Timestamp::MAX);
        let listed = page.accounts.into_iter().filter(|listed| listed.listed_at < end);
        let counted = stream::iter(listed).map(|listed| async move {
            let ListedAccount { account, listed_at } = listed;
            let is_new = self.is_first || date_of(listed_at) == self.day;
            account_day(self.context, &account, (self.day, is_new), self.limits).boxed().await
        });
        let counted: Vec<_> = counted.buffered(ACCOUNTS_AT_ONCE).try_collect().await?;
        let negative = counted.iter().map(|counted| u64::from(counted.outstanding < 0)).sum();
        Ok((row.with_page(&counted, after, !page.has_more), negative))
    }

    /// Logged as an error by the run that closes the day, and by those that find other shards incomplete. The number stays
    /// in the row and is never corrected.
    fn disagrees(&self, shard: Shard, row: &LiabilityRow) -> bool {
        let difference = row.flow.difference();
        if difference != 0 {
            let shard = shard.get();
            tracing::error!(day = %self.day, shard, difference, "the balances are not what the entries add up to");
        }
        difference != 0
    }
}
