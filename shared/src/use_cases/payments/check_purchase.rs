//! Looking up a purchase, and granting what was paid if no event has done so yet.

use super::record_outcome::{RecordOutcomeError, record_purchase_outcome};
use crate::domain::payments::CheckoutOutcome;
use crate::domain::{AccountId, Purchase, PurchaseId, PurchaseStatus};
use crate::error::chain;
use crate::ports::{Accounts, AskedCards, Payments, PaymentsError, Purchases};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};

/// The current purchase. While its outcome is not known, this asks Stripe, and grants what was paid if no webhook did.
///
/// If Stripe cannot be reached, the answer is the stored purchase.
///
/// # Errors
/// [`RecordOutcomeError::NotFound`] both for another account's purchase and for one that does not exist.
pub async fn check_purchase<C: Capabilities<Ledger: Accounts + AskedCards + Purchases, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
    purchase: &PurchaseId,
) -> Result<Purchase, RecordOutcomeError> {
    let stored = context.ledger.purchase_get(account, purchase).await.map_err(StoreError::from)?;
    let stored = stored.ok_or_else(|| NotFound::Purchase(purchase.clone()))?;
    match stored.status {
        PurchaseStatus::Open | PurchaseStatus::Processing => {}
        PurchaseStatus::Paid
        | PurchaseStatus::Failed
        | PurchaseStatus::Expired
        | PurchaseStatus::Voided
        | PurchaseStatus::InReview => return Ok(stored),
    }
    match reported(context, &stored).await {
        Ok(outcome) => match record_purchase_outcome(context, account, purchase, &outcome).await {
            Err(RecordOutcomeError::Payments(error)) => {
                let error = chain(&error);
                tracing::warn!(account.id = %account, purchase.id = %purchase, error, "the purchase could not be granted yet");
                Ok(stored)
            }
            recorded => recorded,
        },
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(account.id = %account, purchase.id = %purchase, error, "the purchase could not be looked up");
            Ok(stored)
        }
    }
}

/// What the payment provider says about the page or the invoice of a purchase.
pub(super) async fn reported<C: Capabilities<Payments: Payments>>(
    context: &Context<C>,
    purchase: &Purchase,
) -> Result<CheckoutOutcome, PaymentsError> {
    reported_page(context, purchase).await.map(|(outcome, _)| outcome)
}

/// The same, and where its page is now while it can be paid.
pub(super) async fn reported_page<C: Capabilities<Payments: Payments>>(
    context: &Context<C>,
    purchase: &Purchase,
) -> Result<(CheckoutOutcome, Option<String>), PaymentsError> {
    if let Some(checkout) = &purchase.checkout {
        let report = context.payments.checkout_get(&checkout.session).await?;
        return Ok((report.outcome, report.hosted_url));
    }
    let Some(invoice) = purchase.invoice.as_ref().filter(|_| purchase.by_invoice.is_some()) else {
        return Ok((CheckoutOutcome::Open, None));
    };
    let report = context.payments.invoice_get(invoice).await?;
    let outcome = report.purchase.map_or(CheckoutOutcome::Open, |(_, _, outcome)| outcome);
    Ok((outcome, report.hosted_url))
}
