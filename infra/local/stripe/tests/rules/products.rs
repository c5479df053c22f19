//! R34: products and prices as far as Stripe's own scenarios for Checkout need them, and the client's other requests.

use crate::support::{Bench, KEY, id};

async fn session(bench: &Bench, currency: &str, kinds: &[&str]) -> serde_json::Value {
    let product = id(&bench.post("/v1/products", &[("name", "Bundle")]).await.ok());
    let price = [("product", product.as_str()), ("currency", currency), ("unit_amount", "1500")];
    let price = id(&bench.post("/v1/prices", &price).await.ok());
    let mut form = vec![
        ("mode", "payment"),
        ("success_url", "https://shop.test/done"),
        ("line_items[0][price]", price.as_str()),
        ("line_items[0][quantity]", "2"),
        ("payment_intent_data[shipping][name]", "Jo"),
        ("payment_intent_data[shipping][address][country]", "US"),
    ];
    form.extend(kinds.iter().map(|kind| ("payment_method_types[]", *kind)));
    bench.post("/v1/checkout/sessions", &form).await.ok()
}

// R34
#[tokio::test]
async fn a_session_takes_its_amount_from_a_price() {
    let bench = Bench::new();
    let session = session(&bench, "usd", &[]).await;
    assert_eq!(session["amount_total"], 3000);
    let items = bench.get(&format!("/v1/checkout/sessions/{}/line_items", id(&session)), &[]).await.ok();
    assert_eq!(items["data"][0]["description"], "Bundle");
    assert!(items["data"][0]["price"].as_str().unwrap().starts_with("price_"));
    let unknown = [("product", "prod_none"), ("currency", "usd"), ("unit_amount", "1")];
    assert_eq!(bench.post("/v1/prices", &unknown).await.refused(400)["param"], "product");
}

// R34
#[tokio::test]
async fn the_pages_button_can_be_pressed_by_request() {
    let bench = Bench::new();
    let session = session(&bench, "usd", &[]).await;
    let page = format!("/v1/payment_pages/{}", id(&session));
    assert_eq!(bench.get(&page, &[]).await.ok()["status"], "open");
    let card = [("type", "card"), ("card[token]", "tok_visa"), ("billing_details[email]", "jo@example.com")];
    let card = id(&bench.post("/v1/payment_methods", &card).await.ok());
    let confirm = format!("{page}/confirm");
    bench.post(&confirm, &[("payment_method", &card), ("expected_amount", "2999")]).await.refused(400);
    let done = bench.post(&confirm, &[("payment_method", &card), ("expected_amount", "3000")]).await.ok();
    assert_eq!((done["status"].as_str(), done["payment_status"].as_str()), (Some("complete"), Some("paid")));
    bench.post(&confirm, &[("payment_method", &card)]).await.refused(400);
}

// R34
#[tokio::test]
async fn a_page_refuses_kinds_of_payment_that_it_does_not_offer() {
    let bench = Bench::new();
    let session = session(&bench, "eur", &["sepa_debit"]).await;
    let confirm = format!("/v1/payment_pages/{}/confirm", id(&session));
    bench.post(&confirm, &[("payment_method", "pm_card_visa")]).await.refused(400);
    let account = [("type", "sepa_debit"), ("sepa_debit[iban]", "AT61 1904 3002 3457 3201")];
    let account = id(&bench.post("/v1/payment_methods", &account).await.ok());
    let done = bench.post(&confirm, &[("payment_method", &account)]).await.ok();
    assert_eq!((done["status"].as_str(), done["payment_status"].as_str()), (Some("complete"), Some("unpaid")));
    let unknown = [("type", "sepa_debit"), ("sepa_debit[iban]", "DE00")];
    bench.post("/v1/payment_methods", &unknown).await.refused(400);
}

// R34
#[tokio::test]
async fn an_unknown_version_is_refused() {
    let bench = Bench::new();
    let bearer = format!("Bearer {KEY}");
    for (version, status) in [
        ("2026-09-30.endive", 200),
        ("2026-10-28.endive", 200),
        ("2019-2-19", 400),
        ("2024-06-20", 400),
        ("2026-09-30", 400),
        ("latest", 400),
        ("", 400),
    ] {
        let headers = [("authorization", bearer.as_str()), ("stripe-version", version)];
        let reply = bench.try_send("GET", "/v1/customers", &[], &headers).await.unwrap();
        assert_eq!(reply.status, status, "{version}");
        if status == 400 {
            let error = reply.refused(400);
            assert_eq!(error["type"], "invalid_request_error");
            assert_eq!(error["message"], format!("Invalid Stripe API version: {version}"));
        }
    }
}

// R34
#[tokio::test]
async fn the_second_version_of_the_api_answers_json_errors() {
    let bench = Bench::new();
    let bearer = format!("Bearer {KEY}");
    for method in ["GET", "POST"] {
        let headers = [("authorization", bearer.as_str())];
        let reply = bench.try_send(method, "/v2/core/events", &[], &headers).await.unwrap();
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.refused(404)["code"], "not_found");
        bench.try_send(method, "/v2/core/events", &[], &[]).await.unwrap().refused(401);
    }
}
