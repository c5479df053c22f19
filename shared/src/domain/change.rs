//! What a decision wants to write, all or nothing.

use super::account::{Account, Cause, Entry};
use super::alerts::{Alerts, Watch};
use super::charging::{PendingCharge, RefusalPlace};
use super::contacts::Contacts;
use super::payments::{AskedCard, ConsentRecord, Purchase, TopUp, TopUpRetry};
use super::spending::{SpenderLimits, SpendingChange};
use super::support::{Act, Erasure, Imported};
use super::{
    AccountId, Credits, CustomerId, IdempotencyKey, Notice, NoticeId, NoticeKind, OutboundEvent, OutboundEventId,
    OutboundEventKind, PurchaseId, Spender,
};
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
    pub events: Vec<OutboundEvent>,
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
    TopUpRetry(TopUpRetry),
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
    /// Nothing is stored any more about this event.
    EventForgotten(OutboundEventId),
    /// An opening balance was imported. It replaces nothing: there must be no record of this source yet.
    Imported(Imported),
    /// The account is in the directory of all accounts from then on. It replaces nothing.
    Listed {
        at: Timestamp,
    },
    /// They are far larger than any other record.
    Contacts(Box<Contacts>),
    /// Nothing is stored any more about where e-mails went.
    ContactsForgotten,
    /// What is known of the card that is asked.
    AskedCard(AskedCard),
    /// Nothing is stored any more about a card that was asked.
    AskedCardForgotten,
    Alerts(Alerts),
    /// The account's alerts are to be evaluated at this instant.
    AlertsDue {
        at: Timestamp,
    },
    /// They are not to be evaluated until the balance leaves its bounds.
    AlertsEvaluated,
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
        Self { account, entries: vec![], records: vec![], notices: vec![], events: vec![] }
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

    /// The contacts that this change writes.
    pub fn contacts(&self) -> Option<&Contacts> {
        self.records
            .iter()
            .find_map(|record| if let Record::Contacts(contacts) = record { Some(&**contacts) } else { None })
    }

    /// Stores other contacts, whose first confirmed billing address is the account's own.
    pub(super) fn set_contacts(&mut self, contacts: Contacts) {
        if let Some(address) = contacts.first_confirmed() {
            self.account.email = Some(address.clone());
        }
        self.records.push(Record::Contacts(Box::new(contacts)));
    }

    /// The attempt that this change writes.
    pub fn top_up(&self) -> Option<&TopUp> {
        self.records.iter().find_map(|record| if let Record::TopUp(top_up) = record { Some(top_up) } else { None })
    }

    /// The retry that this change writes.
    pub fn top_up_retry(&self) -> Option<&TopUpRetry> {
        self.records.iter().find_map(|record| if let Record::TopUpRetry(retry) = record { Some(retry) } else { None })
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
        self.events.extend(next.events);
        self
    }

    /// Owes an e-mail, unless there is no address any more.
    pub(super) fn owe(&mut self, kind: NoticeKind, now: Timestamp) {
        let place = (self.account.version, self.notices.len());
        let id = Notice::id_in_change(&self.account.id, place, now);
        self.notices.extend(self.account.owed(id, kind, now));
    }

    /// Owes an event.
    pub(super) fn tell(&mut self, kind: OutboundEventKind, now: Timestamp) {
        let Account { id, version, .. } = &self.account;
        self.events.push(OutboundEvent::of_change((id, *version, self.events.len()), kind, now));
    }

    /// Owes the events of what changed about the account itself, whichever decision changed it. What else is told, the
    /// decision owes.
    #[must_use]
    pub(crate) fn telling(mut self, before: &Account, now: Timestamp) -> Self {
        let issue = |account: &Account| account.payment_issue.as_ref().map(|issue| (issue.top_up.clone(), issue.kind));
        let pausing = |account: &Account| account.payment_issue.as_ref().map(|issue| issue.top_up.clone());
        // A retry that is refused for another reason is no other pause.
        if pausing(before) != pausing(&self.account) {
            match (issue(before), issue(&self.account)) {
                (_, Some((top_up, issue))) => self.tell(OutboundEventKind::TopUpPaused { top_up, issue }, now),
                (Some((top_up, _)), None) => self.tell(OutboundEventKind::TopUpResumed { top_up }, now),
                (None, None) => {}
            }
        }
        if before.restriction != self.account.restriction
            && let Some(restriction) = self.account.restriction.clone()
        {
            let (reason, until) = (restriction.reason, restriction.until);
            self.tell(OutboundEventKind::AccountRestricted { reason, until }, now);
        }
        self
    }

    /// Moves credits: a positive amount gives, a negative one takes. The only place that makes an entry, and so the only
    /// one that extends the chain.
    pub(super) fn post(&mut self, credits: Credits, cause: Cause, now: Timestamp) -> Result<(), BalanceOutOfRange> {
        let balance_after = self.account.balance.plus(credits).ok_or(BalanceOutOfRange)?;
        self.account.balance = balance_after;
        self.account.seq = self.account.seq.saturating_add(1);
        // The bounds go with the evaluation that is due now, so that the movements until then do not ask for it again.
        if !self.account.watch.is_some_and(|watch| watch.holds(balance_after)) {
            self.account.watch = Some(Watch::NONE);
            self.records.push(Record::AlertsDue { at: now });
        }
        let entry = Entry { seq: self.account.seq, credits, balance_after, created_at: now, cause, link: None };
        let account = &mut self.account;
        self.entries.push(match &mut account.chain {
            Some(chain) => chain.extend(&account.id, entry),
            None => entry,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{DeclineReason, PaymentIssue, PaymentIssueKind};
    use crate::domain::samples::*;
    use crate::domain::{Restriction, RestrictionReason, TopUpId};
    use std::collections::BTreeSet;

    fn paused(number: u128) -> Account {
        let kind = PaymentIssueKind::Declined(DeclineReason::ExpiredCard);
        Account { payment_issue: Some(PaymentIssue { kind, top_up: TopUpId::mint(number), since: at(1) }), ..account() }
    }

    fn restricted(until: i64) -> Account {
        let reason = RestrictionReason::parse("a").unwrap();
        Account { restriction: Some(Restriction { reason, until: at(until) }), ..account() }
    }

    fn told(before: &Account, after: Account) -> Vec<(&'static str, String)> {
        let change = Change { account: after, ..Change::on(before, at(2)) }.telling(before, at(2));
        let about = |event: OutboundEvent| match event.kind.clone() {
            OutboundEventKind::TopUpPaused { top_up, .. } | OutboundEventKind::TopUpResumed { top_up } => {
                (event.kind.name(), top_up.to_string())
            }
            _ => (event.kind.name(), String::new()),
        };
        change.events.into_iter().map(about).collect()
    }

    #[test]
    fn whatever_pauses_resumes_or_restricts_an_account_is_told_once() {
        let first = TopUpId::mint(1).to_string();
        assert_eq!(told(&account(), paused(1)), [("top_up.paused", first.clone())]);
        assert_eq!(told(&paused(1), account()), [("top_up.resumed", first)]);
        assert_eq!(told(&paused(1), paused(2)), [("top_up.paused", TopUpId::mint(2).to_string())], "another pause");
        assert_eq!(told(&paused(1), paused(1)), []);
        let mut refused_again = paused(1);
        refused_again.payment_issue.as_mut().unwrap().kind = PaymentIssueKind::ActionRequired;
        assert_eq!(told(&paused(1), refused_again), [], "the same pause, for another reason");
        let restriction = [("account.restricted", String::new())];
        assert_eq!(told(&account(), restricted(9)), restriction);
        assert_eq!(told(&restricted(9), restricted(10)), restriction, "until another instant");
        assert_eq!(told(&restricted(9), restricted(9)), []);
        assert_eq!(told(&restricted(9), account()), [], "lifted");
    }

    #[test]
    fn the_id_of_an_event_is_that_of_its_change_and_of_no_other() {
        let restrict = |account: &Account| {
            let mut change = Change::on(account, at(2));
            change.tell(OutboundEventKind::TopUpResumed { top_up: TopUpId::mint(1) }, at(2));
            change.tell(OutboundEventKind::TopUpResumed { top_up: TopUpId::mint(2) }, at(2));
            change.events.into_iter().map(|event| event.id).collect::<Vec<_>>()
        };
        let other = Account { id: AccountId::parse("other").unwrap(), ..account() };
        let later = Account { version: 2, ..account() };
        assert_eq!(restrict(&account()), restrict(&account()));
        let ids: BTreeSet<_> = [account(), other, later].iter().flat_map(restrict).collect();
        assert_eq!(ids.len(), 6);
    }
}
