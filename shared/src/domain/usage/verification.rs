//! Recomputing the rows of usage from the entries that they claim to cover, a part at a time.

use super::{Granularity, Period, RowPrint, UsageEntry, UsageRow};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How much later than the end of a period an entry is that tells that no other one of the period follows. Entries are
/// in order of time but for what clocks differ.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Why a row does not fit its entries, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowMisfit {
    #[error("there is no row, although entries were folded into it")]
    NoRow,
    #[error("there is a row, although no entry was folded into it")]
    NoEntries,
    #[error("the row says that it counts the entries through {stated}, and the last one is {last}")]
    ThroughSeq { stated: u64, last: u64 },
    #[error("the totals are not those of the entries")]
    Total,
    #[error("the numbers by operation are not those of the entries")]
    Operations,
    #[error("the numbers by spender are not those of the entries")]
    Spenders,
    #[error("the charges by hour are not those of the entries")]
    Hours,
}

/// What the entries of a period add up to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenRow {
    pub print: RowPrint,
    /// The `seq` of the last entry.
    pub last: u64,
}

/// How far the rows of an account are recomputed. It has a few open periods, however many entries there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsVerified {
    /// Every entry up to this one is in `open`, or in a row that was compared.
    pub after_seq: u64,
    pub open: BTreeMap<Period, OpenRow>,
    /// The last day and the last month that were compared, each by its first day.
    pub compared: BTreeMap<Granularity, Date>,
}

/// The stored rows of the periods that were not compared yet.
pub type StoredRows = BTreeMap<Period, UsageRow>;

impl RowsVerified {
    /// Counts the next entry. Where names are being erased, it is counted without one.
    pub fn count(&mut self, stored: &StoredRows, counted: &UsageEntry, is_nameless: bool) {
        for period in Period::all_of(counted.entry.created_at) {
            let empty = UsageRow::empty(period);
            let row = stored.get(&period).unwrap_or(&empty);
            let open = self.open.entry(period).or_default();
            open.print = open.print.plus(RowPrint::of_entry(row, counted, is_nameless));
            open.last = counted.entry.seq;
        }
        self.after_seq = counted.entry.seq;
    }

    /// Compares the rows of all periods that end well before an instant, or of all if there is none.
    ///
    /// # Errors
    /// The first row that does not fit, days before months.
    pub fn compare(&mut self, stored: &StoredRows, before: Option<Timestamp>) -> Result<(), (Period, RowMisfit)> {
        for granularity in Granularity::ALL {
            let is_over = |period: &Period| before.is_none_or(|before| is_over(*period, before));
            let is_of = |period: &&Period| period.granularity() == granularity && is_over(period);
            let last = match before {
                None => self.open.keys().chain(stored.keys()).filter(is_of).max().copied(),
                Some(_) => self.open.keys().filter(is_of).max().copied(),
            };
            let Some(last) = last else { continue };
            let known = self.open.keys().chain(stored.keys()).filter(|period| is_of(period) && **period <= last);
            let mut periods: Vec<Period> = known.copied().collect();
            periods.sort_unstable();
            periods.dedup();
            for period in periods {
                compare(self.open.remove(&period), stored.get(&period)).map_err(|misfit| (period, misfit))?;
            }
            self.compared.insert(granularity, last.first());
        }
        Ok(())
    }
}

fn is_over(period: Period, at: Timestamp) -> bool {
    let earlier = at.saturating_sub(CLOCKS_DIFFER_MAX).unwrap_or(Timestamp::MIN);
    Period::of(period.granularity(), earlier) > period
}

fn compare(open: Option<OpenRow>, row: Option<&UsageRow>) -> Result<(), RowMisfit> {
    let (open, row) = match (open, row) {
        (Some(open), Some(row)) => (open, row),
        (Some(_), None) => return Err(RowMisfit::NoRow),
        (None, _) => return Err(RowMisfit::NoEntries),
    };
    let print = RowPrint::of(row);
    // Rows that an early release began do not know all of their hours.
    let knows_hours = row.hours.values().fold(0_i64, |sum, charges| sum.saturating_add(*charges)) == row.total.charges;
    if row.through_seq != open.last {
        Err(RowMisfit::ThroughSeq { stated: row.through_seq, last: open.last })
    } else if print.total != open.print.total {
        Err(RowMisfit::Total)
    } else if print.operations != open.print.operations {
        Err(RowMisfit::Operations)
    } else if print.spenders != open.print.spenders {
        Err(RowMisfit::Spenders)
    } else if knows_hours && !row.hours.is_empty() && print.hours != open.print.hours {
        Err(RowMisfit::Hours)
    } else {
        Ok(())
    }
}
