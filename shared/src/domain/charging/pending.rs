//! Charges that take credits at once and are finished later: captured, voided, or expired if the caller never returns.

use super::pending_charge::{ChargeEnd, ChargeStatus, Ending, PendingCharge};
use crate::domain::spending::{Payer, give_back};
use crate::domain::{BalanceOutOfRange, Cause, Change, Credits, Measure, Operation, OutOfRange, Record, within};
use jiff::Timestamp;

/// Why a pending charge cannot be captured or voided, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndRefusal {
    /// It is not pending any more, and ended in another way than the request wants.
    #[error("the charge is {}", .0.name())]
    NotPending(ChargeStatus),
    #[error("{} is measured in {}, not in {}", operation.name, operation.measure.name(), asked.name())]
    OtherMeasure { operation: Operation, asked: Measure },
    /// The capture would cost more than the charge took.
    #[error(transparent)]
    AboveCharge(OutOfRange),
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// Keeps what the operation really cost, by the charge's own price line, and gives the rest back. Without an amount,
/// the whole charge is kept. `None` if the same capture was made before. The limits that counted the charge get back
/// what the account gets back, if their period has not ended since; so they do with a void and an expiry.
///
/// A charge whose time is up expires instead, so that none is captured after its expiry, whether or not the run over
/// expired charges has come.
///
/// # Errors
/// [`EndRefusal`]; nothing must be written then.
pub fn decide_capture<'a>(
    payer: impl Into<Payer<'a>>,
    pending: &PendingCharge,
    measured: Option<(Measure, i64)>,
    now: Timestamp,
) -> Result<Option<Change>, EndRefusal> {
    let payer = payer.into();
    let asked = measured.map_or(pending.operation.measure, |(measure, _)| measure);
    let amount = measured.map_or(pending.operation.amount, |(_, amount)| amount);
    let is_same_measure = asked == pending.operation.measure;
    match pending.end.map(|end| end.ending) {
        Some(Ending::Captured { amount: captured }) if captured == amount && is_same_measure => return Ok(None),
        Some(_) => return Err(EndRefusal::NotPending(pending.status())),
        None if pending.is_overdue(now) => return Ok(Some(end_one(payer, pending, Ending::Expired, now)?)),
        None => {}
    }
    if !is_same_measure {
        return Err(EndRefusal::OtherMeasure { operation: pending.operation.clone(), asked });
    }
    let amount_max = pending.price.amount_max(pending.credits);
    let amount = within(asked.name(), amount, 1, amount_max).map_err(EndRefusal::AboveCharge)?;
    Ok(Some(end_one(payer, pending, Ending::Captured { amount }, now)?))
}

/// Gives all credits of a pending charge back. `None` if it was voided before.
///
/// A charge whose time is up expires instead, so that the answer does not depend on when the run over expired charges
/// comes.
///
/// # Errors
/// [`EndRefusal`]; nothing must be written then.
pub fn decide_void<'a>(
    payer: impl Into<Payer<'a>>,
    pending: &PendingCharge,
    now: Timestamp,
) -> Result<Option<Change>, EndRefusal> {
    let payer = payer.into();
    match pending.status() {
        ChargeStatus::Voided => Ok(None),
        ChargeStatus::Pending if pending.is_overdue(now) => Ok(Some(end_one(payer, pending, Ending::Expired, now)?)),
        ChargeStatus::Pending => Ok(Some(end_one(payer, pending, Ending::Voided, now)?)),
        status => Err(EndRefusal::NotPending(status)),
    }
}

/// Gives back the credits of those charges whose time is up, all in one change. `None` if there is none.
///
/// # Errors
/// [`BalanceOutOfRange`]; nothing must be written then.
pub fn decide_expiry<'a>(
    payer: impl Into<Payer<'a>>,
    charges: &[PendingCharge],
    now: Timestamp,
) -> Result<Option<Change>, BalanceOutOfRange> {
    let payer = payer.into();
    let mut change = Change::on(payer.account, now);
    let mut is_changed = false;
    for pending in charges.iter().filter(|pending| pending.is_overdue(now)) {
        end(&mut change, payer, (pending, Ending::Expired), now)?;
        is_changed = true;
    }
    Ok(is_changed.then_some(change))
}

fn end_one(
    payer: Payer<'_>,
    pending: &PendingCharge,
    ending: Ending,
    now: Timestamp,
) -> Result<Change, BalanceOutOfRange> {
    let mut change = Change::on(payer.account, now);
    end(&mut change, payer, (pending, ending), now)?;
    Ok(change)
}

/// Ends a charge that is pending. No entry is made where nothing is given back.
fn end(
    change: &mut Change,
    payer: Payer<'_>,
    (pending, ending): (&PendingCharge, Ending),
    now: Timestamp,
) -> Result<(), BalanceOutOfRange> {
    let credits_kept = match ending {
        Ending::Captured { amount } => pending.price.price_of(amount),
        Ending::Voided | Ending::Expired => Credits::ZERO,
    };
    let returned = pending.credits.minus(credits_kept).ok_or(BalanceOutOfRange)?;
    if returned != Credits::ZERO {
        change.post(returned, cause(pending, ending), now)?;
        give_back(change, payer.limits, (pending.seq, pending.spender.as_ref(), returned), now);
    }
    change.account.pending = change.account.pending.minus(pending.credits).ok_or(BalanceOutOfRange)?;
    let end = ChargeEnd { ending, credits_kept, balance_after: change.account.balance, at: now };
    change.records.push(Record::PendingCharge(PendingCharge { end: Some(end), ..pending.clone() }));
    Ok(())
}

/// The cause of the entry that gives credits back.
fn cause(pending: &PendingCharge, ending: Ending) -> Cause {
    let charge = pending.charge.clone();
    match ending {
        Ending::Captured { amount } => {
            let operation = Operation { amount, ..pending.operation.clone() };
            Cause::Capture { charge, operation, price: pending.price.clone() }
        }
        Ending::Voided => Cause::Void { charge },
        Ending::Expired => Cause::Expiry { charge },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::{ExpiresIn, decide_charge};
    use crate::domain::samples::*;
    use crate::domain::{Account, Origin, PriceBook, PriceLine};
    use ChargeStatus::{Expired, Posted, Voided};

    /// A balance of 200 and a charge of 100 credits for ten minutes of dubbing, pending from 0 s to 60 s.
    fn held() -> (Account, PendingCharge) {
        let before = Account { balance: Credits::constant(200), ..account() };
        let mut command = charge_command("job-1", "dubbing", 600_000);
        command.request.expires_in = Some(ExpiresIn::new(60).unwrap());
        let change = decide_charge(&before, &PriceBook::reference(), &command, at(0)).unwrap();
        let pending = change.pending_charge().unwrap().clone();
        (change.account, pending)
    }

    fn ended(ending: Ending) -> PendingCharge {
        let (account, pending) = held();
        end_one((&account).into(), &pending, ending, at(1)).unwrap().pending_charge().unwrap().clone()
    }

    /// The status, what was kept, the balance, and the entry.
    type Outcome = (ChargeStatus, i64, i64, Option<Origin>);

    fn outcome(change: Change) -> Outcome {
        let pending = change.pending_charge().unwrap();
        let end = pending.end.unwrap();
        assert_eq!((end.balance_after, change.account.pending), (change.account.balance, Credits::ZERO));
        assert_eq!(pending.due_at(), None, "what has ended is not due");
        let returned: i64 = change.entries.iter().map(|entry| entry.credits.get()).sum();
        assert_eq!(returned, 100 - end.credits_kept.get());
        let entry = change.entries.first().map(crate::domain::Entry::origin);
        (pending.status(), end.credits_kept.get(), change.account.balance.get(), entry)
    }

    #[test]
    fn a_pending_charge_takes_its_credits_and_is_due_at_its_expiry() {
        let (account, pending) = held();
        assert_eq!((account.balance.get(), account.pending.get(), account.seq), (100, 100, 1));
        assert_eq!((pending.credits.get(), pending.status()), (100, ChargeStatus::Pending));
        assert_eq!((pending.expires_at(), pending.due_at()), (at(60), Some(at(60))));
    }

    /// In order of precedence: the same capture, another end, the expiry, the measure, the amount.
    #[test]
    fn captures_are_answered_in_order_of_precedence() {
        use Measure::{DurationMs, MaxMinutes};
        let (account, pending) = held();
        let captured = ended(Ending::Captured { amount: 300_000 });
        let whole = ended(Ending::Captured { amount: 600_000 });
        let above = |value| {
            let range = OutOfRange { field: "duration_ms", min: 1, max: 600_000, value };
            Err(EndRefusal::AboveCharge(range))
        };
        let other_measure = EndRefusal::OtherMeasure { operation: pending.operation.clone(), asked: MaxMinutes };
        let not_pending = |status| Err(EndRefusal::NotPending(status));
        let capture = Some(Origin::Capture(key("job-1")));
        for (name, pending, measured, now, expected) in [
            ("the same again", &captured, Some((DurationMs, 300_000)), at(2), Ok(None)),
            ("the same again after its time", &captured, Some((DurationMs, 300_000)), at(99), Ok(None)),
            ("the whole again", &whole, None, at(2), Ok(None)),
            ("the whole again, spelled out", &whole, Some((DurationMs, 600_000)), at(2), Ok(None)),
            ("another amount", &captured, Some((DurationMs, 300_001)), at(2), not_pending(Posted)),
            ("another measure of that amount", &captured, Some((MaxMinutes, 300_000)), at(2), not_pending(Posted)),
            ("all instead of a part", &captured, None, at(2), not_pending(Posted)),
            ("voided", &ended(Ending::Voided), None, at(2), not_pending(Voided)),
            ("expired", &ended(Ending::Expired), None, at(2), not_pending(Expired)),
            ("voided, too much", &ended(Ending::Voided), Some((DurationMs, 600_001)), at(2), not_pending(Voided)),
            ("its time is up", &pending, None, at(60), Ok(Some((Expired, 0, 200, Some(Origin::Expiry(key("job-1"))))))),
            (
                "its time is up, too much",
                &pending,
                Some((DurationMs, 600_001)),
                at(60),
                Ok(Some((Expired, 0, 200, Some(Origin::Expiry(key("job-1")))))),
            ),
            ("another measure", &pending, Some((MaxMinutes, 1)), at(59), Err(other_measure)),
            ("too much", &pending, Some((DurationMs, 600_001)), at(59), above(600_001)),
            ("nothing", &pending, Some((DurationMs, 0)), at(59), above(0)),
            ("all", &pending, None, at(59), Ok(Some((Posted, 100, 100, None)))),
            ("all, spelled out", &pending, Some((DurationMs, 600_000)), at(59), Ok(Some((Posted, 100, 100, None)))),
            ("less for the same", &pending, Some((DurationMs, 595_000)), at(59), Ok(Some((Posted, 100, 100, None)))),
            ("less", &pending, Some((DurationMs, 300_000)), at(59), Ok(Some((Posted, 50, 150, capture.clone())))),
            ("the minimum", &pending, Some((DurationMs, 1)), at(59), Ok(Some((Posted, 10, 190, capture)))),
        ] {
            let decided = decide_capture(&account, pending, measured, now);
            assert_eq!(decided.map(|change| change.map(outcome)), expected, "{name}");
        }
    }

    /// In order of precedence: the same again, another end, the expiry.
    #[test]
    fn voids_are_answered_in_order_of_precedence() {
        let (account, pending) = held();
        let not_pending = |status| Err(EndRefusal::NotPending(status));
        let void = Some(Origin::Void(key("job-1")));
        let expiry = Some(Origin::Expiry(key("job-1")));
        for (name, pending, now, expected) in [
            ("the same again", &ended(Ending::Voided), at(99), Ok(None)),
            ("captured", &ended(Ending::Captured { amount: 1 }), at(2), not_pending(Posted)),
            ("expired", &ended(Ending::Expired), at(99), not_pending(Expired)),
            ("its time is up", &pending, at(60), Ok(Some((Expired, 0, 200, expiry)))),
            ("in time", &pending, at(59), Ok(Some((Voided, 0, 200, void)))),
        ] {
            let decided = decide_void(&account, pending, now);
            assert_eq!(decided.map(|change| change.map(outcome)), expected, "{name}");
        }
    }

    #[test]
    fn expiries_of_one_account_share_a_change_and_leave_the_others_alone() {
        let mut account = Account { balance: Credits::constant(200), ..account() };
        let mut charges = vec![];
        for (name, seconds) in [("a", 60), ("b", 61), ("c", 90)] {
            let mut command = charge_command(name, "dubbing", 300_000);
            command.request.expires_in = Some(ExpiresIn::new(seconds).unwrap());
            let change = decide_charge(&account, &PriceBook::reference(), &command, at(0)).unwrap();
            charges.push(change.pending_charge().unwrap().clone());
            account = change.account;
        }
        assert_eq!((account.balance.get(), account.pending.get()), (50, 150));
        charges.push(PendingCharge { charge: key("d"), ..ended(Ending::Voided) });
        assert_eq!(decide_expiry(&account, &charges, at(59)), Ok(None));
        let change = decide_expiry(&account, &charges, at(89)).unwrap().unwrap();
        let origins: Vec<_> = change.entries.iter().map(crate::domain::Entry::origin).collect();
        assert_eq!(origins, [Origin::Expiry(key("a")), Origin::Expiry(key("b"))]);
        assert_eq!((change.account.balance.get(), change.account.pending.get(), change.account.seq), (150, 50, 5));
        assert_eq!(change.records.len(), 2);
        let balances: Vec<_> = change.entries.iter().map(|entry| entry.balance_after.get()).collect();
        assert_eq!(balances, [100, 150]);
    }

    /// The price of the charge counts, whatever the book says now.
    #[test]
    fn the_largest_amount_of_a_capture_costs_what_was_taken() {
        for (credits_per_unit, unit_size, credits_min, amount) in
            [(10, 60_000, 10, 1), (10, 60_000, 10, 600_000), (3, 1_000, 1, 1_001), (7, 3, 5, 100), (1, 1, 1, 1)]
        {
            let version = PriceBook::reference().version;
            let line = PriceLine { version, credits_per_unit, unit_size, credits_min };
            let credits = line.price_of(amount);
            let largest = line.amount_max(credits);
            assert!(largest >= amount && line.price_of(largest) == credits, "{line:?}, {amount}: {largest}");
            assert!(line.price_of(largest + 1) > credits, "{line:?}, {amount}: {largest}");
        }
    }
}
