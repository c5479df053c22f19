//! Test cards as payment methods: <https://docs.stripe.com/testing>.

use serde_json::Value;

use crate::support::{Bench, id, ids_of};

#[tokio::test]
async fn cards_that_pay_pay() {
    for alias in ["pm_card_visa", "pm_card_mastercard", "pm_card_amex", "pm_card_visa_debit"] {
        let bench = Bench::new();
        let (customer, card) = bench.customer_with_card(alias).await;
        let invoice = bench.open_invoice(&customer).await;
        assert_eq!(bench.pay(&invoice, &card).await.ok()["status"], "paid", "{alias}");
    }
}

#[tokio::test]
async fn declining_cards_refuse_to_be_attached_with_their_code() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    for (alias, code, decline_code) in [
        ("pm_card_visa_chargeDeclined", "card_declined", Some("generic_decline")),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", Some("insufficient_funds")),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", Some("lost_card")),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", Some("stolen_card")),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_visa_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ] {
        let path = format!("/v1/payment_methods/{alias}/attach");
        let error = bench.post(&path, &[("customer", &customer)]).await.refused(402);
        assert_eq!(error["type"], "card_error", "{alias}");
        assert_eq!(error["code"], code, "{alias}");
        assert_eq!(error["decline_code"].as_str(), decline_code, "{alias}");
    }
    let cards = bench.get("/v1/payment_methods", &[("customer", &customer)]).await.ok();
    assert_eq!(cards["data"], serde_json::json!([]));
}

#[tokio::test]
async fn cards_with_three_d_secure_ask_for_it_on_every_payment() {
    for alias in
        ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required", "pm_card_authenticationRequiredOnSetup"]
    {
        let bench = Bench::new();
        let (customer, card) = bench.customer_with_card(alias).await;
        for _ in 0..2 {
            let invoice = bench.open_invoice(&customer).await;
            let error = bench.pay(&invoice, &card).await.refused(402);
            assert_eq!(error["code"], "invoice_payment_intent_requires_action", "{alias}");
        }
    }
}

#[tokio::test]
async fn a_card_set_up_beforehand_pays_off_session() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_authenticationRequiredSetupForOffSession").await;
    let invoice = bench.open_invoice(&customer).await;
    assert_eq!(bench.pay(&invoice, &card).await.ok()["status"], "paid");
}

#[tokio::test]
async fn an_alias_becomes_a_new_payment_method_each_time() {
    let bench = Bench::new();
    let (customer, first) = bench.customer_with_card("pm_card_visa").await;
    let form = [("customer", customer.as_str())];
    let second = id(&bench.post("/v1/payment_methods/pm_card_visa/attach", &form).await.ok());
    assert_ne!(first, second);
    assert_eq!(bench.post(&format!("/v1/payment_methods/{second}/attach"), &form).await.ok()["id"], second.as_str());
    bench.post("/v1/payment_methods/pm_card_nonsense/attach", &form).await.refused(404);
}

#[tokio::test]
async fn detaching_clears_the_default_and_is_for_ever() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let path = format!("/v1/customers/{customer}");
    let default = [("invoice_settings[default_payment_method]", card.as_str())];
    assert_eq!(bench.post(&path, &default).await.ok()["invoice_settings"]["default_payment_method"], card.as_str());
    let detached = bench.post(&format!("/v1/payment_methods/{card}/detach"), &[]).await.ok();
    assert_eq!(detached["customer"], Value::Null);
    let after = bench.get(&path, &[]).await.ok();
    assert_eq!(after["invoice_settings"]["default_payment_method"], Value::Null);
    bench.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", &customer)]).await.refused(400);
    bench.post(&format!("/v1/payment_methods/{card}/detach"), &[]).await.refused(400);
    assert_eq!(bench.post(&path, &default).await.refused(400)["code"], "resource_missing");
    let events = bench.events().await;
    for kind in ["payment_method.attached", "payment_method.detached", "customer.updated"] {
        assert!(events.contains(&kind.to_owned()), "{kind}");
    }
}

#[tokio::test]
async fn a_card_belongs_to_one_customer() {
    let bench = Bench::new();
    let (_, card) = bench.customer_with_card("pm_card_visa").await;
    let other = bench.customer().await;
    bench.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", &other)]).await.refused(400);
    let default = [("invoice_settings[default_payment_method]", card.as_str())];
    bench.post(&format!("/v1/customers/{other}"), &default).await.refused(400);
}

#[tokio::test]
async fn both_routes_list_the_same_cards() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    bench.customer_with_card("pm_card_visa").await;
    let query = [("customer", customer.as_str()), ("type", "card")];
    let flat = bench.get("/v1/payment_methods", &query).await.ok();
    let nested = bench.get(&format!("/v1/customers/{customer}/payment_methods"), &[("type", "card")]).await.ok();
    assert_eq!(flat["data"], nested["data"]);
    assert_eq!(ids_of(&flat), [card.as_str()]);
    let one = bench.get(&format!("/v1/customers/{customer}/payment_methods/{card}"), &[]).await.ok();
    assert_eq!(one["card"]["brand"], "visa");
}

#[tokio::test]
async fn a_customer_may_be_created_with_a_card_as_default() {
    let bench = Bench::new();
    let form = [("payment_method", "pm_card_visa"), ("invoice_settings[default_payment_method]", "pm_card_visa")];
    let customer = bench.post("/v1/customers", &form).await.ok();
    let default = customer["invoice_settings"]["default_payment_method"].as_str().unwrap();
    assert!(default.starts_with("pm_1"));
    bench.post("/v1/customers", &[("payment_method", "pm_card_visa_chargeDeclined")]).await.refused(402);
    assert_eq!(bench.get("/v1/customers", &[]).await.ok()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn refunds_stay_within_what_was_paid() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let intent = id(&bench.intent_of(&invoice).await);
    let refund = |amount: &'static str| {
        let (bench, intent) = (&bench, &intent);
        async move { bench.post("/v1/refunds", &[("payment_intent", intent), ("amount", amount)]).await }
    };
    refund("2000").await.ok();
    refund("3001").await.refused(400);
    refund("3000").await.ok();
    assert_eq!(refund("1").await.refused(400)["code"], "charge_already_refunded");
    let charge = bench.get("/v1/charges", &[("payment_intent", &intent)]).await.ok()["data"][0].clone();
    assert_eq!((charge["amount_refunded"].as_i64(), charge["refunded"].as_bool()), (Some(5000), Some(true)));
    let refunded = bench.events().await.iter().filter(|kind| *kind == "charge.refunded").count();
    assert_eq!(refunded, 2);
}

#[tokio::test]
async fn a_dispute_is_opened_by_its_card_and_decided_by_the_bank() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_createDispute").await;
    let invoice = bench.open_invoice(&customer).await;
    assert_eq!(bench.pay(&invoice, &card).await.ok()["status"], "paid");
    let dispute = bench.get("/v1/disputes", &[]).await.ok()["data"][0].clone();
    assert_eq!((dispute["status"].as_str(), dispute["amount"].as_i64()), (Some("needs_response"), Some(5000)));
    bench.post("/v1/refunds", &[("charge", dispute["charge"].as_str().unwrap())]).await.refused(400);
    bench.stripe.decide_dispute(&id(&dispute), true).unwrap();
    assert!(bench.stripe.decide_dispute(&id(&dispute), false).is_err());
    let events = bench.events().await;
    for kind in ["created", "funds_withdrawn", "closed", "funds_reinstated"] {
        assert!(events.contains(&format!("charge.dispute.{kind}")), "{kind}");
    }
}

#[tokio::test]
async fn a_setup_intent_saves_a_card_or_says_why_not() {
    let bench = Bench::new();
    let customer = bench.customer().await;
    let setup = |alias: &'static str| {
        let (bench, customer) = (&bench, &customer);
        async move {
            let form = [("customer", customer.as_str()), ("payment_method", alias), ("confirm", "true")];
            bench.post("/v1/setup_intents", &form).await
        }
    };
    let saved = setup("pm_card_visa").await.ok();
    assert_eq!(saved["status"], "succeeded");
    let card = saved["payment_method"].as_str().unwrap();
    assert_eq!(bench.get(&format!("/v1/payment_methods/{card}"), &[]).await.ok()["customer"], customer.as_str());
    assert_eq!(setup("pm_card_visa_chargeDeclined").await.refused(402)["code"], "card_declined");
    assert_eq!(setup("pm_card_threeDSecure2Required").await.ok()["status"], "requires_action");
    bench.post(&format!("/v1/setup_intents/{}/confirm", id(&saved)), &[]).await.refused(400);
}

#[tokio::test]
async fn a_bare_payment_intent_pays_declines_and_needs_its_customer() {
    let bench = Bench::new();
    let (customer, saved) = bench.customer_with_card("pm_card_authenticationRequired").await;
    let base = [("amount", "700"), ("currency", "usd"), ("customer", customer.as_str()), ("confirm", "true")];
    let with = |method: &'static str| base.iter().copied().chain([("payment_method", method)]).collect::<Vec<_>>();
    assert_eq!(bench.post("/v1/payment_intents", &with("pm_card_visa")).await.ok()["status"], "succeeded");
    let declined = bench.post("/v1/payment_intents", &with("pm_card_visa_chargeDeclined")).await.refused(402);
    assert_eq!(declined["payment_intent"]["status"], "requires_payment_method");
    let mut off_session = base.to_vec();
    off_session.extend([("payment_method", saved.as_str()), ("off_session", "true")]);
    let error = bench.post("/v1/payment_intents", &off_session).await.refused(402);
    assert_eq!(error["code"], "authentication_required");
    let intent = id(&error["payment_intent"]);
    assert_eq!(bench.post(&format!("/v1/payment_intents/{intent}/cancel"), &[]).await.ok()["status"], "canceled");
}

#[tokio::test]
async fn an_inquiry_leaves_the_money_where_it_is() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_createDisputeInquiry").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let dispute = bench.get("/v1/disputes", &[]).await.ok()["data"][0].clone();
    assert_eq!(dispute["status"], "warning_needs_response");
    bench.stripe.decide_dispute(&id(&dispute), true).unwrap();
    let disputes: Vec<String> =
        bench.events().await.into_iter().filter(|kind| kind.starts_with("charge.dispute")).collect();
    assert_eq!(disputes, ["charge.dispute.created", "charge.dispute.closed"]);
}

#[tokio::test]
async fn a_saved_card_that_is_issued_again_keeps_its_id_and_tells_the_change() {
    let bench = Bench::new();
    let (_, card) = bench.customer_with_card("pm_card_visa").await;
    bench.stripe.reissue_card(&card, 3, 2031).unwrap();
    let path = format!("/v1/payment_methods/{card}");
    let expiry = |of: &Value| (of["exp_month"].as_i64(), of["exp_year"].as_i64());
    assert_eq!(expiry(&bench.get(&path, &[]).await.ok()["card"]), (Some(3), Some(2031)));
    let query = [("type", "payment_method.automatically_updated")];
    let events = bench.get("/v1/events", &query).await.ok();
    assert_eq!(events["data"][0]["data"]["object"]["id"], card.as_str());
    assert_eq!(expiry(&events["data"][0]["data"]["previous_attributes"]["card"]), (Some(12), Some(2028)));
    bench.post(&format!("{path}/detach"), &[]).await.ok();
    bench.stripe.reissue_card(&card, 4, 2032).unwrap_err();
    assert_eq!(bench.get("/v1/events", &query).await.ok()["data"].as_array().map(Vec::len), Some(1));
}
