//! A customer asks for a payment whose credits are missing, end to end. No webhook arrives here unless a test delivers it.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction, WebhookConduct};
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";
const PURCHASES: &str = "/v1/accounts/acme/purchases";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A cloud with two accounts, to which no webhook is ever delivered.
async fn unheard() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() });
    cloud.open_account("acme").await;
    cloud.open_account("globex").await;
    cloud
}

/// Opens a purchase of 5,000 credits. Returns its page.
async fn open_page(cloud: &TestCloud, key: &str) -> String {
    let token = cloud.cloud.customer_token("acme");
    let opened = cloud.post(PURCHASES, &token, Some(key), &json!({"package": "credits_5000"})).await.expect(201);
    opened.body["checkout_url"].as_str().unwrap().to_owned()
}

/// What the account's own customer asks.
async fn ask(cloud: &TestCloud, account: &str, body: &Value) -> Answer {
    let path = format!("/v1/accounts/{account}/purchases/find");
    cloud.post(&path, &cloud.cloud.customer_token(account), None, body).await
}

/// The only result.
async fn found(cloud: &TestCloud, account: &str, body: &Value) -> Value {
    let answer = ask(cloud, account, body).await.expect(200);
    let results = answer.body["data"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{}", answer.text);
    results[0].clone()
}

async fn of_customer(cloud: &TestCloud, kind: &str) -> Vec<Value> {
    let customer = cloud.customer("acme").await;
    cloud.stripe_get(&format!("/v1/{kind}?customer={customer}")).await["data"].as_array().unwrap().clone()
}

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// A payment of 5,000 credits of which nothing was told.
async fn paid() -> (TestCloud, Value) {
    let cloud = unheard().await;
    let page = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&page, VISA).await;
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 0);
    let intent = of_customer(&cloud, "payment_intents").await[0].clone();
    (cloud, intent)
}

fn statement(cloud: &TestCloud, amount: i64) -> Value {
    let date = cloud.now().to_string()[..10].to_owned();
    json!({"card": {"last4": "4242", "date": date, "amount": amount}})
}

/// Names a payment by its payment intent, its charge or its invoice.
type Naming = fn(&TestCloud, &Value, &Value, &Value) -> Value;

#[tokio::test]
async fn a_payment_is_found_by_whatever_the_customer_has_and_granted_once() {
    let by: [Naming; 5] = [
        |_, intent, _, _| json!({"payment": intent["id"]}),
        |_, _, charge, _| json!({"payment": charge["id"]}),
        |_, _, _, invoice| json!({"invoice": invoice["id"]}),
        |_, _, _, invoice| json!({"receipt": invoice["number"].as_str().unwrap().to_lowercase()}),
        |cloud, _, _, _| statement(cloud, 5_000),
    ];
    for claim in by {
        let (cloud, intent) = paid().await;
        let charge = of_customer(&cloud, "charges").await[0].clone();
        let invoice = of_customer(&cloud, "invoices").await[0].clone();
        let claim = claim(&cloud, &intent, &charge, &invoice);
        let first = found(&cloud, "acme", &claim).await;
        assert_eq!((&first["result"], &first["entry"]["credits"]), (&json!("granted"), &json!(5_000)), "{claim}");
        assert_eq!(
            (&first["status"], &first["payment"], &first["amount"]),
            (&json!("paid"), &intent["id"], &json!(5_000))
        );
        assert_eq!((&first["hosted_url"], &first["amount_returned"]), (&Value::Null, &json!(0)));
        let again = found(&cloud, "acme", &claim).await;
        assert_eq!((&again["result"], &again["entry"]), (&json!("already_granted"), &first["entry"]));
        assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (5_000, 1), "{claim}");
        // Another customer is told nothing. Stripe's search finds the number after a minute.
        cloud.cloud.clock.advance(SignedDuration::from_secs(61)).unwrap();
        let others = found(&cloud, "globex", &claim).await;
        let expected = if claim["card"].is_null() { "of_another_account" } else { "not_found" };
        assert_eq!((&others["result"], others.as_object().unwrap().len()), (&json!(expected), 2), "{others}");
        assert_eq!(cloud.balance("globex").await, 0);
    }
}

/// Nothing is granted to the one who asks, and nothing to the other one either: that one may ask itself.
#[tokio::test]
async fn another_accounts_payment_is_not_touched() {
    let (cloud, intent) = paid().await;
    let others = found(&cloud, "globex", &json!({"payment": intent["id"]})).await;
    assert_eq!(others, json!({"result": "of_another_account", "note": others["note"]}));
    assert_eq!((cloud.balance("acme").await, cloud.balance("globex").await), (0, 0));
    let body = json!({"payment": intent["id"]});
    let path = "/v1/accounts/acme/purchases/find";
    cloud.post(path, &cloud.cloud.customer_token("globex"), None, &body).await.expect_problem(404, "not_found");
    assert_eq!(cloud.balance("acme").await, 0);
    // A service may ask for every account.
    let granted = cloud.post(path, &cloud.cloud.service_token(), None, &body).await.expect(200);
    assert_eq!(granted.body["data"][0]["result"], "granted");
}

#[tokio::test]
async fn a_top_up_that_was_paid_on_stripes_page_is_found_by_its_receipt() {
    let cloud = unheard().await;
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.sweep().await;
    cloud.settle().await;
    let invoice = of_customer(&cloud, "invoices").await[0].clone();
    let open = found(&cloud, "acme", &json!({"receipt": invoice["number"]})).await;
    assert_eq!((&open["result"], &open["status"]), (&json!("not_paid"), &json!("declined")));
    let page = open["hosted_url"].as_str().expect("a declined top-up can be paid");
    cloud.pay_page(page, VISA).await;
    let granted = found(&cloud, "acme", &json!({"receipt": invoice["number"]})).await;
    assert_eq!((&granted["result"], &granted["entry"]["credits"]), (&json!("granted"), &json!(5_000)));
    assert!(granted["top_up"].is_string() && granted["purchase"].is_null(), "{granted}");
    assert_eq!(found(&cloud, "acme", &json!({"invoice": invoice["id"]})).await["result"], "already_granted");
    assert_eq!(cloud.auto_top_up("acme").await["payment_issue"], Value::Null);
}

#[tokio::test]
async fn an_invoice_that_was_paid_by_transfer_is_found_by_its_number() {
    let cloud = unheard().await;
    let body = json!({"package": "credits_5000", "pay_by": "invoice", "days_until_due": 14});
    let token = cloud.cloud.customer_token("acme");
    let ordered = cloud.post(PURCHASES, &token, Some("order-1"), &body).await.expect(201).body;
    let number = json!({"receipt": ordered["invoice"]["number"]});
    let open = found(&cloud, "acme", &number).await;
    assert_eq!((&open["result"], open["hosted_url"].is_string()), (&json!("not_paid"), true), "{open}");
    let due = ordered["invoice"]["amount_due"].as_i64().unwrap();
    let customer = cloud.customer("acme").await;
    cloud.cloud.stripe.receive_transfer(&customer, "usd", due).unwrap();
    assert_eq!(found(&cloud, "acme", &number).await["result"], "granted");
    assert_eq!(cloud.balance("acme").await, 5_000);
}

#[tokio::test]
async fn what_is_not_paid_and_what_went_back_is_said() {
    let (cloud, intent) = paid().await;
    let claim = json!({"payment": intent["id"]});
    // Refunded before anybody granted it: the credits come and go at once.
    cloud.stripe_post("/v1/refunds", &[("payment_intent", id(&intent)), ("amount", "5000")]).await;
    let refunded = found(&cloud, "acme", &claim).await;
    assert_eq!((&refunded["result"], &refunded["amount_returned"]), (&json!("refunded"), &json!(5_000)));
    assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "reversal").await), (0, vec![-5_000]));
    assert_eq!(found(&cloud, "acme", &claim).await, refunded, "and only once");
    assert_eq!(cloud.history("acme").await.len(), 2);

    let page = open_page(&cloud, "buy-2").await;
    cloud.pay_page(&page, VISA).await;
    let charge = of_customer(&cloud, "charges").await[0].clone();
    let dispute = cloud.cloud.stripe.open_dispute(id(&charge)).unwrap();
    let claim = json!({"payment": charge["id"]});
    assert_eq!(
        (found(&cloud, "acme", &claim).await["result"].clone(), cloud.balance("acme").await),
        (json!("disputed"), 0)
    );
    cloud.cloud.stripe.decide_dispute(&dispute, true).unwrap();
    let won = found(&cloud, "acme", &claim).await;
    assert_eq!((&won["result"], cloud.balance("acme").await), (&json!("already_granted"), 5_000));
}

#[tokio::test]
async fn a_bank_debit_is_on_its_way() {
    let cloud = unheard().await;
    let page = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&page, "000123456789").await;
    let intent = of_customer(&cloud, "payment_intents").await[0].clone();
    let claim = json!({"payment": intent["id"]});
    let processing = found(&cloud, "acme", &claim).await;
    assert_eq!((&processing["result"], &processing["status"]), (&json!("processing"), &json!("processing")));
    assert_eq!(cloud.balance("acme").await, 0);
}

#[tokio::test]
async fn a_second_payment_of_a_purchase_is_not_granted_and_said() {
    let cloud = unheard().await;
    let first = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&first, VISA).await;
    let intent = of_customer(&cloud, "payment_intents").await[0].clone();
    assert_eq!(found(&cloud, "acme", &json!({"payment": intent["id"]})).await["result"], "granted");
    // Another page for the same purchase, as a deployment of another release may have opened one.
    let session = of_customer(&cloud, "checkout/sessions").await[0].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (account, purchase) = (text(&session["metadata"]["account"]), text(&session["metadata"]["purchase"]));
    let customer = cloud.customer("acme").await;
    let form = [
        ("mode", "payment"),
        ("customer", customer.as_str()),
        ("success_url", "https://example.com"),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "5000"),
        ("line_items[0][price_data][product_data][name]", "5,000 credits"),
        ("metadata[account]", account.as_str()),
        ("metadata[purchase]", purchase.as_str()),
        ("payment_intent_data[metadata][account]", account.as_str()),
        ("payment_intent_data[metadata][purchase]", purchase.as_str()),
    ];
    let second = cloud.stripe_post("/v1/checkout/sessions", &form).await;
    cloud.pay_page(second["url"].as_str().unwrap(), VISA).await;
    let intents = of_customer(&cloud, "payment_intents").await;
    let other = intents.iter().find(|other| other["id"] != intent["id"]).unwrap();
    let twice = found(&cloud, "acme", &json!({"payment": other["id"]})).await;
    assert_eq!((&twice["result"], &twice["entry"]), (&json!("paid_twice"), &Value::Null), "{twice}");
    assert_eq!(cloud.balance("acme").await, 5_000);
    let all = ask(&cloud, "acme", &statement(&cloud, 5_000)).await.expect(200);
    let results: Vec<_> = all.body["data"].as_array().unwrap().iter().map(|one| one["result"].clone()).collect();
    assert_eq!(results, [json!("paid_twice"), json!("already_granted")], "a statement may match several payments");
}

/// A paid invoice with these metadata. Returns its number.
async fn pay_invoice(cloud: &TestCloud, metadata: &[(&str, &str)]) -> Value {
    let customer = cloud.customer("acme").await;
    let card = cloud.stripe_post("/v1/payment_methods/pm_card_visa/attach", &[("customer", customer.as_str())]).await;
    let mut form = vec![("customer", customer.as_str()), ("pending_invoice_items_behavior", "exclude")];
    form.extend_from_slice(metadata);
    let invoice = cloud.stripe_post("/v1/invoices", &form).await;
    let item = [("customer", customer.as_str()), ("invoice", id(&invoice)), ("amount", "700"), ("currency", "usd")];
    cloud.stripe_post("/v1/invoiceitems", &item).await;
    let paid = [("payment_method", id(&card))];
    cloud.stripe_post(&format!("/v1/invoices/{}/pay", id(&invoice)), &paid).await["number"].clone()
}

#[tokio::test]
async fn payments_that_no_row_knows_or_that_are_not_ours_are_told_apart() {
    let cloud = unheard().await;
    let lost = ("metadata[top_up]", "top_0123456789abcdef0123456789abcdef");
    let other = ("metadata[deployment]", "111122223333/eu-west-1/staging");
    let acme = ("metadata[account]", "acme");
    for (metadata, expected, flags) in [
        (vec![], "not_ours", 0),
        (vec![acme, lost, other], "not_ours", 0),
        (vec![("metadata[account]", "globex"), lost], "of_another_account", 0),
        (vec![acme, lost], "unknown_payment", 1),
    ] {
        let number = pay_invoice(&cloud, &metadata).await;
        for _ in 0..2 {
            assert_eq!(found(&cloud, "acme", &json!({"receipt": number})).await["result"], expected, "{metadata:?}");
        }
        let told = cloud.get("/v1/support/flags", &cloud.support_token()).await.expect(200);
        assert_eq!(told.body["data"].as_array().unwrap().len(), flags, "{metadata:?}: {}", told.text);
    }
    for claim in [
        json!({"payment": "pi_none"}),
        json!({"payment": "ch_none"}),
        json!({"invoice": "in_none"}),
        json!({"receipt": "NONE-1"}),
    ] {
        let nothing =
            cloud.post("/v1/accounts/globex/purchases/find", &cloud.cloud.service_token(), None, &claim).await;
        assert_eq!(nothing.expect(200).body["data"][0]["result"], "not_found", "{claim}");
    }
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (0, 0));
}

#[tokio::test]
async fn a_statement_is_compared_with_the_customers_own_charges_of_those_days() {
    let (cloud, _) = paid().await;
    let today = cloud.now();
    let day = |days: i64| (today + HOUR * 24 * i32::try_from(days).unwrap()).to_string()[..10].to_owned();
    let line = |last4: &str, days, amount: i64| json!({"card": {"last4": last4, "date": day(days), "amount": amount}});
    for nothing in [line("4243", 0, 5_000), line("4242", 0, 5_001), line("4242", -2, 5_000)] {
        assert_eq!(found(&cloud, "acme", &nothing).await["result"], "not_found", "{nothing}");
    }
    assert_eq!(cloud.balance("acme").await, 0);
    for days in [-1, 1, 0] {
        let expected = if days == -1 { "granted" } else { "already_granted" };
        assert_eq!(found(&cloud, "acme", &line("4242", days, 5_000)).await["result"], expected, "{days}");
    }
    assert_eq!(cloud.cloud.stripe.request_count("GET", "/v1/charges"), 6);
    for (body, field) in [
        (line("424", 0, 1), "card.last4"),
        (line("4242", -91, 1), "card.date"),
        (line("4242", 2, 1), "card.date"),
        (line("4242", 0, 0), "card.amount"),
        (json!({"card": {"last4": "4242", "date": "2026-1-1", "amount": 1}}), "card.date"),
        (json!({"card": {"last4": "4242", "amount": 1}}), "card.date"),
        (json!({"card": "4242"}), "card"),
        (json!({"payment": "cus_1"}), "payment"),
        (json!({"invoice": "pi_1"}), "invoice"),
        (json!({"receipt": "A B"}), "receipt"),
        (json!({}), "receipt"),
        (json!({"invoice": "in_1", "payment": "pi_1"}), "receipt"),
        (json!({"payment": "pi_1", "account": "globex"}), "account"),
    ] {
        let refused = ask(&cloud, "acme", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.body["errors"][0]["field"], field, "{body}");
    }
}

#[tokio::test]
async fn an_account_asks_ten_times_an_hour_whichever_function_answers() {
    let (cloud, intent) = paid().await;
    let claim = json!({"payment": intent["id"]});
    for _ in 0..10 {
        ask(&cloud, "acme", &json!({"payment": "pi_none"})).await.expect(200);
        cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    }
    let asked = cloud.cloud.stripe.request_count("GET", "/v1/payment_intents/*");
    let refused = ask(&cloud, "acme", &claim).await.expect_problem(429, "too_many_claims");
    assert_eq!(refused.retry_after.as_deref(), Some("3001"), "ten minutes have passed");
    assert!(refused.body["possible_at"].is_string());
    assert_eq!(cloud.cloud.stripe.request_count("GET", "/v1/payment_intents/*"), asked, "Stripe is not asked");
    ask(&cloud, "globex", &claim).await.expect(200);
    cloud.cloud.clock.advance(SignedDuration::from_mins(51)).unwrap();
    assert_eq!(found(&cloud, "acme", &claim).await["result"], "granted");
}

#[tokio::test]
async fn while_stripe_does_not_answer_nothing_is_said() {
    let (cloud, intent) = paid().await;
    let claim = json!({"payment": intent["id"]});
    for path in ["/v1/payment_intents/*", "/v1/checkout/sessions", "/v1/refunds", "/v1/checkout/sessions/*"] {
        let fault =
            Fault { method: Some("GET".into()), path: path.into(), action: FaultAction::Unavailable, count: u32::MAX };
        cloud.cloud.stripe.add_fault(fault);
        ask(&cloud, "acme", &claim).await.expect_problem(503, "unavailable");
        assert_eq!(cloud.balance("acme").await, 0, "{path}");
        cloud.cloud.stripe.clear_faults();
    }
    assert_eq!(found(&cloud, "acme", &claim).await["result"], "granted");
}

/// Two questions, a check and a webhook at once.
#[tokio::test]
async fn however_many_ask_at_once_it_is_granted_once() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let page = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&page, VISA).await;
    let intent = of_customer(&cloud, "payment_intents").await[0].clone();
    let claim = json!({"payment": intent["id"]});
    let (first, second, ()) = tokio::join!(ask(&cloud, "acme", &claim), ask(&cloud, "acme", &claim), cloud.settle());
    for answer in [first.expect(200), second.expect(200)] {
        let result = answer.body["data"][0]["result"].as_str().unwrap().to_owned();
        assert!(["granted", "already_granted"].contains(&result.as_str()), "{result}");
    }
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (5_000, 1));
    let receipts = cloud.subjects("acme").len();
    cloud.settle().await;
    assert_eq!(cloud.subjects("acme").len(), receipts, "one receipt");
}
