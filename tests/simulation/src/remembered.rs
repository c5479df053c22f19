//! The card that a customer pays an unpaid attempt with: when it becomes the default, and which card e-mails name.

use crate::expiring::face;
use crate::ledger::{Committed, Partition};
use crate::stripe::{Stripe, number_of};
use shared::domain::payments::{AskedCard, CardFace, DeclineReason, OffReason};
use shared::domain::{Account, CustomerId, NoticeKind, PaymentMethodId, Record, TopUp, TopUpId};
use std::collections::BTreeMap;

/// The number of the card whose owner never ticks the box that saves it.
const NEVER_SAVED: u32 = 4;

/// The cards that have to be the default at rest, each as long as nobody chooses another one.
pub type Expected = BTreeMap<CustomerId, (PaymentMethodId, TopUpId)>;

/// Whether the customer lets the page of an invoice save this card.
pub fn is_saved_on_page(card: &PaymentMethodId) -> bool {
    number_of(card) != NEVER_SAVED
}

impl Stripe {
    /// A customer has paid the invoice of an attempt with a card that the page has saved. It has to become the default,
    /// unless another card was chosen since the attempt.
    pub fn expect_remembered(&mut self, position: usize, card: &PaymentMethodId) {
        let invoice = &self.invoices[position];
        let default = self.default_cards.get(&invoice.customer);
        let (customer, top_up) = (invoice.customer.clone(), invoice.top_up.clone());
        if is_saved_on_page(card) && default == invoice.default_card.as_ref() && default != Some(card) {
            self.expected.insert(customer, (card.clone(), top_up));
        } else {
            self.expected.remove(&customer);
        }
    }
}

/// What ends the expectation about a customer's card, why top-ups are off, and which card an e-mail names.
///
/// # Errors
/// The broken rule.
pub fn check_commit(
    committed: &Committed,
    known: &BTreeMap<TopUpId, TopUp>,
    expected: &mut Expected,
) -> Result<(), String> {
    let (account, change) = (&committed.change.account, &committed.change);
    if !is_armed(account) {
        expected.remove(&account.customer);
    }
    check_off(committed)?;
    let is_resent = change.records.iter().any(|record| matches!(record, Record::Act(_)));
    let owed = change.notices.iter().filter(|notice| notice.tried.is_empty() && notice.returned_at.is_none());
    for notice in owed.filter(|_| !is_resent) {
        let Some((top_up, card, has_none)) = named(&notice.kind) else { continue };
        let attempt = change.top_up().filter(|written| written.id == *top_up).or_else(|| known.get(top_up));
        let asked = attempt.and_then(|attempt| attempt.payment_method.as_ref());
        let known_of = committed.asked_before.as_ref().and_then(|stored: &AskedCard| stored.card.as_ref());
        let is_known = known_of.is_some_and(|known| Some(&known.id) == asked);
        let expected = if has_none || !is_known { CardFace::default() } else { asked.map(face).unwrap_or_default() };
        if *card != expected {
            return Err(format!("{} of {top_up} names {card:?}, and {expected:?} was asked", notice.id));
        }
    }
    Ok(())
}

fn named(kind: &NoticeKind) -> Option<(&TopUpId, &CardFace, bool)> {
    match kind {
        NoticeKind::TopUpDeclined { top_up, card, reason, .. } => {
            Some((top_up, card, *reason == DeclineReason::NoCard))
        }
        NoticeKind::PaymentReminder { top_up, card, reason, .. } => {
            Some((top_up, card, *reason == Some(DeclineReason::NoCard)))
        }
        NoticeKind::TopUpActionRequired { top_up, card, .. }
        | NoticeKind::TopUpRefused { top_up, card, .. }
        | NoticeKind::TopUpAbandoned { top_up, card, .. } => Some((top_up, card, false)),
        _ => None,
    }
}

fn is_armed(account: &Account) -> bool {
    account.closed_at.is_none() && account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled)
}

/// Whatever turns top-ups off says why, with the consent to them.
fn check_off(committed: &Committed) -> Result<(), String> {
    let (Some(before), change) = (&committed.before, &committed.change) else { return Ok(()) };
    if !is_armed(before) || is_armed(&change.account) || change.account.closed_at.is_some() {
        return Ok(());
    }
    let reasons = change.records.iter().filter_map(|record| match record {
        Record::Consent(consent) => consent.turned_off.as_ref().map(|off| off.because),
        _ => None,
    });
    let reasons: Vec<_> = reasons.collect();
    let is_given_up = change.notices.iter().any(|notice| matches!(notice.kind, NoticeKind::TopUpAbandoned { .. }));
    let is_right = match &reasons[..] {
        [OffReason::UnpaidFor30Days] => is_given_up,
        [OffReason::Requested | OffReason::LastCardRemoved] => !is_given_up,
        _ => false,
    };
    if !is_right {
        return Err(format!("the top-ups of {} go off, and the reason is {reasons:?}", change.account.id));
    }
    Ok(())
}

/// # Errors
/// The broken rule.
pub fn check_at_rest(partition: &Partition, account: &Account, stripe: &Stripe) -> Result<(), String> {
    let Some((card, top_up)) = stripe.expected.get(&account.customer).filter(|_| is_armed(account)) else {
        return Ok(());
    };
    // An attempt that was opened before the account heard of the customer's choice gives way to that choice.
    let invoice = stripe.invoices.iter().find(|invoice| invoice.top_up == *top_up);
    let attempt = partition.top_ups.get(top_up);
    if attempt.map(|attempt| &attempt.payment_method) != invoice.map(|invoice| &invoice.default_card) {
        return Ok(());
    }
    let default = stripe.default_cards.get(&account.customer);
    if default != Some(card) {
        return Err(format!("{top_up} was paid with {card}, which was saved, and the default stays {default:?}"));
    }
    Ok(())
}
