//! Which card a customer pays with by default, when purchases, unpaid top-ups and the customer can choose one.

use super::invoice::Invoiced;
use crate::domain::PaymentMethodId;
use jiff::Timestamp;

/// A purchase, or an attempt that the customer paid, and the card that paid it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoughtWith {
    pub card: PaymentMethodId,
    pub paid_for: Invoiced,
    /// When the purchase's page was opened, which may be long after the purchase, or when the attempt was opened.
    pub opened_at: Timestamp,
}

/// The default card at Stripe, and the payment that made it the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultCard {
    pub card: Option<PaymentMethodId>,
    /// The last payment whose card became the default.
    pub bought_with: Option<BoughtWith>,
}

/// The card of a payment. It becomes the default unless another card was chosen since the page or the attempt was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedCard {
    pub bought_with: BoughtWith,
    /// The default when the purchase's page or the attempt was opened.
    pub default_at_opening: Option<PaymentMethodId>,
}

impl BoughtWith {
    /// Whether it was opened later than the other. The id decides if both were opened at the same instant.
    fn is_newer_than(&self, other: &Self) -> bool {
        (self.opened_at, &self.paid_for) > (other.opened_at, &other.paid_for)
    }
}

impl OfferedCard {
    /// Whether neither the customer nor a later payment has chosen a card since the opening.
    ///
    /// Stripe does not report when a default was chosen. So a default that no payment set is the customer's own choice, and
    /// it is newer than this payment if it differs from the default at the opening. Of two payments, the one that was
    /// opened later is newer. Neither rule depends on the order in which the payments
    /// become known.
    pub fn is_newest(&self, default: &DefaultCard) -> bool {
        match &default.bought_with {
            Some(last) if default.card.as_ref() == Some(&last.card) => !last.is_newer_than(&self.bought_with),
            Some(_) | None => default.card == self.default_at_opening,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PurchaseId;

    fn card(name: &str) -> PaymentMethodId {
        PaymentMethodId::parse(format!("pm_{name}")).unwrap()
    }

    /// R18: an older payment never undoes a newer choice.
    #[test]
    fn a_purchase_s_card_becomes_the_default_unless_another_was_chosen_since() {
        let bought = |name, number, second| BoughtWith {
            card: card(name),
            paid_for: Invoiced::Purchase(PurchaseId::mint(number)),
            opened_at: Timestamp::from_second(second).unwrap(),
        };
        let (older, later) = (bought("c", 1, 1), bought("c", 3, 3));
        let (opened_older, opened_later) = (bought("c", 3, 1), bought("c", 1, 3));
        for (name, at_opening, now, bought_with, expected) in [
            ("the first card of all", None, None, None, true),
            ("nothing was chosen since", Some("x"), Some("x"), None, true),
            ("the customer chose another", Some("x"), Some("b"), None, false),
            ("the customer chose the first one", None, Some("b"), None, false),
            ("the customer removed it", Some("x"), None, None, false),
            ("an older purchase was granted meanwhile", Some("x"), Some("c"), Some(older.clone()), true),
            ("a later purchase was granted first", Some("x"), Some("c"), Some(later), false),
            ("a later purchase with the card of before", Some("x"), Some("x"), Some(bought("x", 3, 3)), false),
            ("the customer chose after an older purchase", Some("x"), Some("b"), Some(older.clone()), false),
            ("that choice was there at the opening", Some("b"), Some("b"), Some(older), true),
            ("the same purchase, reported again", Some("x"), Some("a"), Some(bought("a", 2, 2)), true),
            ("a later purchase whose page is older", Some("x"), Some("c"), Some(opened_older), true),
            ("an older purchase whose page is later", Some("x"), Some("c"), Some(opened_later), false),
            ("two pages of one instant, this one's id is later", Some("x"), Some("c"), Some(bought("c", 1, 2)), true),
            ("two pages of one instant, the other's id is later", Some("x"), Some("c"), Some(bought("c", 3, 2)), false),
        ] {
            let offered = OfferedCard { bought_with: bought("a", 2, 2), default_at_opening: at_opening.map(card) };
            let default = DefaultCard { card: now.map(card), bought_with };
            assert_eq!(offered.is_newest(&default), expected, "{name}");
        }
    }
}
