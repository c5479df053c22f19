//! The invoice of a purchase that is paid by invoice: made at the payment provider, stored, and told by e-mail.
//!
//! The customer's request does it, and the run over what is unpaid if that request died. Both ask for the same invoice.

use crate::domain::payments::{
    DefaultBefore, NewInvoice, RefusalReason, decide_invoice_issued, decide_invoice_refused,
};
use crate::domain::{Account, AccountId, NoticeId, Purchase, PurchaseId, PurchaseStatus};
use crate::ports::{Accounts, InvoiceError, LedgerError, Payments, PaymentsError, Purchases};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};

/// Why a purchase has no invoice.
#[derive(Debug, thiserror::Error)]
pub enum IssueInvoiceError {
    /// The provider will never make it, and the purchase has ended.
    #[error("the payment provider makes no invoice for this customer: {0:?}")]
    Refused(RefusalReason),
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Makes the invoice of a purchase that waits for one. Any other purchase is returned as it is.
///
/// # Errors
/// [`IssueInvoiceError`].
pub(super) async fn issue_invoice<C>(
    context: &Context<C>,
    owner: &Account,
    purchase: Purchase,
) -> Result<Purchase, IssueInvoiceError>
where
    C: Capabilities<Ledger: Accounts + Purchases, Payments: Payments>,
{
    if purchase.status != PurchaseStatus::Open || purchase.issued().is_some() {
        return Ok(purchase);
    }
    let (account, id) = (&owner.id, &purchase.id);
    let read = |_| async { Ok::<_, IssueInvoiceError>(stored_purchase(context, account, id).await?) };
    let (invoice, default) = match made(context, owner, &purchase).await {
        Ok(made) => made,
        Err(InvoiceError::Refused(reason)) => {
            tracing::warn!(account.id = %account, purchase.id = %id, ?reason, "the payment provider refuses an invoice");
            let decide = |account: &Account, purchase: &Purchase, now| {
                Ok::<_, IssueInvoiceError>(decide_invoice_refused(account, purchase, now))
            };
            context.update_with(account, read, decide).await?;
            return Err(IssueInvoiceError::Refused(reason));
        }
        Err(InvoiceError::Payments(error)) => return Err(error.into()),
    };
    let decide = |account: &Account, purchase: &Purchase, now| {
        let notice = context.mint(NoticeId::mint, now);
        Ok::<_, IssueInvoiceError>(decide_invoice_issued(account, purchase, (&invoice, &default), notice, now))
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, before) => Ok(change.purchase().cloned().unwrap_or(before)),
        Updated::Unchanged(_, purchase) if !purchase.awaits_invoice() => {
            // It ended while the provider was asked, so this invoice may not be paid any more. One that is paid stays so.
            context.payments.purchase_invoice_void(&invoice.id).await?;
            Ok(purchase)
        }
        Updated::Unchanged(_, purchase) => Ok(purchase),
        // Storing an invoice makes no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

/// The invoice, and the default card before it was made.
async fn made<C: Capabilities<Payments: Payments>>(
    context: &Context<C>,
    owner: &Account,
    purchase: &Purchase,
) -> Result<(NewInvoice, DefaultBefore), InvoiceError> {
    let read_at = context.now();
    let card = match context.payments.default_payment_method_get(&owner.customer).await {
        Err(PaymentsError::CustomerDeleted { .. }) => {
            return Err(InvoiceError::Refused(RefusalReason::CustomerDeleted));
        }
        card => card?,
    };
    let invoice = context.payments.purchase_invoice(&owner.customer, purchase).await?;
    Ok((invoice, DefaultBefore { card, read_at }))
}

/// A purchase that is known to exist.
pub(super) async fn stored_purchase<C: Capabilities<Ledger: Purchases>>(
    context: &Context<C>,
    account: &AccountId,
    purchase: &PurchaseId,
) -> Result<Purchase, StoreError> {
    let stored = context.ledger.purchase_get(account, purchase).await?;
    stored.ok_or_else(|| StoreError::Missing(format!("purchase {purchase}")))
}

impl From<LedgerError> for IssueInvoiceError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for IssueInvoiceError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for IssueInvoiceError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
