//! Payments whose money went back to the customer.

use super::payments::PaymentsError;
use crate::domain::payments::{PaidFor, ReturnedPayment};
use crate::domain::{AccountId, CardPaymentId, DisputeId, PaymentIntentId, RefundId};
use std::future::Future;

/// What went back of payments, by refunds and disputes, whoever made them. Nothing is changed.
pub trait PaymentReturns: Send + Sync {
    /// The payment that a refund or a dispute is about. `None` if it is about something else, such as a charge that no
    /// payment intent made.
    ///
    /// # Errors
    /// [`PaymentsError::NotFound`] if there is no such object.
    fn returned_payment_find(
        &self,
        named: &ReturnedObject,
    ) -> impl Future<Output = Result<Option<PaymentIntentId>, PaymentsError>> + Send;

    /// What went back of a payment by now, and what it was made for.
    ///
    /// # Errors
    /// [`PaymentsError::NotFound`] if there is no such payment.
    fn returned_payment_get(
        &self,
        payment: &PaymentIntentId,
    ) -> impl Future<Output = Result<ReturnsReport, PaymentsError>> + Send;
}

/// What an event about money that went back is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnedObject {
    /// The provider's own charge, which is a card payment.
    CardPayment(CardPaymentId),
    Refund(RefundId),
    Dispute(DisputeId),
}

/// Stripe's report on what went back of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnsReport {
    /// What its metadata, or that of its invoice, names, if this system created it.
    pub paid_for: Option<(AccountId, PaidFor)>,
    pub returned: ReturnedPayment,
}
