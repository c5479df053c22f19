//! Taking credits for one operation.

use crate::domain::{
    Account, BalanceOutOfRange, Cause, Change, Credits, Entry, IdempotencyKey, KeyReused, Operation, PriceBook,
    Reference, RestrictionReason,
};
use jiff::Timestamp;

/// One operation of the company's service that the account pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeCommand {
    pub key: IdempotencyKey,
    pub operation: Operation,
    pub reference: Option<Reference>,
}

/// Why a charge is refused, in order of precedence. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargeRefusal {
    #[error("charges are blocked until {until}: {reason}")]
    Restricted { reason: RestrictionReason, until: Timestamp },
    #[error("the operation costs {required} credits, the balance is {balance}")]
    InsufficientCredits { balance: Credits, required: Credits },
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// Takes what the operation costs, if the balance covers it.
///
/// # Errors
/// [`ChargeRefusal`]; nothing must be written then.
pub fn decide_charge(
    account: &Account,
    price_book: &PriceBook,
    command: &ChargeCommand,
    now: Timestamp,
) -> Result<Change, ChargeRefusal> {
    if let Some(restriction) = account.restriction_at(now) {
        return Err(ChargeRefusal::Restricted { reason: restriction.reason.clone(), until: restriction.until });
    }
    let required = price_book.price_of(command.operation);
    if account.balance < required {
        return Err(ChargeRefusal::InsufficientCredits { balance: account.balance, required });
    }
    let mut change = Change::on(account, now);
    let cause =
        Cause::Charge { key: command.key.clone(), operation: command.operation, reference: command.reference.clone() };
    change.post(required.negated(), cause, now)?;
    change.account.usage.count_charge(required);
    Ok(change)
}

/// Whether an entry under the command's key answers this same command.
///
/// # Errors
/// [`KeyReused`] when the key took credits for another request.
pub fn check_charge_replay(entry: &Entry, command: &ChargeCommand) -> Result<(), KeyReused> {
    let asked =
        Cause::Charge { key: command.key.clone(), operation: command.operation, reference: command.reference.clone() };
    if entry.cause == asked { Ok(()) } else { Err(KeyReused { key: command.key.clone() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::{Record, Restriction};

    fn command(duration_ms: i64) -> ChargeCommand {
        ChargeCommand { key: key("job-1"), operation: Operation::dubbing(duration_ms).unwrap(), reference: None }
    }

    /// In order of precedence: a restriction comes before an insufficient balance.
    #[test]
    fn charges_are_refused_in_order_of_precedence_and_taken_otherwise() {
        let reason = RestrictionReason::parse("review").unwrap();
        let restriction = Restriction { reason: reason.clone(), until: at(100) };
        let restricted = Err(ChargeRefusal::Restricted { reason, until: at(100) });
        let insufficient = |balance: i64| {
            Err(ChargeRefusal::InsufficientCredits {
                balance: Credits::constant(balance),
                required: Credits::constant(10),
            })
        };
        for (name, balance, restriction, now, expected) in [
            ("restricted and poor", 0, Some(restriction.clone()), at(99), restricted.clone()),
            ("restricted", 100, Some(restriction.clone()), at(99), restricted),
            ("the restriction has ended, poor", 9, Some(restriction.clone()), at(100), insufficient(9)),
            ("the restriction has ended", 10, Some(restriction), at(100), Ok(0)),
            ("nothing", 0, None, at(0), insufficient(0)),
            ("one short", 9, None, at(0), insufficient(9)),
            ("clawed back", -5, None, at(0), insufficient(-5)),
            ("exactly enough", 10, None, at(0), Ok(0)),
            ("plenty", 1_000, None, at(0), Ok(990)),
        ] {
            let account = Account { balance: Credits::constant(balance), restriction, ..account() };
            let decided = decide_charge(&account, &PriceBook::reference(), &command(30_000), now);
            assert_eq!(decided.map(|change| change.account.balance.get()), expected, "{name}");
        }
    }

    #[test]
    fn a_charge_makes_the_next_entry_and_counts_the_day() {
        let before = Account { balance: Credits::constant(100), seq: 7, version: 11, ..account() };
        let change = decide_charge(&before, &PriceBook::reference(), &command(90_000), at(5)).unwrap();
        let entry = only_entry(&change);
        assert_eq!((entry.seq, entry.credits.get(), entry.balance_after.get(), entry.created_at), (8, -15, 85, at(5)));
        assert_eq!((change.account.seq, change.account.version, change.account.balance.get()), (8, 12, 85));
        assert_eq!((change.account.usage.charges, change.account.usage.credits_charged.get()), (1, 15));
        assert!(change.records.is_empty() && change.notices.is_empty());
    }

    #[test]
    fn the_first_charge_after_midnight_closes_the_day_that_ended() {
        let before = Account { balance: Credits::constant(100), ..account() };
        let first = decide_charge(&before, &PriceBook::reference(), &command(1), at(0)).unwrap().account;
        let change = decide_charge(&first, &PriceBook::reference(), &command(1), at(86_400)).unwrap();
        assert_eq!(change.records, [Record::UsageDay(first.usage)]);
        assert_eq!((change.account.usage.charges, change.account.usage.credits_charged.get()), (1, 10));
        let late = decide_charge(&change.account, &PriceBook::reference(), &command(1), at(86_399)).unwrap();
        assert!(late.records.is_empty(), "a clock that runs behind does not reopen a day");
    }

    #[test]
    fn only_the_same_request_is_a_replay() {
        let account = Account { balance: Credits::constant(100), ..account() };
        let entry = only_entry(&decide_charge(&account, &PriceBook::reference(), &command(30_000), at(0)).unwrap());
        assert_eq!(check_charge_replay(&entry, &command(30_000)), Ok(()));
        for other in [
            command(30_001),
            ChargeCommand { operation: Operation::training(1).unwrap(), ..command(1) },
            ChargeCommand { reference: Some(Reference::parse("file").unwrap()), ..command(30_000) },
        ] {
            assert_eq!(check_charge_replay(&entry, &other), Err(KeyReused { key: key("job-1") }));
        }
    }
}
