//! What a decision wants to write, all or nothing.

use super::account::{Account, Cause, Entry};
use super::charging::{PendingCharge, RefusalPlace};
use super::payments::{ConsentRecord, Purchase, TopUp};
use super::spending::{SpenderLimits, SpendingChange};
use super::support::{Act, Erasure};
use super::{AccountId, Credits, CustomerId, IdempotencyKey, Notice, NoticeId, PurchaseId, Spender};
use jiff::Timestamp;

/// The account's new value, and everything that is written with it in one transaction.
///
/// The ledger accepts it only if the stored account still has `account.version - 1` (none, for version 1) and if none
/// of its entries exists, that is, no other entry has the same [`super::Origin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub account: Account,
    pub entries: Vec<Entry>,
    pub records: Vec<Record>,
    pub notices: Vec<Notice>,
}

/// A record stored beside the account. It replaces what was stored under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    PendingCharge(PendingCharge),
    Purchase(Purchase),
    /// Which purchase an idempotency key opened.
    PurchaseKey {
        key: IdempotencyKey,
        purchase: PurchaseId,
    },
    TopUp(TopUp),
    Consent(ConsentRecord),
    SpendingChange(SpendingChange),
    SpenderLimits(SpenderLimits),
    /// The spender has no limits any more: nothing is stored about it.
    SpenderUnlimited(Spender),
    Act(Act),
    /// How far a closed account is erased.
    Erasure(Erasure),
    /// An entry without its personal texts, in the place of the same entry with them.
    ErasedEntry(Entry),
    /// Nothing is stored any more about who stopped spending or allowed it again at this instant.
    SpendingForgotten(Timestamp),
    /// Nothing is stored any more about these refused requests.
    RefusalForgotten(RefusalPlace),
    /// Nothing is stored any more about this e-mail.
    NoticeForgotten(NoticeId),
    /// Which account a Stripe customer pays for.
    Customer {
        customer: CustomerId,
        account: AccountId,
    },
}

/// A movement that would take a balance outside ±10¹⁵ credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the balance would leave ±10¹⁵ credits")]
pub struct BalanceOutOfRange;

impl Change {
    /// The next version of the account. Nothing else changes, except that the periods of the account's limits end with
    /// their day.
    pub(super) fn on(account: &Account, now: Timestamp) -> Self {
        let mut account = account.clone();
        account.version = account.version.saturating_add(1);
        account.set_limits(account.limits_at(now), now);
        Self { account, entries: vec![], records: vec![], notices: vec![] }
    }

    /// The first pending charge that this change makes or ends.
    pub fn pending_charge(&self) -> Option<&PendingCharge> {
        self.records
            .iter()
            .find_map(|record| if let Record::PendingCharge(pending) = record { Some(pending) } else { None })
    }

    /// The purchase that this change writes.
    pub fn purchase(&self) -> Option<&Purchase> {
        self.records
            .iter()
            .find_map(|record| if let Record::Purchase(purchase) = record { Some(purchase) } else { None })
    }

    /// The attempt that this change writes.
    pub fn top_up(&self) -> Option<&TopUp> {
        self.records.iter().find_map(|record| if let Record::TopUp(top_up) = record { Some(top_up) } else { None })
    }

    /// How far the account is erased after this change.
    pub fn erasure(&self) -> Option<&Erasure> {
        self.records.iter().find_map(|record| if let Record::Erasure(erasure) = record { Some(erasure) } else { None })
    }

    /// The limits of a spender that this change writes.
    pub fn spender_limits(&self) -> Option<&SpenderLimits> {
        self.all_spender_limits().next()
    }

    pub(super) fn all_spender_limits(&self) -> impl Iterator<Item = &SpenderLimits> {
        self.records
            .iter()
            .filter_map(|record| if let Record::SpenderLimits(limits) = record { Some(limits) } else { None })
    }

    /// This change and another one, which was decided on this one's account, as one change. Each key has one record: the
    /// limits of a spender that both write are the later ones.
    pub(super) fn followed_by(mut self, next: Self) -> Self {
        self.account = Account { version: self.account.version, ..next.account };
        self.entries.extend(next.entries);
        for record in next.records {
            if let Record::SpenderLimits(later) = &record {
                self.records
                    .retain(|known| !matches!(known, Record::SpenderLimits(known) if known.spender == later.spender));
            }
            self.records.push(record);
        }
        self.notices.extend(next.notices);
        self
    }

    /// Moves credits: a positive amount gives, a negative one takes. The only place that makes an entry, and so the only
    /// one that extends the chain.
    pub(super) fn post(&mut self, credits: Credits, cause: Cause, now: Timestamp) -> Result<(), BalanceOutOfRange> {
        let balance_after = self.account.balance.plus(credits).ok_or(BalanceOutOfRange)?;
        self.account.balance = balance_after;
        self.account.seq = self.account.seq.saturating_add(1);
        let entry = Entry { seq: self.account.seq, credits, balance_after, created_at: now, cause, link: None };
        let account = &mut self.account;
        self.entries.push(match &mut account.chain {
            Some(chain) => chain.extend(&account.id, entry),
            None => entry,
        });
        Ok(())
    }
}
