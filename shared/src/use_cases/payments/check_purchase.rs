//! Looking at a purchase, and granting what was paid if no event has done it yet.

use super::record_outcome::{RecordOutcomeError, record_purchase_outcome};
use crate::domain::{AccountId, Purchase, PurchaseId, PurchaseStatus};
use crate::error::chain;
use crate::ports::{Accounts, IdGenerator, Payments, Purchases};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};

/// A purchase as it stands, asking Stripe while its end is not known: what was paid is granted here if no webhook did it.
///
/// While Stripe cannot be asked, the stored purchase is the answer.
///
/// # Errors
/// [`RecordOutcomeError::NotFound`] for another account's purchase as for one that does not exist.
pub async fn check_purchase<C: Capabilities<Ledger: Accounts + Purchases, Payments: Payments, Ids: IdGenerator>>(
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
