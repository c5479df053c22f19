//! The payment provider.

use crate::domain::payments::{Checkout, CheckoutOutcome, TopUpOutcome};
use crate::domain::{
    AccountId, CheckoutSessionId, CustomerId, EmailAddress, InvoiceId, PaymentMethodId, Purchase, PurchaseId, TopUp,
    TopUpId,
};
use std::error::Error;
use std::future::Future;

/// The payment provider.
///
/// Every call that creates or moves something sends an idempotency key made of our own ids, so that asking again
/// after a lost answer is the same request.
pub trait Payments: Send + Sync {
    /// A customer to pay for the account.
    fn customer_create(
        &self,
        account: &AccountId,
        email: &EmailAddress,
    ) -> impl Future<Output = Result<CustomerId, PaymentsError>> + Send;

    /// The card that the customer's invoices are paid with by default.
    fn default_payment_method_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<Option<PaymentMethodId>, PaymentsError>> + Send;

    /// Makes a saved card the customer's default.
    fn default_payment_method_set(
        &self,
        customer: &CustomerId,
        payment_method: &PaymentMethodId,
    ) -> impl Future<Output = Result<(), PaymentsError>> + Send;

    /// A hosted page on which the purchase is paid and the card saved.
    fn checkout_open(
        &self,
        customer: &CustomerId,
        purchase: &Purchase,
    ) -> impl Future<Output = Result<Checkout, PaymentsError>> + Send;

    /// What became of a purchase's page.
    fn checkout_get(
        &self,
        session: &CheckoutSessionId,
    ) -> impl Future<Output = Result<CheckoutReport, PaymentsError>> + Send;

    /// Takes the money of an open attempt, by invoice on the saved card; called again, it is the same payment.
    ///
    /// Never fails: what is not definite is [`TopUpOutcome::Unknown`], and an outage concludes nothing.
    fn top_up_pay(&self, top_up: &TopUp) -> impl Future<Output = TopUpOutcome> + Send;

    /// Looks up what became of an attempt and closes it if no bank has said anything about it: abandoned once, nobody can pay it any more,
    /// not even a [`Payments::top_up_pay`] that is under way.
    ///
    /// Never fails, as [`Payments::top_up_pay`].
    fn top_up_close(&self, top_up: &TopUp) -> impl Future<Output = TopUpOutcome> + Send;

    /// An invoice as it stands now.
    fn invoice_get(&self, invoice: &InvoiceId) -> impl Future<Output = Result<InvoiceReport, PaymentsError>> + Send;
}

/// What Stripe says of a Checkout session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutReport {
    /// The account and purchase that its metadata names, if it is one of ours.
    pub purchase: Option<(AccountId, PurchaseId)>,
    pub outcome: CheckoutOutcome,
}

/// What Stripe says of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceReport {
    /// The account and attempt that its metadata names, if it is one of ours.
    pub top_up: Option<(AccountId, TopUpId)>,
    /// [`TopUpOutcome::Unknown`] if it is none of ours.
    pub outcome: TopUpOutcome,
    /// Stripe's page on which it can be paid, while it can be paid. Expires, so it is never stored.
    pub hosted_url: Option<String>,
}

/// The payment provider gave no answer to build on.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    /// It may answer later: a timeout, the network, 409, 429, 5xx, an answer that cannot be read.
    #[error("the payment provider is not available now: {operation}")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No such object.
    #[error("the payment provider knows no such object: {operation}")]
    NotFound { operation: &'static str },
    /// It refuses the request as we make it: a wrong key, a parameter it does not take.
    #[error("the payment provider refused the request: {operation}")]
    Rejected {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PaymentsError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound { .. } | Self::Rejected { .. } => false,
        }
    }
}
