//! Blocking an account's charges for a time, and lifting the block before its end.

use super::{ActKind, Acting};
use crate::domain::{Account, Change, Restriction};
use jiff::{SignedDuration, Timestamp};

/// The longest restriction. A block without an end would be a closed account.
pub const RESTRICTION_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The end of a restriction must be later than now, and at most [`RESTRICTION_MAX`] away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a restriction must end after {after} and at {latest} at the latest")]
pub struct UntilOutOfRange {
    pub after: Timestamp,
    pub latest: Timestamp,
}

/// Blocks charges until an instant, with a reason that the customer is shown and that the act records. `None` if exactly
/// this restriction is in force: a repeated request keeps the first act.
///
/// # Errors
/// [`UntilOutOfRange`].
pub fn decide_restrict(
    account: &Account,
    restriction: Restriction,
    acting: Acting,
    now: Timestamp,
) -> Result<Option<Change>, UntilOutOfRange> {
    if account.restriction_at(now) == Some(&restriction) {
        return Ok(None);
    }
    let latest = now.saturating_add(RESTRICTION_MAX).unwrap_or(Timestamp::MAX);
    if restriction.until <= now || restriction.until > latest {
        return Err(UntilOutOfRange { after: now, latest });
    }
    let mut change = Change::on(account, now);
    change.records.push(acting.record(ActKind::Restricted { until: restriction.until }, now));
    change.account.restriction = Some(restriction);
    Ok(Some(change))
}

/// Lifts the restriction. `None` if none is in force.
pub fn decide_lift(account: &Account, acting: Acting, now: Timestamp) -> Option<Change> {
    account.restriction_at(now)?;
    let mut change = Change::on(account, now);
    change.account.restriction = None;
    change.records.push(acting.record(ActKind::RestrictionLifted, now));
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::support::Act;
    use crate::domain::{Record, RestrictionReason};

    fn restriction(text: &str, until: i64) -> Restriction {
        Restriction { reason: RestrictionReason::parse(text).unwrap(), until: at(until) }
    }

    fn kinds(change: &Change) -> Vec<ActKind> {
        let acts = change.records.iter().filter_map(|record| match record {
            Record::Act(Act { kind, .. }) => Some(kind.clone()),
            _ => None,
        });
        acts.collect()
    }

    #[test]
    fn a_restriction_is_recorded_and_a_repeated_one_keeps_the_first_act() {
        let restrict = |account: &Account, restriction, now| decide_restrict(account, restriction, acting(), at(now));
        let change = restrict(&account(), restriction("a", 100), 1).unwrap().unwrap();
        assert_eq!(change.account.restriction, Some(restriction("a", 100)));
        assert_eq!(kinds(&change), [ActKind::Restricted { until: at(100) }]);
        let account = change.account;
        assert_eq!(restrict(&account, restriction("a", 100), 2), Ok(None));
        assert!(restrict(&account, restriction("a", 101), 2).unwrap().is_some(), "another end");
        assert!(restrict(&account, restriction("b", 100), 2).unwrap().is_some(), "another reason");
    }

    #[test]
    fn a_restriction_ends_in_the_future_within_a_year() {
        let days_366 = 366 * 24 * 3_600;
        for (until, is_valid) in [(9, false), (10, false), (11, true), (10 + days_366, true), (11 + days_366, false)] {
            let decided = decide_restrict(&account(), restriction("a", until), acting(), at(10));
            assert_eq!(decided.is_ok(), is_valid, "{until}");
            let range = UntilOutOfRange { after: at(10), latest: at(10 + days_366) };
            assert!(is_valid || decided == Err(range));
        }
    }

    #[test]
    fn a_restriction_is_lifted_once_and_one_that_has_ended_not_at_all() {
        let restricted = Account { restriction: Some(restriction("a", 100)), ..account() };
        let lifted = decide_lift(&restricted, acting(), at(99)).unwrap();
        assert_eq!((lifted.account.restriction.clone(), kinds(&lifted)), (None, vec![ActKind::RestrictionLifted]));
        assert_eq!(decide_lift(&lifted.account, acting(), at(99)), None);
        assert_eq!(decide_lift(&restricted, acting(), at(100)), None, "it has ended by itself");
    }
}
