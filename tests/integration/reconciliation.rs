//! The reconciliation, end to end: whatever no webhook tells is applied within one run, once.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction, WebhookConduct};
use reqwest::Method;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";
const FIVE_MINUTES: SignedDuration = SignedDuration::from_mins(5);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const PURCHASES: &str = "/v1/accounts/acme/purchases";

/// A cloud with an account, to which no webhook is ever delivered.
async fn unheard() -> TestCloud {
    let cloud = TestCloud::start_reconciling().await;
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() });
    cloud.open_account("acme").await;
    cloud
}

/// Opens a purchase with a page. Returns the page.
async fn open_page(cloud: &TestCloud, key: &str) -> String {
    let token = cloud.cloud.customer_token("acme");
    let opened = cloud.post(PURCHASES, &token, Some(key), &json!({"package": "credits_5000"})).await.expect(201);
    opened.body["checkout_url"].as_str().unwrap().to_owned()
}

async fn order_by_invoice(cloud: &TestCloud) -> Answer {
    let body = json!({"package": "credits_5000", "pay_by": "invoice", "days_until_due": 14});
    cloud.post(PURCHASES, &cloud.cloud.customer_token("acme"), Some("order-1"), &body).await.expect(201)
}

async fn intents(cloud: &TestCloud) -> Vec<Value> {
    let customer = cloud.customer("acme").await;
    let listed = cloud.stripe_get(&format!("/v1/payment_intents?customer={customer}")).await;
    listed["data"].as_array().unwrap().clone()
}

fn fail(cloud: &TestCloud, path: &str) {
    let fault =
        Fault { method: Some("GET".into()), path: path.into(), action: FaultAction::Unavailable, count: u32::MAX };
    cloud.cloud.stripe.add_fault(fault);
}

#[tokio::test]
async fn without_any_webhook_each_payment_refund_and_dispute_is_applied_within_one_run() {
    let cloud = unheard().await;
    let page = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&page, VISA).await;
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 0);
    let summary = cloud.reconcile().await;
    assert_eq!((cloud.balance("acme").await, &summary["is_complete"]), (5_000, &json!(true)), "{summary}");

    let ordered = order_by_invoice(&cloud).await;
    let customer = cloud.customer("acme").await;
    cloud
        .cloud
        .stripe
        .receive_transfer(&customer, "usd", ordered.body["invoice"]["amount_due"].as_i64().unwrap())
        .unwrap();
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 5_000);
    cloud.reconcile().await;
    assert_eq!(cloud.balance("acme").await, 10_000);

    // A top-up is declined, and the customer pays its invoice on Stripe's page.
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.turn_on_auto_top_up("acme", 20_000, 30_000).await;
    cloud.sweep().await;
    cloud.settle().await;
    let page = cloud.visit(&cloud.pay_link("acme")).await.expect(302).location.unwrap();
    cloud.pay_page(&page, VISA).await;
    cloud.settle().await;
    assert_eq!(cloud.entries("acme", "top_up").await, [0_i64; 0]);
    cloud.reconcile().await;
    assert_eq!((cloud.entries("acme", "top_up").await, cloud.balance("acme").await), (vec![20_000], 30_000));

    let charges = cloud.stripe_get(&format!("/v1/charges?customer={customer}")).await["data"].clone();
    let paid = |cents: i64| {
        let is_such = |charge: &&Value| charge["amount"] == json!(cents) && charge["paid"] == json!(true);
        charges.as_array().unwrap().iter().rfind(is_such).unwrap_or_else(|| panic!("{cents} in {charges}"))
    };
    let form = [("payment_intent", paid(20_000)["payment_intent"].as_str().unwrap()), ("amount", "1000")];
    cloud.stripe_post("/v1/refunds", &form).await;
    let dispute = cloud.cloud.stripe.open_dispute(paid(5_000)["id"].as_str().unwrap()).unwrap();
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 30_000);
    cloud.reconcile().await;
    assert_eq!(cloud.balance("acme").await, 24_000, "1,000 were refunded, and 5,000 are disputed");
    cloud.cloud.stripe.decide_dispute(&dispute, true).unwrap();
    cloud.reconcile().await;
    assert_eq!(cloud.balance("acme").await, 29_000);

    let before = cloud.history("acme").await.len();
    for _ in 0..3 {
        cloud.reconcile().await;
    }
    assert_eq!(cloud.history("acme").await.len(), before, "each is applied once");
}

/// Nothing counts as undelivered then, so a list of what was not delivered would be empty.
#[tokio::test]
async fn without_any_endpoint_events_are_applied_all_the_same() {
    let cloud = TestCloud::start_reconciling().await;
    let endpoints = cloud.stripe_get("/v1/webhook_endpoints").await;
    for endpoint in endpoints["data"].as_array().unwrap() {
        let path = format!("/v1/webhook_endpoints/{}", endpoint["id"].as_str().unwrap());
        cloud.stripe(Method::DELETE, &path, &[]).await.expect(200);
    }
    cloud.open_account("acme").await;
    let page = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&page, VISA).await;
    let undelivered = cloud.stripe_get("/v1/events?delivery_success=false").await;
    assert_eq!(undelivered["data"], json!([]));
    cloud.reconcile().await;
    assert_eq!(cloud.balance("acme").await, 5_000);
}

#[tokio::test]
async fn what_is_open_is_looked_at_although_the_list_cannot_be_read() {
    let cloud = unheard().await;
    fail(&cloud, "/v1/events");
    let page = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&page, VISA).await;
    let summary = cloud.reconcile().await;
    assert_eq!((&summary["is_listed"], &summary["looked"]), (&json!(false), &json!(0)), "{summary}");
    assert_eq!(cloud.balance("acme").await, 0, "it was opened a moment ago");
    cloud.advance(FIVE_MINUTES).await;
    assert_eq!(cloud.balance("acme").await, 5_000);
    assert_eq!(cloud.reconcile().await["looked"], json!(0), "nothing is open");
}

#[tokio::test]
async fn looks_become_rarer_and_go_on_until_a_page_expires() {
    let cloud = unheard().await;
    open_page(&cloud, "buy-1").await;
    let looks = || cloud.cloud.stripe.request_count("GET", "/v1/checkout/sessions/*");
    let mut often = vec![];
    for _ in 0..24 {
        let before = looks();
        cloud.advance(FIVE_MINUTES).await;
        often.push(looks() - before);
    }
    assert_eq!((&often[..12], often[12..].iter().sum()), (&[1; 12][..], 1_usize), "{often:?}");
    let mut hourly = vec![];
    for _ in 0..26 {
        let before = looks();
        cloud.advance(HOUR).await;
        hourly.push(looks() - before);
    }
    assert_eq!(hourly[..21], [1; 21], "{hourly:?}");
    assert_eq!(hourly[24..], [0; 2], "the page expires after a day: {hourly:?}");
    let status = cloud.get(PURCHASES, &cloud.cloud.service_token()).await.body["data"][0]["status"].clone();
    assert_eq!(status, json!("expired"));
}

#[tokio::test]
async fn an_invoice_that_is_paid_after_weeks_is_found_by_a_look() {
    let cloud = unheard().await;
    let ordered = order_by_invoice(&cloud).await;
    cloud.advance(DAY * 9).await;
    fail(&cloud, "/v1/events");
    let customer = cloud.customer("acme").await;
    let amount = ordered.body["invoice"]["amount_due"].as_i64().unwrap();
    cloud.cloud.stripe.receive_transfer(&customer, "usd", amount).unwrap();
    cloud.advance(HOUR * 6).await;
    assert_eq!(cloud.balance("acme").await, 5_000);
}

/// The process of a sweep dies after the card was charged.
#[tokio::test]
async fn an_open_attempt_is_continued_before_the_next_sweep() {
    let cloud = unheard().await;
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let lost = Fault { count: 6, ..Fault::once("POST", "/v1/invoices/*/pay", FaultAction::LoseAnswer) };
    cloud.cloud.stripe.add_fault(lost);
    fail(&cloud, "/v1/invoices/*");
    fail(&cloud, "/v1/events");
    assert_eq!(cloud.sweep().await["unknown"], json!(1));
    cloud.cloud.stripe.clear_faults();
    fail(&cloud, "/v1/events");
    cloud.advance(FIVE_MINUTES).await;
    assert_eq!((cloud.balance("acme").await, cloud.cents_taken("acme").await), (5_000, vec![5_000]));
    assert_eq!(cloud.sweep().await["due"], json!(0));
}

#[tokio::test]
async fn an_event_that_fails_holds_up_nothing_and_is_tried_until_it_is_applied() {
    let cloud = unheard().await;
    let first = open_page(&cloud, "buy-1").await;
    cloud.pay_page(&first, VISA).await;
    let session = cloud.stripe_get("/v1/checkout/sessions?limit=1").await["data"][0]["id"].as_str().unwrap().to_owned();
    fail(&cloud, &format!("/v1/checkout/sessions/{session}"));
    let second = open_page(&cloud, "buy-2").await;
    cloud.pay_page(&second, VISA).await;
    let summary = cloud.reconcile().await;
    assert!(summary["failed"].as_u64() >= Some(1), "{summary}");
    assert_eq!(cloud.balance("acme").await, 5_000, "the other one is applied");
    let mut failing = vec![];
    for _ in 0..3 {
        cloud.cloud.clock.advance(HOUR * 6).unwrap();
        failing.push(cloud.reconcile().await["failing"].as_u64());
    }
    assert!(failing.last() >= Some(&Some(1)), "an alarm rings: {failing:?}");
    // Stripe does not list the event any more, and it is applied all the same.
    cloud.advance(DAY * 31).await;
    assert_eq!(cloud.balance("acme").await, 5_000);
    cloud.cloud.stripe.clear_faults();
    cloud.advance(HOUR * 7).await;
    assert_eq!(cloud.balance("acme").await, 10_000);
    let summary = cloud.reconcile().await;
    assert_eq!((&summary["failed"], &summary["applied"]), (&json!(0), &json!(0)), "{summary}");
}

/// A paid invoice with these metadata.
async fn pay_invoice(cloud: &TestCloud, metadata: &[(&str, &str)]) {
    let customer = cloud.customer("acme").await;
    let card = cloud.stripe_post("/v1/payment_methods/pm_card_visa/attach", &[("customer", customer.as_str())]).await;
    let mut form = vec![("customer", customer.as_str()), ("pending_invoice_items_behavior", "exclude")];
    form.extend_from_slice(metadata);
    let invoice = cloud.stripe_post("/v1/invoices", &form).await;
    let id = invoice["id"].as_str().unwrap();
    let item = [("customer", customer.as_str()), ("invoice", id), ("amount", "700"), ("currency", "usd")];
    cloud.stripe_post("/v1/invoiceitems", &item).await;
    let paid = [("payment_method", card["id"].as_str().unwrap())];
    cloud.stripe_post(&format!("/v1/invoices/{id}/pay"), &paid).await;
}

#[tokio::test]
async fn a_payment_that_no_row_knows_is_flagged_once_and_one_of_another_deployment_is_left_alone() {
    const LOST: &str = "top_0123456789abcdef0123456789abcdef";
    const OTHER: &str = "top_1123456789abcdef0123456789abcdef";
    let cloud = unheard().await;
    pay_invoice(&cloud, &[("metadata[account]", "acme"), ("metadata[top_up]", LOST)]).await;
    let other = ("metadata[deployment]", "111122223333/eu-west-1/staging");
    pay_invoice(&cloud, &[("metadata[account]", "acme"), ("metadata[top_up]", OTHER), other]).await;
    let intent = intents(&cloud).await;
    let first = intent.last().unwrap()["id"].as_str().unwrap();
    cloud.stripe_post("/v1/refunds", &[("payment_intent", first), ("amount", "100")]).await;
    let summary = cloud.reconcile().await;
    assert_eq!(summary["unknown_payments"], json!(1), "{summary}");
    for path in ["/v1/support/flags", "/v1/support/flags?account=acme"] {
        let flags = cloud.get(path, &cloud.support_token()).await.expect(200).body["data"].clone();
        assert_eq!(flags.as_array().unwrap().len(), 1, "{flags}");
        let (flag, payment) = (&flags[0], &flags[0]["payment"]);
        assert_eq!((&flag["kind"], &flag["value"]), (&json!("unknown_payment"), &json!(700)));
        assert_eq!((&payment["paid_for"], &payment["currency"]), (&json!(LOST), &json!("USD")));
    }
    assert_eq!((cloud.balance("acme").await, cloud.reconcile().await["unknown_payments"].clone()), (0, json!(0)));
}

/// What a webhook tells of such a payment is the same.
#[tokio::test]
async fn a_webhook_about_a_payment_that_no_row_knows_flags_it_too() {
    let cloud = TestCloud::start_reconciling().await;
    cloud.open_account("acme").await;
    let lost = "top_0123456789abcdef0123456789abcdef";
    pay_invoice(&cloud, &[("metadata[account]", "acme"), ("metadata[top_up]", lost)]).await;
    cloud.settle().await;
    assert!(cloud.log().iter().any(|line| line.contains("unknown_payments")));
    let flags = cloud.get("/v1/support/flags", &cloud.support_token()).await.expect(200).body["data"].clone();
    assert_eq!(flags.as_array().unwrap().len(), 1, "{flags}");
    assert_eq!(cloud.reconcile().await["unknown_payments"], json!(0));
}

#[tokio::test]
async fn our_objects_name_this_deployment() {
    let cloud = TestCloud::start_reconciling().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.sweep().await;
    open_page(&cloud, "buy-1").await;
    order_by_invoice(&cloud).await;
    for path in ["/v1/invoices", "/v1/checkout/sessions"] {
        let made = cloud.stripe_get(path).await;
        for object in made["data"].as_array().unwrap() {
            assert_eq!(object["metadata"]["deployment"], json!("000000000000/us-east-1/prepaid"), "{object}");
        }
    }
}

#[tokio::test]
async fn a_run_that_finds_nothing_writes_nothing_and_moving_the_clock_runs_few() {
    let cloud = TestCloud::start_reconciling().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", VISA).await;
    cloud.advance(HOUR).await;
    let recording = cloud.cloud.aws.dynamodb.record();
    let summary = cloud.reconcile().await;
    assert_eq!((&summary["applied"], &summary["looked"]), (&json!(0), &json!(0)), "{summary}");
    let writes = ["TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem"];
    assert_eq!(writes.map(|write| recording.count(write)), [0; 4]);
    let before = cloud.cloud.stripe.request_count("GET", "/v1/events");
    cloud.advance(DAY * 20).await;
    let listed = cloud.cloud.stripe.request_count("GET", "/v1/events") - before;
    assert!((2..40).contains(&listed), "{listed}");
}

#[tokio::test]
async fn a_run_that_is_out_of_time_is_continued_by_the_next_one() {
    let cloud = unheard().await;
    for number in 0..4 {
        let page = open_page(&cloud, &format!("buy-{number}")).await;
        cloud.pay_page(&page, VISA).await;
    }
    let clock = cloud.cloud.clock.clone();
    // Each grant takes a minute and a half.
    cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
        if operation.name == "TransactWriteItems" {
            clock.advance(SignedDuration::from_secs(90)).unwrap();
        }
        None
    });
    let mut runs = 0;
    while cloud.balance("acme").await < 20_000 {
        let summary = cloud.reconcile().await;
        runs += 1;
        assert!(runs < 8, "{summary}");
        assert_eq!(summary["is_complete"], json!(cloud.balance("acme").await == 20_000), "{summary}");
    }
    assert!(runs >= 2);
    assert_eq!(cloud.entries("acme", "purchase").await, [5_000; 4]);
}
