//! R3, R7: bank debits, whose answer takes days. <https://docs.stripe.com/payments/ach-direct-debit>

use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{Bench, id};

const FOUR_DAYS: SignedDuration = SignedDuration::from_hours(4 * 24);

fn count(events: &[String], kind: &str) -> usize {
    events.iter().filter(|event| *event == kind).count()
}

// R3
#[tokio::test]
async fn an_invoice_stays_open_while_its_debit_is_processing_and_is_then_paid() {
    let bench = Bench::new();
    let (customer, account) = bench.customer_with_card("pm_usBankAccount").await;
    let invoice = bench.open_invoice(&customer).await;
    let open = bench.pay(&invoice, &account).await.ok();
    assert_eq!((open["status"].as_str(), open["attempt_count"].as_i64()), (Some("open"), Some(1)));
    assert_eq!(bench.intent_of(&invoice).await["status"], "processing");
    let charge = bench.get("/v1/charges", &[("customer", &customer)]).await.ok()["data"][0].clone();
    assert_eq!((charge["status"].as_str(), charge["paid"].as_bool()), (Some("pending"), Some(false)));

    bench.pass(FOUR_DAYS - SignedDuration::from_secs(1));
    assert_eq!(bench.invoice(&invoice).await["status"], "open");
    bench.pass(SignedDuration::from_secs(1));
    let paid = bench.invoice(&invoice).await;
    assert_eq!((paid["status"].as_str(), paid["amount_paid"].as_i64()), (Some("paid"), Some(5000)));
    assert_eq!(paid["attempt_count"], 1);
    let events = bench.events().await;
    for kind in ["payment_intent.processing", "charge.pending", "charge.succeeded", "invoice.paid"] {
        assert_eq!(count(&events, kind), 1, "{kind}");
    }
    assert_eq!(count(&events, "invoice.payment_failed"), 0);
}

// R3
#[tokio::test]
async fn a_debit_may_fail_after_days_and_leaves_the_invoice_open() {
    for (alias, code) in [
        ("pm_usBankAccount_insufficientFunds", "insufficient_funds"),
        ("pm_usBankAccount_accountClosed", "account_closed"),
        ("pm_usBankAccount_noAccount", "no_account"),
        ("pm_usBankAccount_debitNotAuthorized", "debit_not_authorized"),
    ] {
        let bench = Bench::new();
        let (customer, account) = bench.customer_with_card(alias).await;
        let invoice = bench.open_invoice(&customer).await;
        bench.pay(&invoice, &account).await.ok();
        bench.pass(FOUR_DAYS);
        let open = bench.invoice(&invoice).await;
        assert_eq!((open["status"].as_str(), open["amount_paid"].as_i64()), (Some("open"), Some(0)), "{alias}");
        let intent = bench.intent_of(&invoice).await;
        assert_eq!(intent["status"], "requires_payment_method", "{alias}");
        assert_eq!(intent["last_payment_error"]["code"], code, "{alias}");
        let events = bench.events().await;
        for kind in ["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"] {
            assert_eq!(count(&events, kind), 1, "{alias}: {kind}");
        }
        let card = bench.post("/v1/payment_methods/pm_card_visa/attach", &[("customer", &customer)]).await.ok();
        assert_eq!(bench.pay(&invoice, &id(&card)).await.ok()["status"], "paid", "{alias}");
    }
}

// R3
#[tokio::test]
async fn while_processing_nothing_else_can_be_done_with_the_invoice() {
    let bench = Bench::new();
    let (customer, account) = bench.customer_with_card("pm_usBankAccount_processing").await;
    let card = id(&bench.post("/v1/payment_methods/pm_card_visa/attach", &[("customer", &customer)]).await.ok());
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &account).await.ok();
    for days in [0, 3, 30] {
        bench.pass(SignedDuration::from_hours(days * 24));
        for (path, form) in [
            (format!("/v1/invoices/{invoice}/void"), vec![]),
            (format!("/v1/invoices/{invoice}/pay"), vec![("payment_method", card.as_str())]),
            ("/v1/credit_notes".to_owned(), vec![("invoice", invoice.as_str()), ("amount", "5000")]),
        ] {
            let error = bench.post(&path, &form).await.refused(400);
            assert_eq!(error["code"], "payment_intent_unexpected_state", "{path}");
        }
        let page = bench.invoice(&invoice).await["hosted_invoice_url"].as_str().unwrap().to_owned();
        assert!(bench.open(&page).await.text.contains("The bank has been asked"));
        assert_eq!(bench.submit(&page, &[("card_number", "4242424242424242")]).await.status, 409);
        assert_eq!(bench.invoice(&invoice).await["status"], "open");
    }
}

#[tokio::test]
async fn a_debit_pays_in_its_own_currency_alone_and_is_listed_by_its_kind() {
    let bench = Bench::new();
    let (customer, account) = bench.customer_with_card("pm_success_at").await;
    let invoice = bench.open_invoice(&customer).await;
    let error = bench.pay(&invoice, &account).await.refused(400);
    assert_eq!(error["code"], "payment_method_currency_mismatch");
    for (kind, length) in [("card", 0), ("sepa_debit", 1), ("us_bank_account", 0)] {
        let query = [("customer", customer.as_str()), ("type", kind)];
        let list = bench.get("/v1/payment_methods", &query).await.ok();
        assert_eq!(list["data"].as_array().unwrap().len(), length, "{kind}");
    }
    let method = bench.get(&format!("/v1/payment_methods/{account}"), &[]).await.ok();
    assert_eq!((method["type"].as_str(), method["sepa_debit"]["last4"].as_str()), (Some("sepa_debit"), Some("3201")));
}

async fn purchase(bench: &Bench, customer: &str) -> Value {
    let form = [
        ("mode", "payment"),
        ("customer", customer),
        ("success_url", "https://shop.test/done"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "5000"),
        ("line_items[0][price_data][product_data][name]", "Bundle"),
        ("line_items[0][quantity]", "1"),
        ("invoice_creation[enabled]", "true"),
        ("payment_intent_data[setup_future_usage]", "off_session"),
    ];
    bench.post("/v1/checkout/sessions", &form).await.ok()
}

// R7
#[tokio::test]
async fn checkout_by_debit_completes_unpaid_and_tells_the_end_days_later() {
    for (number, status, kind, has_invoice) in [
        ("000123456789", "paid", "checkout.session.async_payment_succeeded", true),
        ("000222222227", "unpaid", "checkout.session.async_payment_failed", false),
    ] {
        let bench = Bench::new();
        let customer = bench.customer().await;
        let session = purchase(&bench, &customer).await;
        bench.submit(session["url"].as_str().unwrap(), &[("card_number", number)]).await.redirect();
        let path = format!("/v1/checkout/sessions/{}", id(&session));
        let complete = bench.get(&path, &[]).await.ok();
        assert_eq!(
            (complete["status"].as_str(), complete["payment_status"].as_str()),
            (Some("complete"), Some("unpaid"))
        );
        assert_eq!(complete["url"], Value::Null);
        let events = bench.events().await;
        assert_eq!(count(&events, "checkout.session.completed"), 1);
        assert_eq!(count(&events, kind), 0);

        bench.pass(FOUR_DAYS);
        let settled = bench.get(&path, &[]).await.ok();
        assert_eq!((settled["status"].as_str(), settled["payment_status"].as_str()), (Some("complete"), Some(status)));
        assert_eq!(settled["invoice"].is_string(), has_invoice, "{number}");
        let events = bench.events().await;
        assert_eq!(count(&events, "checkout.session.completed"), 1);
        assert_eq!(count(&events, kind), 1, "{kind}");
    }
}

// R7
#[tokio::test]
async fn a_session_that_names_cards_takes_no_debit() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let form = [
        ("mode", "payment"),
        ("customer", customer.as_str()),
        ("success_url", "https://shop.test/done"),
        ("payment_method_types[0]", "card"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "5000"),
        ("line_items[0][price_data][product_data][name]", "Bundle"),
        ("line_items[0][quantity]", "1"),
    ];
    let session = bench.post("/v1/checkout/sessions", &form).await.ok();
    let url = session["url"].as_str().unwrap();
    assert_eq!(bench.submit(url, &[("card_number", "000123456789")]).await.status, 402);
    bench.submit(url, &[("card_number", "4242424242424242")]).await.redirect();
}
