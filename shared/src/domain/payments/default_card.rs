//! Which card a customer pays with by default, where purchases and the customer choose one each.

use crate::domain::{PaymentMethodId, PurchaseId};

/// The default card at Stripe, with what made it that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultCard {
    pub card: Option<PaymentMethodId>,
    /// The last purchase whose card became the default, and that card.
    pub bought_with: Option<(PaymentMethodId, PurchaseId)>,
}

/// The card of a paid purchase, which becomes the default unless another was chosen since the purchase was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedCard {
    pub card: PaymentMethodId,
    pub purchase: PurchaseId,
    /// The default when the purchase's page was opened.
    pub default_at_opening: Option<PaymentMethodId>,
}

impl OfferedCard {
    /// Whether nothing was chosen since this purchase was opened, neither by the customer nor by a later purchase.
    ///
    /// Stripe does not tell when a default was chosen. So a default that no purchase made is the customer's own, and
    /// newer than this purchase if it is another than at its opening; of two purchases the one opened later is newer.
    /// Neither depends on the order in which the payments become known.
    pub fn is_newest(&self, default: &DefaultCard) -> bool {
        match &default.bought_with {
            Some((card, purchase)) if default.card.as_ref() == Some(card) => *purchase <= self.purchase,
            Some(_) | None => default.card == self.default_at_opening,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(name: &str) -> PaymentMethodId {
        PaymentMethodId::parse(format!("pm_{name}")).unwrap()
    }

    /// R18: a newer choice is never undone by an older payment.
    #[test]
    fn a_purchase_s_card_becomes_the_default_unless_another_was_chosen_since() {
        let (older, this, later) = (PurchaseId::mint(1), PurchaseId::mint(2), PurchaseId::mint(3));
        for (name, at_opening, now, bought_with, expected) in [
            ("the first card of all", None, None, None, true),
            ("nothing was chosen since", Some("x"), Some("x"), None, true),
            ("the customer chose another", Some("x"), Some("b"), None, false),
            ("the customer chose the first one", None, Some("b"), None, false),
            ("the customer removed it", Some("x"), None, None, false),
            ("an older purchase was granted meanwhile", Some("x"), Some("c"), Some(("c", &older)), true),
            ("a later purchase was granted first", Some("x"), Some("c"), Some(("c", &later)), false),
            ("a later purchase with the card of before", Some("x"), Some("x"), Some(("x", &later)), false),
            ("the customer chose after an older purchase", Some("x"), Some("b"), Some(("c", &older)), false),
            ("that choice was there at the opening", Some("b"), Some("b"), Some(("c", &older)), true),
            ("the same purchase, reported again", Some("x"), Some("a"), Some(("a", &this)), true),
        ] {
            let offered =
                OfferedCard { card: card("a"), purchase: this.clone(), default_at_opening: at_opening.map(card) };
            let bought_with = bought_with.map(|(name, purchase)| (card(name), purchase.clone()));
            let default = DefaultCard { card: now.map(card), bought_with };
            assert_eq!(offered.is_newest(&default), expected, "{name}");
        }
    }
}
