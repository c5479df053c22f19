//! What finding a customer's payments needs: the payment provider's objects that a claim may be about, and how often an
//! account asked.

use super::ledger_error::LedgerError;
use super::payments::PaymentsError;
use crate::domain::payments::{Claim, ClaimLog, PaidFor};
use crate::domain::{AccountId, CheckoutSessionId, CustomerId, InvoiceId, PaymentIntentId};
use jiff::Timestamp;
use std::future::Future;

/// Finding the payment that a customer claims. Nothing is changed.
pub trait ClaimedPayments: Send + Sync {
    /// The payments that the claim may be about, newest first, and none if there is no such object. Each is listed once.
    ///
    /// By a card statement only this customer's payments are looked for, and none without a customer. Everything else may
    /// belong to another one, which [`ClaimedPayment::paid_for`] tells.
    ///
    /// The number of calls is bounded.
    fn claimed_payments(
        &self,
        customer: Option<&CustomerId>,
        claim: &Claim,
    ) -> impl Future<Output = Result<Vec<ClaimedPayment>, PaymentsError>> + Send;
}

/// A payment, or an invoice that asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedPayment {
    /// The account and the purchase or top-up that its metadata names, if this system created it.
    pub paid_for: Option<(AccountId, PaidFor)>,
    /// Whether that metadata names another deployment of this system on the same account of the provider.
    pub is_of_other_deployment: bool,
    /// The object that says what became of it. `None` if it was made for nothing of this system.
    pub told_by: Option<ToldBy>,
    pub payment: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    /// In the minor unit of `currency`, with tax.
    pub amount: i64,
    /// What was received of that.
    pub received: i64,
    /// ISO 4217 as the provider spells it.
    pub currency: String,
    pub created_at: Timestamp,
}

/// The object whose report an outcome is recorded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToldBy {
    Checkout(CheckoutSessionId),
    Invoice(InvoiceId),
}

/// Paid invoices of this deployment. Everything that is bought has one.
pub trait PaidInvoices: Send + Sync {
    /// A page of those that were created from `from` on and before `until`, newest first, that follow `after`. Invoices that
    /// this deployment did not create are left out.
    fn paid_invoices_page(
        &self,
        created: (Timestamp, Timestamp),
        after: Option<&InvoiceId>,
    ) -> impl Future<Output = Result<PaidInvoicesPage, PaymentsError>> + Send;
}

/// A page of paid invoices, and the one that the next page follows; `None` on the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidInvoicesPage {
    pub invoices: Vec<PaidInvoiceOf>,
    pub next: Option<InvoiceId>,
}

/// A paid invoice, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidInvoiceOf {
    pub id: InvoiceId,
    pub paid_at: Timestamp,
    pub account: AccountId,
    pub paid_for: PaidFor,
}

/// How often an account asked for its payments: one row beside the account.
pub trait ClaimLogs: Send + Sync {
    /// The default if there is none, or if it has expired.
    fn claim_log_get(&self, account: &AccountId) -> impl Future<Output = Result<ClaimLog, LedgerError>> + Send;

    /// Replaces the revision before this one. Returns false, and writes nothing, if another request was first.
    fn claim_log_put(
        &self,
        account: &AccountId,
        log: &ClaimLog,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}
