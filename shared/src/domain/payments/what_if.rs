//! What automatic top-ups with certain settings would have done to an account.
//!
//! The days are replayed against the rules: a sweep every 30 minutes, and six hours between two attempts. Within a day,
//! usage is spread evenly, and every payment succeeds at once.

use super::monthly_cap::MonthlyCap;
use super::outlook::SWEEP_MINUTES;
use crate::domain::{Amount, Credits, PriceBook};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// The sweeps of a day.
const SWEEPS_PER_DAY: i64 = 24 * 60 / SWEEP_MINUTES;
/// The sweeps between two attempts.
const SWEEPS_BETWEEN: i64 = PriceBook::TOP_UP_INTERVAL.as_mins() / SWEEP_MINUTES;
/// The days that a recommended top-up lasts, on average.
const DAYS_PER_TOP_UP: i64 = 7;
/// Recommended settings are multiples of this.
const STEP: i64 = 100;

/// What is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// At the beginning of the first day.
    pub balance: i64,
    /// In order, without a gap.
    pub days: Vec<PastDay>,
}

/// What an account did on one day, apart from automatic top-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastDay {
    pub date: Date,
    /// Credits that were spent, less what came back. Not negative.
    pub spent: i64,
    /// Credits that came in otherwise, by purchases for example. They count from the beginning of the day.
    pub received: i64,
}

/// Threshold and target, which the price book allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    pub threshold: i64,
    pub target: i64,
    /// What it has used is not replayed.
    pub cap: Option<MonthlyCap>,
}

/// What would have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    pub tried: Tried,
    pub top_ups: TopUps,
    /// The month with the highest price, by its first day. `None` without any top-up.
    pub most_in_a_month: Option<(Date, TopUps)>,
    /// The time in which the balance did not cover what was used.
    pub minutes_without_credits: i64,
    /// What was used in that time without being covered.
    pub credits_not_covered: i64,
    /// Top-ups that bought less, because the cap left no more.
    pub top_ups_lowered: i64,
    /// The time in which only the cap held a top-up back.
    pub minutes_held_by_cap: i64,
}

/// Some top-ups together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopUps {
    pub count: i64,
    pub credits: i64,
    /// Before tax, in the minor unit of the price book's currency.
    pub price: i64,
}

/// Replays the days with these settings.
pub fn replay(past: &Past, price_book: &PriceBook, tried: Tried) -> Replay {
    let mut replay = Replay {
        tried,
        top_ups: TopUps::default(),
        most_in_a_month: None,
        minutes_without_credits: 0,
        credits_not_covered: 0,
        top_ups_lowered: 0,
        minutes_held_by_cap: 0,
    };
    let mut months = BTreeMap::<Date, TopUps>::new();
    let mut balance = past.balance;
    let mut sweeps_to_wait: i64 = 0;
    for day in &past.days {
        balance = balance.saturating_add(day.received);
        for sweep in 0..SWEEPS_PER_DAY {
            balance = replay.spend(balance, share(day.spent, sweep));
            sweeps_to_wait = sweeps_to_wait.saturating_sub(1).max(0);
            if balance >= tried.threshold || sweeps_to_wait > 0 {
                continue;
            }
            let missing = tried.target.saturating_sub(balance).min(tried.target);
            let month = months.entry(day.date.first_of_month()).or_default();
            let Some(affordable) = tried.affordable(price_book, month) else {
                replay.minutes_held_by_cap = replay.minutes_held_by_cap.saturating_add(SWEEP_MINUTES);
                continue;
            };
            let credits = missing.min(affordable);
            let Some(price) = Credits::new(credits).and_then(|credits| price_book.top_up_price(credits)) else {
                continue;
            };
            balance = balance.saturating_add(credits);
            sweeps_to_wait = SWEEPS_BETWEEN;
            replay.top_ups.count_in(credits, price);
            month.count_in(credits, price);
            replay.top_ups_lowered = replay.top_ups_lowered.saturating_add(i64::from(credits < missing));
        }
    }
    let topped_up = months.into_iter().filter(|(_, month)| month.count > 0);
    replay.most_in_a_month = topped_up.max_by_key(|(_, month)| month.price);
    replay
}

impl Tried {
    /// The most credits that the cap leaves in a month. `None` if it leaves less than the smallest top-up.
    fn affordable(&self, price_book: &PriceBook, month: &TopUps) -> Option<i64> {
        let Some(cap) = self.cap else { return Some(i64::MAX) };
        let left = cap.max.minor().saturating_sub(month.price);
        let is_enough = left >= cap.smallest;
        let left = Amount::at_most(cap.max.currency(), left).filter(|_| is_enough)?;
        price_book.credits_for(left).map(Credits::get)
    }
}

impl Replay {
    /// Uses this many credits until the next sweep, and returns what is left of the balance.
    fn spend(&mut self, balance: i64, used: i64) -> i64 {
        let covered = used.min(balance.max(0));
        let missing = used.saturating_sub(covered);
        if missing > 0 {
            self.minutes_without_credits = self.minutes_without_credits.saturating_add(SWEEP_MINUTES);
            self.credits_not_covered = self.credits_not_covered.saturating_add(missing);
        }
        balance.saturating_sub(covered)
    }
}

/// Settings that leave no time without credits if the usage stays as it was, and that pay about once a week.
/// `None` without usage.
pub fn recommended(past: &Past, price_book: &PriceBook) -> Option<Tried> {
    let busiest = past.days.iter().map(|day| day.spent).max().filter(|spent| *spent > 0)?;
    let days = i64::try_from(past.days.len()).ok()?;
    let total = past.days.iter().fold(0_i64, |total, day| total.saturating_add(day.spent));
    // From one attempt to the next are six hours, and up to one sweep more.
    let until_next = rounded_up(busiest.saturating_mul(SWEEPS_BETWEEN + 1), SWEEPS_PER_DAY);
    let limits = price_book.auto_top_up;
    let to_step = |credits: i64| rounded_up(credits, STEP).saturating_mul(STEP);
    let threshold_max = limits.threshold_max.min(limits.target_max.saturating_sub(limits.gap_min));
    let threshold = to_step(until_next).clamp(limits.threshold_min, threshold_max);
    let a_week = rounded_up(total.saturating_mul(DAYS_PER_TOP_UP), days.max(1)).max(limits.gap_min);
    let target_min = threshold.saturating_add(limits.gap_min).max(limits.target_min);
    let target = to_step(threshold.saturating_add(a_week)).min(limits.target_max).max(target_min);
    // Whoever sets a cap would have to choose it for what the recommended settings cost.
    Some(Tried { threshold, target, cap: None })
}

/// What is spent before this sweep of the day, since the one before it.
fn share(spent: i64, sweep: i64) -> i64 {
    let until = |sweep: i64| {
        let share = i128::from(spent).saturating_mul(sweep.into()).div_euclid(SWEEPS_PER_DAY.into());
        i64::try_from(share).unwrap_or(i64::MAX)
    };
    until(sweep.saturating_add(1)).saturating_sub(until(sweep))
}

fn rounded_up(value: i64, divisor: i64) -> i64 {
    value.saturating_add(divisor.saturating_sub(1)).div_euclid(divisor)
}

impl TopUps {
    fn count_in(&mut self, credits: i64, price: Amount) {
        self.count = self.count.saturating_add(1);
        self.credits = self.credits.saturating_add(credits);
        self.price = self.price.saturating_add(price.minor());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn past(balance: i64, spent: &[i64]) -> Past {
        let first: Date = "2026-01-30".parse().unwrap();
        let days = spent.iter().zip(0..).map(|(spent, day)| PastDay {
            date: first.checked_add(jiff::Span::new().days(day)).unwrap(),
            spent: *spent,
            received: 0,
        });
        Past { balance, days: days.collect() }
    }

    fn tried(threshold: i64, target: i64) -> Tried {
        Tried { threshold, target, cap: None }
    }

    fn replayed(past: &Past, tried: Tried) -> Replay {
        replay(past, &PriceBook::reference(), tried)
    }

    /// The first day leaves 520 credits.
    #[test]
    fn a_top_up_opens_at_the_first_sweep_below_the_threshold() {
        let one = replayed(&past(1_000, &[480, 20]), tried(500, 1_500));
        assert_eq!(one.top_ups.count, 0, "500 is not below 500");
        let one = replayed(&past(1_000, &[480, 21]), tried(500, 1_500));
        assert_eq!(one.top_ups, TopUps { count: 1, credits: 1_001, price: 1_001 });
        assert_eq!((one.minutes_without_credits, one.credits_not_covered), (0, 0));
    }

    #[test]
    fn months_are_compared_by_what_they_cost() {
        let replay = replayed(&past(0, &[1_000, 1_000, 1_000, 1_000, 1_000]), tried(500, 1_500));
        let (month, most) = replay.most_in_a_month.unwrap();
        assert_eq!((month, most.count), ("2026-02-01".parse().unwrap(), 3));
        assert_eq!((replay.top_ups.count, replay.top_ups.price), (5, replay.top_ups.credits));
    }

    /// 4,800 a day are 100 between two sweeps. After an attempt the next one comes after twelve.
    #[test]
    fn six_hours_between_two_attempts_can_be_too_long() {
        let short = replayed(&past(1_100, &[4_800]), tried(100, 1_100));
        assert_eq!(short.top_ups.count, 4, "at most four a day");
        assert!(short.credits_not_covered > 0 && short.minutes_without_credits > 0, "{short:?}");
        assert_eq!(short.minutes_without_credits, 30 * short.credits_not_covered / 100);
        let enough = recommended(&past(1_100, &[4_800]), &PriceBook::reference()).unwrap();
        assert_eq!(enough, tried(1_300, 34_900));
        let enough = replayed(&past(34_900, &[4_800; 90]), enough);
        assert_eq!((enough.minutes_without_credits, enough.top_ups.count), (0, 12));
    }

    /// January has two days here, and February the rest. Each day uses 1,000.
    #[test]
    fn a_cap_lowers_the_last_top_up_of_a_month_and_holds_back_the_next() {
        let cap = MonthlyCap { max: Amount::new(Currency::USD, 2_500).unwrap(), smallest: 1_000, used: 0 };
        let days = past(0, &[1_000; 7]);
        let free = replayed(&days, tried(500, 1_500));
        assert_eq!((free.top_ups_lowered, free.minutes_held_by_cap), (0, 0));
        let capped = replayed(&days, Tried { cap: Some(cap), ..tried(500, 1_500) });
        assert_eq!(capped.most_in_a_month.map(|(_, most)| most.price), Some(2_500), "{capped:?}");
        assert!(capped.top_ups.price <= 5_000 && capped.top_ups_lowered >= 1, "{capped:?}");
        assert!(capped.minutes_held_by_cap > 0 && capped.credits_not_covered > 0, "{capped:?}");
    }

    #[test]
    fn what_was_bought_otherwise_counts_and_a_negative_balance_is_not_paid_for_twice() {
        let mut bought = past(100, &[500, 0]);
        bought.days[0].received = 5_000;
        assert_eq!(replayed(&bought, tried(100, 1_100)).top_ups.count, 0);
        let owing = replayed(&past(-3_000, &[0]), tried(100, 1_100));
        assert_eq!(owing.top_ups.credits, 3_300, "the target three times, as sweeps would");
    }

    #[test]
    fn recommended_settings_are_those_of_the_price_book_whatever_was_spent() {
        let book = PriceBook::reference();
        assert_eq!(recommended(&past(0, &[0, 0]), &book), None, "nothing was used");
        for spent in [1, 99, 10_000, 1_000_000, i64::MAX] {
            let Tried { threshold, target, .. } = recommended(&past(0, &[spent, 0]), &book).unwrap();
            let limits = book.auto_top_up;
            assert!((limits.threshold_min..=limits.threshold_max).contains(&threshold), "{spent}: {threshold}");
            assert!((limits.target_min..=limits.target_max).contains(&target), "{spent}: {target}");
            assert!(target >= threshold + limits.gap_min, "{spent}: {threshold} to {target}");
        }
    }
}
