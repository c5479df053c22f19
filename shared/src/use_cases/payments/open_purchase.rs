//! Opening a purchase, and its payment page or its invoice.

use super::issue_invoice::{IssueInvoiceError, issue_invoice, stored_purchase};
use crate::domain::payments::{
    OpenedCheckout, PayBy, RefusalReason, TooManyUnpaidInvoices, check_purchase_replay, decide_checkout_opened,
    decide_open_purchase,
};
use crate::domain::{
    Account, AccountClosed, AccountId, IdempotencyKey, KeyReused, PackageId, PriceBook, Purchase, PurchaseId,
    PurchaseStatus,
};
use crate::ports::{Accounts, LedgerError, Payments, PaymentsError, Purchases};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// Why no purchase was opened, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum OpenPurchaseError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error("the price book has no package {0}")]
    PackageNotFound(PackageId),
    /// This deployment sells on payment pages only.
    #[error("this deployment offers no purchases by invoice")]
    InvoicesNotOffered,
    #[error(transparent)]
    TooManyUnpaid(#[from] TooManyUnpaidInvoices),
    /// No payment is possible until the company has repaired the account's record at the payment provider.
    #[error("the account's customer was deleted at the payment provider")]
    CustomerDeleted,
    /// The payment provider will never make this invoice. The purchase has ended.
    #[error("the payment provider makes no invoice for this customer: {0:?}")]
    InvoiceRefused(RefusalReason),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// A customer's choice of a package, and of how to pay for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseCommand {
    pub key: IdempotencyKey,
    pub package: PackageId,
    pub pay_by: PayBy,
    /// Whether this deployment offers purchases by invoice.
    pub offers_invoices: bool,
}

/// A purchase, and whether an earlier identical request opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedPurchase {
    pub purchase: Purchase,
    pub is_replay: bool,
}

/// Opens a purchase and its payment page, or its invoice, once for each key.
///
/// The purchase is stored before Stripe is asked, and Stripe is asked under a key made of the purchase's id. So a
/// request that is repeated after a crash at any point gets the same page or the same invoice.
///
/// # Errors
/// [`OpenPurchaseError`].
pub async fn open_purchase<C>(
    context: &Context<C>,
    account: &AccountId,
    command: &PurchaseCommand,
) -> Result<OpenedPurchase, OpenPurchaseError>
where
    C: Capabilities<Ledger: Accounts + Purchases, Payments: Payments, PriceBook = PriceBook>,
{
    let (owner, opened) = claim_key(context, account, command).await?;
    if opened.purchase.by_invoice.is_some() {
        let purchase = issue_invoice(context, &owner, opened.purchase).await?;
        return Ok(OpenedPurchase { purchase, ..opened });
    }
    if opened.purchase.status != PurchaseStatus::Open || opened.purchase.checkout.is_some() {
        return Ok(opened);
    }
    let opened_at = context.now();
    let default_card = match context.payments.default_payment_method_get(&owner.customer).await {
        Err(PaymentsError::CustomerDeleted { .. }) => {
            tracing::error!(account.id = %account, customer.id = %owner.customer, purchase.id = %opened.purchase.id, "a purchase is refused because the account's customer was deleted at Stripe; a person has to investigate");
            return Err(OpenPurchaseError::CustomerDeleted);
        }
        card => card?,
    };
    let found =
        if opened.is_replay { context.payments.checkout_find(&owner.customer, &opened.purchase).await? } else { None };
    let checkout = match found {
        Some(checkout) => checkout,
        None => context.payments.checkout_open(&owner.customer, &opened.purchase).await?,
    };
    let page = OpenedCheckout { checkout, opened_at, default_card };
    let id = &opened.purchase.id;
    let read = |_| async { Ok::<_, OpenPurchaseError>(stored_purchase(context, account, id).await?) };
    // The page of an account that was closed in the meantime is shown to nobody, so it expires unpaid.
    let decide = |account: &Account, purchase: &Purchase, now| {
        account.check_not_closed()?;
        Ok(decide_checkout_opened(account, purchase, page.clone(), now))
    };
    let purchase = match context.update_with(account, read, decide).await? {
        Updated::Committed(change, before) => change.purchase().cloned().unwrap_or(before),
        Updated::Unchanged(_, purchase) => purchase,
        // Storing a page makes no entry.
        Updated::Duplicate(_) => return Err(StoreError::NoEntry.into()),
    };
    Ok(OpenedPurchase { purchase, ..opened })
}

/// The purchase that an earlier request opened under this key, or a new one.
async fn claim_key<C: Capabilities<Ledger: Accounts + Purchases, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &PurchaseCommand,
) -> Result<(Account, OpenedPurchase), OpenPurchaseError> {
    let read = |_| async {
        match context.ledger.purchase_id_get(account, &command.key).await? {
            Some(id) => Ok(Some(stored_purchase(context, account, &id).await?)),
            None => Ok::<_, OpenPurchaseError>(None),
        }
    };
    let decide = |account: &Account, opened_before: &Option<Purchase>, now| {
        account.check_not_closed()?;
        if let Some(purchase) = opened_before {
            check_purchase_replay(purchase, &command.package, &command.pay_by)?;
            return Ok(None);
        }
        let package = context.price_book.package(&command.package);
        let package = package.ok_or_else(|| OpenPurchaseError::PackageNotFound(command.package.clone()))?;
        if command.pay_by != PayBy::Page && !command.offers_invoices {
            return Err(OpenPurchaseError::InvoicesNotOffered);
        }
        let id = context.mint(PurchaseId::mint, now);
        let opened = decide_open_purchase(account, (package, &command.pay_by), command.key.clone(), id, now)?;
        Ok(Some(opened.0))
    };
    let (account, purchase, is_replay) = match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => (change.account.clone(), change.purchase().cloned(), false),
        Updated::Unchanged(account, opened_before) => (Arc::unwrap_or_clone(account), opened_before, true),
        // Opening a purchase makes no entry.
        Updated::Duplicate(_) => return Err(StoreError::NoEntry.into()),
    };
    let purchase = purchase.ok_or_else(|| StoreError::Missing("the opened purchase".to_owned()))?;
    Ok((account, OpenedPurchase { purchase, is_replay }))
}

impl From<IssueInvoiceError> for OpenPurchaseError {
    fn from(error: IssueInvoiceError) -> Self {
        match error {
            IssueInvoiceError::Refused(RefusalReason::CustomerDeleted) => Self::CustomerDeleted,
            IssueInvoiceError::Refused(reason) => Self::InvoiceRefused(reason),
            IssueInvoiceError::NotFound(missing) => missing.into(),
            IssueInvoiceError::Outside(error) => error.into(),
        }
    }
}

impl From<LedgerError> for OpenPurchaseError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for OpenPurchaseError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for OpenPurchaseError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
