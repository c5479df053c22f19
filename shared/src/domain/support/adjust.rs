//! Giving credits to an account, or taking them, by hand.

use super::{ActKind, Acting};
use crate::domain::payments::end_pause;
use crate::domain::{
    Account, AccountClosed, ActReason, BalanceOutOfRange, Cause, Change, Credits, Entry, IdempotencyKey, KeyReused,
    OutOfRange, PriceBook, within,
};
use jiff::Timestamp;

/// The credits of an adjustment: given if positive, taken if negative, never zero, and at most
/// [`PriceBook::ADJUSTMENT_MAX`] either way, so that a slip of the keyboard stays within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdjustedCredits(Credits);

impl AdjustedCredits {
    /// # Errors
    /// [`OutOfRange`]; it names the range for zero too, which is within it.
    pub fn new(credits: i64) -> Result<Self, OutOfRange> {
        let max = PriceBook::ADJUSTMENT_MAX.get();
        let out_of_range = OutOfRange { field: "credits", min: max.saturating_neg(), max, value: credits };
        let valid = within("credits", credits, out_of_range.min, max)?;
        Credits::new(valid).filter(|credits| *credits != Credits::ZERO).map(Self).ok_or(out_of_range)
    }

    pub fn get(self) -> Credits {
        self.0
    }
}

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub key: IdempotencyKey,
    pub credits: AdjustedCredits,
    /// Whether taking credits may leave the balance below zero, or further below.
    pub may_go_below_zero: bool,
}

/// Why credits are not adjusted, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdjustRefusal {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    /// The balance does not cover what is taken, and the operator did not say that it may go below zero.
    #[error("the balance, {balance}, does not cover {credits} credits")]
    BelowZero { balance: Credits, credits: Credits },
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// Moves the credits. The entry's key, `adjustment:<key>`, ensures that this happens at most once.
///
/// An adjustment is no charge: it counts neither as usage nor against a limit, and neither a restriction nor a stop
/// prevents it.
///
/// # Errors
/// [`AdjustRefusal`]; nothing must be written then.
pub fn decide_adjust(
    account: &Account,
    adjustment: &Adjustment,
    acting: Acting,
    now: Timestamp,
) -> Result<Change, AdjustRefusal> {
    account.check_not_closed()?;
    let credits = adjustment.credits.get();
    let balance_after = account.balance.plus(credits).ok_or(BalanceOutOfRange)?;
    if credits.is_negative() && balance_after.is_negative() && !adjustment.may_go_below_zero {
        return Err(AdjustRefusal::BelowZero { balance: account.balance, credits: credits.negated() });
    }
    let (key, mut change) = (adjustment.key.clone(), Change::on(account, now));
    let (reason, operator) = (Some(acting.reason.clone()), Some(acting.operator.clone()));
    change.post(credits, Cause::Adjustment { key: key.clone(), reason, operator }, now)?;
    if !credits.is_negative() {
        end_pause(&mut change.account);
    }
    change.records.push(acting.record(ActKind::Adjusted { key, credits }, now));
    Ok(change)
}

/// Checks that the entry was made by the same request. Who sent it again does not matter, and neither does what was
/// allowed, once the credits have moved. A reason that was erased cannot be compared any more.
///
/// # Errors
/// [`KeyReused`] if it was made by another one.
pub fn check_adjustment_replay(entry: &Entry, adjustment: &Adjustment, asked: &ActReason) -> Result<(), KeyReused> {
    let is_same = matches!(&entry.cause, Cause::Adjustment { key, reason, .. }
        if *key == adjustment.key
            && reason.as_ref().is_none_or(|reason| reason == asked)
            && entry.credits == adjustment.credits.get());
    if is_same { Ok(()) } else { Err(KeyReused { key: adjustment.key.clone() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::support::Act;
    use crate::domain::{ActId, Record, Restriction, RestrictionReason};

    fn adjustment(credits: i64) -> Adjustment {
        let credits = AdjustedCredits::new(credits).unwrap();
        Adjustment { key: key("case-7"), credits, may_go_below_zero: false }
    }

    fn with_balance(balance: i64) -> Account {
        Account { balance: Credits::constant(balance), ..account() }
    }

    #[test]
    fn the_credits_of_an_adjustment_are_bounded_and_never_zero() {
        for credits in [1, -1, 10_000_000, -10_000_000] {
            assert_eq!(AdjustedCredits::new(credits).unwrap().get().get(), credits);
        }
        for credits in [0, 10_000_001, -10_000_001, i64::MAX, i64::MIN] {
            let refused = AdjustedCredits::new(credits).unwrap_err();
            assert_eq!((refused.min, refused.max, refused.value), (-10_000_000, 10_000_000, credits));
        }
    }

    #[test]
    fn an_adjustment_moves_its_credits_and_says_who_why_and_when() {
        for (credits, after) in [(40, 140), (-100, 0)] {
            let change = decide_adjust(&with_balance(100), &adjustment(credits), acting(), at(9)).unwrap();
            let entry = only_entry(&change);
            assert_eq!((entry.credits.get(), entry.balance_after.get()), (credits, after));
            let (reason, operator) = (acting().reason, acting().operator);
            let cause = Cause::Adjustment {
                key: key("case-7"),
                reason: Some(reason.clone()),
                operator: Some(operator.clone()),
            };
            assert_eq!(entry.cause, cause);
            let kind = ActKind::Adjusted { key: key("case-7"), credits: Credits::constant(credits) };
            let act = Act { id: ActId::mint(1), kind, operator, reason, at: at(9) };
            assert_eq!(change.records, [Record::Act(act)]);
        }
    }

    #[test]
    fn taking_leaves_the_balance_at_zero_or_above_unless_the_operator_says_otherwise() {
        for (balance, credits, is_refused) in
            [(100, -100, false), (100, -101, true), (0, -1, true), (-5, -1, true), (-5, 1, false), (-5, 5, false)]
        {
            let decided = decide_adjust(&with_balance(balance), &adjustment(credits), acting(), at(1));
            assert_eq!(decided.is_err(), is_refused, "{balance} {credits}");
            let allowed = Adjustment { may_go_below_zero: true, ..adjustment(credits) };
            let change = decide_adjust(&with_balance(balance), &allowed, acting(), at(1)).unwrap();
            assert_eq!(change.account.balance.get(), balance + credits);
        }
        let full = Account { balance: Credits::MAX, ..account() };
        let refused = decide_adjust(&full, &adjustment(1), acting(), at(1));
        assert_eq!(refused, Err(BalanceOutOfRange.into()));
    }

    #[test]
    fn neither_a_restriction_nor_a_stop_prevents_an_adjustment() {
        let reason = RestrictionReason::parse("Unusual consumption.").unwrap();
        let blocked = Account {
            restriction: Some(Restriction { reason, until: at(100) }),
            spending: Some(stopped_at(1)),
            ..with_balance(10)
        };
        assert!(decide_adjust(&blocked, &adjustment(-10), acting(), at(2)).is_ok());
    }

    #[test]
    fn a_replay_is_the_same_request_whoever_sends_it() {
        let entry = only_entry(&decide_adjust(&account(), &adjustment(7), acting(), at(1)).unwrap());
        let reason = acting().reason;
        assert_eq!(check_adjustment_replay(&entry, &adjustment(7), &reason), Ok(()));
        assert!(check_adjustment_replay(&entry, &adjustment(8), &reason).is_err());
        let other = ActReason::parse("Another reason.").unwrap();
        assert!(check_adjustment_replay(&entry, &adjustment(7), &other).is_err());
    }
}
