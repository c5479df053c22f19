//! The customer's saved cards: which of them are the same card, which one is asked, and what removing one means.
//!
//! Stripe keeps a saved card once for each time that the customer entered it. So one card may be saved several times, under
//! as many ids, and a customer who removes a card means all of them.

use super::asked_card::AskedCard;
use super::expiry::Expiry;
use super::records::{ConsentRecord, OffReason, TurnedOff};
use super::turn_off::turn_off;
use crate::domain::account::decide_payment_method;
use crate::domain::{Account, AccountId, Change, CheckoutSessionId, PaymentMethodId};
use jiff::Timestamp;

/// All saved cards of a customer, and other payment methods that can be charged again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedCards {
    /// The one that a top-up asks.
    pub default: Option<PaymentMethodId>,
    /// Newest first.
    pub saved: Vec<SavedCard>,
}

/// A card as Stripe shows it now. The networks may replace its number and its expiry at any time; its id stays.
/// <https://docs.stripe.com/payments/cards/overview#automatic-card-updates>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedCard {
    pub id: PaymentMethodId,
    /// Stripe's type, such as `card` or `sepa_debit`.
    pub kind: String,
    /// The card's network, or the account's bank.
    pub brand: Option<String>,
    pub last4: Option<String>,
    /// `None` for what does not expire.
    pub expiry: Option<Expiry>,
    /// Such as `apple_pay`.
    pub wallet: Option<String>,
    /// The same for every time that the same number was entered.
    pub fingerprint: Option<String>,
    pub saved_at: Timestamp,
}

impl SavedCard {
    fn is_same_card(&self, other: &Self) -> bool {
        let is_same_number = self.fingerprint.is_some() && self.fingerprint == other.fingerprint;
        self.id == other.id || (is_same_number && self.kind == other.kind)
    }

    pub fn has_expired_at(&self, now: Timestamp) -> bool {
        self.expiry.is_some_and(|expiry| expiry.is_over_at(now))
    }
}

/// What removing a card takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Every id of the card. The id that the customer named is the last, so that a removal that was interrupted is found
    /// under that id again.
    pub ids: Vec<PaymentMethodId>,
    /// The card that is asked from now on, if the removed one was asked so far.
    pub next_default: Option<PaymentMethodId>,
}

impl SavedCards {
    /// Each card once: as the default if it is the default, otherwise as it was saved last.
    pub fn distinct(&self) -> Vec<&SavedCard> {
        let mut distinct: Vec<&SavedCard> = vec![];
        for card in &self.saved {
            match distinct.iter_mut().find(|known| known.is_same_card(card)) {
                Some(known) if self.is_default(card) => *known = card,
                Some(_) => {}
                None => distinct.push(card),
            }
        }
        distinct
    }

    pub fn is_default(&self, card: &SavedCard) -> bool {
        self.default.as_ref() == Some(&card.id)
    }

    pub fn find(&self, id: &PaymentMethodId) -> Option<&SavedCard> {
        self.saved.iter().find(|card| card.id == *id)
    }

    /// What it takes to remove a card. `None` if the customer has no card with this id.
    ///
    /// If it was the default, the card that was saved last takes its place, and one that has expired only if there is no
    /// other: a customer who keeps a second card wants to go on with it.
    pub fn removal(&self, id: &PaymentMethodId, now: Timestamp) -> Option<Removal> {
        let removed = self.find(id)?;
        let (same, left): (Vec<_>, Vec<_>) = self.saved.iter().partition(|card| card.is_same_card(removed));
        let others = same.iter().filter(|card| card.id != *id);
        let ids = others.map(|card| card.id.clone()).chain([id.clone()]).collect();
        let was_default = same.iter().any(|card| self.is_default(card));
        let next = left.iter().find(|card| !card.has_expired_at(now)).or(left.first());
        Some(Removal { ids, next_default: next.filter(|_| was_default).map(|card| card.id.clone()) })
    }
}

/// A card that the customer saved on a page that was opened for it. It becomes the default unless another card was chosen
/// since the page was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUpCard {
    pub account: AccountId,
    pub card: PaymentMethodId,
    pub session: CheckoutSessionId,
    /// The default when the page was opened.
    pub default_at_opening: Option<PaymentMethodId>,
}

impl SetUpCard {
    /// Whether nothing was chosen since, and the page has not made its card the default before.
    pub fn is_newest(&self, default: Option<&PaymentMethodId>, last_session: Option<&CheckoutSessionId>) -> bool {
        default == self.default_at_opening.as_ref() && last_session != Some(&self.session)
    }
}

/// What was read to follow a customer's cards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenCards {
    /// The card that is asked.
    pub default: Option<PaymentMethodId>,
    /// Whether there was a card before: top-ups may be turned on before the first card is saved.
    pub had_one: bool,
    pub has_one: bool,
    /// The same card, as Stripe shows it.
    pub shown: Option<SavedCard>,
    /// What is known of the card that was asked.
    pub stored: AskedCard,
    /// The consent to the settings, if they are on and no card is left.
    pub consent: Option<ConsentRecord>,
}

impl SeenCards {
    pub fn is_last_removed(&self) -> bool {
        self.had_one && !self.has_one
    }
}

/// Stores which card is asked. If the customer has none left, automatic top-ups are turned off.
///
/// Like [`decide_payment_method`], it is a change even if nothing differs. `None` if the account is closed.
pub fn decide_saved_cards(account: &Account, seen: &SeenCards, now: Timestamp) -> Option<Change> {
    let mut change = decide_payment_method(account, seen.default.clone(), now)?;
    if seen.is_last_removed() {
        let turned_off = TurnedOff { at: now, because: OffReason::LastCardRemoved, by: None };
        turn_off(&mut change, seen.consent.as_ref(), turned_off);
    }
    Some(change.with_asked_card(account, &seen.stored, seen.shown.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::{Credits, Record};

    fn id(name: &str) -> PaymentMethodId {
        PaymentMethodId::parse(format!("pm_{name}")).unwrap()
    }

    fn card(name: &str, number: &str, expiry: (i16, i8)) -> SavedCard {
        SavedCard {
            id: id(name),
            kind: "card".to_owned(),
            brand: Some("visa".to_owned()),
            last4: Some("4242".to_owned()),
            expiry: Expiry::new(expiry.0, expiry.1),
            wallet: None,
            fingerprint: Some(number.to_owned()),
            saved_at: at(1),
        }
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Two cards, one of which was saved three times.
    fn saved() -> SavedCards {
        let saved = vec![
            card("a3", "a", (2030, 1)),
            card("b", "b", (2030, 1)),
            card("a2", "a", (2029, 1)),
            card("a1", "a", (2028, 1)),
        ];
        SavedCards { default: Some(id("a2")), saved }
    }

    #[test]
    fn a_card_that_was_saved_several_times_is_shown_once() {
        let shown = |cards: &SavedCards| -> Vec<PaymentMethodId> {
            cards.distinct().into_iter().map(|card| card.id.clone()).collect()
        };
        assert_eq!(shown(&saved()), [id("a2"), id("b")], "as the default");
        assert_eq!(shown(&SavedCards { default: None, ..saved() }), [id("a3"), id("b")], "as it was saved last");
        let mut unknown = saved();
        unknown.saved.iter_mut().for_each(|card| card.fingerprint = None);
        assert_eq!(shown(&unknown).len(), 4, "without a fingerprint nobody can tell");
        let mut account = saved();
        account.saved[1] = SavedCard { kind: "sepa_debit".to_owned(), ..card("b", "a", (2030, 1)) };
        assert_eq!(shown(&account), [id("a2"), id("b")], "another kind is another number");
    }

    #[test]
    fn removing_a_card_removes_it_every_time_it_was_saved_and_the_next_takes_its_place() {
        let now = instant("2029-06-01T00:00:00Z");
        let removal = |ids: &[&str], next: Option<&str>| {
            Some(Removal { ids: ids.iter().map(|name| id(name)).collect(), next_default: next.map(id) })
        };
        assert_eq!(saved().removal(&id("a3"), now), removal(&["a2", "a1", "a3"], Some("b")), "the named one last");
        assert_eq!(saved().removal(&id("b"), now), removal(&["b"], None), "the default stays");
        assert_eq!(saved().removal(&id("c"), now), None, "a card of another customer");
        let only = SavedCards { saved: vec![card("a2", "a", (2030, 1))], ..saved() };
        assert_eq!(only.removal(&id("a2"), now), removal(&["a2"], None), "nothing is left");
        let mut more = saved();
        more.saved.insert(0, card("c", "c", (2029, 5)));
        assert_eq!(more.removal(&id("a2"), now).unwrap().next_default, Some(id("b")), "the newest has expired");
        more.saved.retain(|card| card.id != id("b"));
        assert_eq!(more.removal(&id("a2"), now).unwrap().next_default, Some(id("c")), "there is no other");
    }

    #[test]
    fn losing_the_last_card_turns_top_ups_off_and_having_had_none_does_not() {
        let armed = Account { auto_top_up: Some(settings(500, 1_500)), payment_method: Some(id("a")), ..account() };
        let turned_off = TurnedOff { at: at(9), because: OffReason::LastCardRemoved, by: None };
        let consent = ConsentRecord {
            consent: settings(500, 1_500).consent,
            threshold: Credits::constant(500),
            target: Credits::constant(1_500),
            max_per_month: None,
            text: "I agree.".to_owned(),
            turned_off: None,
        };
        for (name, default, (had_one, has_one), is_enabled) in [
            ("the last one is gone", None, (true, false), false),
            ("another one is left", Some(id("b")), (true, true), true),
            ("none is the default, and one is left", None, (true, true), true),
            ("none was ever saved", None, (false, false), true),
        ] {
            let seen = SeenCards {
                default: default.clone(),
                had_one,
                has_one,
                consent: Some(consent.clone()),
                ..SeenCards::default()
            };
            let change = decide_saved_cards(&armed, &seen, at(9)).unwrap();
            assert_eq!(change.account.payment_method, default, "{name}");
            let settings = change.account.auto_top_up.unwrap();
            assert_eq!((settings.is_enabled, settings.threshold.get()), (is_enabled, 500), "{name}");
            let ended = ConsentRecord { turned_off: Some(turned_off.clone()), ..consent.clone() };
            let expected = if is_enabled { vec![] } else { vec![Record::Consent(ended)] };
            assert_eq!(change.records, expected, "{name}");
        }
        let closed = Account { closed_at: Some(at(2)), ..armed };
        let lost = SeenCards { had_one: true, ..SeenCards::default() };
        assert_eq!(decide_saved_cards(&closed, &lost, at(9)), None, "closed");
    }

    #[test]
    fn a_card_that_was_set_up_becomes_the_default_once_unless_another_was_chosen_since() {
        let session = |number: u32| CheckoutSessionId::parse(format!("cs_{number}")).unwrap();
        for (name, at_opening, now, last, expected) in [
            ("the first card", None, None, None, true),
            ("nothing was chosen since", Some("x"), Some("x"), None, true),
            ("another was chosen since", Some("x"), Some("y"), None, false),
            ("the card was removed since", Some("x"), None, None, false),
            ("told again, after the customer went back", Some("x"), Some("x"), Some(1), false),
            ("an earlier page was told", Some("x"), Some("x"), Some(2), true),
        ] {
            let set_up = SetUpCard {
                account: account().id,
                card: id("a"),
                session: session(1),
                default_at_opening: at_opening.map(id),
            };
            let is_newest = set_up.is_newest(now.map(id).as_ref(), last.map(session).as_ref());
            assert_eq!(is_newest, expected, "{name}");
        }
    }
}
