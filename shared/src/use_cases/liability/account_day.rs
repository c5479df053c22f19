//! What one account adds to a day, read from its entries.

use super::limits::{CloseError, CloseLimits};
use crate::domain::account::HistoryFilter;
use crate::domain::liability::AccountDay;
use crate::domain::{AccountId, Entry, Granularity, Periods, date_of, start_of, start_of_next_day};
use crate::ports::{EntryList, History, UsageRows};
use crate::use_cases::{Capabilities, Context};
use jiff::Timestamp;
use jiff::civil::Date;

/// What the account adds to the day. `is_new` if it was not counted on the day before.
///
/// Most accounts have no entry on most days, and reading the newest one is enough. A few entries are read back to the
/// beginning of the day. Where there are many, the rows of usage say what moved, and only the entries behind the rows are
/// read.
pub(super) async fn account_day<C: Capabilities<Ledger: History + EntryList + UsageRows>>(
    context: &Context<C>,
    account: &AccountId,
    (day, is_new): (Date, bool),
    limits: CloseLimits,
) -> Result<AccountDay, CloseError> {
    let span = Span::of(day);
    let mut newest_first: Vec<Entry> = vec![];
    let mut limit = limits.entries_at_first;
    loop {
        let before = newest_first.last().map(|entry| entry.seq);
        let page = context.ledger.history_page(account, before, limit).await?;
        let is_last_page = page.len() < limit as usize;
        newest_first.extend(page);
        let oldest = newest_first.last();
        if is_last_page || oldest.is_none_or(|oldest| span.is_before(oldest)) {
            newest_first.reverse();
            let tail = span.without_gaps(account, newest_first)?;
            return Ok(AccountDay::of(day, vec![], &tail, is_new));
        }
        if newest_first.len() >= limits.entries_max as usize {
            return folded_day(context, account, (day, is_new), limits).await;
        }
        limit = limits.entries_of_page;
    }
}

/// The same from the rows of usage. They are read before the entries behind them, so an entry that is folded in between
/// is in its row and known to be.
async fn folded_day<C: Capabilities<Ledger: EntryList + UsageRows>>(
    context: &Context<C>,
    account: &AccountId,
    (day, is_new): (Date, bool),
    limits: CloseLimits,
) -> Result<AccountDay, CloseError> {
    let behind = || CloseError::Behind { account: account.clone() };
    let cursor = context.ledger.usage_cursor_get(account).await?.through_seq;
    let today = date_of(context.now());
    let periods = Periods::new(Granularity::Day, day, today.max(day)).ok_or_else(behind)?;
    let rows = context.ledger.usage_rows(account, periods).await?;
    // With the last entry that is folded, whose balance is needed if none follows.
    let mut after = cursor.saturating_sub(1);
    let mut tail: Vec<Entry> = vec![];
    loop {
        let page = context.ledger.entries_after(account, after, limits.entries_of_page).await?;
        let is_last_page = page.len() < limits.entries_of_page as usize;
        tail.extend(page);
        after = tail.last().map_or(after, |entry| entry.seq);
        if is_last_page {
            break;
        }
        if tail.len() >= limits.tail_max as usize {
            return Err(behind());
        }
    }
    let first = cursor.max(1);
    let tail = Span::of(day).without_gaps(account, tail)?;
    let counted = rows.iter().map(|row| row.through_seq).max().unwrap_or(0);
    let newest = tail.last().map_or(0, |entry| entry.seq);
    if tail.first().is_none_or(|entry| entry.seq != first) || newest < counted {
        return Err(behind());
    }
    Ok(AccountDay::of(day, rows, &tail, is_new))
}

/// A day as a range of time.
struct Span {
    start: Timestamp,
    end: Timestamp,
}

impl Span {
    fn of(day: Date) -> Self {
        let (start, end) = (start_of(day), start_of_next_day(day));
        Self { start: start.unwrap_or(Timestamp::MAX), end: end.unwrap_or(Timestamp::MAX) }
    }

    /// Whether no entry below this one is of the day, although the clocks of functions differ.
    fn is_before(&self, entry: &Entry) -> bool {
        entry.created_at.saturating_add(HistoryFilter::CLOCKS_APART_MAX).is_ok_and(|at| at < self.start)
    }

    /// The entries up to the first gap. The index may show an entry that was just made before the one below it. What is
    /// above a gap must be so new that it cannot be of the day, and neither can the entry that is missing.
    fn without_gaps(&self, account: &AccountId, mut oldest_first: Vec<Entry>) -> Result<Vec<Entry>, CloseError> {
        let gap = oldest_first.windows(2).position(|pair| pair[0].seq.saturating_add(1) != pair[1].seq);
        let Some(gap) = gap else { return Ok(oldest_first) };
        let above = oldest_first.split_off(gap.saturating_add(1));
        let latest = self.end.saturating_add(HistoryFilter::CLOCKS_APART_MAX).unwrap_or(Timestamp::MAX);
        if above.iter().all(|entry| entry.created_at >= latest) {
            Ok(oldest_first)
        } else {
            Err(CloseError::Behind { account: account.clone() })
        }
    }
}
