//! Stripe's events: accepted only if signed, applied once however they arrive, and always verified at Stripe.

use crate::support::{Answer, TestCloud};
use futures::future::join_all;
use jiff::SignedDuration;
use local_aws::dynamodb::{Fault as TableFault, Recording, Refusal};
use local_stripe::{DefiniteRefusal, Fault, FaultAction, WebhookConduct, webhook_signature};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock;

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
const VISA: &str = "4242424242424242";

/// Posts a body as Stripe does, with this signature.
async fn post_signed(cloud: &TestCloud, body: &[u8], signature: Option<&str>) -> Answer {
    let mut request = cloud.request(Method::POST, "/v1/webhooks/stripe").body(body.to_vec());
    if let Some(signature) = signature {
        request = request.header("stripe-signature", signature);
    }
    cloud.send(request).await
}

/// Posts an event signed with the endpoint's secret, now.
async fn post_event(cloud: &TestCloud, event: &Value) -> Answer {
    let body = event.to_string().into_bytes();
    let secret = webhook_secret(cloud).await;
    let signature = webhook_signature(&secret, cloud.cloud.clock.now().as_second(), &body);
    post_signed(cloud, &body, Some(&signature)).await
}

async fn webhook_secret(cloud: &TestCloud) -> String {
    let stripe: Value = serde_json::from_str(&cloud.secret("stripe").await).unwrap();
    stripe["webhook_secrets"][0].as_str().unwrap().to_owned()
}

/// R8: unusual contents that are never read do not matter, and a thin event is accepted and counted but not followed.
#[tokio::test]
async fn events_that_hold_something_unusual_are_events_all_the_same() {
    let cloud = TestCloud::start().await;
    let secret = webhook_secret(&cloud).await;
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let before = cloud.cloud.stripe.requests().len();
    for (number, unusual) in [r#""\ud83d""#, "1e999", deep.as_str()].into_iter().enumerate() {
        let body = format!(
            r#"{{"id":"evt_{number}","type":"invoice.paid","data":{{"object":{{"id":"in_3","d":{unusual}}}}},"d":{unusual}}}"#
        );
        let signature = webhook_signature(&secret, cloud.cloud.clock.now().as_second(), body.as_bytes());
        post_signed(&cloud, body.as_bytes(), Some(&signature)).await.expect(200);
    }
    assert_eq!(cloud.cloud.stripe.requests().len(), before + 3, "the invoice is read each time");
    let thin = json!({
        "id": "evt_test_1", "object": "v2.core.event", "type": "v1.invoice.paid", "livemode": false,
        "created": "2026-01-05T00:00:00.000Z", "related_object": {"id": "in_3", "type": "invoice", "url": "/v1/invoices/in_3"},
    });
    post_event(&cloud, &thin).await.expect(200);
    assert_eq!(cloud.cloud.stripe.requests().len(), before + 3, "a thin event is not followed");
    assert!(cloud.log().iter().any(|line| line.contains("thin_events")), "and counted");
    let refused = || cloud.log().iter().filter(|line| line.contains("refused_events")).count();
    assert_eq!(refused(), 0);
    post_signed(&cloud, b"{}", Some("t=1,v1=00")).await.expect_problem(400, "invalid_signature");
    assert_eq!(refused(), 1);
}

/// Stripe's newest event of this type.
async fn event_of(cloud: &TestCloud, kind: &str) -> Value {
    let events = cloud.stripe_get(&format!("/v1/events?limit=1&type={kind}")).await;
    assert_eq!(events["data"][0]["type"], json!(kind));
    events["data"][0].clone()
}

fn conduct(cloud: &TestCloud, conduct: WebhookConduct) {
    cloud.cloud.stripe.set_webhook_conduct(conduct);
}

fn drop_all(cloud: &TestCloud) {
    conduct(cloud, WebhookConduct { drop_next: 1_000, ..WebhookConduct::default() });
}

/// The number of requests that wrote to the table.
fn writes(recording: &Recording) -> usize {
    ["TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"]
        .map(|operation| recording.count(operation))
        .iter()
        .sum()
}

/// An account whose purchase is paid at Stripe, without delivering any event of it. Returns the purchase's id.
async fn paid_unheard(cloud: &TestCloud, account: &str) -> String {
    cloud.open_account(account).await;
    cloud.settle().await;
    drop_all(cloud);
    let path = format!("/v1/accounts/{account}/purchases");
    let body = json!({"package": "credits_5000"});
    let answer = cloud.post(&path, &cloud.cloud.customer_token(account), Some("buy-1"), &body).await.expect(201);
    cloud.pay_page(answer.body["checkout_url"].as_str().unwrap(), VISA).await;
    cloud.settle().await;
    assert_eq!(cloud.balance(account).await, 0);
    conduct(cloud, WebhookConduct::default());
    answer.body["purchase"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn however_events_arrive_a_purchase_and_a_top_up_are_granted_once() {
    for (name, conducted) in [
        ("as they come", WebhookConduct::default()),
        ("twice", WebhookConduct { duplicate: true, ..WebhookConduct::default() }),
        ("newest first", WebhookConduct { reorder: true, ..WebhookConduct::default() }),
        ("twice and newest first", WebhookConduct { duplicate: true, reorder: true, ..WebhookConduct::default() }),
        ("late", WebhookConduct { delay_seconds: 3_600, ..WebhookConduct::default() }),
    ] {
        let cloud = TestCloud::start().await;
        conduct(&cloud, conducted.clone());
        cloud.open_account("acme").await;
        cloud.buy("acme", "credits_500", VISA).await;
        if conducted.delay_seconds > 0 {
            assert_eq!(cloud.balance("acme").await, 0, "{name}: under way");
            cloud.advance(SignedDuration::from_secs(3_599)).await;
            assert_eq!(cloud.balance("acme").await, 0, "{name}: still under way");
            cloud.advance(SignedDuration::from_secs(1)).await;
        }
        assert_eq!(cloud.balance("acme").await, 500, "{name}");
        cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
        cloud.advance(SignedDuration::from_hours(4)).await;
        assert_eq!(cloud.entries("acme", "purchase").await, [500], "{name}");
        assert_eq!(cloud.entries("acme", "top_up").await, [4_500], "{name}");
        assert_eq!(cloud.cents_taken("acme").await, [4_500, 500], "{name}");
        assert_eq!(cloud.mails("acme").len(), 2, "{name}: a receipt for each");
    }
}

#[tokio::test]
async fn events_of_a_declined_top_up_in_any_order_pause_once() {
    for reorder in [false, true] {
        let cloud = TestCloud::start().await;
        cloud.open_due_account("acme", "pm_card_authenticationRequired").await;
        conduct(&cloud, WebhookConduct { duplicate: true, reorder, ..WebhookConduct::default() });
        cloud.advance(HALF_AN_HOUR).await;
        let issue = cloud.auto_top_up("acme").await["payment_issue"]["kind"].clone();
        assert_eq!((issue, cloud.mails("acme").len()), (json!("action_required"), 1));
        cloud.answer_bank(&cloud.hosted_page("acme").await, "complete").await;
        cloud.settle().await;
        assert_eq!((cloud.balance("acme").await, cloud.mails("acme").len()), (5_000, 2));
        assert_eq!(cloud.auto_top_up("acme").await["payment_issue"], Value::Null);
    }
}

#[tokio::test]
async fn a_purchase_whose_events_are_lost_is_granted_when_the_customer_looks() {
    let cloud = TestCloud::start().await;
    let purchase = paid_unheard(&cloud, "acme").await;
    let path = format!("/v1/accounts/acme/purchases/{purchase}");
    let looked = cloud.get(&path, &cloud.cloud.customer_token("acme")).await.expect(200);
    assert_eq!(looked.body["status"], json!("paid"));
    assert_eq!(cloud.balance("acme").await, 5_000);
    // The event arrives in the end.
    post_event(&cloud, &event_of(&cloud, "checkout.session.completed").await).await.expect(200);
    cloud.settle().await;
    assert_eq!(cloud.entries("acme", "purchase").await, [5_000]);
    assert_eq!(cloud.mails("acme").len(), 1);
}

#[tokio::test]
async fn the_same_event_eight_times_at_once_is_applied_once() {
    let cloud = TestCloud::start().await;
    paid_unheard(&cloud, "acme").await;
    let event = event_of(&cloud, "checkout.session.completed").await;
    let answers = join_all((0..8).map(|_| post_event(&cloud, &event))).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200; 8]);
    cloud.settle().await;
    assert_eq!(cloud.entries("acme", "purchase").await, [5_000]);
    assert_eq!(cloud.mails("acme").len(), 1);
}

#[tokio::test]
async fn an_event_that_was_applied_asks_neither_stripe_nor_the_table_for_more() {
    let cloud = TestCloud::start().await;
    paid_unheard(&cloud, "acme").await;
    let event = event_of(&cloud, "checkout.session.completed").await;
    post_event(&cloud, &event).await.expect(200);
    cloud.cloud.stripe.clear_requests();
    let recording = cloud.cloud.aws.dynamodb.record();
    post_event(&cloud, &event).await.expect(200);
    assert_eq!((recording.names(), cloud.cloud.stripe.requests()), (vec!["GetItem".to_owned()], vec![]));
}

/// A sweep of thousands of accounts would otherwise ask Stripe for thousands of invoices that it has just paid.
#[tokio::test]
async fn a_paid_top_up_costs_four_calls_and_its_event_none() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.cloud.stripe.clear_requests();
    cloud.advance(HALF_AN_HOUR).await;
    assert_eq!(cloud.balance("acme").await, 5_000);
    let calls: Vec<_> = cloud.cloud.stripe.requests().into_iter().map(|call| (call.method, call.path)).collect();
    assert_eq!(calls.len(), 4, "{calls:?}");
    let event = event_of(&cloud, "invoice.paid").await;
    cloud.cloud.stripe.clear_requests();
    for id in ["evt_again_1", "evt_again_2"] {
        let mut event = event.clone();
        event["id"] = json!(id);
        post_event(&cloud, &event).await.expect(200);
    }
    assert_eq!(cloud.cloud.stripe.requests().len(), 0);
    assert_eq!((cloud.balance("acme").await, cloud.cents_taken("acme").await), (5_000, vec![5_000]));
}

#[tokio::test]
async fn events_of_types_that_are_not_ours_are_accepted_and_change_nothing() {
    let cloud = TestCloud::start().await;
    paid_unheard(&cloud, "acme").await;
    let completed = event_of(&cloud, "checkout.session.completed").await;
    let recording = cloud.cloud.aws.dynamodb.record();
    for kind in ["payment_intent.succeeded", "charge.succeeded", "invoice.upcoming", "a.type.of.tomorrow", ""] {
        let mut event = completed.clone();
        event["type"] = json!(kind);
        post_event(&cloud, &event).await.expect(200);
    }
    let without_id = json!({
        "id": "evt_1", "object": "event", "type": "balance.available", "created": 1, "livemode": false,
        "data": {"object": {"object": "balance"}},
    });
    post_event(&cloud, &without_id).await.expect(200);
    assert_eq!(recording.names(), Vec::<String>::new());
}

#[tokio::test]
async fn objects_of_other_deployments_are_accepted_and_move_nothing() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let unknown_attempt = "top_0123456789abcdef0123456789abcdef";
    let deployment = ("metadata[deployment]", "111122223333/eu-west-1/staging");
    let foreign: [&[(&str, &str)]; 5] = [
        &[],
        &[("metadata[account]", "stranger"), ("metadata[top_up]", unknown_attempt), deployment],
        &[("metadata[account]", "acme"), ("metadata[top_up]", unknown_attempt), deployment],
        &[("metadata[account]", "acme"), ("metadata[top_up]", "1")],
        &[("metadata[account]", "no account of ours!"), ("metadata[top_up]", unknown_attempt)],
    ];
    drop_all(&cloud);
    let recording = cloud.cloud.aws.dynamodb.record();
    for metadata in foreign {
        craft_paid_invoice(&cloud, "acme", 5_000, metadata).await;
        post_event(&cloud, &event_of(&cloud, "invoice.paid").await).await.expect(200);
    }
    let other_customer = cloud.stripe_post("/v1/customers", &[("metadata[account]", "acme")]).await;
    let name = [("name", "Other")];
    cloud.stripe_post(&format!("/v1/customers/{}", other_customer["id"].as_str().unwrap()), &name).await;
    post_event(&cloud, &event_of(&cloud, "customer.updated").await).await.expect(200);
    assert_eq!(recording.count("TransactWriteItems"), 0);
    assert_eq!((cloud.balance("acme").await, cloud.mails("acme").len()), (0, 0));
}

/// R4: an event about a customer that was deleted at Stripe concerns no account.
#[tokio::test]
async fn the_event_of_a_deleted_customer_is_accepted_and_changes_nothing() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let path = format!("/v1/customers/{}", cloud.customer("acme").await);
    drop_all(&cloud);
    cloud.stripe_post(&path, &[("name", "Acme")]).await;
    let event = event_of(&cloud, "customer.updated").await;
    cloud.stripe(Method::DELETE, &path, &[]).await.expect(200);
    let recording = cloud.cloud.aws.dynamodb.record();
    post_event(&cloud, &event).await.expect(200);
    assert_eq!(recording.count("TransactWriteItems"), 0);
    assert_eq!(recording.count("PutItem"), 1, "it is marked as applied");
}

/// R13: the metadata say whether an invoice is ours. The payment of a foreign invoice is not read, since our key may
/// not be allowed to read it.
#[tokio::test]
async fn a_foreign_open_invoice_is_accepted_without_a_look_at_its_payment() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let customer = cloud.customer("acme").await;
    drop_all(&cloud);
    let invoice = cloud.stripe_post("/v1/invoices", &[("customer", customer.as_str())]).await;
    let id = invoice["id"].as_str().unwrap();
    let item = [("customer", customer.as_str()), ("invoice", id), ("amount", "700"), ("currency", "usd")];
    cloud.stripe_post("/v1/invoiceitems", &item).await;
    cloud.stripe_post(&format!("/v1/invoices/{id}/finalize"), &[]).await;
    let event = json!({
        "id": "evt_foreign", "object": "event", "type": "invoice.payment_failed", "created": 1, "livemode": false,
        "data": {"object": {"id": id, "object": "invoice"}},
    });
    let refusal = DefiniteRefusal::Unexplained;
    cloud.cloud.stripe.add_fault(Fault::once("GET", "/v1/payment_intents/*", FaultAction::Refuse { refusal }));
    post_event(&cloud, &event).await.expect(200);
    assert_eq!(cloud.cloud.stripe.request_count("GET", "/v1/payment_intents/*"), 0);
}

/// An invoice created without the product for an account's customer, and paid with a card that works.
async fn craft_paid_invoice(cloud: &TestCloud, account: &str, cents: i64, metadata: &[(&str, &str)]) {
    let customer = cloud.customer(account).await;
    let card = cloud.stripe_post("/v1/payment_methods/pm_card_visa/attach", &[("customer", customer.as_str())]).await;
    let mut form = vec![("customer", customer.as_str()), ("pending_invoice_items_behavior", "exclude")];
    form.extend_from_slice(metadata);
    let invoice = cloud.stripe_post("/v1/invoices", &form).await;
    let (id, amount) = (invoice["id"].as_str().unwrap(), cents.to_string());
    let item = [("customer", customer.as_str()), ("invoice", id), ("amount", amount.as_str()), ("currency", "usd")];
    cloud.stripe_post("/v1/invoiceitems", &item).await;
    let paid = [("payment_method", card["id"].as_str().unwrap())];
    let paid = cloud.stripe_post(&format!("/v1/invoices/{id}/pay"), &paid).await;
    assert_eq!(paid["status"], json!("paid"));
}

#[tokio::test]
async fn a_payment_that_is_not_the_one_asked_for_is_not_granted() {
    for (name, payer, cents) in [
        ("a cent too little", "acme", 4_999),
        ("a cent too much", "acme", 5_001),
        ("another customer's", "other", 5_000),
    ] {
        let cloud = TestCloud::start().await;
        cloud.open_account("other").await;
        cloud.open_due_account("acme", "pm_card_visa").await;
        let outage = Fault {
            method: None,
            path: "/v1/invoices/*/pay".to_owned(),
            action: FaultAction::Unavailable,
            count: u32::MAX,
        };
        cloud.cloud.stripe.add_fault(outage);
        cloud.advance(HALF_AN_HOUR).await;
        cloud.cloud.stripe.clear_faults();
        let open = cloud.top_up_invoices("acme").await.remove(0);
        let top_up = open["metadata"]["top_up"].as_str().unwrap();
        drop_all(&cloud);
        craft_paid_invoice(&cloud, payer, cents, &[("metadata[account]", "acme"), ("metadata[top_up]", top_up)]).await;
        let event = event_of(&cloud, "invoice.paid").await;
        let recording = cloud.cloud.aws.dynamodb.record();

        let refused = post_event(&cloud, &event).await.expect_problem(500, "internal_error");

        assert!(!refused.text.contains("payment") && !refused.text.contains(top_up), "{name}: {}", refused.text);
        assert_eq!(writes(&recording), 0, "{name}: not even the mark that it was applied");
        post_event(&cloud, &event).await.expect_problem(500, "internal_error");
        assert_eq!((cloud.balance("acme").await, cloud.balance("other").await), (0, 0), "{name}");
        assert_eq!(cloud.mails("acme").len(), 0, "{name}");
    }
}

/// Pays for acme's purchase on a page that we did not open.
async fn pay_another_page(cloud: &TestCloud, purchase: &str, (currency, cents): (&str, i64)) {
    let customer = cloud.customer("acme").await;
    let cents = cents.to_string();
    let session = [
        ("mode", "payment"),
        ("customer", customer.as_str()),
        ("success_url", "https://app.example.com/"),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", currency),
        ("line_items[0][price_data][unit_amount]", cents.as_str()),
        ("line_items[0][price_data][product_data][name]", "credits"),
        ("metadata[account]", "acme"),
        ("metadata[purchase]", purchase),
    ];
    let session = cloud.stripe_post("/v1/checkout/sessions", &session).await;
    cloud.pay_page(session["url"].as_str().unwrap(), VISA).await;
}

/// A purchase that was granted and is paid again grants nothing more, and a person hears of it.
#[tokio::test]
async fn a_purchase_that_is_paid_twice_is_granted_once_and_an_alarm_rings() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let body = json!({"package": "credits_5000"});
    let token = cloud.cloud.customer_token("acme");
    let opened = cloud.post("/v1/accounts/acme/purchases", &token, Some("buy-1"), &body).await.expect(201);
    let purchase = opened.body["purchase"].as_str().unwrap();
    cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), VISA).await;
    cloud.settle().await;
    let errors = || cloud.log().iter().filter(|line| line.contains("ERROR") && line.contains(purchase)).count();
    assert_eq!(errors(), 0);
    pay_another_page(&cloud, purchase, ("usd", 5_000)).await;
    cloud.settle().await;
    assert_eq!((cloud.balance("acme").await, errors()), (5_000, 1));
}

/// R10: Checkout was paid in another currency or amount than requested.
#[tokio::test]
async fn a_purchase_paid_in_another_currency_is_in_review_and_never_an_error_for_the_customer() {
    for (currency, cents) in [("eur", 5_000), ("usd", 4_999)] {
        let cloud = TestCloud::start().await;
        cloud.open_account("acme").await;
        let body = json!({"package": "credits_5000"});
        let token = cloud.cloud.customer_token("acme");
        let opened = cloud.post("/v1/accounts/acme/purchases", &token, Some("buy-1"), &body).await.expect(201);
        let purchase = opened.body["purchase"].as_str().unwrap();
        cloud.settle().await;
        drop_all(&cloud);
        pay_another_page(&cloud, purchase, (currency, cents)).await;
        conduct(&cloud, WebhookConduct::default());
        post_event(&cloud, &event_of(&cloud, "checkout.session.completed").await).await.expect(200);
        cloud.settle().await;
        let path = format!("/v1/accounts/acme/purchases/{purchase}");
        let looked = cloud.get(&path, &token).await.expect(200);
        assert_eq!(looked.body["status"], json!("in_review"), "{}", looked.text);
        assert!(looked.body["note"].as_str().unwrap().contains("we are looking into it"), "{}", looked.text);
        assert!(looked.body.get("checkout_url").is_none(), "the customer must not pay again: {}", looked.text);
        assert_eq!((cloud.balance("acme").await, cloud.mails("acme").len()), (0, 0));
        let log = cloud.log();
        let is_told = |line: &&String| line.contains("ERROR") && line.contains(purchase);
        assert_eq!(log.iter().filter(is_told).count(), 1, "one error, worth an alarm: {log:#?}");
    }
}

/// One table of requests. Each is wrong in one way; the rest of its body, secret and time is right.
#[tokio::test]
async fn what_stripe_did_not_sign_just_now_is_refused_and_changes_nothing() {
    let cloud = TestCloud::start().await;
    paid_unheard(&cloud, "acme").await;
    let body = event_of(&cloud, "checkout.session.completed").await.to_string().into_bytes();
    let (secret, now) = (webhook_secret(&cloud).await, cloud.cloud.clock.now().as_second());
    let good = webhook_signature(&secret, now, &body);
    let (time, digest) = good.split_once(",v1=").unwrap();
    let last = body.len() - 1;
    let tampered = [
        [&body[..last], b" }"].concat(),
        [b" ", &body[..]].concat(),
        body[..last].to_vec(),
        String::from_utf8(body.clone()).unwrap().replacen("acme", "evil", 1).into_bytes(),
    ];
    let mut cases: Vec<(String, Vec<u8>, Option<String>)> = vec![
        ("no header".into(), body.clone(), None),
        ("an empty header".into(), body.clone(), Some(String::new())),
        ("no time".into(), body.clone(), Some(format!("v1={digest}"))),
        ("two times".into(), body.clone(), Some(format!("{time},{good}"))),
        ("another time".into(), body.clone(), Some(format!("t={},v1={digest}", now - 1))),
        ("no signature".into(), body.clone(), Some(time.into())),
        ("the test scheme".into(), body.clone(), Some(format!("{time},v0={digest}"))),
        ("half a signature".into(), body.clone(), Some(format!("{time},v1={}", &digest[..32]))),
        ("shouted".into(), body.clone(), Some(format!("{time},v1={}", digest.to_uppercase()))),
        ("no text".into(), body.clone(), Some("💳".into())),
        ("another secret".into(), body.clone(), Some(webhook_signature("whsec_other", now, &body))),
        ("no secret".into(), body.clone(), Some(webhook_signature("", now, &body))),
        ("too old".into(), body.clone(), Some(webhook_signature(&secret, now - 301, &body))),
        ("from the future".into(), body.clone(), Some(webhook_signature(&secret, now + 301, &body))),
        ("no event".into(), b"{}".to_vec(), Some(webhook_signature(&secret, now, b"{}"))),
        ("no JSON".into(), b"event".to_vec(), Some(webhook_signature(&secret, now, b"event"))),
        ("nothing".into(), vec![], Some(webhook_signature(&secret, now, b""))),
    ];
    cases.extend(tampered.map(|body| ("another body".into(), body, Some(good.clone()))));
    for position in (0..digest.len()).step_by(7) {
        let mut flipped = digest.to_owned().into_bytes();
        flipped[position] = if flipped[position] == b'0' { b'1' } else { b'0' };
        let flipped = format!("{time},v1={}", String::from_utf8(flipped).unwrap());
        cases.push((format!("digit {position} of the signature"), body.clone(), Some(flipped)));
    }
    let recording = cloud.cloud.aws.dynamodb.record();
    cloud.cloud.stripe.clear_requests();
    for (name, body, signature) in cases {
        let refused = post_signed(&cloud, &body, signature.as_deref()).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (400, &json!("invalid_signature")),
            "{name}: {}",
            refused.text
        );
        refused.expect_problem(400, "invalid_signature");
    }
    assert_eq!((recording.names(), cloud.cloud.stripe.requests()), (vec![], vec![]), "no outside call was made");

    for signed_at in [now - 300, now + 300] {
        let signature = webhook_signature(&secret, signed_at, &body);
        let rolled = format!("t={signed_at},v1={},{}", "0".repeat(64), signature.split_once(',').unwrap().1);
        post_signed(&cloud, &body, Some(&rolled)).await.expect(200);
    }
    assert_eq!(cloud.entries("acme", "purchase").await, [5_000], "within the tolerance, and once");
}

#[tokio::test]
async fn stale_deliveries_of_stripes_own_are_refused_until_they_are_signed_anew() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    conduct(&cloud, WebhookConduct { stale: true, ..WebhookConduct::default() });
    cloud.buy("acme", "credits_500", VISA).await;
    assert_eq!(cloud.balance("acme").await, 0);
    conduct(&cloud, WebhookConduct::default());
    cloud.advance(SignedDuration::from_mins(1)).await;
    assert_eq!(cloud.entries("acme", "purchase").await, [500]);
}

#[tokio::test]
async fn while_the_ledger_is_down_events_are_answered_5xx_and_applied_once_when_stripe_sends_them_again() {
    for (name, operation, fault) in [
        ("reads", "GetItem", TableFault::Refuse(Refusal::InternalServerError)),
        ("writes", "TransactWriteItems", TableFault::Refuse(Refusal::ProvisionedThroughputExceeded)),
        ("marks", "PutItem", TableFault::Refuse(Refusal::Throttling)),
    ] {
        let cloud = TestCloud::start().await;
        paid_unheard(&cloud, "acme").await;
        let event = event_of(&cloud, "checkout.session.completed").await;
        let faults = cloud.cloud.aws.dynamodb.faults();
        faults.decide_with(move |asked| (asked.name == operation).then(|| fault.clone()));
        post_event(&cloud, &event).await.expect_problem(503, "unavailable");
        faults.clear();
        post_event(&cloud, &event).await.expect(200);
        cloud.settle().await;
        assert_eq!(cloud.entries("acme", "purchase").await, [5_000], "{name}");
        assert_eq!(cloud.mails("acme").len(), 1, "{name}");
    }
}

#[tokio::test]
async fn while_stripe_cannot_be_asked_an_event_is_answered_503_and_changes_nothing() {
    let cloud = TestCloud::start().await;
    paid_unheard(&cloud, "acme").await;
    let event = event_of(&cloud, "checkout.session.completed").await;
    let path = "/v1/checkout/sessions/*".to_owned();
    cloud.cloud.stripe.add_fault(Fault { method: None, path, action: FaultAction::LoseAnswer, count: u32::MAX });
    let recording = cloud.cloud.aws.dynamodb.record();
    post_event(&cloud, &event).await.expect_problem(503, "unavailable");
    assert_eq!(writes(&recording), 0);
    cloud.cloud.stripe.clear_faults();
    post_event(&cloud, &event).await.expect(200);
    assert_eq!(cloud.balance("acme").await, 5_000);
}

#[tokio::test]
async fn the_card_a_customer_makes_the_default_at_stripe_is_the_one_charged_next() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", VISA).await;
    cloud.save_card("acme", "pm_card_mastercard").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.advance(HALF_AN_HOUR).await;
    let customer = cloud.customer("acme").await;
    let charges = cloud.stripe_list(&format!("/v1/charges?customer={customer}")).await;
    let brand = |charge: &Value| charge["payment_method_details"]["card"]["brand"].clone();
    assert_eq!(charges.iter().map(brand).collect::<Vec<_>>(), [json!("mastercard"), json!("visa")]);
}

const MASTERCARD: &str = "5555555555554444";

/// The brands of the customer's default card at Stripe and of the card that was charged last.
async fn default_and_last_charged(cloud: &TestCloud, account: &str) -> (String, String) {
    let customer = cloud.customer(account).await;
    let default = cloud.stripe_get(&format!("/v1/customers/{customer}")).await;
    let default = default["invoice_settings"]["default_payment_method"].as_str().unwrap().to_owned();
    let default = cloud.stripe_get(&format!("/v1/payment_methods/{default}")).await;
    let charges = cloud.stripe_list(&format!("/v1/charges?customer={customer}")).await;
    let charged = &charges[0]["payment_method_details"]["card"]["brand"];
    (default["card"]["brand"].as_str().unwrap().to_owned(), charged.as_str().unwrap().to_owned())
}

/// R18: a purchase's event arrives after the customer chose another card.
#[tokio::test]
async fn a_newer_choice_of_card_is_not_undone_by_an_older_payment_however_their_events_arrive() {
    for is_choice_heard_first in [false, true] {
        let cloud = TestCloud::start().await;
        paid_unheard(&cloud, "acme").await;
        let completed = event_of(&cloud, "checkout.session.completed").await;
        drop_all(&cloud);
        cloud.save_card("acme", "pm_card_mastercard").await;
        let chosen = event_of(&cloud, "customer.updated").await;
        conduct(&cloud, WebhookConduct::default());
        let events = if is_choice_heard_first { [chosen, completed] } else { [completed, chosen] };
        for event in events {
            post_event(&cloud, &event).await.expect(200);
        }
        cloud.settle().await;
        cloud.turn_on_auto_top_up("acme", 6_000, 7_000).await;
        cloud.advance(HALF_AN_HOUR).await;
        let expected = ("mastercard".to_owned(), "mastercard".to_owned());
        assert_eq!(default_and_last_charged(&cloud, "acme").await, expected, "{is_choice_heard_first}");
    }
}

/// R18: of two purchases with two cards, the one that was opened later decides.
#[tokio::test]
async fn of_two_purchases_the_later_one_s_card_is_kept_however_their_events_arrive() {
    for is_later_heard_first in [false, true] {
        let cloud = TestCloud::start().await;
        cloud.open_account("acme").await;
        cloud.settle().await;
        drop_all(&cloud);
        let mut events = vec![];
        for (key, card) in [("buy-1", VISA), ("buy-2", MASTERCARD)] {
            let body = json!({"package": "credits_500"});
            let token = cloud.cloud.customer_token("acme");
            let opened = cloud.post("/v1/accounts/acme/purchases", &token, Some(key), &body).await.expect(201);
            cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), card).await;
            events.push(event_of(&cloud, "checkout.session.completed").await);
            cloud.advance(SignedDuration::from_secs(1)).await;
        }
        conduct(&cloud, WebhookConduct::default());
        if is_later_heard_first {
            events.reverse();
        }
        for event in events {
            post_event(&cloud, &event).await.expect(200);
        }
        cloud.settle().await;
        cloud.turn_on_auto_top_up("acme", 2_000, 7_000).await;
        cloud.advance(HALF_AN_HOUR).await;
        let expected = ("mastercard".to_owned(), "mastercard".to_owned());
        assert_eq!(default_and_last_charged(&cloud, "acme").await, expected, "{is_later_heard_first}");
    }
}

/// R18: a purchase's card becomes the default once. Whatever Stripe tells of it later, a return to the card from before
/// the purchase stays.
#[tokio::test]
async fn a_return_to_the_card_from_before_a_purchase_is_not_undone_by_another_event_about_it() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let before = cloud.save_card("acme", "pm_card_mastercard").await;
    let (token, body) = (cloud.cloud.customer_token("acme"), json!({"package": "credits_5000"}));
    let opened = cloud.post("/v1/accounts/acme/purchases", &token, Some("buy-1"), &body).await.expect(201);
    cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), VISA).await;
    cloud.settle().await;
    let customer = cloud.customer("acme").await;
    let choice = [("invoice_settings[default_payment_method]", before.as_str())];
    cloud.stripe_post(&format!("/v1/customers/{customer}"), &choice).await;
    cloud.settle().await;
    let mut again = event_of(&cloud, "checkout.session.completed").await;
    again["id"] = json!("evt_again");
    post_event(&cloud, &again).await.expect(200);
    cloud.settle().await;
    cloud.turn_on_auto_top_up("acme", 6_000, 7_000).await;
    cloud.advance(HALF_AN_HOUR).await;
    let expected = ("mastercard".to_owned(), "mastercard".to_owned());
    assert_eq!(default_and_last_charged(&cloud, "acme").await, expected);
}

#[tokio::test]
async fn a_card_removed_at_stripe_is_not_charged_any_more() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let saved = cloud.save_card("acme", "pm_card_visa").await;
    cloud.stripe_post(&format!("/v1/payment_methods/{saved}/detach"), &[]).await;
    cloud.settle().await;
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["declined"], json!(1));
    assert_eq!((cloud.pay_calls(), cloud.cents_taken("acme").await.len()), (0, 0), "Stripe is not asked for money");
}
