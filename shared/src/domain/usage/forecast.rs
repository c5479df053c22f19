//! What an account will probably spend, from what it spent on the complete days before.
//!
//! Two averages make a range: its lower end is the smaller one less a fifth, its upper end the larger one plus a fifth.
//! Nothing is stored. How often the method was right is found out by using it on earlier days of the same account.

use super::{Granularity, UsageRow};
use crate::domain::Account;
use crate::domain::calendar::date_of;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

/// The days of the two averages.
pub const AVERAGE_DAYS: [i32; 2] = [7, 30];
/// The days that a forecast is compared with when it is checked.
pub const HORIZON_DAYS: i32 = 7;
/// The days on which earlier forecasts are made again.
const REPLAYED_DAYS: i32 = 30;
/// The days before today that a forecast needs rows of: to make the earliest of the earlier ones again.
pub const DAYS_NEEDED: i32 = AVERAGE_DAYS[1] + REPLAYED_DAYS + HORIZON_DAYS;
/// A balance that lasts longer has no date: ten years.
const DAYS_MAX: i64 = 3_650;

/// Thousandths of a credit.
const MILLI: i128 = 1_000;

/// What an account will probably spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Over the complete days before today: 7 and 30, or as many as the account has.
    pub averages: [Average; 2],
    /// `None` if there is no recent usage.
    pub runs_out: Option<RunsOut>,
    pub month: Month,
    /// `None` if no earlier forecast can be checked yet.
    pub accuracy: Option<Accuracy>,
}

/// What was spent on some complete days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Average {
    /// How many days there were: none on the day on which the account was opened.
    pub days: i32,
    pub credits_spent: i64,
}

/// The days on which the balance is probably used up, if nothing is bought. `None` means not within ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsOut {
    pub earliest: Option<Date>,
    pub latest: Option<Date>,
}

/// The current month (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    pub first: Date,
    /// So far.
    pub credits_spent: i64,
    /// At its end, at least and at most. `None` if there is no recent usage.
    pub expected: Option<(i64, i64)>,
}

/// Of the forecasts of the next seven days that can be checked, how many were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    pub forecasts: u32,
    pub right: u32,
}

impl Average {
    /// Rounded to the nearest credit.
    pub fn credits_per_day(&self) -> i64 {
        let rounded = self.milli_per_day().saturating_add(MILLI.div_euclid(2)).div_euclid(MILLI);
        i64::try_from(rounded).unwrap_or(i64::MAX)
    }

    /// Zero if more was given back than charged.
    fn milli_per_day(&self) -> i128 {
        let spent = i128::from(self.credits_spent.max(0)).saturating_mul(MILLI);
        spent.checked_div(i128::from(self.days)).unwrap_or(0)
    }
}

/// Thousandths of a credit per day, at least and at most.
#[derive(Clone, Copy)]
struct Range {
    low: i128,
    high: i128,
}

impl Range {
    /// `None` without recent usage.
    fn of(averages: &[Average; 2]) -> Option<Self> {
        let [short, long] = averages.each_ref().map(Average::milli_per_day);
        let fifths = |milli: i128, count: i128| milli.saturating_mul(count).div_euclid(5);
        (short.max(long) > 0).then(|| Self { low: fifths(short.min(long), 4), high: fifths(short.max(long), 6) })
    }

    /// Whole credits in so many days, at least and at most.
    fn in_days(self, days: i32) -> (i64, i64) {
        let credits = |milli: i128| {
            let exact = milli.saturating_mul(i128::from(days));
            i64::try_from(exact.div_euclid(MILLI)).unwrap_or(i64::MAX)
        };
        (credits(self.low), credits(self.high).saturating_add(1))
    }
}

/// The days of one account.
struct Days {
    opened: Date,
    spent: BTreeMap<Date, i64>,
}

impl Days {
    /// The credits spent on so many days before this one.
    fn before(&self, day: Date, days: i32) -> i64 {
        self.between(day.saturating_sub(days.days()), day)
    }

    /// From the first day on, and before the second.
    fn between(&self, first: Date, end: Date) -> i64 {
        self.spent.range(first..end.max(first)).fold(0, |sum, (_, spent)| sum.saturating_add(*spent))
    }

    /// As they were at the beginning of a day.
    fn averages(&self, day: Date) -> [Average; 2] {
        let age = day.since(self.opened).map_or(0, |span| span.get_days()).max(0);
        AVERAGE_DAYS.map(|days| {
            let days = days.min(age);
            Average { days, credits_spent: self.before(day, days) }
        })
    }

    /// Makes the forecasts of earlier days again, and compares each with the seven days that followed.
    fn accuracy(&self, today: Date) -> Option<Accuracy> {
        let mut accuracy = Accuracy { forecasts: 0, right: 0 };
        for ago in HORIZON_DAYS..HORIZON_DAYS.saturating_add(REPLAYED_DAYS) {
            let day = today.saturating_sub(ago.days());
            let averages = self.averages(day);
            // An account that was younger than the shorter average got no forecast that is worth a comparison.
            let Some(range) = Range::of(&averages).filter(|_| averages[0].days == AVERAGE_DAYS[0]) else { continue };
            let (low, high) = range.in_days(HORIZON_DAYS);
            let spent = self.between(day, day.saturating_add(HORIZON_DAYS.days()));
            accuracy.forecasts = accuracy.forecasts.saturating_add(1);
            accuracy.right = accuracy.right.saturating_add(u32::from((low..=high).contains(&spent)));
        }
        (accuracy.forecasts > 0).then_some(accuracy)
    }
}

/// The forecast of an account from its rows of the last [`DAYS_NEEDED`] days and of today.
pub fn forecast(account: &Account, rows: &[UsageRow], now: Timestamp) -> Forecast {
    let today = date_of(now);
    let of_days = rows.iter().filter(|row| row.period.granularity() == Granularity::Day);
    let spent = of_days.map(|row| (row.period.first(), row.total.credits_spent())).collect();
    let days = Days { opened: date_of(account.created_at), spent };
    let averages = days.averages(today);
    let range = Range::of(&averages);
    let first = today.first_of_month();
    let spent_before = days.between(first, today);
    let spent_today = days.spent.get(&today).copied().unwrap_or(0);
    let rest = i32::from(today.days_in_month()).saturating_sub(i32::from(today.day()));
    let expected = range.map(|range| {
        let ((today_low, today_high), (rest_low, rest_high)) = (range.in_days(1), range.in_days(rest));
        let sum = |today: i64, rest: i64| spent_before.saturating_add(spent_today.max(today)).saturating_add(rest);
        (sum(today_low, rest_low), sum(today_high, rest_high))
    });
    Forecast {
        averages,
        runs_out: range.map(|range| RunsOut {
            earliest: runs_out(account.balance.get(), range.high, today),
            latest: runs_out(account.balance.get(), range.low, today),
        }),
        month: Month { first, credits_spent: spent_before.saturating_add(spent_today), expected },
        accuracy: days.accuracy(today),
    }
}

fn runs_out(balance: i64, milli_per_day: i128, today: Date) -> Option<Date> {
    let left = i128::from(balance.max(0)).saturating_mul(MILLI).checked_div(milli_per_day)?;
    let days = i64::try_from(left).ok().filter(|days| *days <= DAYS_MAX)?;
    today.checked_add(days.days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Credits;
    use crate::domain::samples::account;
    use crate::domain::usage::{Period, UsageCounts};

    /// Midday of a day in the middle of June.
    const NOW: &str = "2026-06-15T12:00:00Z";

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// Rows of the days before today and of today: what was spent so many days ago.
    fn rows(spent: impl IntoIterator<Item = (i32, i64)>) -> Vec<UsageRow> {
        let row = |(ago, spent): (i32, i64)| {
            let period = Period::of_date(Granularity::Day, day("2026-06-15").saturating_sub(ago.days()));
            let total = UsageCounts { credits_charged: spent, ..UsageCounts::default() };
            UsageRow { total, ..UsageRow::empty(period) }
        };
        spent.into_iter().map(row).collect()
    }

    fn of(balance: i64, opened: &str, rows: &[UsageRow]) -> Forecast {
        let created_at = opened.parse().unwrap();
        let account = Account { balance: Credits::constant(balance), created_at, ..account() };
        forecast(&account, rows, NOW.parse().unwrap())
    }

    const LONG_AGO: &str = "2025-01-01T00:00:00Z";

    #[test]
    fn a_steady_account_runs_out_within_a_fifth_of_its_average() {
        let forecast = of(1_200, LONG_AGO, &rows((0..67).map(|ago| (ago, 100))));
        assert_eq!(forecast.averages.map(|average| (average.days, average.credits_spent)), [(7, 700), (30, 3_000)]);
        assert_eq!(forecast.averages.map(|average| average.credits_per_day()), [100, 100]);
        // 120 and 80 credits a day.
        let expected = RunsOut { earliest: Some(day("2026-06-25")), latest: Some(day("2026-06-30")) };
        assert_eq!(forecast.runs_out, Some(expected));
        // Fourteen days of 100, today at least its 100, and fifteen of 80 to 120.
        let month = Month { first: day("2026-06-01"), credits_spent: 1_500, expected: Some((2_700, 3_322)) };
        assert_eq!(forecast.month, month);
        assert_eq!(forecast.accuracy, Some(Accuracy { forecasts: 30, right: 30 }));
    }

    #[test]
    fn an_account_without_recent_usage_has_no_forecast() {
        for spent in [vec![], vec![(0, 50)], vec![(31, 50)], vec![(1, 50), (2, -70)]] {
            let forecast = of(1_000, LONG_AGO, &rows(spent.clone()));
            assert_eq!((forecast.runs_out, forecast.month.expected), (None, None), "{spent:?}");
        }
        let opened_today = of(1_000, "2026-06-15T00:00:00Z", &rows([(0, 50)]));
        assert_eq!(opened_today.averages.map(|average| (average.days, average.credits_per_day())), [(0, 0), (0, 0)]);
        assert_eq!((opened_today.runs_out, opened_today.accuracy), (None, None));
        assert_eq!(opened_today.month.credits_spent, 50);
    }

    #[test]
    fn a_young_account_is_averaged_over_the_days_that_it_has() {
        let forecast = of(600, "2026-06-11T08:00:00Z", &rows([(4, 30), (3, 30), (2, 0), (1, 60)]));
        assert_eq!(forecast.averages.map(|average| (average.days, average.credits_spent)), [(4, 120), (4, 120)]);
        assert_eq!(forecast.accuracy, None, "younger than the shorter average");
    }

    #[test]
    fn a_balance_that_is_used_up_or_lasts_for_ages_says_so() {
        let steady = rows((1..31).map(|ago| (ago, 10)));
        let out = of(-5, LONG_AGO, &steady).runs_out.unwrap();
        assert_eq!((out.earliest, out.latest), (Some(day("2026-06-15")), Some(day("2026-06-15"))));
        let ages = of(1_000_000_000, LONG_AGO, &steady).runs_out.unwrap();
        assert_eq!((ages.earliest, ages.latest), (None, None));
        let stopped = of(1_000, LONG_AGO, &rows([(20, 300)])).runs_out.unwrap();
        assert_eq!((stopped.earliest.is_some(), stopped.latest), (true, None), "nothing in the last week");
    }

    #[test]
    fn earlier_forecasts_are_right_only_if_the_week_that_followed_was_within_their_range() {
        // Ten a day, and twenty in the last week: the forecasts of which only old days follow were right.
        let forecast = of(1_000, LONG_AGO, &rows((1..67).map(|ago| (ago, if ago <= 7 { 20 } else { 10 }))));
        // Until a week with two days of the last one is within a fifth: seven to eleven of the days are old.
        assert_eq!(forecast.accuracy, Some(Accuracy { forecasts: 30, right: 24 }));
    }
}
