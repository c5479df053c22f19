//! Filling, finalizing and reading invoices, and what each invoice says about its attempt.

use super::client::Client;
use super::error::StripeError;
use super::outcome::classify_invoice;
use super::responses::{Created, Invoice, InvoiceStatus, List, PaymentIntent};
use super::{Charging, keyed, purchase_invoices, spelled};
use crate::domain::payments::TopUpOutcome;
use crate::domain::{Amount, Credits, CustomerId, InvoiceId, PaymentIntentId, TopUp};
use crate::error::chain;
use crate::ports::InvoiceReport;
use crate::words;
use jiff::Timestamp;
use stripe_billing::invoice::{FinalizeInvoiceInvoice, ListInvoice, RetrieveInvoice};
use stripe_billing::invoice_item::{CreateInvoiceItem, CreateInvoiceItemTaxBehavior};
use stripe_client_core::StripeRequest;
use stripe_core::payment_intent::RetrievePaymentIntent;
use stripe_types::RangeQueryTs;

/// The list of an invoice's payments, which Stripe includes only on request.
pub(super) const PAYMENTS: &str = "payments";
/// The largest difference between our clock and Stripe's, in seconds.
const CLOCK_DIFFERENCE_MAX: i64 = 300;
const PAGE_LIMIT: i64 = 100;
/// An attempt's invoice is one of the customer's newest ones. If there are more pages, the outcome is unknown.
const PAGES_MAX: usize = 10;

/// <https://docs.stripe.com/api/invoices/retrieve>
pub(super) async fn retrieve(client: &Client, invoice: &InvoiceId) -> Result<Invoice, StripeError> {
    let request = RetrieveInvoice::new(invoice.as_str()).expand([PAYMENTS.to_owned()]);
    request.build().customize().send(client).await
}

pub(super) async fn report(
    client: &Client,
    charging: &Charging,
    invoice: &InvoiceId,
) -> Result<InvoiceReport, StripeError> {
    let invoice = retrieve(client, invoice).await?;
    let is_of_other_deployment = charging.is_of_other_deployment(invoice.metadata());
    // An uncollectible invoice is only written off in the books. The customer can still pay it.
    let is_payable = matches!(invoice.status(), InvoiceStatus::Open | InvoiceStatus::Uncollectible);
    let Some(top_up) = invoice.top_up() else {
        // It belongs to no attempt. Unless it belongs to a purchase, its payment is not looked up, because our API key may
        // not be able to read it.
        let purchase = match invoice.purchase() {
            Some((account, purchase)) => Some((account, purchase, purchase_invoices::outcome(client, &invoice).await?)),
            None => None,
        };
        let hosted_url = invoice.hosted_invoice_url.filter(|_| is_payable && purchase.is_some());
        let outcome = TopUpOutcome::Unknown;
        return Ok(InvoiceReport {
            top_up: None,
            outcome,
            purchase,
            is_of_other_deployment,
            is_waiting: false,
            hosted_url,
        });
    };
    let outcome = outcome(client, &invoice).await?;
    let is_waiting = invoice.status() == InvoiceStatus::Open && !matches!(outcome, TopUpOutcome::Processing { .. });
    let hosted_url = invoice.hosted_invoice_url.filter(|_| is_payable);
    let top_up = Some(top_up);
    Ok(InvoiceReport { top_up, outcome, purchase: None, is_of_other_deployment, is_waiting, hosted_url })
}

/// What an invoice says, together with its payments.
///
/// # Errors
/// Those of Stripe, if the outcome depends on the payment intent. A paid invoice counts as paid without it.
pub(super) async fn outcome(client: &Client, invoice: &Invoice) -> Result<TopUpOutcome, StripeError> {
    let intent = intent_of(client, invoice).await?;
    let outcome = classify_invoice(invoice, intent.as_ref());
    match (invoice.status(), &outcome) {
        (InvoiceStatus::Paid, TopUpOutcome::Unknown) => {
            tracing::error!(invoice.id = invoice.id, "a paid invoice lacks a field of its payment");
        }
        (InvoiceStatus::Paid, TopUpOutcome::Abandoned | TopUpOutcome::PartlyPaid { .. }) => {
            let amounts = invoice.paid_invoice();
            tracing::warn!(invoice.id = invoice.id, ?amounts, "Stripe calls an invoice paid that was not paid in full");
        }
        _ => {}
    }
    Ok(outcome)
}

/// The payment intent of an invoice that is paid or can be paid.
///
/// # Errors
/// Those of Stripe, unless the invoice is paid.
pub(super) async fn intent_of(client: &Client, invoice: &Invoice) -> Result<Option<PaymentIntent>, StripeError> {
    Ok(match (invoice.status(), invoice.payment_intent()) {
        (InvoiceStatus::Paid, Some(intent)) => payment_intent(client, &intent)
            .await
            .inspect_err(|error| {
                tracing::warn!(invoice.id = invoice.id, error = chain(error), "the card of a payment is unknown");
            })
            .ok(),
        (InvoiceStatus::Open | InvoiceStatus::Uncollectible, Some(intent)) => {
            Some(payment_intent(client, &intent).await?)
        }
        _ => None,
    })
}

/// What an invoice asks for.
pub(super) struct Sale<'a> {
    pub(super) customer: &'a CustomerId,
    /// Before tax.
    pub(super) price: Amount,
    pub(super) credits: Credits,
}

/// <https://docs.stripe.com/api/invoiceitems/create>
pub(super) async fn add_item(
    client: &Client,
    key: &str,
    sale: &Sale<'_>,
    invoice: &InvoiceId,
) -> Result<(), StripeError> {
    let request = CreateInvoiceItem::new()
        .customer(sale.customer.as_str())
        .invoice(invoice.as_str())
        .amount(sale.price.minor())
        .currency(spelled(sale.price.currency()))
        .description(words::credits(sale.credits))
        .tax_behavior(CreateInvoiceItemTaxBehavior::Exclusive);
    let effect = || async {
        let invoice = retrieve(client, invoice).await?;
        Ok((invoice.subtotal != 0).then_some(Created { id: invoice.id }))
    };
    keyed::send(client, key, None, &request, effect).await.map(|Created { .. }| ())
}

/// <https://docs.stripe.com/api/invoices/finalize>
pub(super) async fn finalize(client: &Client, key: &str, invoice: &InvoiceId) -> Result<Invoice, StripeError> {
    let request = FinalizeInvoiceInvoice::new(invoice.as_str()).auto_advance(false);
    let effect = || async {
        let invoice = retrieve(client, invoice).await?;
        Ok((invoice.status() != InvoiceStatus::Draft).then_some(invoice))
    };
    keyed::send(client, key, None, &request, effect).await
}

/// The invoices created for an attempt, newest first, found among the customer's invoices by their metadata.
///
/// A list includes every invoice that was created before, which Stripe's search does not guarantee:
/// <https://docs.stripe.com/search#data-freshness>.
pub(super) async fn of_top_up(client: &Client, top_up: &TopUp) -> Result<Vec<InvoiceId>, StripeError> {
    let is_wanted = |invoice: &Invoice| invoice.top_up().is_some_and(|(_, id)| id == top_up.id);
    created_since(client, &top_up.customer, top_up.opened_at, is_wanted).await
}

/// Those of the customer's invoices since an instant that are wanted, newest first.
pub(super) async fn created_since(
    client: &Client,
    customer: &CustomerId,
    since: Timestamp,
    is_wanted: impl Fn(&Invoice) -> bool,
) -> Result<Vec<InvoiceId>, StripeError> {
    let since = since.as_second() - CLOCK_DIFFERENCE_MAX;
    let mut found = vec![];
    let mut last: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut request =
            ListInvoice::new().customer(customer.as_str()).created(RangeQueryTs::gte(since)).limit(PAGE_LIMIT);
        if let Some(last) = last.take() {
            request = request.starting_after(last);
        }
        let page: List<Invoice> = request.build().customize().send(client).await?;
        found.extend(page.data.iter().filter(|invoice| is_wanted(invoice)).filter_map(Invoice::id));
        last = page.data.last().map(|invoice| invoice.id.clone());
        if !page.has_more || last.is_none() {
            return Ok(found);
        }
    }
    Err(StripeError::Unreadable(format!("the customer has more than {PAGES_MAX} pages of invoices")))
}

/// <https://docs.stripe.com/api/payment_intents/retrieve>
async fn payment_intent(client: &Client, intent: &PaymentIntentId) -> Result<PaymentIntent, StripeError> {
    let request = RetrievePaymentIntent::new(intent.as_str()).expand(["payment_method".to_owned()]);
    request.build().customize().send(client).await
}
