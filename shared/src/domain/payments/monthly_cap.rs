//! The most that automatic top-ups may cost in a calendar month (UTC), if the customer set that.
//!
//! Only the value; what counts against it is in `counted`.

use crate::domain::{Amount, date_of, month_of, start_of_next_month};
use jiff::Timestamp;

/// A cap, and what counts against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthlyCap {
    /// Before tax, as every price of a top-up.
    pub max: Amount,
    /// If less than this is left of a month, no attempt opens in it. The price of the smallest top-up when the customer
    /// agreed, in the minor unit of `max`.
    pub smallest: i64,
    /// The price of the attempts that count in the month of the account's last attempt, in the minor unit of `max`.
    pub used: i64,
}

impl MonthlyCap {
    /// The largest cap: with tax, it still has twelve digits, and it is a multiple of every currency's step.
    pub const MAX_MINOR: i64 = 700_000_000_000;

    /// What is left of the month of an instant, in the minor unit of `max`. `last` is when the last attempt opened.
    pub fn left(&self, last: Option<Timestamp>, at: Timestamp) -> i64 {
        self.max.minor().saturating_sub(self.used_at(last, at)).max(0)
    }

    /// From when an attempt may open again, if too little is left of the month of an instant.
    pub fn closed_until(&self, last: Option<Timestamp>, at: Timestamp) -> Option<Timestamp> {
        if self.left(last, at) >= self.smallest {
            return None;
        }
        let at = last.map_or(at, |last| last.max(at));
        Some(start_of_next_month(date_of(at)).unwrap_or(Timestamp::MAX))
    }

    /// What counts in the month of an instant, in the minor unit of `max`. If the clock runs behind, it is still the month
    /// of the last attempt.
    pub fn used_at(&self, last: Option<Timestamp>, at: Timestamp) -> i64 {
        let is_same = last.is_some_and(|last| month_of(at) <= month_of(last));
        if is_same { self.used } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn cap(max: i64, used: i64) -> MonthlyCap {
        MonthlyCap { max: Amount::new(Currency::USD, max).unwrap(), smallest: 1_000, used }
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_ends_at_midnight_in_utc() {
        let last = Some(instant("2026-01-31T23:59:59.999Z"));
        for (at, left) in [
            ("2026-01-31T23:59:59.999Z", 0),
            ("2026-02-01T00:00:00Z", 5_000),
            ("2027-01-31T23:59:59.999Z", 5_000),
            // A clock that runs behind opens no month twice.
            ("2025-12-31T23:59:59.999Z", 0),
        ] {
            assert_eq!(cap(5_000, 6_000).left(last, instant(at)), left, "{at}");
        }
        assert_eq!(cap(5_000, 6_000).left(None, instant("2026-01-01T00:00:00Z")), 5_000, "nothing was opened yet");
    }

    #[test]
    fn it_is_closed_until_the_next_month_when_less_than_the_smallest_top_up_is_left() {
        let (at, next) = (instant("2026-01-31T12:00:00Z"), instant("2026-02-01T00:00:00Z"));
        for (used, expected) in [(4_000, None), (4_001, Some(next)), (9_999, Some(next))] {
            assert_eq!(cap(5_000, used).closed_until(Some(at), at), expected, "{used}");
        }
        assert_eq!(cap(5_000, 5_000).closed_until(Some(at), next), None);
    }
}
