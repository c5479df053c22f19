//! The payments that a customer's claim may be about, and which object tells what became of each. Nothing is changed.
//!
//! An object's own id, and the lists of one customer, are read with strong consistency. Only the number of an invoice that is
//! none of the customer's newest ones is searched for, and Stripe's search lags by up to a minute, in an outage by an hour:
//! <https://docs.stripe.com/search#data-freshness>.

use super::Charging;
use super::client::Client;
use super::error::{StripeError, existing};
use super::metadata::Metadata;
use super::responses::{Created, List, StatusTransitions, time};
use super::returns::paid_for;
use crate::domain::payments::{CardStatement, Claim, PaidFor};
use crate::domain::{AccountId, CheckoutSessionId, CustomerId, InvoiceId, InvoiceNumber, PaymentIntentId};
use crate::ports::{ClaimedPayment, PaidInvoiceOf, PaidInvoicesPage, ToldBy};
use jiff::Timestamp;
use miniserde::Deserialize;
use std::collections::BTreeSet;
use stripe_billing::invoice::{ListInvoice, RetrieveInvoice, SearchInvoice};
use stripe_billing::invoice_payment::{
    ListInvoicePayment, ListInvoicePaymentPayment, ListInvoicePaymentPaymentType as PaymentType,
};
use stripe_checkout::checkout_session::ListCheckoutSession;
use stripe_client_core::StripeRequest;
use stripe_core::charge::{ListCharge, RetrieveCharge};
use stripe_core::payment_intent::RetrievePaymentIntent;
use stripe_shared::InvoiceStatus;
use stripe_types::{RangeBoundsTs, RangeQueryTs};

const PAGE_LIMIT: i64 = 100;
/// A customer whose card was asked so often within three days is no usual one.
const PAGES_MAX: usize = 3;
/// How many payments of one statement line are looked up. An answer that lists more would help nobody.
const MATCHES_MAX: usize = 5;

/// <https://docs.stripe.com/api/payment_intents/object>
#[derive(Deserialize)]
struct Intent {
    id: String,
    amount: i64,
    amount_received: i64,
    currency: String,
    /// In seconds since 1970.
    created: i64,
    metadata: Option<Metadata>,
}

/// <https://docs.stripe.com/api/invoices/object>
#[derive(Deserialize)]
struct Invoice {
    id: String,
    number: Option<String>,
    collection_method: Option<String>,
    currency: String,
    total: i64,
    amount_paid: i64,
    created: i64,
    metadata: Option<Metadata>,
}

/// One of the payments of an invoice, with the invoice expanded.
#[derive(Deserialize)]
struct PaymentOfInvoice {
    invoice: Invoice,
}

/// One of the payments of an invoice.
#[derive(Deserialize)]
struct InvoicePayment {
    status: String,
    is_default: bool,
    payment: OfIntent,
}

/// What names its payment intent.
#[derive(Deserialize)]
struct OfIntent {
    payment_intent: Option<String>,
}

/// A card payment: <https://docs.stripe.com/api/charges/object>.
#[derive(Deserialize)]
struct Charge {
    id: String,
    amount: i64,
    payment_intent: Option<String>,
    payment_method_details: Option<PaidWith>,
}

#[derive(Deserialize)]
struct PaidWith {
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    last4: Option<String>,
    wallet: Option<Wallet>,
}

/// A telephone or a watch has a number of its own for a card, and a statement may show either.
#[derive(Deserialize)]
struct Wallet {
    dynamic_last4: Option<String>,
}

pub(super) async fn payments(
    client: &Client,
    charging: &Charging,
    (customer, claim): (Option<&CustomerId>, &Claim),
) -> Result<Vec<ClaimedPayment>, StripeError> {
    let reader = Reader { client, charging };
    let found = match claim {
        Claim::Receipt(number) => match invoice_of_number(client, customer, number).await? {
            Some(invoice) => Some(reader.of_invoice(invoice).await?),
            None => None,
        },
        Claim::Invoice(id) => match existing(RetrieveInvoice::new(id.as_str()).build().customize().send(client).await)?
        {
            Some(invoice) => Some(reader.of_invoice(invoice).await?),
            None => None,
        },
        Claim::Payment(id) => reader.of_intent(id.as_str()).await?,
        Claim::CardPayment(id) => {
            let charge = RetrieveCharge::new(id.as_str()).build().customize::<OfIntent>().send(client).await;
            match existing(charge)?.and_then(|charge| charge.payment_intent) {
                Some(intent) => reader.of_intent(&intent).await?,
                None => None,
            }
        }
        Claim::Card(statement) => {
            let Some(customer) = customer else { return Ok(vec![]) };
            let mut found = vec![];
            for intent in intents_of_card(client, customer, statement).await? {
                found.extend(reader.of_intent(&intent).await?);
            }
            return Ok(found);
        }
    };
    Ok(found.into_iter().collect())
}

/// A paid invoice in a list.
#[derive(Deserialize)]
struct ListedPaid {
    id: String,
    created: i64,
    status_transitions: Option<StatusTransitions>,
    metadata: Option<Metadata>,
}

/// <https://docs.stripe.com/api/invoices/list>
pub(super) async fn paid_invoices(
    client: &Client,
    charging: &Charging,
    ((from, until), after): ((Timestamp, Timestamp), Option<&InvoiceId>),
) -> Result<PaidInvoicesPage, StripeError> {
    let bounds = RangeBoundsTs { gte: Some(from.as_second()), lt: Some(until.as_second()), ..RangeBoundsTs::default() };
    let created = RangeQueryTs::Bounds(bounds);
    let mut request = ListInvoice::new().status(InvoiceStatus::Paid).created(created).limit(PAGE_LIMIT);
    if let Some(after) = after {
        request = request.starting_after(after.as_str());
    }
    let page: List<ListedPaid> = request.build().customize().send(client).await?;
    let last = page.data.last().filter(|_| page.has_more);
    let next = last.and_then(|last| InvoiceId::parse(last.id.as_str()).ok());
    let mut invoices = vec![];
    for paid in page.data {
        let named = paid.metadata.as_ref().and_then(paid_for);
        let is_of_other = charging.is_of_other_deployment(paid.metadata.as_ref());
        let (Some((account, paid_for)), false) = (named, is_of_other) else { continue };
        let paid_at = paid.status_transitions.and_then(|times| times.paid_at).unwrap_or(paid.created);
        let id = InvoiceId::parse(paid.id).map_err(|error| StripeError::Unreadable(error.to_string()))?;
        invoices.push(PaidInvoiceOf { id, paid_at: time(paid_at)?, account, paid_for });
    }
    Ok(PaidInvoicesPage { invoices, next })
}

struct Reader<'a> {
    client: &'a Client,
    charging: &'a Charging,
}

impl Reader<'_> {
    async fn of_intent(&self, id: &str) -> Result<Option<ClaimedPayment>, StripeError> {
        let intent = RetrievePaymentIntent::new(id).build().customize::<Intent>().send(self.client).await;
        let Some(intent) = existing(intent)? else { return Ok(None) };
        if let Some(named) = intent.metadata.as_ref().and_then(paid_for) {
            // Checkout puts the metadata of a page on its payment.
            let told_by = self.page_of(&intent.id).await?.map(ToldBy::Checkout);
            return self.claimed_intent(&intent, Some(named), told_by).map(Some);
        }
        // That of a top-up says nothing of us, but its invoice does: <https://docs.stripe.com/api/invoice-payment>.
        let mut of_payment = ListInvoicePaymentPayment::new(PaymentType::PaymentIntent);
        of_payment.payment_intent = Some(intent.id.clone());
        let request = ListInvoicePayment::new().payment(of_payment).expand(["data.invoice".to_owned()]).limit(1);
        let page: List<PaymentOfInvoice> = request.build().customize().send(self.client).await?;
        let Some(PaymentOfInvoice { invoice }) = page.data.into_iter().next() else {
            return self.claimed_intent(&intent, None, None).map(Some);
        };
        let payment = PaymentIntentId::parse(intent.id.as_str()).ok();
        self.claimed_invoice(&invoice, payment).await.map(Some)
    }

    fn claimed_intent(
        &self,
        intent: &Intent,
        paid_for: Option<(AccountId, PaidFor)>,
        told_by: Option<ToldBy>,
    ) -> Result<ClaimedPayment, StripeError> {
        Ok(ClaimedPayment {
            paid_for,
            is_of_other_deployment: self.charging.is_of_other_deployment(intent.metadata.as_ref()),
            told_by,
            payment: PaymentIntentId::parse(intent.id.as_str()).ok(),
            invoice: None,
            amount: intent.amount,
            received: intent.amount_received,
            currency: intent.currency.clone(),
            created_at: time(intent.created)?,
        })
    }

    async fn of_invoice(&self, invoice: Invoice) -> Result<ClaimedPayment, StripeError> {
        let request = ListInvoicePayment::new().invoice(invoice.id.as_str()).limit(PAGE_LIMIT);
        let payments: List<InvoicePayment> = request.build().customize().send(self.client).await?;
        let paid = payments.data.iter().find(|payment| payment.status == "paid");
        let payment = paid.or_else(|| payments.data.iter().find(|payment| payment.is_default));
        let intent = payment.and_then(|payment| payment.payment.payment_intent.as_deref());
        self.claimed_invoice(&invoice, intent.and_then(|intent| PaymentIntentId::parse(intent).ok())).await
    }

    /// Checkout makes an invoice for a page, too; then the page tells what became of it.
    async fn claimed_invoice(
        &self,
        invoice: &Invoice,
        payment: Option<PaymentIntentId>,
    ) -> Result<ClaimedPayment, StripeError> {
        let named = invoice.metadata.as_ref().and_then(paid_for);
        let is_sent = invoice.collection_method.as_deref() == Some("send_invoice");
        let id = InvoiceId::parse(invoice.id.as_str()).ok();
        let told_by = match (&named, &payment) {
            (Some((_, PaidFor::Purchase(_))), Some(payment)) if !is_sent => {
                self.page_of(payment.as_str()).await?.map(ToldBy::Checkout)
            }
            (Some((_, PaidFor::Purchase(_))), None) if !is_sent => None,
            (Some(_), _) => id.clone().map(ToldBy::Invoice),
            (None, _) => None,
        };
        Ok(ClaimedPayment {
            paid_for: named,
            is_of_other_deployment: self.charging.is_of_other_deployment(invoice.metadata.as_ref()),
            told_by,
            payment,
            invoice: id,
            amount: invoice.total,
            received: invoice.amount_paid,
            currency: invoice.currency.clone(),
            created_at: time(invoice.created)?,
        })
    }

    /// The page on which a payment was made: <https://docs.stripe.com/api/checkout/sessions/list>.
    async fn page_of(&self, intent: &str) -> Result<Option<CheckoutSessionId>, StripeError> {
        let request = ListCheckoutSession::new().payment_intent(intent).limit(1);
        let page: List<Created> = request.build().customize().send(self.client).await?;
        Ok(page.data.into_iter().next().and_then(|page| CheckoutSessionId::parse(page.id).ok()))
    }
}

/// One of the customer's newest invoices, or another one, which may be another customer's.
async fn invoice_of_number(
    client: &Client,
    customer: Option<&CustomerId>,
    number: &InvoiceNumber,
) -> Result<Option<Invoice>, StripeError> {
    if let Some(customer) = customer {
        let request = ListInvoice::new().customer(customer.as_str()).limit(PAGE_LIMIT);
        let newest: List<Invoice> = request.build().customize().send(client).await?;
        let is_printed = |invoice: &Invoice| invoice.number.as_deref() == Some(number.as_str());
        if let Some(own) = newest.data.into_iter().find(is_printed) {
            return Ok(Some(own));
        }
    }
    let request = SearchInvoice::new(format!("number:\"{number}\"")).limit(1);
    let found: List<Invoice> = request.build().customize().send(client).await?;
    Ok(found.data.into_iter().next())
}

/// The payments of the customer that the line of a statement may be about, newest first. A payment whose card was declined
/// before it was paid has several charges.
async fn intents_of_card(
    client: &Client,
    customer: &CustomerId,
    statement: &CardStatement,
) -> Result<Vec<String>, StripeError> {
    let Some((first, after)) = statement.searched() else { return Ok(vec![]) };
    let bounds =
        RangeBoundsTs { gte: Some(first.as_second()), lt: Some(after.as_second()), ..RangeBoundsTs::default() };
    let (mut found, mut seen, mut last) = (vec![], BTreeSet::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let created = RangeQueryTs::Bounds(bounds);
        let mut request = ListCharge::new().customer(customer.as_str()).created(created).limit(PAGE_LIMIT);
        if let Some(last) = last.take() {
            request = request.starting_after(last);
        }
        let page: List<Charge> = request.build().customize().send(client).await?;
        last = page.data.last().map(|charge| charge.id.clone());
        let matching = page.data.into_iter().filter(|charge| charge.is_on(statement));
        found.extend(matching.filter_map(|charge| charge.payment_intent).filter(|intent| seen.insert(intent.clone())));
        if !page.has_more || last.is_none() {
            found.truncate(MATCHES_MAX);
            return Ok(found);
        }
    }
    Err(StripeError::Unreadable(format!("the customer has more than {PAGES_MAX} pages of charges in three days")))
}

impl Charge {
    fn is_on(&self, statement: &CardStatement) -> bool {
        let Some(card) = self.payment_method_details.as_ref().and_then(|with| with.card.as_ref()) else { return false };
        let of_wallet = card.wallet.as_ref().and_then(|wallet| wallet.dynamic_last4.as_deref());
        let has_digits = [card.last4.as_deref(), of_wallet].contains(&Some(statement.last4()));
        has_digits && self.amount == statement.amount()
    }
}
