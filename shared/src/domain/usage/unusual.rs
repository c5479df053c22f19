//! Whether an account uses far more than it usually does. That raises a flag for support, and blocks nothing.
//!
//! The charges of an hour are compared with the busiest hours of the days before, and the credits of a day with those
//! days. What is usual is their median; how far days differ from it is the median of these distances. Both ignore a few
//! extreme days, so one unusual day does not make the next one usual.

use super::{Flag, FlagKind, Granularity, Period, Periods, UsageFold, UsageRow};
use crate::domain::AccountId;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

/// When usage is unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FairUse {
    /// How many days before are looked at, at most: from the first one with usage on.
    pub days: i32,
    /// Unusual is more than this many times the median,
    pub medians: i64,
    /// and more than this many times the usual distance above the median,
    pub spreads: i64,
    /// and more than this, so that small and new accounts raise no flag for what costs nobody anything.
    pub charges_per_hour_min: i64,
    pub credits_per_day_min: i64,
}

impl FairUse {
    pub const REFERENCE: Self =
        Self { days: 28, medians: 3, spreads: 6, charges_per_hour_min: 500, credits_per_day_min: 10_000 };

    fn min(&self, kind: FlagKind) -> i64 {
        match kind {
            FlagKind::ChargesPerHour => self.charges_per_hour_min,
            FlagKind::CreditsPerDay => self.credits_per_day_min,
            FlagKind::UnknownPayment => i64::MAX,
        }
    }
}

/// The days whose rows tell whether this fold makes a day unusual. `None` if none can be, because none counts enough.
pub fn past_needed(fold: &UsageFold, fair_use: &FairUse) -> Option<Periods> {
    let is_candidate = |row: &&UsageRow| FlagKind::ALL.into_iter().any(|kind| may_be_unusual(row, kind, fair_use));
    let dates = days(&fold.rows).filter(is_candidate).map(|row| row.period.first());
    let (first, last) = (dates.clone().min()?, dates.max()?);
    Periods::new(Granularity::Day, first.saturating_sub(fair_use.days.days()), last.yesterday().ok()?)
}

/// The fold with a flag for each day that it makes unusual. `past` are the stored rows of [`past_needed`].
///
/// A row says which flags it has raised, and is written with them. So a day raises each flag once, however often its
/// entries are delivered and in whatever order its blocks are folded.
pub fn raise_flags(
    account: &AccountId,
    fold: UsageFold,
    past: &[UsageRow],
    fair_use: &FairUse,
    now: Timestamp,
) -> UsageFold {
    // The fold's own rows are newer than those that are stored.
    let known: BTreeMap<Date, &UsageRow> =
        days(past).chain(days(&fold.rows)).map(|row| (row.period.first(), row)).collect();
    let mut flags = vec![];
    for row in days(&fold.rows) {
        for kind in FlagKind::ALL.into_iter().filter(|kind| may_be_unusual(row, *kind, fair_use)) {
            let (date, (counted, hour)) = (row.period.first(), value(kind, row));
            let before = date.saturating_sub(fair_use.days.days())..date;
            let samples: BTreeMap<Date, i64> =
                known.range(before.clone()).map(|(date, row)| (*date, value(kind, row).0)).collect();
            let (median, spread) = usual(&samples, before.end);
            let threshold = [
                fair_use.min(kind),
                median.saturating_mul(fair_use.medians),
                median.saturating_add(spread.saturating_mul(fair_use.spreads)),
            ];
            let threshold = threshold.into_iter().max().unwrap_or(i64::MAX);
            if counted > threshold {
                let account = account.clone();
                let flag = Flag {
                    account,
                    kind,
                    date,
                    hour,
                    value: counted,
                    median,
                    spread,
                    threshold,
                    raised_at: now,
                    payment: None,
                };
                flags.push(flag);
            }
        }
    }
    let mut fold = fold;
    for flag in &flags {
        let period = Period::of_date(Granularity::Day, flag.date);
        for row in fold.rows.iter_mut().filter(|row| row.period == period) {
            row.flagged.insert(flag.kind, now);
        }
    }
    UsageFold { flags, ..fold }
}

fn days(rows: &[UsageRow]) -> impl Iterator<Item = &UsageRow> + Clone {
    rows.iter().filter(|row| row.period.granularity() == Granularity::Day)
}

fn may_be_unusual(row: &UsageRow, kind: FlagKind, fair_use: &FairUse) -> bool {
    !row.flagged.contains_key(&kind) && value(kind, row).0 > fair_use.min(kind)
}

/// The largest such number of a day, and the hour if it has one.
fn value(kind: FlagKind, row: &UsageRow) -> (i64, Option<i8>) {
    match kind {
        FlagKind::ChargesPerHour => row.busiest_hour().map_or((0, None), |(hour, charges)| (charges, Some(hour))),
        FlagKind::CreditsPerDay => (row.total.credits_spent(), None),
        FlagKind::UnknownPayment => (0, None),
    }
}

/// The median of the days from the first one with usage up to `end`, and the median distance from it. A day without
/// usage counts as zero.
fn usual(samples: &BTreeMap<Date, i64>, end: Date) -> (i64, i64) {
    let Some(first) = samples.keys().next() else { return (0, 0) };
    let dates = std::iter::successors(Some(*first), |date| date.tomorrow().ok()).take_while(|date| *date < end);
    let values: Vec<i64> = dates.map(|date| samples.get(&date).copied().unwrap_or(0)).collect();
    let median = median(values.clone());
    let distances = values.into_iter().map(|value| value.saturating_sub(median).saturating_abs());
    (median, self::median(distances.collect()))
}

/// The value in the middle, or the larger of the two.
fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len().div_euclid(2)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UsageCounts;
    use crate::domain::samples::at;
    use crate::domain::usage::UsageCursor;

    const FAIR_USE: FairUse = FairUse { charges_per_hour_min: 10, credits_per_day_min: 100, ..FairUse::REFERENCE };

    fn acme() -> AccountId {
        AccountId::parse("acme").unwrap()
    }

    /// The day so many days after 2026-03-01, with these charges in one hour and these credits.
    fn day(after: i64, charges: i64, credits: i64) -> UsageRow {
        let date = "2026-03-01".parse::<Date>().unwrap().saturating_add(after.days());
        let mut row = UsageRow::empty(Period::of_date(Granularity::Day, date));
        row.total = UsageCounts { charges, credits_charged: credits, ..UsageCounts::default() };
        row.hours.insert(13, charges);
        row
    }

    fn fold(rows: Vec<UsageRow>) -> UsageFold {
        let after = UsageCursor { through_seq: 100, is_nameless: false };
        UsageFold { before: UsageCursor::default(), after, rows, flags: vec![] }
    }

    fn raised(past: &[UsageRow], today: UsageRow) -> Vec<(FlagKind, i64, i64)> {
        let raised = raise_flags(&acme(), fold(vec![today]), past, &FAIR_USE, at(1));
        raised.flags.iter().map(|flag| (flag.kind, flag.value, flag.threshold)).collect()
    }

    #[test]
    fn a_day_is_unusual_far_above_its_own_past_and_above_a_minimum() {
        let steady: Vec<_> = (0..28).map(|after| day(after, 100, 1_000)).collect();
        let (hour, credits) = (FlagKind::ChargesPerHour, FlagKind::CreditsPerDay);
        assert_eq!(raised(&steady, day(28, 300, 3_000)), [], "three times the median");
        assert_eq!(raised(&steady, day(28, 301, 3_000)), [(hour, 301, 300)]);
        assert_eq!(raised(&steady, day(28, 300, 3_001)), [(credits, 3_001, 3_000)]);
        // Days of 40 and 160 charges in turn: the median is 160 and the distance 120 for half of them.
        let uneven: Vec<_> = (0..28).map(|after| day(after, if after % 2 == 0 { 40 } else { 160 }, 0)).collect();
        assert_eq!(raised(&uneven, day(28, 880, 0)), [], "six distances above the median");
        assert_eq!(raised(&uneven, day(28, 881, 0)), [(hour, 881, 880)]);
        // A new or small account.
        assert_eq!(raised(&[], day(0, 10, 100)), []);
        assert_eq!(raised(&[], day(0, 11, 101)), [(hour, 11, 10), (credits, 101, 100)]);
        assert_eq!(raised(&[day(27, 1, 1)], day(28, 10, 100)), []);
    }

    #[test]
    fn one_unusual_day_does_not_make_the_next_one_usual_and_days_without_usage_count() {
        let mut past: Vec<_> = (0..28).map(|after| day(after, 10, 100)).collect();
        past[27] = day(27, 9_999, 9_999);
        assert_eq!(raised(&past, day(28, 31, 0)), [(FlagKind::ChargesPerHour, 31, 30)]);
        let seldom = [day(14, 900, 0), day(20, 900, 0)];
        assert_eq!(raised(&seldom, day(28, 901, 0)), [(FlagKind::ChargesPerHour, 901, 10)]);
        let long_ago = [day(0, 900, 0)];
        assert_eq!(raised(&long_ago, day(29, 11, 0)), [(FlagKind::ChargesPerHour, 11, 10)], "28 days count");
        assert_eq!(raised(&long_ago, day(28, 11, 0)), [(FlagKind::ChargesPerHour, 11, 10)], "27 of 28 days are empty");
    }

    #[test]
    fn a_row_without_hours_counts_as_if_all_its_charges_came_in_one() {
        let mut old: Vec<_> = (0..28).map(|after| day(after, 100, 0)).collect();
        old.iter_mut().for_each(|row| row.hours.clear());
        assert_eq!(raised(&old, day(28, 300, 0)), []);
        assert_eq!(raised(&old, day(28, 301, 0)), [(FlagKind::ChargesPerHour, 301, 300)]);
    }

    #[test]
    fn a_day_raises_each_flag_once() {
        let first = raise_flags(&acme(), fold(vec![day(0, 11, 100)]), &[], &FAIR_USE, at(1));
        assert_eq!(first.flags.len(), 1);
        let mut more = first.rows[0].clone();
        more.hours.insert(14, 5_000);
        more.total.credits_charged = 5_000;
        let second = raise_flags(&acme(), fold(vec![more]), &[], &FAIR_USE, at(2));
        assert_eq!(second.flags.iter().map(|flag| flag.kind).collect::<Vec<_>>(), [FlagKind::CreditsPerDay]);
        let flagged = BTreeMap::from([(FlagKind::ChargesPerHour, at(1)), (FlagKind::CreditsPerDay, at(2))]);
        assert_eq!(second.rows[0].flagged, flagged);
    }

    #[test]
    fn days_of_the_same_fold_are_each_others_past() {
        let rows: Vec<_> = (0..3).map(|after| day(after, 100, 0)).collect();
        let raised = raise_flags(&acme(), fold(rows), &[], &FAIR_USE, at(1));
        let dates: Vec<_> = raised.flags.iter().map(|flag| flag.date.to_string()).collect();
        assert_eq!(dates, ["2026-03-01"], "of the others, the first one is usual");
    }

    #[test]
    fn the_past_is_read_only_for_a_day_that_counts_enough() {
        let mut month = day(0, 5_000, 5_000);
        month.period = Period::of_date(Granularity::Month, month.period.first());
        assert_eq!(past_needed(&fold(vec![day(0, 10, 100), month]), &FAIR_USE), None);
        let needed = past_needed(&fold(vec![day(0, 11, 0), day(1, 0, 0), day(2, 0, 101)]), &FAIR_USE).unwrap();
        let dates = [needed.first(), needed.last()].map(|period| period.first().to_string());
        assert_eq!(dates, ["2026-02-01", "2026-03-02"]);
    }
}
