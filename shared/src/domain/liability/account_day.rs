//! What one account adds to a day.

use crate::domain::usage::with_tail;
use crate::domain::{Entry, Granularity, Period, Periods, UsageCounts, UsageEntry, UsageRow};
use jiff::civil::Date;

/// What moved in one account on a day, and what is left at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountDay {
    /// The balance at the beginning of the day, of an account that was not counted on the day before.
    pub brought_forward: i64,
    pub moved: UsageCounts,
    pub outstanding: i64,
}

impl AccountDay {
    /// Counts by the time of each entry.
    ///
    /// `tail` are the entries up to a recent one, oldest first and without a gap. Every entry of the day and of later days
    /// is either among them or in the `rows` of its day, and may be in both.
    pub fn of(day: Date, rows: Vec<UsageRow>, tail: &[Entry], is_new: bool) -> Self {
        let Some(newest) = tail.last() else { return Self::default() };
        let plain = |entry: &Entry| UsageEntry { entry: entry.clone(), charge: None };
        let tail: Vec<UsageEntry> = tail.iter().map(plain).collect();
        // Nothing is later than the last day of the calendar.
        let rows = match Periods::new(Granularity::Day, day, Date::MAX) {
            Some(periods) => with_tail(periods, rows, &tail),
            None => rows,
        };
        let wanted = Period::of_date(Granularity::Day, day);
        let of_day = rows.iter().find(|row| row.period == wanted);
        let moved = of_day.map_or_else(UsageCounts::default, |row| row.total.credits_alone());
        let later = rows.iter().filter(|row| row.period > wanted).map(|row| row.total.credits_moved());
        // The balance of the newest entry is stored. It is not the sum that it is compared with.
        let outstanding = later.fold(newest.balance_after.get(), i64::saturating_sub);
        let brought_forward = if is_new { outstanding.saturating_sub(moved.credits_moved()) } else { 0 };
        Self { brought_forward, moved, outstanding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::usage::{UsageCursor, decide_fold};
    use crate::domain::{Account, Cause, Change, Credits, Reference, SourceId, TopUpId};

    const A_DAY: i64 = 86_400;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// An import of 100, then 50 bought at noon of the first day and 7 spent each at noon and midnight of the second.
    fn entries() -> Vec<Entry> {
        let source = SourceId::parse("row-1").unwrap();
        let charge = |text: &str| {
            let command = charge_command(text, "dubbing", 1);
            let (request, price) = (command.request, Some(command.price));
            Cause::Charge {
                key: request.key,
                operation: request.operation,
                price,
                reference: None,
                expires_in: None,
                spender: None,
                request_id: None,
            }
        };
        let mut account: Account = account();
        let mut entries = vec![];
        for (seconds, credits, cause) in [
            (10, 100, Cause::Import { source, reference: Reference::parse("old").ok() }),
            (A_DAY / 2, 50, Cause::TopUp { top_up: TopUpId::mint(1) }),
            (A_DAY + A_DAY / 2, -7, charge("a")),
            (2 * A_DAY, -7, charge("b")),
        ] {
            let mut change = Change::on(&account, at(seconds));
            change.post(Credits::constant(credits), cause, at(seconds)).unwrap();
            entries.extend(change.entries);
            account = change.account;
        }
        entries
    }

    #[test]
    fn entries_count_on_their_day_and_the_balance_is_that_of_its_end() {
        let expected = [
            ("2025-12-31", UsageCounts::default(), 0),
            ("2026-01-01", UsageCounts { credits_imported: 100, credits_topped_up: 50, ..UsageCounts::default() }, 150),
            ("2026-01-02", UsageCounts { credits_charged: 7, ..UsageCounts::default() }, 143),
            ("2026-01-03", UsageCounts { credits_charged: 7, ..UsageCounts::default() }, 136),
            ("2026-01-04", UsageCounts::default(), 136),
        ];
        for (day, moved, outstanding) in expected {
            let counted = AccountDay::of(date(day), vec![], &entries(), false);
            assert_eq!(counted, AccountDay { brought_forward: 0, moved, outstanding }, "{day}");
        }
        assert_eq!(AccountDay::of(date("2026-01-01"), vec![], &[], true), AccountDay::default());
    }

    #[test]
    fn an_account_that_was_not_counted_before_brings_its_balance() {
        let counted = AccountDay::of(date("2026-01-02"), vec![], &entries(), true);
        assert_eq!((counted.brought_forward, counted.moved.credits_charged, counted.outstanding), (150, 7, 143));
    }

    #[test]
    fn entries_that_are_folded_into_rows_count_the_same() {
        let plain = |entry: &Entry| UsageEntry { entry: entry.clone(), charge: None };
        let all: Vec<UsageEntry> = entries().iter().map(plain).collect();
        for folded in 1..=4 {
            let rows = decide_fold(UsageCursor::default(), &all[..folded], vec![], 40).unwrap().rows;
            for (day, from) in [("2026-01-01", 0), ("2026-01-02", 2), ("2026-01-03", 3)] {
                let day = date(day);
                let is_read =
                    |row: &&UsageRow| row.period.granularity() == Granularity::Day && row.period.first() >= day;
                let rows: Vec<UsageRow> = rows.iter().filter(is_read).cloned().collect();
                let whole = AccountDay::of(day, vec![], &entries(), false);
                // The tail begins at the last entry that is folded, or before it.
                for begin in [0, folded - 1] {
                    let tail = &entries()[begin..];
                    assert_eq!(AccountDay::of(day, rows.clone(), tail, false), whole, "{day} {folded} {begin} {from}");
                }
            }
        }
    }
}
