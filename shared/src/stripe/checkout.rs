//! The hosted page on which a customer pays for a purchase and saves the card, and the outcome of that page.

use super::client::Client;
use super::error::StripeError;
use super::responses::{CheckoutSession, Created, Invoice, List, OpenedSession, on_receipt};
use super::{Charging, keyed, metadata, spelled, with_query};
use crate::domain::payments::{Checkout, CheckoutOutcome, Payment, SetUpCard};
use crate::domain::{CheckoutSessionId, CustomerId, PaymentMethodId, Purchase};
use crate::ports::CheckoutReport;
use crate::words;
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionAutomaticTax, CreateCheckoutSessionCustomerUpdate,
    CreateCheckoutSessionCustomerUpdateAddress, CreateCheckoutSessionCustomerUpdateName,
    CreateCheckoutSessionInvoiceCreation, CreateCheckoutSessionInvoiceCreationInvoiceData,
    CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData,
    CreateCheckoutSessionLineItemsPriceDataTaxBehavior, CreateCheckoutSessionPaymentIntentData,
    CreateCheckoutSessionPaymentIntentDataSetupFutureUsage, CreateCheckoutSessionTaxIdCollection,
    ExpireCheckoutSession, ListCheckoutSession, ProductData, RetrieveCheckoutSession,
};
use stripe_client_core::{RequestStrategy, StripeRequest};
use stripe_shared::{CheckoutSessionBillingAddressCollection, CheckoutSessionMode};

/// <https://docs.stripe.com/api/checkout/sessions/create>
pub(super) async fn open(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
    purchase: &Purchase,
) -> Result<Checkout, StripeError> {
    let key = format!("purchase:{}:checkout", purchase.id);
    let return_url = charging.return_url()?;
    let request = create_session(charging, return_url, customer, purchase);
    let effect = || the_one_page(client, customer, purchase);
    checkout_of(keyed::send(client, &key, None, &request, effect).await?)
}

/// The page that was already opened for the purchase, if it can still be used.
pub(super) async fn find(
    client: &Client,
    customer: &CustomerId,
    purchase: &Purchase,
) -> Result<Option<Checkout>, StripeError> {
    the_one_page(client, customer, purchase).await?.map(checkout_of).transpose()
}

fn checkout_of(opened: OpenedSession) -> Result<Checkout, StripeError> {
    let session = CheckoutSessionId::parse(opened.id).map_err(|error| StripeError::Unreadable(error.to_string()))?;
    let url = opened.url.ok_or_else(|| StripeError::Unreadable("a Checkout session without a page".to_owned()))?;
    Ok(Checkout { session, url })
}

/// A purchase's page is one of the newest ones of its customer.
const PAGES_MAX: i64 = 100;

/// The purchase's page that can still be used, if there is one. Any other open page is closed.
///
/// A concurrent request keeps the same page: the one that was created first.
/// <https://docs.stripe.com/api/checkout/sessions/list>
async fn the_one_page(
    client: &Client,
    customer: &CustomerId,
    purchase: &Purchase,
) -> Result<Option<OpenedSession>, StripeError> {
    let request = ListCheckoutSession::new().customer(customer.as_str()).limit(PAGES_MAX);
    let newest: List<OpenedSession> = request.build().customize().send(client).await?;
    let mut good: Vec<_> = newest.data.into_iter().filter(|session| session.is_good_for(purchase)).collect();
    let kept = good.pop();
    for superseded in good.iter().filter(|session| session.is_open()) {
        tracing::warn!(purchase.id = %purchase.id, checkout.id = superseded.id, "closing a superseded page");
        let request = ExpireCheckoutSession::new(superseded.id.as_str()).build().customize::<Created>();
        request.request_strategy(RequestStrategy::Once).send(client).await?;
    }
    Ok(kept)
}

fn create_session(
    charging: &Charging,
    return_url: &str,
    customer: &CustomerId,
    purchase: &Purchase,
) -> CreateCheckoutSession {
    let mut invoice_data = CreateCheckoutSessionInvoiceCreationInvoiceData::new();
    let metadata = metadata::of_purchase(purchase, charging.deployment.as_deref());
    invoice_data.metadata = Some(metadata.clone());
    let mut invoice_creation = CreateCheckoutSessionInvoiceCreation::new(true);
    invoice_creation.invoice_data = Some(invoice_data);

    let mut payment_intent_data = CreateCheckoutSessionPaymentIntentData::new();
    payment_intent_data.metadata = Some(metadata.clone());
    payment_intent_data.setup_future_usage = Some(CreateCheckoutSessionPaymentIntentDataSetupFutureUsage::OffSession);

    let mut session = CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Payment)
        .customer(customer.as_str())
        .line_items([line_item(purchase)])
        .invoice_creation(invoice_creation)
        .payment_intent_data(payment_intent_data)
        .metadata(metadata)
        .success_url(with_query(return_url, &format!("purchase={}", purchase.id)))
        .cancel_url(with_query(return_url, &format!("purchase={}&canceled=true", purchase.id)));
    let mut saved = CreateCheckoutSessionCustomerUpdate::new();
    if charging.automatic_tax {
        // Tax follows the customer's address, which the page asks for and saves:
        // <https://docs.stripe.com/tax/checkout#existing-customers>.
        saved.address = Some(CreateCheckoutSessionCustomerUpdateAddress::Auto);
        session = session.automatic_tax(CreateCheckoutSessionAutomaticTax::new(true));
    }
    if charging.collect_tax_id {
        // Stripe refuses to collect a tax id of a customer whose name the page must not replace by the company's:
        // <https://docs.stripe.com/tax/checkout/tax-ids#existing-customers>.
        saved.address = Some(CreateCheckoutSessionCustomerUpdateAddress::Auto);
        saved.name = Some(CreateCheckoutSessionCustomerUpdateName::Auto);
        session = session
            .billing_address_collection(CheckoutSessionBillingAddressCollection::Required)
            .tax_id_collection(CreateCheckoutSessionTaxIdCollection::new(true));
    }
    if charging.automatic_tax || charging.collect_tax_id { session.customer_update(saved) } else { session }
}

fn line_item(purchase: &Purchase) -> CreateCheckoutSessionLineItems {
    let mut price = CreateCheckoutSessionLineItemsPriceData::new(spelled(purchase.price.currency()));
    price.unit_amount = Some(purchase.price.minor());
    price.product_data = Some(ProductData::new(words::credits(purchase.credits)));
    price.tax_behavior = Some(CreateCheckoutSessionLineItemsPriceDataTaxBehavior::Exclusive);
    let mut line_item = CreateCheckoutSessionLineItems::new();
    line_item.price_data = Some(price);
    line_item.quantity = Some(1);
    line_item
}

/// <https://docs.stripe.com/api/checkout/sessions/retrieve>
pub(super) async fn report(
    client: &Client,
    charging: &Charging,
    session: &CheckoutSessionId,
) -> Result<CheckoutReport, StripeError> {
    let session: CheckoutSession = RetrieveCheckoutSession::new(session.as_str())
        .expand(["payment_intent.payment_method".to_owned(), "invoice".to_owned(), "setup_intent".to_owned()])
        .build()
        .customize()
        .send(client)
        .await?;
    let purchase = session.metadata.as_ref().and_then(metadata::purchase);
    let is_of_other_deployment = charging.is_of_other_deployment(session.metadata.as_ref());
    let (outcome, set_up) = (classify(&session, purchase.is_some()), set_up(&session));
    let is_open = session.status.as_deref() == Some("open");
    let hosted_url = session.url.filter(|_| is_open && purchase.is_some());
    Ok(CheckoutReport { outcome, purchase, is_of_other_deployment, set_up, hosted_url })
}

/// The card that was saved on a page of ours.
fn set_up(session: &CheckoutSession) -> Option<(CustomerId, SetUpCard)> {
    let (account, default_at_opening) = metadata::card_page(session.metadata.as_ref()?)?;
    let intent = session.setup_intent.as_ref().filter(|intent| intent.status == "succeeded")?;
    let card = PaymentMethodId::parse(intent.payment_method.as_deref()?).ok()?;
    let customer = CustomerId::parse(session.customer.as_deref()?).ok()?;
    let session = CheckoutSessionId::parse(session.id.as_str()).ok()?;
    Some((customer, SetUpCard { account, card, session, default_at_opening }))
}

/// A session is complete before a delayed payment has arrived, so only `payment_status` says that it is paid.
/// <https://docs.stripe.com/checkout/fulfillment>
fn classify(session: &CheckoutSession, is_ours: bool) -> CheckoutOutcome {
    match (session.payment_status.as_str(), session.status.as_deref()) {
        ("paid", _) => payment_of(session).map(CheckoutOutcome::Paid).unwrap_or_else(|| {
            if is_ours {
                tracing::error!(checkout.id = session.id, "a paid session lacks a field of its payment");
            }
            CheckoutOutcome::Open
        }),
        ("unpaid", Some("complete")) => classify_debit(session.payment_intent.as_ref()),
        (_, Some("expired")) => CheckoutOutcome::Expired,
        (_, _) => CheckoutOutcome::Open,
    }
}

/// A completed session that is not paid waits for a bank. If the intent asks for another payment method, the wait is
/// over and the bank did not pay.
/// <https://docs.stripe.com/payments/paymentintents/lifecycle>
fn classify_debit(intent: Option<&super::responses::PaymentIntent>) -> CheckoutOutcome {
    match intent.map(|intent| intent.status.as_str()) {
        Some("requires_payment_method" | "canceled") => CheckoutOutcome::Failed,
        Some(_) | None => CheckoutOutcome::Processing,
    }
}

/// `None` if Stripe's answer lacks a field that every payment of ours has.
fn payment_of(session: &CheckoutSession) -> Option<Payment> {
    let customer = CustomerId::parse(session.customer.as_deref()?).ok()?;
    let intent = session.payment_intent.as_ref();
    Some(Payment {
        amount: session.amount_subtotal.filter(|amount| *amount >= 0)?,
        currency: session.currency.clone()?,
        invoice: session.invoice.as_ref().and_then(Invoice::id),
        payment_intent: intent.and_then(super::responses::PaymentIntent::id),
        payment_method: intent.and_then(|intent| intent.reusable_method(&customer)),
        receipt: session.invoice.as_ref().map(|invoice| on_receipt(intent, invoice.receipt()).into()),
        by_invoice: None,
        customer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(status: &str, payment_status: &str, customer: &str) -> CheckoutSession {
        miniserde::json::from_str(&format!(
            r#"{{"id":"cs_1","status":"{status}","payment_status":"{payment_status}","customer":{customer},
                "amount_subtotal":5000,"amount_total":5400,"currency":"usd","invoice":{{"id":"in_1","number":"A-0001","status":"paid","customer":"cus_1","currency":"usd","subtotal":5000,
                "total_excluding_tax":5000,"total":5350,"amount_due":5350,"amount_paid":5350,"starting_balance":0}},
                "payment_intent":{{"id":"pi_1","status":"succeeded",
                    "payment_method":{{"id":"pm_1","customer":"cus_1",
                        "card":{{"brand":"visa","last4":"4242"}}}}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_session_is_paid_only_when_its_payment_is() {
        for (status, payment_status, expected) in [
            ("open", "unpaid", CheckoutOutcome::Open),
            ("complete", "unpaid", CheckoutOutcome::Processing),
            ("complete", "no_payment_required", CheckoutOutcome::Open),
            ("a_word_of_tomorrow", "unpaid", CheckoutOutcome::Open),
            ("expired", "unpaid", CheckoutOutcome::Expired),
        ] {
            let session = session(status, payment_status, r#""cus_1""#);
            assert_eq!(classify(&session, true), expected, "{status} {payment_status}");
        }
        let CheckoutOutcome::Paid(payment) = classify(&session("complete", "paid", r#""cus_1""#), true) else {
            panic!("the outcome must be a payment")
        };
        assert_eq!((payment.amount, payment.payment_method.is_some()), (5_000, true), "before tax");
        let receipt = payment.receipt.expect("the invoice is known");
        assert_eq!((receipt.number.as_deref(), receipt.tax, receipt.total), (Some("A-0001"), 350, 5_350));
        assert_eq!((receipt.brand.as_deref(), receipt.last4.as_deref()), (Some("visa"), Some("4242")));
    }

    /// R7: a completed session's bank debit.
    #[test]
    fn a_debit_is_on_its_way_until_its_intent_asks_for_another() {
        for (status, expected) in [
            ("processing", CheckoutOutcome::Processing),
            ("succeeded", CheckoutOutcome::Processing),
            ("a_word_of_tomorrow", CheckoutOutcome::Processing),
            ("requires_payment_method", CheckoutOutcome::Failed),
            ("canceled", CheckoutOutcome::Failed),
        ] {
            let intent = format!(r#"{{"id":"pi_1","status":"{status}"}}"#);
            let intent = miniserde::json::from_str(&intent).unwrap();
            assert_eq!(classify_debit(Some(&intent)), expected, "{status}");
        }
        assert_eq!(classify_debit(None), CheckoutOutcome::Processing);
    }

    #[test]
    fn a_session_of_nobody_is_no_payment() {
        assert_eq!(classify(&session("complete", "paid", "null"), false), CheckoutOutcome::Open);
    }
}
