//! Listing flags for unusual usage.

use crate::domain::usage::{Flag, FlagPlace};
use crate::domain::{AccountId, date_of};
use crate::ports::{Flags, LedgerError, NewestFirst};
use crate::use_cases::{Capabilities, Context};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

/// Flags are kept for 400 days, which lie in at most 15 months.
const MONTHS_MAX: usize = 15;

/// The flags behind `after` (from the newest, if `None`), newest first, at most `limit` of them: of one account, or of all.
///
/// Those of all accounts lie in a partition for each month, which are read one after the other until the page is full.
///
/// # Errors
/// [`LedgerError`].
pub async fn list_flags<C: Capabilities<Ledger: Flags>>(
    context: &Context<C>,
    account: Option<&AccountId>,
    after: Option<&FlagPlace>,
    limit: u8,
) -> Result<NewestFirst<Flag>, LedgerError> {
    if let Some(account) = account {
        return context.ledger.flags_page(account, after, limit).await;
    }
    let newest = month_of(after.map_or_else(|| context.now(), |after| after.raised_at));
    let months = std::iter::successors(Some(newest), |month| month.checked_sub(1.month()).ok()).take(MONTHS_MAX);
    let (limit, mut records) = (usize::from(limit), vec![]);
    for month in months {
        // One more than the page holds, to know whether another one follows.
        let missing = u8::try_from((limit + 1).saturating_sub(records.len())).unwrap_or(u8::MAX);
        let page = context.ledger.flags_of_month_page(month, after, missing).await?;
        records.extend(page.records);
        if records.len() > limit {
            records.truncate(limit);
            return Ok(NewestFirst { records, has_more: true });
        }
        if page.has_more {
            return Ok(NewestFirst { records, has_more: true });
        }
    }
    Ok(NewestFirst { records, has_more: false })
}

/// The first day of an instant's month (UTC).
fn month_of(instant: Timestamp) -> Date {
    date_of(instant).first_of_month()
}
