//! The payment page of a purchase.

use super::bench::{Bench, account};
use http::StatusCode;
use local_stripe::{Fault, FaultAction};
use serde_json::json;
use shared::domain::payments::{Checkout, CheckoutOutcome, Payment};
use shared::domain::{CheckoutSessionId, CustomerId, PaymentMethodId, Purchase, PurchaseId};
use shared::ports::{Payments, PaymentsError};
use shared::stripe::StripePayments;

const SESSIONS: &str = "/v1/checkout/sessions";

#[tokio::test]
async fn a_purchase_is_paid_on_the_page_and_its_card_may_be_used_again() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let checkout = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
    assert_eq!(report(&payments, &checkout).await, CheckoutOutcome::Open);

    assert_eq!(bench.submit(&checkout.url, "card_number=4242424242424242").await, StatusCode::SEE_OTHER);
    let CheckoutOutcome::Paid(payment) = report(&payments, &checkout).await else { panic!("it should be paid") };
    let Payment { amount, currency, invoice, payment_intent, payment_method, .. } = &payment;
    assert_eq!((*amount, currency.as_str(), &payment.customer), (5_000, "usd", &customer));

    let card = payment_method.as_ref().unwrap();
    assert_eq!(bench.get(&format!("/v1/payment_methods/{card}")).await["customer"], customer.as_str());
    for path in [
        format!("/v1/checkout/sessions/{}", checkout.session),
        format!("/v1/invoices/{}", invoice.as_ref().unwrap()),
        format!("/v1/payment_intents/{}", payment_intent.as_ref().unwrap()),
    ] {
        let metadata = &bench.get(&path).await["metadata"];
        assert_eq!(metadata["account"], account().as_str(), "{path}");
        assert_eq!(metadata["purchase"], bench.purchase().id.as_str(), "{path}");
    }
    assert_eq!(payments.default_payment_method_get(&customer).await.unwrap(), None, "only the product sets it");
}

#[tokio::test]
async fn the_page_names_what_is_bought_and_leads_back_to_the_purchase() {
    let bench = Bench::start().await;
    let customer = bench.customer().await;
    let checkout = bench.payments().checkout_open(&customer, &bench.purchase()).await.unwrap();
    let path = format!("/v1/checkout/sessions/{}?expand[]=line_items", checkout.session);
    let session = bench.get(&path).await;
    let back = format!("https://app.example.com/billing?purchase={}", bench.purchase().id);
    assert_eq!(session["success_url"], back);
    assert_eq!(session["cancel_url"], format!("{back}&canceled=true"));
    assert_eq!(session["mode"], "payment");
    assert_eq!(session["line_items"]["data"][0]["description"], "5,000 credits");
    assert_eq!(session["line_items"]["data"][0]["amount_total"], 5_000);
}

#[tokio::test]
async fn opened_again_or_after_a_lost_answer_it_is_the_same_page() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    bench.stripe.add_fault(Fault::once("POST", SESSIONS, FaultAction::LoseAnswer));
    let lost = payments.checkout_open(&customer, &bench.purchase()).await;
    assert!(matches!(lost, Err(PaymentsError::Unavailable { .. })), "{lost:?}");
    let first = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
    assert_eq!(payments.checkout_open(&customer, &bench.purchase()).await.unwrap(), first);
    let key = format!("purchase:{}:checkout", bench.purchase().id);
    assert_eq!(bench.keys(SESSIONS), [(key.clone(), false), (key.clone(), true), (key, true)]);
}

#[tokio::test]
async fn a_failure_that_stripe_remembers_does_not_keep_a_purchase_from_its_page() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    bench.stripe.add_fault(Fault::once("POST", SESSIONS, FaultAction::InternalError));
    assert!(payments.checkout_open(&customer, &bench.purchase()).await.is_err());
    let first = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
    assert_eq!(payments.checkout_open(&customer, &bench.purchase()).await.unwrap(), first);
}

/// R25: Stripe created it although it answered 500.
#[tokio::test]
async fn a_page_that_was_made_although_stripe_answered_500_is_the_only_one() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    bench.stripe.add_fault(Fault::once("POST", SESSIONS, FaultAction::InternalErrorAfterEffect));
    let mut opened = payments.checkout_open(&customer, &bench.purchase()).await;
    if opened.is_err() {
        opened = payments.checkout_open(&customer, &bench.purchase()).await;
    }
    let opened = opened.unwrap();
    assert_eq!(pages(&bench).await, [(opened.session.to_string(), "open".to_owned())]);
    assert_eq!(bench.submit(&opened.url, "card_number=4242424242424242").await, StatusCode::SEE_OTHER);
    assert!(matches!(report(&payments, &opened).await, CheckoutOutcome::Paid(_)));
}

/// R25: a superseded page is closed.
#[tokio::test]
async fn of_two_open_pages_of_a_purchase_one_is_closed() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let first = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
    let purchase = bench.purchase();
    let second = format!(
        "mode=payment&customer={customer}&success_url=https://app.example.com/&line_items[0][quantity]=1\
         &line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=5000\
         &line_items[0][price_data][product_data][name]=credits\
         &metadata[account]={}&metadata[purchase]={}",
        account(),
        purchase.id
    );
    bench.post(SESSIONS, &second).await;
    let elsewhere = bench.payments_with(|settings| settings.return_url = Some("https://other.example.com/".into()));
    let opened = elsewhere.checkout_open(&customer, &bench.purchase()).await.unwrap();
    assert_eq!(opened, first);
    let open: Vec<_> = pages(&bench).await.into_iter().filter(|(_, status)| status == "open").collect();
    assert_eq!(open, [(first.session.to_string(), "open".to_owned())]);
}

/// R25: a repeated request finds the page of the first one as long as the customer can pay there.
#[tokio::test]
async fn a_purchase_finds_its_page_until_the_page_expires() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let purchase = bench.purchase();
    assert_eq!(payments.checkout_find(&customer, &purchase).await.unwrap(), None);
    let opened = payments.checkout_open(&customer, &purchase).await.unwrap();
    assert_eq!(payments.checkout_find(&customer, &purchase).await.unwrap(), Some(opened.clone()));
    let other = Purchase { id: PurchaseId::mint(2), ..purchase.clone() };
    assert_eq!(payments.checkout_find(&customer, &other).await.unwrap(), None);
    bench.post(&format!("{SESSIONS}/{}/expire", opened.session), "").await;
    assert_eq!(payments.checkout_find(&customer, &purchase).await.unwrap(), None);
}

/// R11: a deployment changed a parameter of a request whose key was already sent.
#[tokio::test]
async fn a_purchase_goes_on_after_a_deployment_changed_where_its_page_leads_back_to() {
    let bench = Bench::start().await;
    let customer = bench.customer().await;
    let moved = bench.payments_with(|settings| settings.return_url = Some("https://other.example.com/".into()));
    let first = bench.payments().checkout_open(&customer, &bench.purchase()).await.unwrap();
    assert_eq!(moved.checkout_open(&customer, &bench.purchase()).await.unwrap(), first, "its page can still be paid");
    bench.post(&format!("{SESSIONS}/{}/expire", first.session), "").await;
    let second = moved.checkout_open(&customer, &bench.purchase()).await.unwrap();
    assert_ne!(second, first);
    assert_eq!(
        moved.checkout_open(&customer, &bench.purchase()).await.unwrap(),
        second,
        "the second page is reused too"
    );
    let open: Vec<_> = pages(&bench).await.into_iter().filter(|(_, status)| status == "open").collect();
    assert_eq!(open, [(second.session.to_string(), "open".to_owned())]);
}

/// The existing pages with their status.
async fn pages(bench: &Bench) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let sessions = bench.get(SESSIONS).await;
    sessions["data"].as_array().unwrap().iter().map(|page| (text(&page["id"]), text(&page["status"]))).collect()
}

#[tokio::test]
async fn a_page_that_expired_or_whose_card_was_declined_is_not_paid() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let checkout = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
    assert_eq!(bench.submit(&checkout.url, "card_number=4000000000000002").await, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(report(&payments, &checkout).await, CheckoutOutcome::Open);
    bench.post(&format!("/v1/checkout/sessions/{}/expire", checkout.session), "").await;
    assert_eq!(report(&payments, &checkout).await, CheckoutOutcome::Expired);
    bench.assert_nothing_paid(&customer).await;
}

#[tokio::test]
async fn tax_is_paid_on_top_and_not_part_of_the_amount() {
    let bench = Bench::with_tax(1_000).await;
    let payments = bench.payments_with(|settings| settings.automatic_tax = true);
    let customer = bench.customer().await;
    let checkout = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
    bench.submit(&checkout.url, "card_number=4242424242424242").await;
    let CheckoutOutcome::Paid(payment) = report(&payments, &checkout).await else { panic!("it should be paid") };
    assert_eq!(payment.amount, 5_000);
    assert_eq!(bench.charges_paid(&customer).await[0]["amount"], 5_500);
}

/// Stripe refuses to collect a tax id unless the page may replace the customer's name.
#[tokio::test]
async fn where_tax_ids_are_collected_the_page_asks_for_the_company_and_its_invoice_names_it() {
    for automatic_tax in [false, true] {
        let bench = Bench::with_tax(1_000).await;
        let payments = bench.payments_with(|settings| {
            settings.collect_tax_id = true;
            settings.automatic_tax = automatic_tax;
        });
        let customer = bench.customer().await;
        let checkout = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
        let (card, company) =
            ("card_number=4242424242424242", "business_name=Acme+GmbH&country=DE&line1=1+Main+Street");
        assert_eq!(bench.submit(&checkout.url, card).await, StatusCode::PAYMENT_REQUIRED, "the address is required");
        let entered = format!("{card}&{company}&tax_id_type=eu_vat&tax_id=DE123456789");
        assert_eq!(bench.submit(&checkout.url, &entered).await, StatusCode::SEE_OTHER);
        let CheckoutOutcome::Paid(payment) = report(&payments, &checkout).await else { panic!("it should be paid") };
        assert_eq!(payment.amount, 5_000, "tax never becomes credits");
        let invoice = bench.get(&format!("/v1/invoices/{}", payment.invoice.unwrap())).await;
        assert_eq!(
            (&invoice["customer_name"], &invoice["total"]),
            (&json!("Acme GmbH"), &json!(if automatic_tax { 5_500 } else { 5_000 }))
        );
        assert_eq!(invoice["customer_tax_ids"][0]["value"], "DE123456789");
        assert_eq!(invoice["customer_address"]["line1"], "1 Main Street");
    }
}

#[tokio::test]
async fn a_page_asks_for_no_company_unless_tax_ids_are_collected() {
    let bench = Bench::start().await;
    let customer = bench.customer().await;
    let checkout = bench.payments().checkout_open(&customer, &bench.purchase()).await.unwrap();
    let session = bench.get(&format!("/v1/checkout/sessions/{}", checkout.session)).await;
    assert_eq!((&session["tax_id_collection"], &session["billing_address_collection"]), (&json!(null), &json!("auto")));
    let entered = "card_number=4242424242424242&business_name=Acme+GmbH&tax_id_type=eu_vat&tax_id=DE123456789";
    assert_eq!(bench.submit(&checkout.url, entered).await, StatusCode::SEE_OTHER);
    let owner = bench.get(&format!("/v1/customers/{customer}?expand[]=tax_ids")).await;
    assert_eq!((&owner["name"], &owner["tax_ids"]["data"]), (&json!(null), &json!([])));
}

#[tokio::test]
async fn a_card_removed_since_is_not_offered_again() {
    let bench = Bench::start().await;
    let payments = bench.payments();
    let customer = bench.customer().await;
    let checkout = payments.checkout_open(&customer, &bench.purchase()).await.unwrap();
    bench.submit(&checkout.url, "card_number=4242424242424242").await;
    let CheckoutOutcome::Paid(Payment { payment_method: Some(card), .. }) = report(&payments, &checkout).await else {
        panic!("it should be paid with a card that is saved")
    };
    bench.post(&format!("/v1/payment_methods/{card}/detach"), "").await;
    let CheckoutOutcome::Paid(payment) = report(&payments, &checkout).await else { panic!("it should stay paid") };
    assert_eq!(payment.payment_method, None::<PaymentMethodId>);
}

#[tokio::test]
async fn what_cannot_be_opened_or_found_has_its_own_error() {
    let bench = Bench::start().await;
    let customer = bench.customer().await;
    let nobody = CustomerId::parse("cus_of_nobody").unwrap();
    let no_customer = bench.payments().checkout_open(&nobody, &bench.purchase()).await;
    assert!(matches!(no_customer, Err(PaymentsError::NotFound { .. })), "{no_customer:?}");
    let no_session = bench.payments().checkout_get(&CheckoutSessionId::parse("cs_of_nobody").unwrap()).await;
    assert!(matches!(no_session, Err(PaymentsError::NotFound { .. })), "{no_session:?}");
    let no_page = bench.payments_with(|settings| settings.return_url = None);
    let no_page = no_page.checkout_open(&customer, &bench.purchase()).await;
    assert!(matches!(no_page, Err(PaymentsError::Rejected { .. })), "{no_page:?}");
}

/// The adapter's report about one of our pages.
async fn report(payments: &StripePayments, checkout: &Checkout) -> CheckoutOutcome {
    let report = payments.checkout_get(&checkout.session).await.unwrap();
    let (owner, _) = report.purchase.expect("the page is ours");
    assert_eq!(owner, account());
    report.outcome
}
