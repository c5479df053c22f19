//! Payments whose money went back to the customer.

use super::payments::PaymentsError;
use crate::domain::payments::{CardFace, PaidFor, ReturnedPayment, ShownDispute};
use crate::domain::{AccountId, CardPaymentId, DisputeId, IdempotencyKey, PaymentIntentId, RefundId};
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

    /// A dispute as it is now.
    ///
    /// # Errors
    /// [`PaymentsError::NotFound`] if there is no such dispute.
    fn dispute_show(&self, dispute: &DisputeId) -> impl Future<Output = Result<DisputeReport, PaymentsError>> + Send;
}

/// Stripe's report on a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeReport {
    /// `None` if it is about a charge that no payment intent made.
    pub payment: Option<PaymentIntentId>,
    /// The card that paid.
    pub card: CardFace,
    pub shown: ShownDispute,
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
    /// Whether that metadata names another deployment of this system on the same account of the provider.
    pub is_of_other_deployment: bool,
    pub returned: ReturnedPayment,
}

/// Refunds that support makes.
pub trait PaymentRefunds: Send + Sync {
    /// Gives back a part of a payment, once for each order, however often this is called.
    ///
    /// # Errors
    /// [`RefundError`].
    fn refund_make(&self, order: &RefundOrder) -> impl Future<Output = Result<MadeRefund, RefundError>> + Send;
}

/// A refund to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundOrder {
    pub account: AccountId,
    pub paid_for: PaidFor,
    pub payment: PaymentIntentId,
    /// The key of the operator's request, which identifies the refund among those of the payment.
    pub key: IdempotencyKey,
    /// In the minor unit, with tax.
    pub amount: i64,
}

/// A refund as the payment provider made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeRefund {
    pub id: RefundId,
    pub status: MadeRefundStatus,
}

/// How far a refund has come. <https://docs.stripe.com/api/refunds/object#refund_object-status>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeRefundStatus {
    Pending,
    RequiresAction,
    Succeeded,
    Failed,
    Canceled,
}

impl MadeRefundStatus {
    pub const ALL: [Self; 5] = [Self::Pending, Self::RequiresAction, Self::Succeeded, Self::Failed, Self::Canceled];

    /// Its name in the API, which is Stripe's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::RequiresAction => "requires_action",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Why a refund is not made.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// The payment provider will not make it, and no money moved.
    #[error("the payment provider refuses the refund: {}", code.as_deref().unwrap_or("without a code"))]
    Refused { code: Option<String> },
    #[error(transparent)]
    Payments(#[from] PaymentsError),
}
