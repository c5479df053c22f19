//! Reading invoices, and what each invoice says about its attempt.

use super::client::Client;
use super::error::StripeError;
use super::outcome::classify_invoice;
use super::responses::{Invoice, InvoiceStatus, List, PaymentIntent};
use crate::domain::payments::TopUpOutcome;
use crate::domain::{InvoiceId, PaymentIntentId, TopUp};
use crate::error::chain;
use crate::ports::InvoiceReport;
use stripe_billing::invoice::{ListInvoice, RetrieveInvoice};
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

pub(super) async fn report(client: &Client, invoice: &InvoiceId) -> Result<InvoiceReport, StripeError> {
    let invoice = retrieve(client, invoice).await?;
    let Some(top_up) = invoice.top_up() else {
        // It belongs to no attempt. Its payment is not looked up, because our API key may not be able to read it.
        let outcome = TopUpOutcome::Unknown;
        return Ok(InvoiceReport { top_up: None, outcome, is_waiting: false, hosted_url: None });
    };
    let outcome = outcome(client, &invoice).await?;
    // An uncollectible invoice is only written off in the books. The customer can still pay it.
    let is_payable = matches!(invoice.status(), InvoiceStatus::Open | InvoiceStatus::Uncollectible);
    let is_waiting = invoice.status() == InvoiceStatus::Open && !matches!(outcome, TopUpOutcome::Processing { .. });
    let hosted_url = invoice.hosted_invoice_url.filter(|_| is_payable);
    Ok(InvoiceReport { top_up: Some(top_up), outcome, is_waiting, hosted_url })
}

/// What an invoice says, together with its payments.
///
/// # Errors
/// Those of Stripe, if the outcome depends on the payment intent. A paid invoice counts as paid without it.
pub(super) async fn outcome(client: &Client, invoice: &Invoice) -> Result<TopUpOutcome, StripeError> {
    let intent = match (invoice.status(), invoice.payment_intent()) {
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
    };
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

/// The invoices created for an attempt, newest first, found among the customer's invoices by their metadata.
///
/// A list includes every invoice that was created before, which Stripe's search does not guarantee:
/// <https://docs.stripe.com/search#data-freshness>.
pub(super) async fn of_top_up(client: &Client, top_up: &TopUp) -> Result<Vec<InvoiceId>, StripeError> {
    let since = top_up.opened_at.as_second() - CLOCK_DIFFERENCE_MAX;
    let mut found = vec![];
    let mut last: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut request =
            ListInvoice::new().customer(top_up.customer.as_str()).created(RangeQueryTs::gte(since)).limit(PAGE_LIMIT);
        if let Some(last) = last.take() {
            request = request.starting_after(last);
        }
        let page: List<Invoice> = request.build().customize().send(client).await?;
        let is_wanted = |invoice: &&Invoice| invoice.top_up().is_some_and(|(_, id)| id == top_up.id);
        found.extend(page.data.iter().filter(is_wanted).filter_map(Invoice::id));
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
