//! One day of a sixteenth of all accounts, counted page by page.

use super::{AccountDay, Flow};
use crate::domain::{AccountId, UsageCounts, start_of_next_day};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

/// How long after its end a day is closed. An entry is stamped when it is decided and written seconds later, and the
/// index shows it a moment after that.
pub const CLOSE_MARGIN: SignedDuration = SignedDuration::from_mins(30);

/// From when on a day may be closed. `None` only at the end of the calendar.
pub fn closable_from(day: Date) -> Option<Timestamp> {
    start_of_next_day(day)?.checked_add(CLOSE_MARGIN).ok()
}

/// Which days are closed. They are closed in order, without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedDays {
    /// The first day that is counted. What happened before is in the balances that it begins with.
    pub first: Date,
    /// The last day that is closed; the day before `first` if none is.
    pub through: Date,
}

impl ClosedDays {
    /// None yet. The first day to be counted is the one before today, so that nothing is missed that happened since this
    /// release was deployed. `None` only at the beginning of the calendar.
    pub fn none(today: Date) -> Option<Self> {
        let first = today.yesterday().ok()?;
        Some(Self { first, through: first.yesterday().ok()? })
    }

    /// The next day to be closed.
    pub fn next(&self) -> Option<Date> {
        self.through.tomorrow().ok()
    }

    pub fn contains(&self, day: Date) -> bool {
        (self.first..=self.through).contains(&day)
    }
}

/// A sixteenth of all accounts on one day, as far as they are counted.
///
/// Each page of accounts is added once: the ledger replaces the row only if it is still counted through the account that
/// the page follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiabilityRow {
    pub day: Date,
    /// How many accounts are counted.
    pub accounts: u64,
    /// The day itself. Its opening is known from the beginning, the rest grows with the pages.
    pub flow: Flow,
    /// What moved since the first day, up to the end of this one.
    pub total_moved: UsageCounts,
    pub total_brought_forward: i64,
    /// Accounts up to this one, in the order of their ids, are counted.
    pub after: Option<AccountId>,
    /// Whether all of them are.
    pub is_complete: bool,
}

impl LiabilityRow {
    /// The row of a day before its first page. `before` is that of the day before; the first day has none.
    pub fn open(day: Date, before: Option<&Self>) -> Self {
        let flow = Flow { opening: before.map_or(0, |before| before.flow.outstanding), ..Flow::default() };
        Self {
            day,
            accounts: 0,
            flow,
            total_moved: before.map_or_else(UsageCounts::default, |before| before.total_moved),
            total_brought_forward: before.map_or(0, |before| before.total_brought_forward),
            after: None,
            is_complete: false,
        }
    }

    /// The row with a page of accounts, which ends with `after`.
    #[must_use]
    pub fn with_page(&self, accounts: &[AccountDay], after: Option<AccountId>, is_last: bool) -> Self {
        let mut row = Self { after, is_complete: is_last, ..self.clone() };
        for account in accounts {
            let AccountDay { brought_forward, moved, outstanding } = *account;
            row.accounts = row.accounts.saturating_add(1);
            row.flow = row.flow.plus(&Flow { opening: 0, brought_forward, moved, outstanding });
            row.total_moved = row.total_moved.plus(&moved);
            row.total_brought_forward = row.total_brought_forward.saturating_add(brought_forward);
        }
        row
    }

    /// From the first day to the end of this one.
    pub fn total(&self) -> Flow {
        Flow {
            opening: 0,
            brought_forward: self.total_brought_forward,
            moved: self.total_moved,
            outstanding: self.flow.outstanding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    fn account_day(brought_forward: i64, credits_purchased: i64, outstanding: i64) -> AccountDay {
        AccountDay { brought_forward, moved: UsageCounts { credits_purchased, ..UsageCounts::default() }, outstanding }
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn id(text: &str) -> Option<AccountId> {
        AccountId::parse(text).ok()
    }

    #[test]
    fn pages_add_up_to_a_day_and_days_to_a_total() {
        let first = LiabilityRow::open(day("2026-01-01"), None)
            .with_page(&[account_day(40, 0, 40), account_day(0, 500, 500)], id("b"), false)
            .with_page(&[account_day(0, 10, 10)], id("c"), true);
        assert_eq!((first.accounts, first.is_complete, &first.after), (3, true, &id("c")));
        assert_eq!((first.flow.outstanding, first.flow.brought_forward, first.flow.difference()), (550, 40, 0));
        let second = LiabilityRow::open(day("2026-01-02"), Some(&first)).with_page(
            &[account_day(0, 1, 41), account_day(0, 0, 500), account_day(0, 0, 10)],
            id("c"),
            true,
        );
        assert_eq!((second.flow.opening, second.flow.moved.credits_purchased, second.flow.difference()), (550, 1, 0));
        let total = second.total();
        assert_eq!((total.moved.credits_purchased, total.brought_forward, total.outstanding), (511, 40, 551));
        assert_eq!(total.difference(), 0);
    }

    #[test]
    fn an_entry_that_was_missed_shows_as_a_difference_on_the_next_day() {
        let first = LiabilityRow::open(day("2026-01-01"), None).with_page(&[account_day(0, 0, 0)], id("a"), true);
        let second =
            LiabilityRow::open(day("2026-01-02"), Some(&first)).with_page(&[account_day(0, 0, 500)], id("a"), true);
        assert_eq!((first.flow.difference(), second.flow.difference()), (0, 500));
    }

    #[test]
    fn days_are_closed_in_order_half_an_hour_after_their_end() {
        let closed = ClosedDays::none(day("2026-01-02")).unwrap();
        assert_eq!((closed.first, closed.next()), (day("2026-01-01"), Some(day("2026-01-01"))));
        assert!(!closed.contains(day("2026-01-01")));
        let closed = ClosedDays { through: day("2026-01-01"), ..closed };
        assert!(closed.contains(day("2026-01-01")) && !closed.contains(day("2025-12-31")));
        assert_eq!(closable_from(day("2026-01-01")), Some(at(86_400 + 1_800)));
    }
}
