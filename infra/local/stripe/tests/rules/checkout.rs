//! Checkout from session to redirect: <https://docs.stripe.com/payments/checkout>.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Bench, id};

const SUCCESS: &str = "https://shop.test/done?session={CHECKOUT_SESSION_ID}";

/// A session for 500.00 USD that creates an invoice and saves the card.
async fn purchase(bench: &Bench, customer: &str) -> Value {
    let form = [
        ("mode", "payment"),
        ("customer", customer),
        ("success_url", SUCCESS),
        ("cancel_url", "https://shop.test/cart"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "25000"),
        ("line_items[0][price_data][product_data][name]", "Bundle"),
        ("line_items[0][quantity]", "2"),
        ("invoice_creation[enabled]", "true"),
        ("invoice_creation[invoice_data][metadata][order]", "7"),
        ("payment_intent_data[setup_future_usage]", "off_session"),
        ("payment_intent_data[metadata][order]", "7"),
        ("metadata[order]", "7"),
    ];
    bench.post("/v1/checkout/sessions", &form).await.ok()
}

async fn saving(bench: &Bench, customer: &str) -> Value {
    let form = [("mode", "setup"), ("currency", "usd"), ("customer", customer), ("success_url", SUCCESS)];
    bench.post("/v1/checkout/sessions", &form).await.ok()
}

fn url(session: &Value) -> &str {
    session["url"].as_str().unwrap()
}

async fn session(bench: &Bench, created: &Value, expand: &str) -> Value {
    let query: &[(&str, &str)] = if expand.is_empty() { &[] } else { &[("expand[]", expand)] };
    bench.get(&format!("/v1/checkout/sessions/{}", id(created)), query).await.ok()
}

#[tokio::test]
async fn a_payment_redirects_back_saves_the_card_and_makes_a_paid_invoice() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let created = purchase(&bench, &customer).await;
    assert_eq!((created["status"].as_str(), created["payment_status"].as_str()), (Some("open"), Some("unpaid")));
    assert_eq!(created["payment_intent"], Value::Null);
    assert!(url(&created).starts_with("http://stripe.test/c/pay/cs_test_"));
    assert!(bench.open(url(&created)).await.text.contains("500.00 USD"));
    let reply = bench.submit(url(&created), &[("card_number", "4242 4242 4242 4242")]).await;
    assert_eq!(reply.redirect(), format!("https://shop.test/done?session={}", id(&created)));

    let done = session(&bench, &created, "payment_intent.payment_method").await;
    assert_eq!((done["status"].as_str(), done["payment_status"].as_str()), (Some("complete"), Some("paid")));
    assert_eq!((done["amount_total"].as_i64(), done["url"].clone()), (Some(50_000), Value::Null));
    let card = &done["payment_intent"]["payment_method"];
    assert_eq!(card["customer"], customer.as_str());
    assert_eq!(done["payment_intent"]["metadata"]["order"], "7");
    let owner = bench.get(&format!("/v1/customers/{customer}"), &[]).await.ok();
    assert_eq!(owner["invoice_settings"]["default_payment_method"], Value::Null);

    let invoice = bench.invoice(done["invoice"].as_str().unwrap()).await;
    assert_eq!((invoice["status"].as_str(), invoice["total"].as_i64()), (Some("paid"), Some(50_000)));
    assert_eq!(invoice["metadata"]["order"], "7");
    assert_eq!(invoice["payments"]["data"][0]["payment"]["payment_intent"]["id"], done["payment_intent"]["id"]);
    let events = bench.events().await;
    for kind in ["payment_intent.succeeded", "payment_method.attached", "invoice.paid", "checkout.session.completed"] {
        assert!(events.contains(&kind.to_owned()), "{kind}");
    }
}

#[tokio::test]
async fn a_saved_card_pays_invoices_off_session_even_where_checkout_had_to_authenticate() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let created = purchase(&bench, &customer).await;
    let bank = bench.submit(url(&created), &[("card_number", "4000002500003155")]).await;
    let bank = bank.redirect().to_owned();
    assert!(bank.contains("/authenticate/pi_"));
    assert!(bench.open(&bank).await.text.contains("500.00 USD"));
    assert_eq!(session(&bench, &created, "").await["status"], "open");
    let back = bench.submit(&bank, &[("outcome", "complete")]).await;
    assert!(back.redirect().starts_with("https://shop.test/done"));
    let done = session(&bench, &created, "payment_intent").await;
    let card = done["payment_intent"]["payment_method"].as_str().unwrap();
    let invoice = bench.open_invoice(&customer).await;
    assert_eq!(bench.pay(&invoice, card).await.ok()["status"], "paid");
}

#[tokio::test]
async fn a_decline_is_shown_and_another_card_pays_under_the_same_intent() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let created = purchase(&bench, &customer).await;
    for (number, text) in [
        ("4000000000000002", "declined"),
        ("4000000000009995", "insufficient"),
        ("4000000000000341", "declined"),
        ("1234", "test cards"),
    ] {
        let reply = bench.submit(url(&created), &[("card_number", number)]).await;
        assert_eq!(reply.status, 402, "{number}");
        assert!(reply.text.contains(text), "{number}: {}", reply.text);
    }
    let open = session(&bench, &created, "payment_intent").await;
    assert_eq!(open["status"], "open");
    assert_eq!(open["payment_intent"]["status"], "requires_payment_method");
    bench.submit(url(&created), &[("card_number", "5555555555554444")]).await.redirect();
    let done = session(&bench, &created, "").await;
    assert_eq!(done["payment_intent"], open["payment_intent"]["id"]);
    let cards = bench.get("/v1/payment_methods", &[("customer", &customer)]).await.ok();
    assert_eq!(cards["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn failing_the_banks_question_leads_back_to_the_page_with_the_reason() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let created = purchase(&bench, &customer).await;
    let bank = bench.submit(url(&created), &[("card_number", "4000000000003220")]).await.redirect().to_owned();
    let back = bench.submit(&bank, &[("outcome", "fail")]).await;
    assert_eq!(back.redirect(), url(&created));
    assert!(bench.open(url(&created)).await.text.contains("could not authenticate"));
    assert_eq!(bench.submit(&bank, &[("outcome", "complete")]).await.status, 400);
    assert_eq!(session(&bench, &created, "").await["payment_status"], "unpaid");
}

#[tokio::test]
async fn paying_twice_is_impossible_and_leads_to_the_success_page() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let created = purchase(&bench, &customer).await;
    for _ in 0..2 {
        let reply = bench.submit(url(&created), &[("card_number", "4242424242424242")]).await;
        assert!(reply.redirect().starts_with("https://shop.test/done"));
    }
    let charges = bench.get("/v1/charges", &[("customer", &customer)]).await.ok();
    assert_eq!(charges["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_guest_becomes_a_customer_when_an_invoice_or_a_saved_card_needs_one() {
    let bench = Bench::new();
    let form = [
        ("mode", "payment"),
        ("success_url", SUCCESS),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "500"),
        ("line_items[0][price_data][product_data][name]", "Bundle"),
        ("line_items[0][quantity]", "1"),
        ("invoice_creation[enabled]", "true"),
    ];
    let created = bench.post("/v1/checkout/sessions", &form).await.ok();
    let pay = [("card_number", "4242424242424242"), ("email", "guest@example.com")];
    bench.submit(url(&created), &pay).await.redirect();
    let done = session(&bench, &created, "customer").await;
    assert_eq!(done["customer"]["email"], "guest@example.com");
}

#[tokio::test]
async fn setup_saves_a_card_without_charging_it() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let created = saving(&bench, &customer).await;
    let bank = bench.submit(url(&created), &[("card_number", "4000002500003155")]).await.redirect().to_owned();
    assert!(bank.contains("/authenticate/seti_"));
    bench.submit(&bank, &[("outcome", "complete")]).await.redirect();
    let done = session(&bench, &created, "setup_intent").await;
    assert_eq!(done["payment_status"], "no_payment_required");
    assert_eq!(done["setup_intent"]["status"], "succeeded");
    let card = done["setup_intent"]["payment_method"].as_str().unwrap();
    let invoice = bench.open_invoice(&customer).await;
    assert_eq!(bench.pay(&invoice, card).await.ok()["status"], "paid");
    assert!(bench.events().await.contains(&"setup_intent.succeeded".to_owned()));
}

#[tokio::test]
async fn setup_refuses_a_declining_card_and_takes_one_that_declines_later() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let created = saving(&bench, &customer).await;
    let refused = bench.submit(url(&created), &[("card_number", "4000000000000002")]).await;
    assert_eq!(refused.status, 402);
    bench.submit(url(&created), &[("card_number", "4000000000000341")]).await.redirect();
    let cards = bench.get("/v1/payment_methods", &[("customer", &customer)]).await.ok();
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &id(&cards["data"][0])).await.refused(402);
}

#[tokio::test]
async fn a_session_expires_after_a_day_or_when_told_and_then_takes_no_money() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let by_clock = purchase(&bench, &customer).await;
    let by_request = purchase(&bench, &customer).await;
    let expire = format!("/v1/checkout/sessions/{}/expire", id(&by_request));
    assert_eq!(bench.post(&expire, &[]).await.ok()["status"], "expired");
    bench.post(&expire, &[]).await.refused(400);
    bench.pass(SignedDuration::from_secs(24 * 3600 - 1));
    assert_eq!(session(&bench, &by_clock, "").await["status"], "open");
    bench.pass(SignedDuration::from_secs(1));
    assert_eq!(session(&bench, &by_clock, "").await["status"], "expired");
    let late = bench.submit(url(&by_clock), &[("card_number", "4242424242424242")]).await;
    assert_eq!(late.status, 410);
    assert!(late.text.contains("https://shop.test/cart"));
    let expired = bench.events().await.iter().filter(|kind| *kind == "checkout.session.expired").count();
    assert_eq!(expired, 2);
}

#[tokio::test]
async fn what_a_mode_does_not_allow_is_refused() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let base = [("customer", customer.as_str()), ("success_url", SUCCESS)];
    for (extra, param) in [
        (vec![], "mode"),
        (vec![("mode", "payment")], "line_items"),
        (vec![("mode", "setup")], "currency"),
        (vec![("mode", "setup"), ("currency", "usd"), ("invoice_creation[enabled]", "true")], "invoice_creation"),
        (vec![("mode", "setup"), ("currency", "usd"), ("customer_email", "a@b.c")], "customer_email"),
        (vec![("mode", "setup"), ("currency", "usd"), ("expires_at", "1")], "expires_at"),
    ] {
        let form: Vec<(&str, &str)> = base.iter().copied().chain(extra).collect();
        assert_eq!(bench.post("/v1/checkout/sessions", &form).await.refused(400)["param"], param);
    }
}

#[tokio::test]
async fn automatic_tax_is_on_the_page_the_intent_and_the_invoice() {
    let bench = Bench::with_tax(1000);
    let form = [
        ("mode", "payment"),
        ("success_url", SUCCESS),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "500"),
        ("line_items[0][price_data][product_data][name]", "Bundle"),
        ("line_items[0][quantity]", "1"),
        ("invoice_creation[enabled]", "true"),
        ("automatic_tax[enabled]", "true"),
    ];
    let created = bench.post("/v1/checkout/sessions", &form).await.ok();
    bench.submit(url(&created), &[("card_number", "4242424242424242")]).await.redirect();
    let done = session(&bench, &created, "invoice").await;
    assert_eq!((done["amount_subtotal"].as_i64(), done["amount_total"].as_i64()), (Some(500), Some(550)));
    assert_eq!(done["invoice"]["total"], 550);
}

#[tokio::test]
async fn automatic_tax_for_a_customer_without_an_address_needs_the_page_to_save_one() {
    let bench = Bench::with_tax(1000);
    let customer = bench.customer().await;
    let mut form = vec![
        ("mode", "payment"),
        ("customer", customer.as_str()),
        ("success_url", SUCCESS),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "500"),
        ("line_items[0][price_data][product_data][name]", "Bundle"),
        ("line_items[0][quantity]", "1"),
        ("automatic_tax[enabled]", "true"),
    ];
    let refusal = bench.post("/v1/checkout/sessions", &form).await.refused(400);
    assert_eq!(refusal["code"], "customer_tax_location_invalid");
    form.push(("customer_update[address]", "auto"));
    let created = bench.post("/v1/checkout/sessions", &form).await.ok();
    assert!(bench.open(url(&created)).await.text.contains("Country"));
    bench.submit(url(&created), &[("card_number", "4242424242424242"), ("country", "DE")]).await.redirect();
    let owner = bench.get(&format!("/v1/customers/{customer}"), &[]).await.ok();
    assert_eq!(owner["address"]["country"], "DE");
}

/// A payment session for this customer that collects tax ids.
fn collecting(customer: &str) -> Vec<(&str, &str)> {
    vec![
        ("mode", "payment"),
        ("customer", customer),
        ("success_url", SUCCESS),
        ("line_items[0][price_data][currency]", "eur"),
        ("line_items[0][price_data][unit_amount]", "500"),
        ("line_items[0][price_data][product_data][name]", "Bundle"),
        ("line_items[0][quantity]", "1"),
        ("invoice_creation[enabled]", "true"),
        ("billing_address_collection", "required"),
        ("tax_id_collection[enabled]", "true"),
    ]
}

#[tokio::test]
async fn a_tax_id_is_collected_only_where_the_page_may_replace_the_customers_name() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let mut form = collecting(&customer);
    for update in [None, Some(("customer_update[address]", "auto")), Some(("customer_update[name]", "never"))] {
        form.extend(update);
        let refusal = bench.post("/v1/checkout/sessions", &form).await.refused(400);
        assert!(refusal["message"].as_str().unwrap().contains("`customer_update[name]`"), "{refusal}");
    }
    form.retain(|(name, _)| *name != "customer_update[name]");
    form.push(("customer_update[name]", "auto"));
    bench.post("/v1/checkout/sessions", &form).await.ok();
    let setup =
        [("mode", "setup"), ("currency", "eur"), ("success_url", SUCCESS), ("tax_id_collection[enabled]", "true")];
    assert_eq!(bench.post("/v1/checkout/sessions", &setup).await.refused(400)["param"], "tax_id_collection");
    for (name, word) in [("billing_address_collection", "always"), ("customer_update[name]", "yes")] {
        let mut wrong = form.clone();
        wrong.retain(|(known, _)| *known != name);
        wrong.push((name, word));
        assert_eq!(bench.post("/v1/checkout/sessions", &wrong).await.refused(400)["param"], name);
    }
}

#[tokio::test]
async fn what_the_page_collects_is_on_the_customer_and_the_invoice_after_the_payment() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let mut form = collecting(&customer);
    form.extend([("customer_update[name]", "auto"), ("customer_update[address]", "auto")]);
    let created = bench.post("/v1/checkout/sessions", &form).await.ok();
    let page = bench.open(url(&created)).await.text;
    assert!(page.contains("Business name") && page.contains("Address"), "{page}");
    let path = format!("/v1/customers/{customer}");
    let known = async || {
        let owner = bench.get(&path, &[("expand[]", "tax_ids")]).await.ok();
        (owner["name"].clone(), owner["address"]["line1"].clone(), owner["tax_ids"]["data"].clone())
    };
    let nothing = (Value::Null, Value::Null, json!([]));
    let (visa, address) = (("card_number", "4242424242424242"), ("line1", "1 Main Street"));
    let company = [("business_name", "Acme GmbH"), ("tax_id_type", "eu_vat"), ("country", "DE")];
    for (wrong, says) in [
        (vec![visa], "address"),
        (vec![visa, address, ("tax_id", "DE123456789"), company[1]], "name of the business"),
        ([vec![visa, address, ("tax_id", "DE12")], company.to_vec()].concat(), "Invalid value for eu_vat"),
        (
            [vec![("card_number", "4000000000000002"), address, ("tax_id", "DE123456789")], company.to_vec()].concat(),
            "declined",
        ),
    ] {
        let refused = bench.submit(url(&created), &wrong).await;
        assert_eq!(refused.status, 402);
        assert!(refused.text.contains(says), "{}", refused.text);
        assert_eq!(known().await, nothing);
    }
    bench
        .submit(url(&created), &[vec![visa, address, ("tax_id", "DE123456789")], company.to_vec()].concat())
        .await
        .redirect();
    let (name, line1, tax_ids) = known().await;
    assert_eq!((name, line1), (json!("Acme GmbH"), json!("1 Main Street")));
    assert_eq!(
        (&tax_ids[0]["type"], &tax_ids[0]["value"], &tax_ids[0]["country"]),
        (&json!("eu_vat"), &json!("DE123456789"), &json!("DE"))
    );
    let done = session(&bench, &created, "invoice").await;
    assert_eq!(done["customer_details"]["tax_ids"], json!([{ "type": "eu_vat", "value": "DE123456789" }]));
    assert_eq!(done["invoice"]["customer_name"], "Acme GmbH");
    assert_eq!(done["invoice"]["customer_tax_ids"], done["customer_details"]["tax_ids"]);
    assert_eq!(done["invoice"]["customer_address"]["country"], "DE");

    // One tax id is enough: the page asks for no other.
    let again = bench.post("/v1/checkout/sessions", &form).await.ok();
    assert!(!bench.open(url(&again)).await.text.contains("Business name"));
    bench
        .submit(url(&again), &[vec![visa, address, ("tax_id", "DE987654321")], company.to_vec()].concat())
        .await
        .redirect();
    assert_eq!(known().await.2, tax_ids);
}
