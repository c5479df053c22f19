//! A payment with our metadata of which no row knows, such as one that was made after the point in time to which the
//! table was restored. Nothing is granted for it until a person has looked at it.

use super::returned::PaidFor;
use crate::domain::usage::{Flag, FlagKind, FlaggedPayment};
use crate::domain::{AccountId, InvoiceId, PaymentIntentId, date_of};
use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPayment {
    /// The account that its metadata names. It may not exist.
    pub account: AccountId,
    pub paid_for: PaidFor,
    pub payment_intent: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    /// In the minor unit of `currency`.
    pub amount: i64,
    /// As the payment provider spells it.
    pub currency: String,
    pub found_at: Timestamp,
}

impl UnknownPayment {
    /// What support is shown.
    pub fn flag(&self) -> Flag {
        let Self { account, paid_for, payment_intent, invoice, amount, currency, found_at } = self.clone();
        let payment = FlaggedPayment { paid_for, payment_intent, invoice, currency };
        Flag {
            account,
            kind: FlagKind::UnknownPayment,
            date: date_of(found_at),
            hour: None,
            value: amount,
            median: 0,
            spread: 0,
            threshold: 0,
            raised_at: found_at,
            payment: Some(payment),
        }
    }
}
