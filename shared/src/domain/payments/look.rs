//! When something that is open is looked at, in case nothing tells that it has ended.
//!
//! The instants are derived from when it was opened, so a look that finds nothing writes nothing, and there is always a
//! next one until the purchase or the attempt has ended.

use super::records::{Purchase, PurchaseStatus, TopUp};
use crate::domain::PriceBook;
use jiff::{SignedDuration, Timestamp};

impl Purchase {
    /// Since when its page is looked at. `None` once it has ended, and while it has no page. One that is paid by invoice is
    /// in the index already, for what is due of its invoice.
    pub fn looked_at_since(&self) -> Option<Timestamp> {
        let is_open = matches!(self.status, PurchaseStatus::Open | PurchaseStatus::Processing);
        let has_page = self.by_invoice.is_none() && self.checkout.is_some();
        (is_open && has_page).then_some(self.opened_at)
    }
}

impl TopUp {
    /// Since when it is looked at. `None` once it has ended.
    pub fn looked_at_since(&self) -> Option<Timestamp> {
        self.status.is_under_way().then_some(self.opened_at)
    }
}

/// Whether something that was opened at `since` is looked at by `until`, if the last looks were those by `after`.
pub fn is_look_due(since: Timestamp, after: Timestamp, until: Timestamp) -> bool {
    let age = after.duration_since(since).max(SignedDuration::ZERO);
    let stage = PriceBook::LOOKS.into_iter().find(|(end, _)| age < *end);
    next(since, after, stage.map_or(PriceBook::LOOKS_LAST, |(_, every)| every)) <= until
}

/// The same of the invoices of purchases, which are looked at together: a `part` of `parts` each time, so that the looks
/// are spread over the time between two of them.
pub fn is_look_at_invoices_due((part, parts): (u8, u8), after: Timestamp, until: Timestamp) -> bool {
    let every = PriceBook::LOOKS_LAST;
    let seconds = every.as_secs().saturating_mul(part.into()).div_euclid(i64::from(parts).max(1));
    let since = Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    next(since, after, every) <= until
}

/// The first instant after `after` that is a multiple of `every` after `since`.
fn next(since: Timestamp, after: Timestamp, every: SignedDuration) -> Timestamp {
    let every = every.as_secs().max(1);
    let age = after.duration_since(since).max(SignedDuration::ZERO);
    let passed = age.as_secs().div_euclid(every);
    let seconds = passed.saturating_add(1).saturating_mul(every);
    since.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;

    /// How often it is looked at between two ages, if a run comes every five minutes.
    fn looks(from: i64, to: i64) -> usize {
        let runs = (from..to).step_by(300).map(|second| (at(second), at(second + 300)));
        runs.filter(|(after, until)| is_look_due(at(0), *after, *until)).count()
    }

    #[test]
    fn it_is_looked_at_often_at_first_then_rarely_and_always_once_more() {
        for (from, to, expected) in [
            (0, HOUR, 12),
            (HOUR, 2 * HOUR, 1),
            (0, DAY, 12 + 23),
            (DAY, 2 * DAY, 4),
            (30 * DAY, 31 * DAY, 4),
            (400 * DAY, 401 * DAY, 4),
        ] {
            assert_eq!(looks(from, to), expected, "from {from} to {to}");
        }
    }

    #[test]
    fn the_first_look_comes_after_five_minutes_and_a_late_run_looks_once() {
        assert!(!is_look_due(at(0), at(-DAY), at(5 * MINUTE - 1)));
        assert!(is_look_due(at(0), at(-DAY), at(5 * MINUTE)));
        assert!(!is_look_due(at(0), at(5 * MINUTE), at(10 * MINUTE - 1)), "looked at a moment ago");
        assert!(is_look_due(at(0), at(5 * MINUTE), at(40 * DAY)), "no run came for weeks");
        assert!(!is_look_due(at(0), at(40 * DAY), at(40 * DAY + 1)));
    }

    #[test]
    fn each_part_of_the_invoices_is_looked_at_four_times_a_day_at_times_of_its_own() {
        let due = |part: u8| {
            let runs = (0..DAY).step_by(300).map(|second| (at(second), at(second + 300)));
            runs.filter(move |(after, until)| is_look_at_invoices_due((part, 16), *after, *until))
                .map(|(after, _)| after)
        };
        let mut times: Vec<_> = (0..16).flat_map(due).collect();
        assert_eq!(times.len(), 64);
        times.sort();
        times.dedup();
        assert_eq!(times.len(), 64, "no two parts in one run");
    }
}
