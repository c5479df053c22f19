//! Reading days and months of the liability.

use crate::domain::liability::{ClosedDays, Flow, LiabilityRow, closable_from};
use crate::ports::{LedgerError, LiabilityRows, Shard};
use crate::use_cases::{Capabilities, Context};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

/// Months that are read at the same time.
const MONTHS_AT_ONCE: usize = 8;

/// All accounts at the end of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayLiability {
    pub day: Date,
    /// The first day that is counted.
    pub since: Date,
    pub accounts: u64,
    pub flow: Flow,
    /// From the first day to the end of this one.
    pub total: Flow,
}

/// All accounts over a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthLiability {
    /// Its first day.
    pub month: Date,
    /// Accounts at its end.
    pub accounts: u64,
    pub flow: Flow,
}

/// Why there is nothing to show, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum LiabilityError {
    /// The day was before the first one that is counted.
    #[error("days before {first} are not counted")]
    BeforeFirst { first: Date },
    /// The day is not closed yet.
    #[error("the day is closed at {closes_at:?} at the earliest")]
    NotClosed { closes_at: Option<Timestamp> },
    /// A row of a closed day is missing.
    #[error("the liability of {day} is missing")]
    Missing { day: Date },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The liability at the end of a day.
///
/// # Errors
/// [`LiabilityError`].
pub async fn read_day<C: Capabilities<Ledger: LiabilityRows>>(
    context: &Context<C>,
    day: Date,
) -> Result<DayLiability, LiabilityError> {
    let closed = context.ledger.closed_days_get().await?;
    let not_closed = LiabilityError::NotClosed { closes_at: closable_from(day) };
    let Some(closed) = closed else { return Err(not_closed) };
    if day < closed.first {
        return Err(LiabilityError::BeforeFirst { first: closed.first });
    }
    if !closed.contains(day) {
        return Err(not_closed);
    }
    let rows = complete_rows(context, day).await?;
    Ok(DayLiability {
        day,
        since: closed.first,
        accounts: rows.iter().map(|row| row.accounts).sum(),
        flow: rows.iter().map(|row| row.flow).sum(),
        total: rows.iter().map(LiabilityRow::total).sum(),
    })
}

/// The months from one to another, each as far as all of its days are closed: the first counted month may have begun
/// before the first counted day, and a month that has not ended is left out.
///
/// # Errors
/// [`LiabilityError`], but neither of the first two.
pub async fn read_months<C: Capabilities<Ledger: LiabilityRows>>(
    context: &Context<C>,
    (from, to): (Date, Date),
) -> Result<Vec<MonthLiability>, LiabilityError> {
    let Some(closed) = context.ledger.closed_days_get().await? else { return Ok(vec![]) };
    let from = from.first_of_month().max(closed.first.first_of_month());
    let months = std::iter::successors(Some(from), |month| month.checked_add(1.month()).ok());
    let months = months.take_while(|month| *month <= to && closed.contains(month.last_of_month()));
    let read = stream::iter(months).map(|month| read_month(context, closed, month));
    read.buffered(MONTHS_AT_ONCE).try_collect().await
}

async fn read_month<C: Capabilities<Ledger: LiabilityRows>>(
    context: &Context<C>,
    closed: ClosedDays,
    month: Date,
) -> Result<MonthLiability, LiabilityError> {
    let end = complete_rows(context, month.last_of_month()).await?;
    let before = match month.yesterday().ok().filter(|day| closed.contains(*day)) {
        Some(day) => complete_rows(context, day).await?,
        None => vec![],
    };
    let total = |rows: &[LiabilityRow]| rows.iter().map(LiabilityRow::total).sum::<Flow>();
    let accounts = end.iter().map(|row| row.accounts).sum();
    Ok(MonthLiability { month, accounts, flow: total(&end).since(&total(&before)) })
}

/// The rows of all shards of a day that is closed.
async fn complete_rows<C: Capabilities<Ledger: LiabilityRows>>(
    context: &Context<C>,
    day: Date,
) -> Result<Vec<LiabilityRow>, LiabilityError> {
    let rows = context.ledger.liability_rows(day).await?;
    let is_whole = rows.len() == usize::from(Shard::COUNT) && rows.iter().all(|row| row.is_complete);
    if is_whole { Ok(rows) } else { Err(LiabilityError::Missing { day }) }
}
