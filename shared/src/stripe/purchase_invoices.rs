//! The invoice of a purchase that is paid by invoice: made, finalized, read and voided.
//!
//! Every call that creates something has a key made of the purchase's id, so all of it can be repeated from the start at any
//! point, and there is still one invoice. Stripe may forget a key after a day, so an earlier invoice is looked for first.
//! Stripe neither advances the invoice by itself nor sends e-mails about it, because it is asked not to.
//!
//! Which ways to pay its page offers, and whether it shows the details for a bank transfer, is chosen in Stripe's own settings
//! for invoices: <https://docs.stripe.com/invoicing/bank-transfer>.

use super::client::Client;
use super::customers::{self, DefaultError};
use super::error::StripeError;
use super::invoices::{self, Sale};
use super::outcome::{classify_definite, payment_of};
use super::responses::{Created, Invoice, InvoiceStatus, PaymentIntent};
use super::{Charging, billing_details, keyed, metadata, spelled};
use crate::domain::payments::{CheckoutOutcome, NewInvoice, Received, RefusalReason};
use crate::domain::{CustomerId, InvoiceId, Purchase};
use crate::error::chain;
use crate::ports::InvoiceError;
use jiff::Timestamp;
use stripe_billing::invoice::{
    CreateInvoice, CreateInvoiceAutomaticTax, CreateInvoicePendingInvoiceItemsBehavior, CustomFieldParams,
    DeleteInvoice, VoidInvoiceInvoice,
};
use stripe_client_core::{RequestStrategy, StripeRequest};
use stripe_shared::InvoiceCollectionMethod;

/// Why there is no invoice.
pub(super) enum MakeError {
    Refused(RefusalReason),
    Stripe(StripeError),
}

impl MakeError {
    /// The port's error for it.
    pub(super) fn during(self, operation: &'static str) -> InvoiceError {
        match self {
            Self::Refused(reason) => InvoiceError::Refused(reason),
            Self::Stripe(error) => error.during(operation).into(),
        }
    }
}

impl From<StripeError> for MakeError {
    fn from(error: StripeError) -> Self {
        Self::Stripe(error)
    }
}

/// The purchase's one invoice, finalized. If Stripe refuses it permanently, none is left that could be paid.
pub(super) async fn make(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
    purchase: &Purchase,
) -> Result<NewInvoice, MakeError> {
    let made = match finalized(client, charging, customer, purchase).await {
        Ok(made) => made,
        Err(error) => match definite(client, customer, &error).await {
            Some(reason) => return Err(refused(client, customer, purchase, reason).await),
            None => return Err(error.into()),
        },
    };
    if !is_as_asked(&made, customer, purchase) {
        return Err(refused(client, customer, purchase, RefusalReason::OtherPrice).await);
    }
    Ok(new_invoice(&made)?)
}

/// Why this customer is refused permanently. A customer that Stripe does not know at all is not such a case, as for a top-up.
async fn definite(client: &Client, customer: &CustomerId, error: &StripeError) -> Option<RefusalReason> {
    match classify_definite(error)? {
        RefusalReason::CustomerDeleted => {
            let looked_up = customers::default_card(client, customer).await;
            matches!(looked_up, Err(DefaultError::Deleted)).then_some(RefusalReason::CustomerDeleted)
        }
        reason => Some(reason),
    }
}

/// Leaves nothing that could be paid.
async fn refused(client: &Client, customer: &CustomerId, purchase: &Purchase, reason: RefusalReason) -> MakeError {
    let closed = async {
        for invoice in found(client, customer, purchase).await? {
            end(client, &invoice).await?;
        }
        Ok::<_, StripeError>(())
    };
    closed.await.map_or_else(MakeError::Stripe, |()| MakeError::Refused(reason))
}

async fn finalized(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
    purchase: &Purchase,
) -> Result<Invoice, StripeError> {
    let id = match found(client, customer, purchase).await?.pop() {
        Some(first) => first,
        None => create(client, charging, customer, purchase).await?,
    };
    let invoice = invoices::retrieve(client, &id).await?;
    if invoice.status() != InvoiceStatus::Draft {
        return Ok(invoice);
    }
    let sale = Sale { customer, price: purchase.price, credits: purchase.credits };
    invoices::add_item(client, &key(purchase, "item"), &sale, &id).await?;
    invoices::finalize(client, &key(purchase, "finalize"), &id).await
}

/// Its invoices, newest first. One that the company has voided is its invoice too, so that no other is made.
async fn found(client: &Client, customer: &CustomerId, purchase: &Purchase) -> Result<Vec<InvoiceId>, StripeError> {
    let is_wanted = |invoice: &Invoice| invoice.purchase().is_some_and(|(_, id)| id == purchase.id);
    invoices::created_since(client, customer, purchase.opened_at, is_wanted).await
}

/// <https://docs.stripe.com/api/invoices/create>
async fn create(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
    purchase: &Purchase,
) -> Result<InvoiceId, StripeError> {
    let Some(by_invoice) = &purchase.by_invoice else {
        return Err(StripeError::NotSent("the purchase is not paid by invoice"));
    };
    let mut request = CreateInvoice::new()
        .customer(customer.as_str())
        .currency(spelled(purchase.price.currency()))
        .auto_advance(false)
        .collection_method(InvoiceCollectionMethod::SendInvoice)
        .days_until_due(u32::from(by_invoice.terms.days_until_due))
        .pending_invoice_items_behavior(CreateInvoicePendingInvoiceItemsBehavior::Exclude)
        .automatic_tax(CreateInvoiceAutomaticTax::new(charging.automatic_tax))
        .metadata(metadata::of_purchase(purchase, charging.deployment.as_deref()));
    if let Some(number) = &by_invoice.terms.po_number {
        // An invoice's own fields take the place of the customer's, so those are repeated.
        let fields = billing_details::fields_with_po_number(client, customer, number).await?;
        let fields: Vec<_> = fields.into_iter().map(|field| CustomFieldParams::new(field.name, field.value)).collect();
        request = request.custom_fields(fields);
    }
    let effect = || async {
        let first = found(client, customer, purchase).await?.pop();
        Ok(first.map(|id| Created { id: id.to_string() }))
    };
    let created: Created = keyed::send(client, &key(purchase, "invoice"), None, &request, effect).await?;
    InvoiceId::parse(created.id).map_err(|error| StripeError::Unreadable(error.to_string()))
}

/// Whether it asks this customer for exactly the frozen price.
fn is_as_asked(invoice: &Invoice, customer: &CustomerId, purchase: &Purchase) -> bool {
    let is_ours =
        purchase.price.currency().is_named(&invoice.currency) && invoice.customer.as_deref() == Some(customer.as_str());
    let is_asked = is_ours && invoice.before_tax() == purchase.price.minor();
    if !is_asked {
        tracing::error!(
            purchase.id = %purchase.id,
            purchase.price_minor = purchase.price.minor(),
            purchase.currency = %purchase.price.currency(),
            invoice.id = invoice.id,
            invoice.before_tax_minor = invoice.before_tax(),
            invoice.currency = invoice.currency,
            "voiding an invoice that does not match the frozen price"
        );
    }
    is_asked
}

fn new_invoice(invoice: &Invoice) -> Result<NewInvoice, StripeError> {
    let unreadable = || StripeError::Unreadable("a finalized invoice without an id or a due date".to_owned());
    let due_at = invoice.due_date.and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(NewInvoice {
        id: invoice.id().ok_or_else(unreadable)?,
        number: invoice.number.clone(),
        total: invoice.amount_due,
        due_at: due_at.ok_or_else(unreadable)?,
    })
}

/// What an invoice says about its purchase.
///
/// # Errors
/// Those of Stripe, if the outcome depends on the payment intent. A paid invoice counts as paid without it.
pub(super) async fn outcome(client: &Client, invoice: &Invoice) -> Result<CheckoutOutcome, StripeError> {
    let intent = invoices::intent_of(client, invoice).await?;
    let outcome = classify(invoice, intent.as_ref());
    if invoice.status() == InvoiceStatus::Paid && outcome == CheckoutOutcome::Open {
        tracing::error!(invoice.id = invoice.id, "a paid invoice lacks a field of its payment");
    }
    Ok(outcome)
}

/// A bank transfer that is too small leaves the invoice as it is, and the money on the customer's cash balance:
/// <https://docs.stripe.com/payments/bank-transfers/accept-a-payment#handling-underpayments-and-overpayments>. A part that
/// the company charges raises `amount_paid`: <https://docs.stripe.com/invoicing/partial-payments>.
fn classify(invoice: &Invoice, intent: Option<&PaymentIntent>) -> CheckoutOutcome {
    match invoice.status() {
        InvoiceStatus::Paid => payment_of(invoice, intent).map_or(CheckoutOutcome::Open, |mut payment| {
            payment.by_invoice = Some(invoice.paid_by_invoice());
            match invoice.paid_invoice().received(payment.amount) {
                Received::All => CheckoutOutcome::Paid(payment),
                Received::Part(_) | Received::Nothing => CheckoutOutcome::PaidInPart(payment),
            }
        }),
        InvoiceStatus::Void => CheckoutOutcome::Voided,
        InvoiceStatus::Open | InvoiceStatus::Uncollectible if intent.is_some_and(PaymentIntent::is_processing) => {
            CheckoutOutcome::Processing
        }
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => {
            CheckoutOutcome::Waiting { amount_paid: invoice.amount_paid }
        }
        InvoiceStatus::Draft | InvoiceStatus::Other => CheckoutOutcome::Open,
    }
}

/// Voids an invoice of which nothing is paid or under way, and returns what it says then. A payment or another void may
/// come first.
///
/// Without a key: Stripe keeps a refusal under its key as well, and what made it refuse may be over. Voiding twice does no
/// harm. <https://docs.stripe.com/api/invoices/void>
pub(super) async fn void(client: &Client, id: &InvoiceId) -> Result<CheckoutOutcome, StripeError> {
    let said = outcome(client, &invoices::retrieve(client, id).await?).await?;
    if said != (CheckoutOutcome::Waiting { amount_paid: 0 }) {
        return Ok(said);
    }
    send_void(client, id).await?;
    outcome(client, &invoices::retrieve(client, id).await?).await
}

/// Deletes a draft, and voids any other invoice that can be voided.
async fn end(client: &Client, id: &InvoiceId) -> Result<(), StripeError> {
    match invoices::retrieve(client, id).await?.status() {
        InvoiceStatus::Draft => {
            let deleted = DeleteInvoice::new(id.as_str()).build().customize::<super::responses::Deleted>();
            match deleted.send(client).await {
                Err(error) if !error.is_not_found() => Err(error),
                Ok(_) | Err(_) => Ok(()),
            }
        }
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => void(client, id).await.map(drop),
        InvoiceStatus::Paid | InvoiceStatus::Void | InvoiceStatus::Other => Ok(()),
    }
}

async fn send_void(client: &Client, id: &InvoiceId) -> Result<(), StripeError> {
    let request = VoidInvoiceInvoice::new(id.as_str()).build().customize::<Created>();
    match request.request_strategy(RequestStrategy::Once).send(client).await {
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::info!(invoice.id = %id, error = chain(&error), "Stripe does not void the invoice");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

fn key(purchase: &Purchase, step: &str) -> String {
    format!("purchase:{}:{step}", purchase.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(status: &str, total: i64, amount_paid: i64, payments: &str) -> Invoice {
        miniserde::json::from_str(&format!(
            r#"{{"id":"in_1","number":"A-0001","status":"{status}","customer":"cus_1","currency":"usd","subtotal":5000,
                "total_excluding_tax":5000,"total":{total},"amount_due":{total},"amount_paid":{amount_paid},
                "amount_overpaid":0,"starting_balance":0,"collection_method":"send_invoice","due_date":1770000000,
                "metadata":{{"account":"acme","purchase":"pur_00000000000000000000000000000001"}},
                "payments":{{"has_more":false,"data":[{payments}]}}}}"#
        ))
        .unwrap()
    }

    const BY_TRANSFER: &str = r#"{"status":"paid","is_default":true,"payment":{"payment_intent":"pi_1"}}"#;
    const OUT_OF_BAND: &str = r#"{"status":"paid","is_default":false,"payment":{"type":"payment_record"}}"#;

    #[test]
    fn an_invoice_is_paid_only_when_stripe_calls_it_paid_and_all_of_it_was_received() {
        let waiting = |amount_paid| CheckoutOutcome::Waiting { amount_paid };
        for (why, invoice, expected) in [
            ("open", invoice("open", 5_350, 0, ""), waiting(0)),
            ("a part is paid", invoice("open", 5_350, 2_000, BY_TRANSFER), waiting(2_000)),
            ("written off, and still payable", invoice("uncollectible", 5_350, 0, ""), waiting(0)),
            ("a draft", invoice("draft", 5_350, 0, ""), CheckoutOutcome::Open),
            ("a word of tomorrow", invoice("split", 5_350, 0, ""), CheckoutOutcome::Open),
            ("void", invoice("void", 5_350, 0, ""), CheckoutOutcome::Voided),
        ] {
            assert_eq!(classify(&invoice, None), expected, "{why}");
        }
        let processing = miniserde::json::from_str(r#"{"id":"pi_1","status":"processing"}"#).unwrap();
        assert_eq!(classify(&invoice("open", 5_350, 0, ""), Some(&processing)), CheckoutOutcome::Processing);
        let CheckoutOutcome::Paid(paid) = classify(&invoice("paid", 5_350, 5_350, BY_TRANSFER), None) else {
            panic!("it is paid")
        };
        let by_invoice = paid.by_invoice.unwrap();
        assert_eq!((paid.amount, by_invoice.amount_paid, by_invoice.is_out_of_band), (5_000, 5_350, false));
        let credited = classify(&invoice("paid", 5_350, 1_000, BY_TRANSFER), None);
        assert!(matches!(credited, CheckoutOutcome::PaidInPart(_)), "{credited:?}");
    }

    #[test]
    fn a_payment_that_stripe_did_not_take_is_named_out_of_band() {
        for payments in [OUT_OF_BAND, ""] {
            let CheckoutOutcome::Paid(paid) = classify(&invoice("paid", 5_350, 5_350, payments), None) else {
                panic!("it is paid")
            };
            assert!(paid.by_invoice.unwrap().is_out_of_band, "{payments}");
        }
    }
}
