//! Looking up a purchase, and granting what was paid if no event has done so yet.

use super::record_outcome::{RecordOutcomeError, record_purchase_outcome};
use crate::domain::{AccountId, Purchase, PurchaseId, PurchaseStatus};
use crate::error::chain;
use crate::ports::{Accounts, AskedCards, Payments, Purchases};
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
    let session = match (&stored.status, &stored.checkout) {
        (PurchaseStatus::Open | PurchaseStatus::Processing, Some(checkout)) => &checkout.session,
        (PurchaseStatus::Open | PurchaseStatus::Processing, None)
        | (PurchaseStatus::Paid | PurchaseStatus::Failed | PurchaseStatus::Expired | PurchaseStatus::InReview, _) => {
            return Ok(stored);
        }
    };
    match context.payments.checkout_get(session).await {
        Ok(report) => match record_purchase_outcome(context, account, purchase, &report.outcome).await {
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
