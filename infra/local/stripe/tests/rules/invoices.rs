//! The life of an invoice: <https://docs.stripe.com/invoicing/overview#lifecycle>.

use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{Bench, id};

#[tokio::test]
async fn a_draft_takes_items_and_has_neither_number_nor_page() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.draft(&customer).await;
    let draft = bench.invoice(&invoice).await;
    assert_eq!((draft["status"].as_str(), draft["total"].as_i64()), (Some("draft"), Some(5000)));
    assert_eq!(draft["lines"]["data"].as_array().unwrap().len(), 1);
    for absent in ["number", "hosted_invoice_url", "invoice_pdf"] {
        assert_eq!(draft[absent], Value::Null, "{absent}");
    }
}

#[tokio::test]
async fn finalizing_gives_number_page_and_payment_intent_once() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.draft(&customer).await;
    let path = format!("/v1/invoices/{invoice}/finalize");
    let open = bench.post(&path, &[]).await.ok();
    assert_eq!((open["status"].as_str(), open["amount_due"].as_i64()), (Some("open"), Some(5000)));
    assert!(open["number"].as_str().unwrap().ends_with("-0001"));
    assert!(open["hosted_invoice_url"].as_str().unwrap().starts_with("http://stripe.test/i/"));
    let intent = bench.intent_of(&invoice).await;
    assert_eq!((intent["status"].as_str(), intent["amount"].as_i64()), (Some("requires_payment_method"), Some(5000)));
    bench.post(&path, &[]).await.refused(400);
    let second = bench.open_invoice(&customer).await;
    assert!(bench.invoice(&second).await["number"].as_str().unwrap().ends_with("-0002"));
}

#[tokio::test]
async fn items_go_on_a_draft_only() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.open_invoice(&customer).await;
    let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "1"), ("currency", "usd")];
    assert_eq!(bench.post("/v1/invoiceitems", &item).await.refused(400)["code"], "invoice_not_editable");
    let listed = bench.get("/v1/invoiceitems", &[("invoice", &invoice)]).await.ok();
    let existing = id(&listed["data"][0]);
    bench.delete(&format!("/v1/invoiceitems/{existing}")).await.refused(400);
    bench.post(&format!("/v1/invoices/{invoice}"), &[("description", "x")]).await.refused(400);
    bench.post(&format!("/v1/invoices/{invoice}"), &[("metadata[a]", "1")]).await.ok();
}

#[tokio::test]
async fn an_item_must_fit_the_invoices_customer_and_currency() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.draft(&customer).await;
    let other = bench.customer().await;
    let item = [("customer", other.as_str()), ("invoice", &invoice), ("amount", "1"), ("currency", "usd")];
    bench.post("/v1/invoiceitems", &item).await.refused(400);
    let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "1"), ("currency", "eur")];
    bench.post("/v1/invoiceitems", &item).await.refused(400);
}

#[tokio::test]
async fn pending_items_join_an_invoice_only_when_included() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let item = [("customer", customer.as_str()), ("amount", "700"), ("currency", "usd")];
    bench.post("/v1/invoiceitems", &item).await.ok();
    let excluding = bench.post("/v1/invoices", &[("customer", &customer)]).await.ok();
    assert_eq!(excluding["total"], 0);
    let form = [("customer", customer.as_str()), ("pending_invoice_items_behavior", "include")];
    assert_eq!(bench.post("/v1/invoices", &form).await.ok()["total"], 700);
}

#[tokio::test]
async fn paying_a_draft_finalizes_it_first() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.draft(&customer).await;
    let paid = bench.pay(&invoice, &card).await.ok();
    assert_eq!((paid["status"].as_str(), paid["amount_paid"].as_i64()), (Some("paid"), Some(5000)));
    assert_eq!(paid["amount_remaining"], 0);
    let intent = bench.intent_of(&invoice).await;
    assert_eq!(intent["status"], "succeeded");
    assert!(intent["latest_charge"].as_str().unwrap().starts_with("ch_"));
    let events = bench.events().await;
    let of_invoice: Vec<&str> = events.iter().map(String::as_str).filter(|kind| kind.starts_with("invoice.")).collect();
    assert_eq!(
        of_invoice,
        ["invoice.created", "invoice.finalized", "invoice.updated", "invoice.paid", "invoice.payment_succeeded"]
    );
    assert!(events.contains(&"charge.succeeded".to_owned()));
    assert!(events.contains(&"payment_intent.succeeded".to_owned()));
}

#[tokio::test]
async fn the_customers_default_card_pays_when_none_is_given() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_mastercard").await;
    let invoice = bench.open_invoice(&customer).await;
    let path = format!("/v1/invoices/{invoice}/pay");
    let refusal = bench.post(&path, &[]).await.refused(400);
    assert_eq!(refusal["type"], "invalid_request_error");
    assert_eq!(bench.invoice(&invoice).await["attempt_count"], 0);
    bench.post(&format!("/v1/customers/{customer}"), &[("invoice_settings[default_payment_method]", &card)]).await.ok();
    assert_eq!(bench.post(&path, &[]).await.ok()["status"], "paid");
}

#[tokio::test]
async fn a_paid_invoice_refuses_everything_that_would_move_money_again() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let refusal = bench.pay(&invoice, &card).await.refused(400);
    assert!(refusal["message"].as_str().unwrap().contains("already paid"));
    bench.post(&format!("/v1/invoices/{invoice}/void"), &[]).await.refused(400);
    bench.delete(&format!("/v1/invoices/{invoice}")).await.refused(400);
    assert_eq!(bench.get("/v1/charges", &[("customer", &customer)]).await.ok()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_decline_leaves_the_invoice_open_for_another_card() {
    let bench = Bench::new();
    let (customer, declining) = bench.customer_with_card("pm_card_chargeCustomerFail").await;
    let invoice = bench.open_invoice(&customer).await;
    let error = bench.pay(&invoice, &declining).await.refused(402);
    assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some("card_error"), Some("card_declined")));
    assert_eq!(error["decline_code"], "generic_decline");
    assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
    let open = bench.invoice(&invoice).await;
    assert_eq!((open["status"].as_str(), open["attempted"].as_bool()), (Some("open"), Some(true)));
    let intent = bench.intent_of(&invoice).await;
    assert_eq!(intent["last_payment_error"]["decline_code"], "generic_decline");
    for kind in ["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"] {
        assert!(bench.events().await.contains(&kind.to_owned()), "{kind}");
    }
    let other = bench.post("/v1/payment_methods/pm_card_visa/attach", &[("customer", &customer)]).await.ok();
    assert_eq!(bench.pay(&invoice, &id(&other)).await.ok()["status"], "paid");
    assert_eq!(bench.invoice(&invoice).await["attempt_count"], 2);
}

#[tokio::test]
async fn a_card_that_wants_authentication_is_402_with_its_own_code() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_authenticationRequired").await;
    let invoice = bench.open_invoice(&customer).await;
    let error = bench.pay(&invoice, &card).await.refused(402);
    assert_eq!(
        (error["type"].as_str(), error["code"].as_str()),
        (Some("card_error"), Some("invoice_payment_intent_requires_action"))
    );
    let intent = bench.intent_of(&invoice).await;
    assert_eq!(intent["status"], "requires_action");
    assert!(intent["next_action"]["redirect_to_url"]["url"].as_str().unwrap().contains("/authenticate/pi_"));
    assert_eq!(bench.invoice(&invoice).await["status"], "open");
    let events = bench.events().await;
    for kind in ["payment_intent.requires_action", "invoice.payment_action_required", "invoice.payment_failed"] {
        assert!(events.contains(&kind.to_owned()), "{kind}");
    }
}

#[tokio::test]
async fn voiding_an_open_invoice_cancels_its_payment_and_is_final() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let draft = bench.draft(&customer).await;
    bench.post(&format!("/v1/invoices/{draft}/void"), &[]).await.refused(400);
    let invoice = bench.open_invoice(&customer).await;
    let void = format!("/v1/invoices/{invoice}/void");
    assert_eq!(bench.post(&void, &[]).await.ok()["status"], "void");
    assert_eq!(bench.intent_of(&invoice).await["status"], "canceled");
    assert!(bench.events().await.contains(&"invoice.voided".to_owned()));
    bench.pay(&invoice, &card).await.refused(400);
    bench.post(&void, &[]).await.refused(400);
}

#[tokio::test]
async fn only_a_draft_can_be_deleted_and_is_then_gone() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let draft = bench.draft(&customer).await;
    assert_eq!(bench.delete(&format!("/v1/invoices/{draft}")).await.ok()["deleted"], true);
    bench.get(&format!("/v1/invoices/{draft}"), &[]).await.refused(404);
    let open = bench.open_invoice(&customer).await;
    bench.delete(&format!("/v1/invoices/{open}")).await.refused(400);
}

#[tokio::test]
async fn a_card_that_is_detached_foreign_or_unknown_is_a_missing_resource() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let (_, foreign) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.post(&format!("/v1/payment_methods/{card}/detach"), &[]).await.ok();
    for method in [card.as_str(), &foreign, "pm_none", "pm_card_visa"] {
        let error = bench.pay(&invoice, method).await.refused(400);
        assert_eq!(
            (error["code"].as_str(), error["param"].as_str()),
            (Some("resource_missing"), Some("payment_method"))
        );
    }
    assert_eq!(bench.invoice(&invoice).await["attempt_count"], 0);
}

#[tokio::test]
async fn automatic_tax_is_added_rounded_half_up_and_shown() {
    let bench = Bench::with_tax(825);
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    bench.post(&format!("/v1/customers/{customer}"), &[("address[country]", "US")]).await.ok();
    let form = [("customer", customer.as_str()), ("automatic_tax[enabled]", "true")];
    let invoice = id(&bench.post("/v1/invoices", &form).await.ok());
    let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "1000"), ("currency", "usd")];
    bench.post("/v1/invoiceitems", &item).await.ok();
    let paid = bench.pay(&invoice, &card).await.ok();
    // 1000 * 8.25 % = 82.5
    assert_eq!((paid["subtotal"].as_i64(), paid["total"].as_i64()), (Some(1000), Some(1083)));
    assert_eq!(paid["total_taxes"][0]["amount"], 83);
    assert_eq!(bench.intent_of(&invoice).await["amount"], 1083);
}

/// <https://docs.stripe.com/tax/zero-tax#exempt-customers>
#[tokio::test]
async fn a_customer_who_is_exempt_or_accounts_for_the_tax_is_not_taxed_and_the_invoice_says_why() {
    for (exempt, reason) in [("exempt", "customer_exempt"), ("reverse", "reverse_charge")] {
        let bench = Bench::with_tax(825);
        let (customer, card) = bench.customer_with_card("pm_card_visa").await;
        let fields = [("address[country]", "DE"), ("tax_exempt", exempt)];
        bench.post(&format!("/v1/customers/{customer}"), &fields).await.ok();
        let form = [("customer", customer.as_str()), ("automatic_tax[enabled]", "true")];
        let invoice = id(&bench.post("/v1/invoices", &form).await.ok());
        let item = [("customer", customer.as_str()), ("invoice", &invoice), ("amount", "1000"), ("currency", "usd")];
        bench.post("/v1/invoiceitems", &item).await.ok();
        let paid = bench.pay(&invoice, &card).await.ok();
        assert_eq!((paid["total"].as_i64(), &paid["customer_tax_exempt"]), (Some(1000), &exempt.into()));
        let tax = &paid["total_taxes"][0];
        assert_eq!((tax["amount"].as_i64(), &tax["taxability_reason"]), (Some(0), &reason.into()));
    }
}

#[tokio::test]
async fn automatic_tax_without_an_address_keeps_the_invoice_a_draft() {
    let bench = Bench::with_tax(825);
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let form = [("customer", customer.as_str()), ("automatic_tax[enabled]", "true")];
    let invoice = bench.post("/v1/invoices", &form).await.ok();
    assert_eq!(invoice["automatic_tax"]["status"], "requires_location_inputs");
    let invoice = id(&invoice);
    for path in ["finalize", "pay"] {
        let form: &[(&str, &str)] = if path == "pay" { &[("payment_method", &card)] } else { &[] };
        let error = bench.post(&format!("/v1/invoices/{invoice}/{path}"), form).await.refused(400);
        assert_eq!(error["code"], "customer_tax_location_invalid");
    }
    let draft = bench.invoice(&invoice).await;
    assert_eq!(draft["status"], "draft");
    assert_eq!(draft["last_finalization_error"]["code"], "customer_tax_location_invalid");
    assert!(bench.events().await.contains(&"invoice.finalization_failed".to_owned()));
    bench.post(&format!("/v1/customers/{customer}"), &[("address[country]", "DE")]).await.ok();
    let open = bench.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.ok();
    assert_eq!(open["last_finalization_error"], Value::Null);
}

#[tokio::test]
async fn an_invoice_over_nothing_is_paid_by_being_finalized() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = id(&bench.post("/v1/invoices", &[("customer", &customer)]).await.ok());
    let finalized = bench.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.ok();
    assert_eq!(finalized["status"], "paid");
}

#[tokio::test]
async fn only_an_invoice_that_advances_by_itself_is_collected_by_the_clock() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    bench.post(&format!("/v1/customers/{customer}"), &[("invoice_settings[default_payment_method]", &card)]).await.ok();
    let resting = bench.draft(&customer).await;
    let advancing = bench.draft(&customer).await;
    bench.post(&format!("/v1/invoices/{advancing}"), &[("auto_advance", "true")]).await.ok();
    bench.pass(SignedDuration::from_mins(59));
    assert_eq!(bench.invoice(&advancing).await["status"], "draft");
    bench.pass(SignedDuration::from_mins(1));
    assert_eq!(bench.invoice(&advancing).await["status"], "paid");
    assert_eq!(bench.invoice(&resting).await["status"], "draft");
}

#[tokio::test]
async fn sending_an_invoice_needs_a_due_date() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let form = [("customer", customer.as_str()), ("collection_method", "send_invoice")];
    assert_eq!(bench.post("/v1/invoices", &form).await.refused(400)["param"], "days_until_due");
}

#[tokio::test]
async fn a_payment_leads_to_its_invoice_by_the_list_of_payments() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let invoice = bench.open_invoice(&customer).await;
    let intent = id(&bench.intent_of(&invoice).await);
    let query = [("payment[type]", "payment_intent"), ("payment[payment_intent]", intent.as_str())];
    let list = bench.get("/v1/invoice_payments", &query).await.ok();
    assert_eq!(list["data"][0]["invoice"], invoice.as_str());
    assert_eq!(list["data"][0]["status"], "open");
}
