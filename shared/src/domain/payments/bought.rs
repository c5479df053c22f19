//! A purchase or a top-up, as far as it matters that money was paid for it.

use super::records::{Purchase, PurchaseStatus, TopUp, TopUpStatus};
use super::returned::{PaidFor, Refund, ReturnedPayment, Reversed};
use crate::domain::{Amount, Credits, Currency, InvoiceId, Origin, PaymentIntentId, Record};
use jiff::Timestamp;

/// What was bought with a payment, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bought {
    Purchase(Purchase),
    /// With the credits of its entry, if only a part was paid: the attempt keeps those that it was opened for.
    TopUp(TopUp, Option<Credits>),
}

impl Bought {
    pub fn paid_for(&self) -> PaidFor {
        match self {
            Self::Purchase(purchase) => PaidFor::Purchase(purchase.id.clone()),
            Self::TopUp(top_up, _) => PaidFor::TopUp(top_up.id.clone()),
        }
    }

    /// The credits that were granted. `None` if none were.
    pub fn granted(&self) -> Option<Credits> {
        match self {
            Self::Purchase(purchase) => (purchase.status == PurchaseStatus::Paid).then_some(purchase.credits),
            Self::TopUp(top_up, of_entry) => match top_up.status {
                TopUpStatus::Paid => Some(top_up.credits),
                TopUpStatus::PartlyPaid => *of_entry,
                TopUpStatus::Open
                | TopUpStatus::Processing
                | TopUpStatus::Declined(_)
                | TopUpStatus::ActionRequired
                | TopUpStatus::Refused(_)
                | TopUpStatus::Abandoned => None,
            },
        }
    }

    /// Whether this payment is the one that it was granted for. Before it is granted, the first payment is taken for it.
    pub fn is_paid_by(&self, payment: &ReturnedPayment) -> bool {
        match (self.invoice(), &payment.invoice, self.payment_intent()) {
            // An invoice may be paid by several payments, and the report is about all of them.
            (Some(known), Some(invoice), _) => known == invoice,
            (_, _, Some(known)) => *known == payment.payment,
            (_, _, None) => self.granted().is_none(),
        }
    }

    /// Whether the payment with these ids is the one that is stored, as far as ids are known, and not another one for the same
    /// purchase or attempt.
    pub fn is_of(&self, invoice: Option<&InvoiceId>, payment: Option<&PaymentIntentId>) -> bool {
        match (self.invoice(), invoice, self.payment_intent(), payment) {
            (Some(known), Some(invoice), ..) => known == invoice,
            (_, _, Some(known), Some(payment)) => known == payment,
            _ => true,
        }
    }

    pub fn payment_intent(&self) -> Option<&PaymentIntentId> {
        match self {
            Self::Purchase(purchase) => purchase.payment_intent.as_ref(),
            Self::TopUp(top_up, _) => top_up.payment_intent.as_ref(),
        }
    }

    pub fn invoice(&self) -> Option<&InvoiceId> {
        match self {
            Self::Purchase(purchase) => purchase.invoice.as_ref(),
            Self::TopUp(top_up, _) => top_up.invoice.as_ref(),
        }
    }

    /// The credits that it was opened for.
    pub fn credits(&self) -> Credits {
        match self {
            Self::Purchase(purchase) => purchase.credits,
            Self::TopUp(top_up, _) => top_up.credits,
        }
    }

    /// Before tax.
    pub fn price(&self) -> Amount {
        match self {
            Self::Purchase(purchase) => purchase.price,
            Self::TopUp(top_up, _) => top_up.price,
        }
    }

    pub fn currency(&self) -> Currency {
        self.price().currency()
    }

    pub fn opened_at(&self) -> Timestamp {
        match self {
            Self::Purchase(purchase) => purchase.opened_at,
            Self::TopUp(top_up, _) => top_up.opened_at,
        }
    }

    /// The name of its status.
    pub fn status_name(&self) -> &'static str {
        match self {
            Self::Purchase(purchase) => purchase.status.name(),
            Self::TopUp(top_up, _) => top_up.status.name(),
        }
    }

    /// Whether credits can still be had by paying for it: then a link to pay helps.
    pub fn is_payable(&self) -> bool {
        match self {
            Self::Purchase(purchase) => purchase.status == PurchaseStatus::Open,
            Self::TopUp(top_up, _) => matches!(top_up.status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired),
        }
    }

    pub fn reversed(&self) -> Reversed {
        match self {
            Self::Purchase(purchase) => purchase.reversed,
            Self::TopUp(top_up, _) => top_up.reversed,
        }
    }

    /// The record with what is known now of this payment.
    pub(super) fn record(&self, reversed: Reversed, payment: &ReturnedPayment) -> Record {
        let payment_intent = Some(payment.payment.clone());
        match self {
            Self::Purchase(purchase) => Record::Purchase(Purchase { reversed, payment_intent, ..purchase.clone() }),
            Self::TopUp(top_up, _) => Record::TopUp(TopUp { reversed, payment_intent, ..top_up.clone() }),
        }
    }

    /// The refunds that support asked for, in their order.
    pub fn refunds(&self) -> &[Refund] {
        match self {
            Self::Purchase(purchase) => &purchase.refunds,
            Self::TopUp(top_up, _) => &top_up.refunds,
        }
    }

    /// The record with one refund more, or with what is known now of one.
    pub(in crate::domain) fn with_refund(&self, refund: Refund) -> Record {
        let mut refunds = self.refunds().to_vec();
        match refunds.iter_mut().find(|known| known.key == refund.key) {
            Some(known) => *known = refund,
            None => refunds.push(refund),
        }
        match self {
            Self::Purchase(purchase) => Record::Purchase(Purchase { refunds, ..purchase.clone() }),
            Self::TopUp(top_up, _) => Record::TopUp(TopUp { refunds, ..top_up.clone() }),
        }
    }
}

impl PaidFor {
    /// The origin of the entry that grants its credits.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Purchase(purchase) => Origin::Purchase(purchase.clone()),
            Self::TopUp(top_up) => Origin::TopUp(top_up.clone()),
        }
    }
}
