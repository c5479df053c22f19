//! The pages other than Checkout: hosted invoice, PDF, receipt, portal.

use jiff::SignedDuration;

use crate::support::{Bench, id, ids_of};

#[tokio::test]
async fn the_hosted_page_pays_an_invoice_with_another_card() {
    let bench = Bench::new();
    let (customer, declining) = bench.customer_with_card("pm_card_chargeCustomerFail").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &declining).await.refused(402);
    let url = bench.invoice(&invoice).await["hosted_invoice_url"].as_str().unwrap().to_owned();
    assert!(bench.open(&url).await.text.contains("50.00 USD"));
    assert_eq!(bench.submit(&url, &[("card_number", "4000000000009995")]).await.status, 402);
    assert_eq!(bench.submit(&url, &[("card_number", "4242424242424242")]).await.redirect(), url);
    assert!(bench.open(&url).await.text.contains("This invoice is paid"));
    assert_eq!(bench.invoice(&invoice).await["status"], "paid");
    assert!(bench.events().await.contains(&"invoice.paid".to_owned()));
    assert_eq!(bench.submit(&url, &[("card_number", "4242424242424242")]).await.status, 409);
}

#[tokio::test]
async fn three_d_secure_of_an_off_session_attempt_is_completed_on_the_hosted_page() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_authenticationRequired").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.refused(402);
    let url = bench.invoice(&invoice).await["hosted_invoice_url"].as_str().unwrap().to_owned();
    let bank = format!("http://stripe.test/authenticate/{}", id(&bench.intent_of(&invoice).await));
    assert!(bench.open(&url).await.text.contains(&bank));
    assert_eq!(bench.submit(&bank, &[("outcome", "complete")]).await.redirect(), url);
    assert_eq!(bench.invoice(&invoice).await["status"], "paid");
}

#[tokio::test]
async fn failed_three_d_secure_leaves_the_invoice_open_and_says_why() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_threeDSecure2Required").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.refused(402);
    let bank = format!("http://stripe.test/authenticate/{}", id(&bench.intent_of(&invoice).await));
    let back = bench.submit(&bank, &[("outcome", "fail")]).await;
    assert!(bench.open(back.redirect()).await.text.contains("could not authenticate"));
    let intent = bench.intent_of(&invoice).await;
    assert_eq!(intent["last_payment_error"]["code"], "payment_intent_authentication_failure");
    assert_eq!(bench.invoice(&invoice).await["status"], "open");
    assert_eq!(bench.open(&bank).await.status, 409);
}

#[tokio::test]
async fn a_voided_invoice_takes_no_payment_on_its_page() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.open_invoice(&customer).await;
    let url = bench.invoice(&invoice).await["hosted_invoice_url"].as_str().unwrap().to_owned();
    bench.post(&format!("/v1/invoices/{invoice}/void"), &[]).await.ok();
    assert!(bench.open(&url).await.text.contains("was voided"));
    assert_eq!(bench.submit(&url, &[("card_number", "4242424242424242")]).await.status, 409);
    assert_eq!(bench.invoice(&invoice).await["status"], "void");
}

#[tokio::test]
async fn a_hosted_link_expires_and_a_fresh_one_opens() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.open_invoice(&customer).await;
    let old = bench.invoice(&invoice).await["hosted_invoice_url"].as_str().unwrap().to_owned();
    bench.pass(SignedDuration::from_hours(31 * 24));
    assert_eq!(bench.open(&old).await.status, 410);
    let fresh = bench.invoice(&invoice).await["hosted_invoice_url"].as_str().unwrap().to_owned();
    assert_eq!(bench.open(&fresh).await.status, 200);
}

#[tokio::test]
async fn the_pdf_is_one_with_true_offsets() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.open_invoice(&customer).await;
    let url = bench.invoice(&invoice).await["invoice_pdf"].as_str().unwrap().to_owned();
    let pdf = bench.open(&url).await;
    assert_eq!(pdf.header("content-type"), Some("application/pdf"));
    assert!(pdf.text.starts_with("%PDF-1.4") && pdf.text.ends_with("%%EOF\n"));
    assert!(pdf.text.contains("50.00 USD"));
    let table_at: usize = pdf.text.split("startxref\n").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(pdf.text[table_at..].starts_with("xref"));
    for (number, entry) in (1..).zip(pdf.text[table_at..].lines().skip(3).take(5)) {
        let offset: usize = entry[..10].parse().unwrap();
        assert!(pdf.text[offset..].starts_with(&format!("{number} 0 obj")), "object {number}");
    }
}

#[tokio::test]
async fn a_paid_charge_has_a_receipt() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let charge = bench.get("/v1/charges", &[("customer", &customer)]).await.ok()["data"][0].clone();
    let receipt = bench.open(charge["receipt_url"].as_str().unwrap()).await;
    assert!(receipt.text.contains("50.00 USD") && receipt.text.contains("4242"));
}

#[tokio::test]
async fn what_customers_typed_is_escaped() {
    let bench = Bench::new();
    let form = [
        ("mode", "payment"),
        ("success_url", "https://shop.test/"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "500"),
        ("line_items[0][price_data][product_data][name]", "<script>alert(1)</script>"),
        ("line_items[0][quantity]", "1"),
    ];
    let session = bench.post("/v1/checkout/sessions", &form).await.ok();
    let page = bench.open(session["url"].as_str().unwrap()).await;
    assert!(!page.text.contains("<script>"));
}

#[tokio::test]
async fn the_portal_adds_defaults_and_removes_cards() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let form = [
        ("customer", customer.as_str()),
        ("return_url", "https://shop.test/"),
        ("flow_data[type]", "payment_method_update"),
    ];
    let session = bench.post("/v1/billing_portal/sessions", &form).await.ok();
    let url = session["url"].as_str().unwrap();
    assert!(bench.open(url).await.text.contains("4242"));
    bench.submit(url, &[("card_number", "5555555555554444")]).await.redirect();
    let owner = bench.get(&format!("/v1/customers/{customer}"), &[]).await.ok();
    let default = owner["invoice_settings"]["default_payment_method"].as_str().unwrap().to_owned();
    assert_ne!(default, card);
    bench.submit(url, &[("make_default", &card)]).await.redirect();
    bench.submit(url, &[("detach", &default)]).await.redirect();
    let cards = bench.get("/v1/payment_methods", &[("customer", &customer)]).await.ok();
    assert_eq!(ids_of(&cards), [card.as_str()]);
    assert_eq!(bench.submit(url, &[("card_number", "4000000000000002")]).await.status, 402);
}
