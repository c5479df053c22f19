//! The customer's own stop: no charges and no automatic top-ups until it is lifted.

use super::records::{Spending, SpendingChange};
use crate::domain::{Account, Actor, Change, Record};
use jiff::{SignedDuration, Timestamp};

/// Stops spending or allows it again. `None` if it is already so: a repeated stop keeps the first.
///
/// A top-up attempt that is open ends as it does, because the bank may have been asked already.
pub fn decide_spending(account: &Account, is_stopped: bool, changed_by: Actor, now: Timestamp) -> Option<Change> {
    if account.spending.is_some_and(|spending| spending.is_stopped) == is_stopped {
        return None;
    }
    let changed_at = account.spending.map_or(now, |last| now.max(just_after(last.changed_at)));
    let mut change = Change::on(account, now);
    change.account.spending = Some(Spending { is_stopped, changed_at });
    change.records.push(Record::SpendingChange(SpendingChange { is_stopped, changed_by, changed_at }));
    Some(change)
}

/// Two changes never share a key, whatever the clocks say. The ledger stores milliseconds.
fn just_after(instant: Timestamp) -> Timestamp {
    instant.saturating_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;

    fn by(text: &str) -> Actor {
        Actor::parse(text).unwrap()
    }

    #[test]
    fn a_stop_says_who_and_when_and_a_repeated_one_keeps_the_first() {
        assert_eq!(decide_spending(&account(), false, by("owner"), at(1)), None, "nothing was stopped");
        let stopped = decide_spending(&account(), true, by("owner"), at(1)).unwrap();
        let expected = SpendingChange { is_stopped: true, changed_by: by("owner"), changed_at: at(1) };
        assert_eq!(stopped.records, [Record::SpendingChange(expected)]);
        assert_eq!(stopped.account.spending_stopped_at(), Some(at(1)));
        assert_eq!(decide_spending(&stopped.account, true, by("other"), at(2)), None);

        let lifted = decide_spending(&stopped.account, false, by("other"), at(3)).unwrap();
        let expected = SpendingChange { is_stopped: false, changed_by: by("other"), changed_at: at(3) };
        assert_eq!(lifted.records, [Record::SpendingChange(expected)]);
        assert_eq!(lifted.account.spending_stopped_at(), None);
        assert_eq!(decide_spending(&lifted.account, false, by("other"), at(4)), None);
    }

    #[test]
    fn two_changes_never_have_the_same_instant_though_the_clock_runs_behind() {
        let stopped = decide_spending(&account(), true, by("owner"), at(100)).unwrap();
        let lifted = decide_spending(&stopped.account, false, by("owner"), at(50)).unwrap();
        assert_eq!(lifted.account.spending.unwrap().changed_at, at(100) + SignedDuration::from_millis(1));
    }
}
