//! What an outcome of an attempt changes beside the attempt: which card is asked from now on, and why automatic top-ups are
//! off.

use super::asked_card::{AskedCard, CardFace};
use super::default_card::{BoughtWith, OfferedCard};
use super::invoice::Invoiced;
use super::payment::{TopUpOutcome, check_payment};
use super::records::{ConsentRecord, OffReason, TopUp, TopUpStatus, TurnedOff};
use super::turn_off::keep_why;
use crate::domain::{Account, Change, PaymentMethodId};
use jiff::{SignedDuration, Timestamp};

/// An attempt may be given up a moment after this was asked.
const A_MOMENT: SignedDuration = SignedDuration::from_mins(1);

/// What was read, and done at the payment provider, before an outcome is decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BesideOutcome {
    /// The card that is asked from now on.
    pub card: Option<PaymentMethodId>,
    /// What is known of the asked card, if another one takes its place, top-ups may be turned off, or an e-mail names it.
    pub asked: AskedCard,
    /// The card that the attempt asked, as far as it is known.
    pub face: CardFace,
    /// The consent to the settings, if top-ups may be turned off.
    pub consent: Option<ConsentRecord>,
}

/// The card that a customer paid an attempt with, if it has to be offered as the default: it is saved with the customer, who
/// agreed to that where it was entered, and another one than the attempt asked, and automatic top-ups are on. This happens
/// once, when the attempt is granted.
pub fn card_to_remember(account: &Account, top_up: &TopUp, outcome: &TopUpOutcome) -> Option<OfferedCard> {
    let (TopUpOutcome::Paid(payment) | TopUpOutcome::PartlyPaid { payment, .. }) = outcome else { return None };
    account.check_not_closed().ok()?;
    account.auto_top_up.as_ref().filter(|settings| settings.is_enabled)?;
    let was_granted = matches!(top_up.status, TopUpStatus::Paid | TopUpStatus::PartlyPaid);
    if was_granted || check_payment(account, payment, top_up.price).is_err() {
        return None;
    }
    let card = payment.payment_method.clone().filter(|card| top_up.payment_method.as_ref() != Some(card))?;
    let bought_with = BoughtWith { card, paid_for: Invoiced::TopUp(top_up.id.clone()), opened_at: top_up.opened_at };
    Some(OfferedCard { bought_with, default_at_opening: top_up.payment_method.clone() })
}

/// Whether an outcome may be told by an e-mail that names the card.
pub fn names_card(outcome: &TopUpOutcome) -> bool {
    match outcome {
        TopUpOutcome::Declined { .. } | TopUpOutcome::ActionRequired { .. } | TopUpOutcome::Refused { .. } => true,
        TopUpOutcome::Paid(_)
        | TopUpOutcome::PartlyPaid { .. }
        | TopUpOutcome::Processing { .. }
        | TopUpOutcome::Abandoned
        | TopUpOutcome::Unknown => false,
    }
}

/// Whether an outcome that is decided on in a moment may turn automatic top-ups off.
pub fn may_turn_off(top_up: &TopUp, outcome: &TopUpOutcome, now: Timestamp) -> bool {
    *outcome == TopUpOutcome::Abandoned && top_up.is_given_up_at(now.saturating_add(A_MOMENT).unwrap_or(now))
}

impl Change {
    /// The change with which card is asked from now on and which one its e-mail names, and with why top-ups were turned
    /// off, if it turns them off.
    #[must_use]
    pub fn with_beside(mut self, before: &Account, beside: &BesideOutcome, now: Timestamp) -> Self {
        if before.closed_at.is_none() {
            self.account.payment_method = beside.card.clone();
        }
        for notice in &mut self.notices {
            notice.kind.name_card(&beside.face);
        }
        let is_on = |account: &Account| account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
        if is_on(before) && !is_on(&self.account) {
            let turned_off = TurnedOff { at: now, because: OffReason::UnpaidFor30Days, by: None };
            keep_why(&mut self, beside.consent.as_ref(), turned_off);
        }
        self.with_asked_card(before, &beside.asked, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{AutoTopUp, DeclineReason, Payment, decide_top_up_outcome};
    use crate::domain::samples::*;
    use crate::domain::{Amount, Credits, Currency, NoticeId, Record};

    fn id(name: &str) -> PaymentMethodId {
        PaymentMethodId::parse(format!("pm_{name}")).unwrap()
    }

    /// An account whose attempt was declined when it was opened, and that attempt.
    fn paused() -> (Account, TopUp) {
        let status = TopUpStatus::Declined(DeclineReason::InsufficientFunds);
        let asked = Some(id("asked"));
        let attempt = TopUp { status, payment_method: asked.clone(), ended_at: Some(at(1)), ..top_up(1, 5_000) };
        (Account { auto_top_up: Some(settings(500, 5_000)), payment_method: asked, ..account() }, attempt)
    }

    fn paid_with(card: Option<&str>) -> TopUpOutcome {
        TopUpOutcome::Paid(Payment { amount: 500, payment_method: card.map(id), ..payment() })
    }

    #[test]
    fn a_card_is_remembered_if_it_is_saved_and_another_one_and_top_ups_are_on() {
        let (account, attempt) = paused();
        let off = AutoTopUp { is_enabled: false, ..settings(500, 5_000) };
        let off = Account { auto_top_up: Some(off), ..account.clone() };
        let closed = Account { closed_at: Some(at(2)), ..account.clone() };
        let paid = TopUp { status: TopUpStatus::Paid, ..attempt.clone() };
        let price = Amount::new(Currency::USD, 499).unwrap();
        let other_price = TopUp { price, ..attempt.clone() };
        for (name, account, attempt, outcome, expected) in [
            ("another card, which was saved", &account, &attempt, paid_with(Some("new")), Some("new")),
            ("a card that was not saved", &account, &attempt, paid_with(None), None),
            ("the card of before", &account, &attempt, paid_with(Some("asked")), None),
            ("top-ups are off", &off, &attempt, paid_with(Some("new")), None),
            ("the account is closed", &closed, &attempt, paid_with(Some("new")), None),
            ("told again", &account, &paid, paid_with(Some("new")), None),
            ("another amount", &account, &other_price, paid_with(Some("new")), None),
            ("nothing was paid", &account, &attempt, TopUpOutcome::Abandoned, None),
        ] {
            let offered = card_to_remember(account, attempt, &outcome);
            assert_eq!(offered.as_ref().map(|offered| &offered.bought_with.card), expected.map(id).as_ref(), "{name}");
            assert!(offered.is_none_or(|offered| offered.default_at_opening == Some(id("asked"))), "{name}");
        }
    }

    #[test]
    fn what_is_given_up_after_30_days_keeps_why_top_ups_are_off() {
        let (account, attempt) = paused();
        let consent = ConsentRecord {
            consent: settings(500, 5_000).consent,
            threshold: Credits::constant(500),
            target: Credits::constant(5_000),
            max_per_month: None,
            text: "I agree.".to_owned(),
            turned_off: None,
        };
        let beside = BesideOutcome {
            card: account.payment_method.clone(),
            consent: Some(consent.clone()),
            ..BesideOutcome::default()
        };
        for (days, is_off) in [(29, false), (31, true)] {
            let now = at(days * 86_400);
            assert_eq!(may_turn_off(&attempt, &TopUpOutcome::Abandoned, now), is_off);
            assert!(!may_turn_off(&attempt, &paid_with(None), now));
            let abandoned = TopUpOutcome::Abandoned;
            let decided = decide_top_up_outcome(&account, &attempt, &abandoned, NoticeId::mint(1), now);
            let change = decided.unwrap().unwrap().with_beside(&account, &beside, now);
            let turned_off = TurnedOff { at: now, because: OffReason::UnpaidFor30Days, by: None };
            let ended = Record::Consent(ConsentRecord { turned_off: Some(turned_off), ..consent.clone() });
            assert_eq!(change.records.contains(&ended), is_off, "{days} days");
            assert_eq!(change.account.payment_method, Some(id("asked")));
        }
        let a_moment_before = at(1 + 30 * 86_400 - 1);
        assert!(may_turn_off(&attempt, &TopUpOutcome::Abandoned, a_moment_before), "it may be decided a moment later");
    }
}
