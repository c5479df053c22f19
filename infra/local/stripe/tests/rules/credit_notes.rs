//! R1: a credit note on an open or paid invoice. <https://docs.stripe.com/invoicing/dashboard/credit-notes>

use serde_json::Value;

use crate::support::{Bench, id};

async fn credit(bench: &Bench, invoice: &str, amount: &str) -> Value {
    bench.post("/v1/credit_notes", &[("invoice", invoice), ("amount", amount)]).await.ok()
}

// R1
#[tokio::test]
async fn an_open_invoice_that_is_credited_in_full_is_paid_although_nothing_was() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    let note = credit(&bench, &invoice, "5000").await;
    assert_eq!((note["status"].as_str(), note["type"].as_str()), (Some("issued"), Some("pre_payment")));
    assert_eq!((note["pre_payment_amount"].as_i64(), note["post_payment_amount"].as_i64()), (Some(5000), Some(0)));
    assert!(note["number"].as_str().unwrap().ends_with("-0001-CN-01"));

    let paid = bench.invoice(&invoice).await;
    assert_eq!((paid["status"].as_str(), paid["total"].as_i64()), (Some("paid"), Some(5000)));
    for (field, amount) in [
        ("amount_due", 0),
        ("amount_paid", 0),
        ("amount_remaining", 0),
        ("pre_payment_credit_notes_amount", 5000),
        ("post_payment_credit_notes_amount", 0),
    ] {
        assert_eq!(paid[field], amount, "{field}");
    }
    assert_eq!(bench.intent_of(&invoice).await["status"], "canceled");
    let charges = bench.get("/v1/charges", &[("customer", &customer)]).await.ok();
    assert_eq!(charges["data"], serde_json::json!([]));
    let events = bench.events().await;
    for kind in ["credit_note.created", "invoice.paid", "invoice.payment_succeeded"] {
        assert!(events.contains(&kind.to_owned()), "{kind}");
    }
    bench.pay(&invoice, &card).await.refused(400);
}

// R1
#[tokio::test]
async fn a_part_that_is_credited_leaves_the_rest_to_be_paid() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    credit(&bench, &invoice, "4500").await;
    let open = bench.invoice(&invoice).await;
    assert_eq!((open["status"].as_str(), open["amount_due"].as_i64()), (Some("open"), Some(500)));
    assert_eq!(open["amount_remaining"], 500);
    assert_eq!(bench.intent_of(&invoice).await["amount"], 500);
    assert!(!bench.events().await.contains(&"invoice.paid".to_owned()));

    let page = bench.open(open["hosted_invoice_url"].as_str().unwrap()).await;
    assert!(page.text.contains("Pay 5.00 USD"), "{}", page.text);
    let paid = bench.pay(&invoice, &card).await.ok();
    assert_eq!((paid["status"].as_str(), paid["amount_paid"].as_i64()), (Some("paid"), Some(500)));
    assert_eq!((paid["total"].as_i64(), paid["amount_remaining"].as_i64()), (Some(5000), Some(0)));
    let charges = bench.get("/v1/charges", &[("customer", &customer)]).await.ok();
    assert_eq!(charges["data"][0]["amount"], 500);
}

// R1
#[tokio::test]
async fn no_more_than_the_invoice_is_over_can_be_credited() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.open_invoice(&customer).await;
    for amount in ["0", "-1", "5001"] {
        bench.post("/v1/credit_notes", &[("invoice", &invoice), ("amount", amount)]).await.refused(400);
    }
    credit(&bench, &invoice, "3000").await;
    let beyond = [("invoice", invoice.as_str()), ("amount", "2001"), ("out_of_band_amount", "1")];
    bench.post("/v1/credit_notes", &beyond).await.refused(400);
    credit(&bench, &invoice, "2000").await;
    assert_eq!(bench.invoice(&invoice).await["status"], "paid");
    let notes = bench.get("/v1/credit_notes", &[("invoice", &invoice)]).await.ok();
    assert_eq!(notes["data"].as_array().unwrap().len(), 2);
    bench.post("/v1/credit_notes", &[("invoice", &invoice), ("amount", "1")]).await.refused(400);
}

// R1
#[tokio::test]
async fn a_paid_invoice_is_credited_by_giving_back() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let bare = [("invoice", invoice.as_str()), ("amount", "3000")];
    bench.post("/v1/credit_notes", &bare).await.refused(400);
    let form = [
        ("invoice", invoice.as_str()),
        ("amount", "3000"),
        ("refund_amount", "1000"),
        ("credit_amount", "1500"),
        ("out_of_band_amount", "500"),
    ];
    let note = bench.post("/v1/credit_notes", &form).await.ok();
    assert_eq!((note["type"].as_str(), note["post_payment_amount"].as_i64()), (Some("post_payment"), Some(3000)));
    assert_eq!(note["refunds"][0]["amount_refunded"], 1000);

    let paid = bench.invoice(&invoice).await;
    assert_eq!((paid["amount_paid"].as_i64(), paid["amount_due"].as_i64()), (Some(5000), Some(5000)));
    assert_eq!(paid["post_payment_credit_notes_amount"], 3000);
    let charges = bench.get("/v1/charges", &[("customer", &customer)]).await.ok();
    assert_eq!(charges["data"][0]["amount_refunded"], 1000);
    let owner = bench.get(&format!("/v1/customers/{customer}"), &[]).await.ok();
    assert_eq!(owner["balance"], -1500);
}

// R1
#[tokio::test]
async fn a_voided_note_lets_the_whole_be_asked_for_again() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    let note = id(&credit(&bench, &invoice, "4000").await);
    let void = format!("/v1/credit_notes/{note}/void");
    assert_eq!(bench.post(&void, &[]).await.ok()["status"], "void");
    assert_eq!(bench.invoice(&invoice).await["amount_due"], 5000);
    bench.post(&void, &[]).await.refused(400);
    assert_eq!(bench.pay(&invoice, &card).await.ok()["amount_paid"], 5000);
    assert!(bench.events().await.contains(&"credit_note.voided".to_owned()));
    let last = id(&credit_by_lines(&bench, &invoice).await);
    bench.post(&format!("/v1/credit_notes/{last}/void"), &[]).await.refused(400);
    let other = bench.open_invoice(&customer).await;
    let whole = id(&credit(&bench, &other, "5000").await);
    bench.post(&format!("/v1/credit_notes/{whole}/void"), &[]).await.refused(400);
}

async fn credit_by_lines(bench: &Bench, invoice: &str) -> Value {
    let form = [
        ("invoice", invoice),
        ("lines[0][type]", "custom_line_item"),
        ("lines[0][description]", "Half"),
        ("lines[0][unit_amount]", "250"),
        ("lines[0][quantity]", "2"),
        ("out_of_band_amount", "500"),
    ];
    bench.post("/v1/credit_notes", &form).await.ok()
}

// R1
#[tokio::test]
async fn lines_get_the_tax_that_they_had_on_the_invoice() {
    let bench = Bench::with_tax(1900);
    let customer = bench.customer().await;
    bench.post(&format!("/v1/customers/{customer}"), &[("address[country]", "DE")]).await.ok();
    let form = [("customer", customer.as_str()), ("automatic_tax[enabled]", "true")];
    let invoice = id(&bench.post("/v1/invoices", &form).await.ok());
    let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "1000"), ("currency", "usd")];
    bench.post("/v1/invoiceitems", &item).await.ok();
    let open = bench.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.ok();
    assert_eq!(open["total"], 1190);
    let line = id(&open["lines"]["data"][0]);
    let form = [
        ("invoice", invoice.as_str()),
        ("lines[0][type]", "invoice_line_item"),
        ("lines[0][invoice_line_item]", &line),
        ("lines[0][amount]", "1000"),
    ];
    let note = bench.post("/v1/credit_notes", &form).await.ok();
    assert_eq!((note["subtotal"].as_i64(), note["total"].as_i64()), (Some(1000), Some(1190)));
    assert_eq!(bench.invoice(&invoice).await["status"], "paid");
    assert!(bench.open(note["pdf"].as_str().unwrap()).await.text.starts_with("%PDF"));
}

// R1
#[tokio::test]
async fn a_draft_or_voided_invoice_takes_no_credit_note() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let draft = bench.draft(&customer).await;
    let voided = bench.open_invoice(&customer).await;
    bench.post(&format!("/v1/invoices/{voided}/void"), &[]).await.ok();
    for invoice in [draft, voided] {
        let form = [("invoice", invoice.as_str()), ("amount", "100"), ("out_of_band_amount", "100")];
        bench.post("/v1/credit_notes", &form).await.refused(400);
    }
}
