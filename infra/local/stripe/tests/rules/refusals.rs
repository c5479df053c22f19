//! R4, R10, R25: requests that Stripe refuses permanently, executes differently, or executes and reports as failed.

use local_stripe::{CustomerDiscount, DefiniteRefusal, Fault, FaultAction};

use crate::support::{Bench, id};

const SESSION: [(&str, &str); 5] = [
    ("mode", "payment"),
    ("success_url", "https://shop.test/done"),
    ("line_items[0][price_data][currency]", "usd"),
    ("line_items[0][price_data][product_data][name]", "Bundle"),
    ("line_items[0][quantity]", "1"),
];

// R4
#[tokio::test]
async fn a_deleted_customer_is_shown_as_such_and_missing_wherever_it_is_used() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let draft = bench.draft(&customer).await;
    let open = bench.open_invoice(&customer).await;
    assert_eq!(bench.delete(&format!("/v1/customers/{customer}")).await.ok()["deleted"], true);

    let shown = bench.get(&format!("/v1/customers/{customer}"), &[]).await.ok();
    assert_eq!(shown, serde_json::json!({ "id": customer, "object": "customer", "deleted": true }));
    let mut session = SESSION.to_vec();
    session.extend([("customer", customer.as_str()), ("line_items[0][price_data][unit_amount]", "500")]);
    let item = [("customer", customer.as_str()), ("amount", "500"), ("currency", "usd")];
    for (path, form) in [
        ("/v1/invoices", &[("customer", customer.as_str())][..]),
        ("/v1/invoiceitems", &item),
        ("/v1/checkout/sessions", &session),
        ("/v1/billing_portal/sessions", &[("customer", customer.as_str())]),
        ("/v1/payment_intents", &item),
        ("/v1/setup_intents", &[("customer", customer.as_str())]),
        ("/v1/payment_methods/pm_card_visa/attach", &[("customer", customer.as_str())]),
        (&format!("/v1/invoices/{draft}/finalize"), &[]),
    ] {
        let error = bench.post(path, form).await.refused(400);
        assert_eq!(error["code"], "resource_missing", "{path}");
        assert_eq!(error["param"], "customer", "{path}");
        assert_eq!(error["message"], format!("No such customer: '{customer}'"), "{path}");
    }
    bench.post(&format!("/v1/customers/{customer}"), &[("name", "Jo")]).await.refused(404);
    let error = bench.pay(&open, &card).await.refused(400);
    assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some("resource_missing"), Some("payment_method")));
    assert_eq!(bench.post(&format!("/v1/invoices/{open}/void"), &[]).await.ok()["status"], "void");
}

// R4
#[tokio::test]
async fn currencies_cannot_be_combined_while_something_waits() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let waiting = [("customer", customer.as_str()), ("amount", "700"), ("currency", "eur")];
    let waiting = id(&bench.post("/v1/invoiceitems", &waiting).await.ok());
    let invoice = id(&bench.post("/v1/invoices", &[("customer", &customer)]).await.ok());
    let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "700"), ("currency", "usd")];
    let error = bench.post("/v1/invoiceitems", &item).await.refused(400);
    assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some("invalid_request_error"), None));
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("You cannot combine currencies on a single customer"), "{message}");
    assert!(message.contains("eur"), "{message}");
    bench.post("/v1/invoices", &[("customer", &customer), ("currency", "usd")]).await.refused(400);
    bench.delete(&format!("/v1/invoiceitems/{waiting}")).await.ok();
    bench.post("/v1/invoiceitems", &item).await.ok();
}

// R4
#[tokio::test]
async fn a_discount_of_the_customers_changes_every_total_made_after_it() {
    let bench = Bench::with_tax(1000);
    let customer = bench.customer().await;
    bench.post(&format!("/v1/customers/{customer}"), &[("address[country]", "US")]).await.ok();
    let before = bench.open_invoice(&customer).await;
    bench.stripe.give_discount(&customer, CustomerDiscount::Percent { percent_off: 15 }).unwrap();
    let form = [("customer", customer.as_str()), ("automatic_tax[enabled]", "true")];
    let invoice = id(&bench.post("/v1/invoices", &form).await.ok());
    let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "5000"), ("currency", "usd")];
    bench.post("/v1/invoiceitems", &item).await.ok();
    let open = bench.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.ok();
    assert_eq!((open["subtotal"].as_i64(), open["total"].as_i64()), (Some(5000), Some(4675)));
    assert_eq!(open["total_discount_amounts"][0]["amount"], 750);
    assert_eq!(bench.intent_of(&invoice).await["amount"], 4675);
    assert_eq!(bench.invoice(&before).await["total"], 5000);

    let path = format!("/v1/customers/{customer}/discount");
    bench.delete(&path).await.ok();
    assert_eq!(bench.invoice(&bench.open_invoice(&customer).await).await["total"], 5000);
    bench.delete(&path).await.refused(404);
    let events = bench.events().await;
    for kind in ["customer.discount.created", "customer.discount.deleted"] {
        assert!(events.contains(&kind.to_owned()), "{kind}");
    }
}

// R4
#[tokio::test]
async fn a_discount_in_another_currency_forbids_the_bill() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let discount = CustomerDiscount::Amount { amount_off: 500, currency: "EUR".to_owned() };
    bench.stripe.give_discount(&customer, discount).unwrap();
    let item = [("customer", customer.as_str()), ("amount", "700"), ("currency", "usd")];
    assert!(bench.post("/v1/invoiceitems", &item).await.refused(400)["message"].as_str().unwrap().contains("eur"));
    bench.stripe.give_discount("cus_none", CustomerDiscount::Percent { percent_off: 5 }).unwrap_err();
    bench.stripe.give_discount(&customer, CustomerDiscount::Percent { percent_off: 101 }).unwrap_err();
}

// R4
#[tokio::test]
async fn a_test_may_have_any_call_refused_for_good() {
    for (refusal, code, param) in [
        (DefiniteRefusal::CustomerMissing, Some("resource_missing"), Some("customer")),
        (DefiniteRefusal::PaymentMethodMissing, Some("resource_missing"), Some("payment_method")),
        (DefiniteRefusal::CurrenciesCombined, None, None),
        (DefiniteRefusal::CustomerTaxLocationInvalid, Some("customer_tax_location_invalid"), None),
        (DefiniteRefusal::StripeTaxInactive, Some("stripe_tax_inactive"), None),
        (DefiniteRefusal::AmountTooSmall, Some("amount_too_small"), None),
        (DefiniteRefusal::AmountTooLarge, Some("amount_too_large"), None),
        (DefiniteRefusal::PaymentMethodCurrencyMismatch, Some("payment_method_currency_mismatch"), None),
        (DefiniteRefusal::ParameterUnknown, Some("parameter_unknown"), None),
        (DefiniteRefusal::Unexplained, None, None),
    ] {
        let bench = Bench::new();
        bench.stripe.add_fault(Fault::once("POST", "/v1/customers", FaultAction::Refuse { refusal }));
        for replayed in [None, Some("true")] {
            let reply = bench.post_with_key("k", "/v1/customers", &[]).await;
            assert_eq!(reply.header("idempotent-replayed"), replayed, "{refusal:?}");
            let error = reply.refused(400);
            assert_eq!(error["type"], "invalid_request_error", "{refusal:?}");
            assert_eq!((error["code"].as_str(), error["param"].as_str()), (code, param), "{refusal:?}");
        }
        assert_eq!(bench.get("/v1/customers", &[]).await.ok()["data"], serde_json::json!([]));
    }
}

// R4
#[test]
fn a_refusal_is_chosen_by_name_from_another_process() {
    let fault = r#"{"path":"/v1/invoices","action":"refuse","refusal":"currencies_combined"}"#;
    let fault: Fault = serde_json::from_str(fault).unwrap();
    assert_eq!(fault.action, FaultAction::Refuse { refusal: DefiniteRefusal::CurrenciesCombined });
}

// R10
#[tokio::test]
async fn a_page_may_take_another_currency_and_amount_than_the_session_was_made_for() {
    let bench = Bench::new();
    let mut form = SESSION.to_vec();
    form.extend([("line_items[0][price_data][unit_amount]", "5000"), ("invoice_creation[enabled]", "true")]);
    let session = bench.post("/v1/checkout/sessions", &form).await.ok();
    bench.stripe.reprice_checkout(&id(&session), "EUR", 4321).unwrap();
    let url = session["url"].as_str().unwrap();
    assert!(bench.open(url).await.text.contains("43.21 EUR"));
    bench.submit(url, &[("card_number", "4242424242424242")]).await.redirect();
    let query = [("expand[]", "payment_intent"), ("expand[]", "invoice")];
    let done = bench.get(&format!("/v1/checkout/sessions/{}", id(&session)), &query).await.ok();
    assert_eq!((done["currency"].as_str(), done["amount_total"].as_i64()), (Some("eur"), Some(4321)));
    assert_eq!(done["payment_intent"]["amount_received"], 4321);
    assert_eq!((done["invoice"]["currency"].as_str(), done["invoice"]["total"].as_i64()), (Some("eur"), Some(4321)));
    bench.stripe.reprice_checkout(&id(&session), "usd", 1).unwrap_err();
}

// R25
#[tokio::test]
async fn every_create_can_be_done_and_denied_with_a_500_that_its_key_keeps() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    let paid = bench.open_invoice(&customer).await;
    bench.pay(&paid, &card).await.ok();
    let charge = id(&bench.get("/v1/charges", &[]).await.ok()["data"][0]);
    let product = id(&bench.post("/v1/products", &[("name", "Bundle")]).await.ok());
    let owner = ("customer", customer.as_str());
    let mut session = SESSION.to_vec();
    session.extend([owner, ("line_items[0][price_data][unit_amount]", "500")]);
    let money = [("amount", "500"), ("currency", "usd")];
    let item = [owner, money[0], money[1]];
    let balance = format!("/v1/customers/{customer}/balance_transactions");
    let creates: [(&str, Vec<(&str, &str)>); 12] = [
        ("/v1/customers", vec![]),
        ("/v1/invoices", vec![owner]),
        ("/v1/invoiceitems", item.to_vec()),
        ("/v1/checkout/sessions", session),
        ("/v1/payment_intents", item.to_vec()),
        ("/v1/setup_intents", vec![owner]),
        ("/v1/refunds", vec![("charge", &charge), ("amount", "100")]),
        ("/v1/credit_notes", vec![("invoice", &invoice), ("amount", "100")]),
        ("/v1/products", vec![("name", "Other")]),
        ("/v1/prices", vec![("product", &product), ("currency", "usd"), ("unit_amount", "500")]),
        ("/v1/webhook_endpoints", vec![("url", "http://127.0.0.1:9/"), ("enabled_events[0]", "*")]),
        (balance.as_str(), money.to_vec()),
    ];
    for (path, form) in creates {
        let filter: &[(&str, &str)] = &[("limit", "100")];
        let count = async || bench.get(path, filter).await.ok()["data"].as_array().unwrap().len();
        let before = count().await;
        bench.stripe.add_fault(Fault::once("POST", path, FaultAction::InternalErrorAfterEffect));
        for replayed in [None, Some("true")] {
            let reply = bench.post_with_key(path, path, &form).await;
            assert_eq!(reply.header("idempotent-replayed"), replayed, "{path}");
            assert_eq!(reply.refused(500)["type"], "api_error", "{path}");
        }
        assert_eq!(count().await, before + 1, "{path}");
    }
}
