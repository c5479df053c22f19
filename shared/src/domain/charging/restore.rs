//! Giving a charge's credits back because the operation failed on the company's side.

use crate::domain::{Account, BalanceOutOfRange, Cause, Change, Entry};
use jiff::Timestamp;

/// Why a restore is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreRefusal {
    #[error("only a charge can be restored")]
    NotACharge,
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// Gives back exactly what the charge took. The entry's key, `restore:<charge>`, ensures that this happens at most
/// once.
///
/// # Errors
/// [`RestoreRefusal`]; nothing must be written then.
pub fn decide_restore(account: &Account, charge: &Entry, now: Timestamp) -> Result<Change, RestoreRefusal> {
    let Cause::Charge { key, .. } = &charge.cause else {
        return Err(RestoreRefusal::NotACharge);
    };
    let credits = charge.credits.negated();
    let mut change = Change::on(account, now);
    change.post(credits, Cause::Restore { charge: key.clone() }, now)?;
    change.account.usage.count_restore(credits);
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::decide_charge;
    use crate::domain::samples::*;
    use crate::domain::{Credits, Origin, PriceBook};

    #[test]
    fn a_restore_gives_back_what_the_charge_took() {
        let before = Account { balance: Credits::constant(100), ..account() };
        let charged =
            decide_charge(&before, &PriceBook::reference(), &charge_command("job-1", "training", 5), at(0)).unwrap();
        let restored = decide_restore(&charged.account, &only_entry(&charged), at(1)).unwrap();
        let entry = only_entry(&restored);
        assert_eq!((entry.seq, entry.credits.get(), entry.balance_after.get()), (2, 50, 100));
        assert_eq!(entry.origin(), Origin::Restore(key("job-1")));
        assert_eq!(restored.account.usage.credits_restored.get(), 50);
        assert_eq!(decide_restore(&restored.account, &entry, at(2)), Err(RestoreRefusal::NotACharge));
    }
}
