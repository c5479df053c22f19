//! Giving a charge's credits back because the operation failed on the company's side.

use super::pending_charge::{ChargeStatus, PendingCharge};
use crate::domain::spending::{Payer, give_back};
use crate::domain::{BalanceOutOfRange, Cause, Change, Credits, Entry};
use jiff::Timestamp;

/// Why a restore is refused, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreRefusal {
    #[error("only a charge can be restored")]
    NotACharge,
    /// The charge is pending, so it has to be voided instead, or its credits were already given back.
    #[error("the charge is {}", .0.name())]
    NotPosted(ChargeStatus),
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// Gives back exactly what the charge took, or what its capture kept. The entry's key, `restore:<charge>`, ensures that
/// this happens at most once. The limits that counted the charge get the credits back too, if their period has not ended
/// since. `pending` is the record of a charge that was made pending.
///
/// # Errors
/// [`RestoreRefusal`]; nothing must be written then.
pub fn decide_restore<'a>(
    payer: impl Into<Payer<'a>>,
    charge: &Entry,
    pending: Option<&PendingCharge>,
    now: Timestamp,
) -> Result<Change, RestoreRefusal> {
    let Cause::Charge { key, spender, .. } = &charge.cause else {
        return Err(RestoreRefusal::NotACharge);
    };
    let credits = match pending {
        None => charge.credits.negated(),
        Some(pending) => credits_kept(pending)?,
    };
    let payer = payer.into();
    let mut change = Change::on(payer.account, now);
    change.post(credits, Cause::Restore { charge: key.clone() }, now)?;
    give_back(&mut change, payer.limits, (charge.seq, spender.as_ref(), credits), now);
    Ok(change)
}

fn credits_kept(pending: &PendingCharge) -> Result<Credits, RestoreRefusal> {
    match (pending.status(), pending.end) {
        (ChargeStatus::Posted, Some(end)) => Ok(end.credits_kept),
        (status, _) => Err(RestoreRefusal::NotPosted(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::{ExpiresIn, decide_capture, decide_charge, decide_expiry, decide_void};
    use crate::domain::samples::*;
    use crate::domain::{Account, Measure, Origin, PriceBook};

    #[test]
    fn a_restore_gives_back_what_the_charge_took() {
        let before = Account { balance: Credits::constant(100), ..account() };
        let charged =
            decide_charge(&before, &PriceBook::reference(), &charge_command("job-1", "training", 5), at(0)).unwrap();
        let restored = decide_restore(&charged.account, &only_entry(&charged), None, at(1)).unwrap();
        let entry = only_entry(&restored);
        assert_eq!((entry.seq, entry.credits.get(), entry.balance_after.get()), (2, 50, 100));
        assert_eq!(entry.origin(), Origin::Restore(key("job-1")));
        assert_eq!(decide_restore(&restored.account, &entry, None, at(2)), Err(RestoreRefusal::NotACharge));
    }
    /// In order of precedence: what is not posted is refused, and of a capture only what it kept comes back.
    #[test]
    fn a_restore_of_a_pending_charge_depends_on_what_became_of_it() {
        let before = Account { balance: Credits::constant(100), ..account() };
        let mut command = charge_command("job-1", "training", 5);
        command.request.expires_in = Some(ExpiresIn::new(60).unwrap());
        let charged = decide_charge(&before, &PriceBook::reference(), &command, at(0)).unwrap();
        let (account, entry) = (&charged.account, only_entry(&charged));
        let pending = charged.pending_charge().unwrap();
        let refused = |status| Err(RestoreRefusal::NotPosted(status));
        let captured = |minutes| decide_capture(account, pending, Some((Measure::MaxMinutes, minutes)), at(1)).unwrap();
        for (name, ended, expected) in [
            ("pending", None, refused(ChargeStatus::Pending)),
            ("voided", decide_void(account, pending, at(1)).unwrap(), refused(ChargeStatus::Voided)),
            (
                "expired",
                decide_expiry(account, std::slice::from_ref(pending), at(60)).unwrap(),
                refused(ChargeStatus::Expired),
            ),
            ("captured in part", captured(2), Ok((20, 100))),
            ("captured as a whole", captured(5), Ok((50, 100))),
        ] {
            let account = ended.as_ref().map_or(account, |change| &change.account);
            let pending = ended.as_ref().and_then(|change| change.pending_charge()).unwrap_or(pending);
            let restored = decide_restore(account, &entry, Some(pending), at(70));
            let credits = restored.map(|change| (only_entry(&change).credits.get(), change.account.balance.get()));
            assert_eq!(credits, expected, "{name}");
        }
    }
}
