//! What shows a bank that a payment was agreed to and what it bought was used. Only values, and one pure rule: which
//! charges used the credits of a payment.

use crate::domain::payments::{Bought, CardFace, ConsentRecord, Returns, ShownDispute};
use crate::domain::{Account, Cause, DisputeId, Entry, IdempotencyKey, Notice};
use std::collections::BTreeMap;

/// Everything that is known of a disputed payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub dispute: DisputeId,
    pub shown: ShownDispute,
    pub account: Account,
    pub bought: Bought,
    pub card: CardFace,
    /// What went back of the payment.
    pub returns: Returns,
    /// Of a top-up: what the customer had agreed to when the attempt opened.
    pub consent: Option<ConsentRecord>,
    /// The e-mails about it that are still stored, oldest first.
    pub notices: Vec<Notice>,
    /// `None` if this payment granted no credits.
    pub uses: Option<Uses>,
}

/// The charges that used the credits of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uses {
    /// The entry that granted the credits.
    pub grant: Entry,
    pub charges: Vec<Use>,
    /// The restores of charges that were made after the grant.
    pub restores: Vec<Entry>,
    /// Why a charge that belongs here may be missing.
    pub left_out: Option<LeftOut>,
}

/// A charge that used credits of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The charge's entry.
    pub charge: Entry,
    /// What it took and was not given back, of the credits of this payment alone.
    pub credits: i64,
}

/// Why not every charge is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// More charges used these credits.
    Charges,
    /// More entries follow, and were not read.
    Entries,
}

impl Uses {
    /// The most charges of one dispute.
    pub const CHARGES_MAX: usize = 100;
    /// The most entries that are read of it.
    pub const ENTRIES_MAX: usize = 1_000;

    /// What the entries after a grant used of its credits. Credits are spent in the order in which they were added, so those
    /// that were there before are used first; what a charge gave back counts as not taken.
    pub fn of(grant: Entry, later: &[Entry], has_more: bool) -> Self {
        let given_back = given_back(later);
        let before = grant.balance_after.get().saturating_sub(grant.credits.get());
        let from = before.max(0);
        let until = grant.balance_after.get().max(0);
        let (mut taken, mut charges, mut has_other) = (0_i64, vec![], false);
        for entry in later {
            let Cause::Charge { key, .. } = &entry.cause else { continue };
            let kept = entry.credits.get().saturating_neg();
            let kept = kept.saturating_sub(given_back.get(key).copied().unwrap_or_default()).max(0);
            let end = taken.saturating_add(kept);
            let credits = end.min(until).saturating_sub(taken.max(from));
            taken = end;
            if credits > 0 && charges.len() < Self::CHARGES_MAX {
                charges.push(Use { charge: entry.clone(), credits });
            } else if credits > 0 {
                has_other = true;
            }
        }
        let is_restore =
            |entry: &&Entry| matches!(&entry.cause, Cause::Restore { charge } if is_made_in(later, charge));
        let restores = later.iter().filter(is_restore).cloned().collect();
        let left_out =
            if has_other { Some(LeftOut::Charges) } else { (has_more && taken < until).then_some(LeftOut::Entries) };
        Self { grant, charges, restores, left_out }
    }

    /// The credits that the listed charges used.
    pub fn credits(&self) -> i64 {
        self.charges.iter().fold(0, |sum, used| sum.saturating_add(used.credits))
    }
}

fn is_made_in(entries: &[Entry], wanted: &IdempotencyKey) -> bool {
    entries.iter().any(|entry| matches!(&entry.cause, Cause::Charge { key, .. } if key == wanted))
}

/// What each charge gave back: by a capture of less, a void, an expiry or a restore.
fn given_back(entries: &[Entry]) -> BTreeMap<IdempotencyKey, i64> {
    let mut given_back = BTreeMap::<_, i64>::new();
    for entry in entries {
        if let Cause::Capture { charge, .. }
        | Cause::Void { charge }
        | Cause::Expiry { charge }
        | Cause::Restore { charge } = &entry.cause
        {
            let sum = given_back.entry(charge.clone()).or_default();
            *sum = sum.saturating_add(entry.credits.get());
        }
    }
    given_back
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::{Credits, PackageId, PurchaseId};

    fn entry(seq: u64, credits: i64, balance: i64, cause: Cause) -> Entry {
        let (credits, balance_after) = (Credits::constant(credits), Credits::constant(balance));
        Entry { seq, credits, balance_after, created_at: at(0), cause, link: None }
    }

    fn charge(number: u64, credits: i64) -> Entry {
        let cause = Cause::Charge {
            key: key(&format!("job-{number}")),
            operation: charge_command("job", "dubbing", 1).request.operation,
            price: None,
            reference: None,
            expires_in: None,
            spender: None,
            request_id: None,
        };
        entry(number, -credits, 0, cause)
    }

    fn restore(number: u64, credits: i64) -> Entry {
        entry(1_000 + number, credits, 0, Cause::Restore { charge: key(&format!("job-{number}")) })
    }

    /// 500 credits, on a balance that they bring to this.
    fn grant(balance: i64) -> Entry {
        let package = PackageId::parse("credits_500").unwrap();
        entry(1, 500, balance, Cause::Purchase { purchase: PurchaseId::mint(1), package })
    }

    fn used(grant: Entry, later: &[Entry]) -> Vec<(u64, i64)> {
        let uses = Uses::of(grant, later, false);
        assert_eq!(uses.credits(), uses.charges.iter().map(|used| used.credits).sum::<i64>());
        uses.charges.iter().map(|used| (used.charge.seq, used.credits)).collect()
    }

    #[test]
    fn credits_are_used_in_the_order_in_which_they_were_added() {
        let charges = [charge(2, 300), charge(3, 300), charge(4, 300)];
        assert_eq!(used(grant(500), &charges), [(2, 300), (3, 200)]);
        assert_eq!(used(grant(900), &charges), [(3, 200), (4, 300)], "400 were there before");
        assert_eq!(used(grant(350), &charges), [(2, 300), (3, 50)], "150 settled what was owed");
        assert_eq!(used(grant(-10), &charges), [], "all of them did");
    }

    #[test]
    fn what_a_charge_gave_back_is_not_used() {
        let entries = [charge(2, 300), restore(2, 300), charge(3, 300), charge(4, 300)];
        assert_eq!(used(grant(500), &entries), [(3, 300), (4, 200)]);
        let uses = Uses::of(grant(500), &entries, false);
        assert_eq!(uses.restores, [restore(2, 300)]);
        let of_another = Uses::of(grant(500), &[restore(9, 10)], false);
        assert_eq!(of_another.restores, [], "of a charge before the grant");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let many: Vec<_> = (2..200).map(|number| charge(number, 1)).collect();
        let uses = Uses::of(grant(500), &many, false);
        assert_eq!((uses.charges.len(), uses.left_out), (Uses::CHARGES_MAX, Some(LeftOut::Charges)));
        let few = &many[..50];
        assert_eq!(Uses::of(grant(500), few, true).left_out, Some(LeftOut::Entries));
        assert_eq!(Uses::of(grant(500), few, false).left_out, None, "nothing more was charged");
        assert_eq!(Uses::of(grant(50), few, true).left_out, None, "everything is used");
    }
}
