//! The customer's invoices, each with the credits that it is for.

use crate::domain::payments::{CustomerInvoice, Invoiced};
use crate::domain::{AccountId, Credits, InvoiceId};
use crate::ports::{Accounts, CustomerInvoices, LedgerError, PaymentsError, Purchases, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError};

/// Why no invoice is shown, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ReadInvoicesError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The page was asked to follow an invoice that does not exist.
    #[error("there is no invoice to follow")]
    UnknownCursor,
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// An invoice, and the credits that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditedInvoice {
    pub invoice: CustomerInvoice,
    pub credits: Credits,
}

/// A page of invoices, newest first, and where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditedInvoices {
    pub invoices: Vec<CreditedInvoice>,
    pub next: Option<InvoiceId>,
}

/// # Errors
/// [`ReadInvoicesError`].
pub async fn read_invoices<C>(
    context: &Context<C>,
    account: &AccountId,
    after: Option<&InvoiceId>,
    limit: u8,
) -> Result<CreditedInvoices, ReadInvoicesError>
where
    C: Capabilities<Ledger: Accounts + Purchases + TopUps, Payments: CustomerInvoices>,
{
    let owner = context.account::<ReadInvoicesError>(account).await?;
    let page = match context.payments.customer_invoices_page(&owner.customer, after, limit).await {
        Err(PaymentsError::NotFound { .. }) if after.is_some() => return Err(ReadInvoicesError::UnknownCursor),
        page => page?,
    };
    let mut invoices = vec![];
    for invoice in page.invoices {
        invoices.extend(credited(context, account, invoice).await?);
    }
    Ok(CreditedInvoices { invoices, next: page.next })
}

/// # Errors
/// [`ReadInvoicesError`].
pub async fn read_invoice<C>(
    context: &Context<C>,
    account: &AccountId,
    invoice: &InvoiceId,
) -> Result<CreditedInvoice, ReadInvoicesError>
where
    C: Capabilities<Ledger: Accounts + Purchases + TopUps, Payments: CustomerInvoices>,
{
    let owner = context.account::<ReadInvoicesError>(account).await?;
    let found = match context.payments.customer_invoice_get(&owner.customer, invoice).await? {
        Some(found) => credited(context, account, found).await?,
        None => None,
    };
    Ok(found.ok_or_else(|| NotFound::Invoice(invoice.clone()))?)
}

/// The current address of the invoice of what was paid, or of its document. `None` if there is none.
///
/// # Errors
/// [`ReadInvoicesError`].
pub async fn receipt_address<C>(
    context: &Context<C>,
    account: &AccountId,
    paid: &Invoiced,
    is_document: bool,
) -> Result<Option<String>, ReadInvoicesError>
where
    C: Capabilities<Ledger: Accounts + Purchases + TopUps, Payments: CustomerInvoices>,
{
    let owner = context.account::<ReadInvoicesError>(account).await?;
    let invoice = match paid {
        Invoiced::Purchase(id) => context.ledger.purchase_get(account, id).await?.and_then(|found| found.invoice),
        Invoiced::TopUp(id) => context.ledger.top_up_get(account, id).await?.and_then(|found| found.invoice),
    };
    let Some(invoice) = invoice else { return Ok(None) };
    let found = context.payments.customer_invoice_get(&owner.customer, &invoice).await?;
    Ok(found
        .filter(|found| found.of == *paid)
        .and_then(|found| if is_document { found.pdf_url } else { found.hosted_url }))
}

/// `None` for an invoice of another account or deployment.
async fn credited<C: Capabilities<Ledger: Purchases + TopUps>>(
    context: &Context<C>,
    account: &AccountId,
    invoice: CustomerInvoice,
) -> Result<Option<CreditedInvoice>, LedgerError> {
    if invoice.account != *account {
        return Ok(None);
    }
    let credits = match &invoice.of {
        Invoiced::Purchase(id) => context.ledger.purchase_get(account, id).await?.map(|purchase| purchase.credits),
        Invoiced::TopUp(id) => context.ledger.top_up_get(account, id).await?.map(|top_up| top_up.credits),
    };
    Ok(credits.map(|credits| CreditedInvoice { invoice, credits }))
}

impl From<LedgerError> for ReadInvoicesError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for ReadInvoicesError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
