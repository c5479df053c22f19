//! The invoices of a customer, for the customer.

use super::client::Client;
use super::error::{StripeError, existing};
use super::metadata;
use super::responses::{List, ListedInvoice, ListedTax};
use crate::domain::payments::{CustomerInvoice, Invoiced, TaxLine};
use crate::domain::{CustomerId, InvoiceId};
use crate::ports::InvoicesPage;
use jiff::Timestamp;
use stripe_billing::invoice::{ListInvoice, RetrieveInvoice};
use stripe_client_core::StripeRequest;

/// <https://docs.stripe.com/api/invoices/list>
pub(super) async fn page(
    client: &Client,
    customer: &CustomerId,
    after: Option<&InvoiceId>,
    limit: u8,
) -> Result<InvoicesPage, StripeError> {
    let mut request = ListInvoice::new().customer(customer.as_str()).limit(i64::from(limit));
    if let Some(after) = after {
        request = request.starting_after(after.as_str());
    }
    let page: List<ListedInvoice> = request.build().customize().send(client).await?;
    let last = page.data.last().filter(|_| page.has_more);
    let next = last.map(|last| InvoiceId::parse(last.id.as_str()).map_err(|_| unreadable())).transpose()?;
    let invoices = page.data.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(InvoicesPage { invoices: invoices.into_iter().flatten().collect(), next })
}

/// `None` if it belongs to another customer, or to none of our purchases and attempts.
pub(super) async fn one(
    client: &Client,
    customer: &CustomerId,
    invoice: &InvoiceId,
) -> Result<Option<CustomerInvoice>, StripeError> {
    let found = RetrieveInvoice::new(invoice.as_str()).build().customize::<ListedInvoice>().send(client).await;
    match existing(found)? {
        Some(found) if found.customer.as_deref() == Some(customer.as_str()) => read(found),
        Some(_) | None => Ok(None),
    }
}

/// `None` for a draft, and for an invoice that this system did not create.
fn read(invoice: ListedInvoice) -> Result<Option<CustomerInvoice>, StripeError> {
    let Some(metadata) = &invoice.metadata else { return Ok(None) };
    let (account, of) = match (metadata::purchase(metadata), metadata::top_up(metadata)) {
        (Some((account, purchase)), _) => (account, Invoiced::Purchase(purchase)),
        (None, Some((account, top_up))) => (account, Invoiced::TopUp(top_up)),
        (None, None) => return Ok(None),
    };
    let Some(status) = invoice.status.filter(|status| status != "draft") else { return Ok(None) };
    let time = |seconds| Timestamp::from_second(seconds).map_err(|_| unreadable());
    let tax_line = |ListedTax { amount, taxable_amount, taxability_reason }| TaxLine {
        amount,
        taxable_amount,
        reason: taxability_reason,
    };
    Ok(Some(CustomerInvoice {
        id: InvoiceId::parse(invoice.id).map_err(|_| unreadable())?,
        number: invoice.number,
        account,
        of,
        status,
        currency: invoice.currency,
        before_tax: invoice.total_excluding_tax.unwrap_or(invoice.subtotal),
        total: invoice.total,
        amount_paid: invoice.amount_paid,
        taxes: invoice.total_taxes.unwrap_or_default().into_iter().map(tax_line).collect(),
        tax_exempt: invoice.customer_tax_exempt.filter(|word| word != "none"),
        created_at: time(invoice.created)?,
        paid_at: invoice.status_transitions.and_then(|times| times.paid_at).map(time).transpose()?,
        hosted_url: invoice.hosted_invoice_url,
        pdf_url: invoice.invoice_pdf,
    }))
}

fn unreadable() -> StripeError {
    StripeError::Unreadable("an invoice has an id or a time of another form".to_owned())
}
