//! Money that goes back, end to end: refunds and disputes at Stripe take credits back and give them back again.

use crate::support::TestCloud;
use jiff::SignedDuration;
use local_stripe::WebhookConduct;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";
const INQUIRY: &str = "4000000000001976";

/// The payment intent of the account's only purchase.
async fn payment(cloud: &TestCloud, account: &str) -> String {
    let customer = cloud.customer(account).await;
    let intents = cloud.stripe_get(&format!("/v1/payment_intents?customer={customer}")).await;
    intents["data"][0]["id"].as_str().unwrap().to_owned()
}

async fn refund(cloud: &TestCloud, payment: &str, cents: i64) -> String {
    let form = [("payment_intent", payment), ("amount", &cents.to_string())];
    let refund = cloud.stripe_post("/v1/refunds", &form).await;
    cloud.settle().await;
    refund["id"].as_str().unwrap().to_owned()
}

async fn bought() -> (TestCloud, String) {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", VISA).await;
    let payment = payment(&cloud, "acme").await;
    (cloud, payment)
}

#[tokio::test]
async fn a_refund_takes_credits_back_and_gives_them_back_when_it_fails() {
    let (cloud, payment) = bought().await;
    let first = refund(&cloud, &payment, 1_000).await;
    assert_eq!(cloud.entries("acme", "reversal").await, [-1_000]);
    refund(&cloud, &payment, 4_000).await;
    assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "reversal").await), (0, vec![-4_000, -1_000]));
    cloud.cloud.stripe.settle_refund(&first, "failed").unwrap();
    cloud.settle().await;
    assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "reversal").await[0]), (1_000, 1_000));
    let newest = cloud.history("acme").await[0].clone();
    assert_eq!((&newest["kind"], &newest["because"]), (&json!("reversal"), &json!("refund")), "{newest}");
    assert!(newest["purchase"].as_str().is_some_and(|id| id.starts_with("pur_")), "{newest}");
    assert!(newest["entry"].as_str().is_some_and(|entry| entry.ends_with(":3")), "{newest}");
}

#[tokio::test]
async fn an_inquiry_moves_nothing_and_a_dispute_takes_until_it_is_won() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", INQUIRY).await;
    assert_eq!(cloud.balance("acme").await, 5_000);
    let dispute = cloud.stripe_get("/v1/disputes").await["data"][0]["id"].as_str().unwrap().to_owned();
    cloud.cloud.stripe.escalate_inquiry(&dispute).unwrap();
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 0);
    cloud.cloud.stripe.decide_dispute(&dispute, true).unwrap();
    cloud.settle().await;
    assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "reversal").await), (5_000, vec![5_000, -5_000]));
    // Stripe refunds a payment after a dispute was won, and the credits are taken once.
    let payment = payment(&cloud, "acme").await;
    refund(&cloud, &payment, 5_000).await;
    assert_eq!(cloud.balance("acme").await, 0);
}

#[tokio::test]
async fn a_dispute_that_is_lost_in_part_gives_that_part_back() {
    let (cloud, payment) = bought().await;
    refund(&cloud, &payment, 1_000).await;
    let charge = cloud.stripe_get(&format!("/v1/payment_intents/{payment}")).await["latest_charge"].clone();
    let dispute = cloud.cloud.stripe.open_dispute(charge.as_str().unwrap()).unwrap();
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 0, "1,000 refunded and 4,000 disputed");
    cloud.cloud.stripe.lose_dispute_in_part(&dispute).unwrap();
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 2_000);
}

#[tokio::test]
async fn however_events_of_refunds_arrive_each_credit_is_taken_once() {
    for conduct in [
        WebhookConduct { duplicate: true, ..WebhookConduct::default() },
        WebhookConduct { reorder: true, duplicate: true, ..WebhookConduct::default() },
        WebhookConduct { drop_next: 2, ..WebhookConduct::default() },
    ] {
        let (cloud, payment) = bought().await;
        cloud.cloud.stripe.set_webhook_conduct(conduct.clone());
        for _ in 0..3 {
            let form = [("payment_intent", payment.as_str()), ("amount", "1000")];
            cloud.stripe_post("/v1/refunds", &form).await;
        }
        cloud.settle().await;
        assert_eq!(cloud.balance("acme").await, 2_000, "{conduct:?}");
    }
}

#[tokio::test]
async fn a_top_up_is_taken_back_although_only_its_invoice_names_it() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.advance(SignedDuration::from_mins(30)).await;
    let (before, granted) = (cloud.balance("acme").await, cloud.entries("acme", "top_up").await[0]);
    let payment = payment(&cloud, "acme").await;
    refund(&cloud, &payment, granted).await;
    assert_eq!(cloud.balance("acme").await, before - granted);
    let newest = cloud.history("acme").await[0].clone();
    assert!(newest["top_up"].as_str().is_some_and(|id| id.starts_with("top_")), "{newest}");
}

#[tokio::test]
async fn a_refund_that_leaves_the_balance_below_zero_pauses_top_ups_and_refuses_charges_by_name() {
    let (cloud, payment) = bought().await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.charge("acme", "job-1", 400).await.expect(201);
    refund(&cloud, &payment, 5_000).await;
    assert_eq!(cloud.balance("acme").await, -4_000);
    let refused = cloud.charge("acme", "job-2", 1).await.expect_problem(402, "insufficient_credits");
    assert_eq!(refused.body["reversal"], "refund");
    let told = cloud.cloud.aws.events.events().into_iter().filter(|event| event["detail-type"] == "credits.reversed");
    let told: Vec<_> = told.map(|event| event["detail"]["data"].clone()).collect();
    assert_eq!((told.len(), &told[0]["credits"], &told[0]["top_ups_paused"]), (1, &json!(-5_000), &json!(true)));
    assert_eq!(
        (&refused.body["top_up"]["state"], &refused.body["top_up"]["reason"]),
        (&json!("paused"), &json!("refund"))
    );
    let settings = cloud.auto_top_up("acme").await;
    assert_eq!((&settings["payment_issue"], &settings["reversal_pause"]["because"]), (&Value::Null, &json!("refund")));
    cloud.advance(SignedDuration::from_hours(7)).await;
    assert_eq!(cloud.entries("acme", "top_up").await, [] as [i64; 0], "the card is not charged by a timer");
    let path = "/v1/accounts/acme/auto-top-up/resume";
    let resumed = cloud.post(path, &cloud.cloud.customer_token("acme"), None, &json!({})).await.expect(200);
    assert_eq!(resumed.body["outcome"], "resumed");
    cloud.advance(SignedDuration::from_mins(30)).await;
    assert_eq!(cloud.entries("acme", "top_up").await, [5_000], "the customer asked for it");
}

#[tokio::test]
async fn a_purchase_that_brings_the_balance_to_zero_ends_the_pause_after_a_refund() {
    let (cloud, payment) = bought().await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.charge("acme", "job-1", 400).await.expect(201);
    refund(&cloud, &payment, 5_000).await;
    cloud.buy("acme", "credits_500", VISA).await;
    assert_eq!(cloud.auto_top_up("acme").await["reversal_pause"]["because"], "refund");
    cloud.buy("acme", "credits_5000", VISA).await;
    assert_eq!(cloud.auto_top_up("acme").await["reversal_pause"], Value::Null);
}

/// The event about the payment never arrives, and the one about its refund does.
#[tokio::test]
async fn a_purchase_that_was_refunded_before_it_was_granted_is_not_granted_in_full() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.settle().await;
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: 1_000, ..WebhookConduct::default() });
    let (path, token) = ("/v1/accounts/acme/purchases", cloud.cloud.customer_token("acme"));
    let opened = cloud.post(path, &token, Some("buy-1"), &json!({"package": "credits_5000"})).await.expect(201);
    cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), VISA).await;
    cloud.settle().await;
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct::default());
    let payment = payment(&cloud, "acme").await;
    refund(&cloud, &payment, 2_000).await;
    assert_eq!(cloud.balance("acme").await, 0);
    let purchase = opened.body["purchase"].as_str().unwrap();
    cloud.get(&format!("{path}/{purchase}"), &token).await.expect(200);
    assert_eq!(cloud.balance("acme").await, 3_000);
    assert_eq!(cloud.entries("acme", "reversal").await, [-2_000]);
}

/// The subjects of e-mails about reversals, and the balance that each tells.
fn told(cloud: &TestCloud, account: &str) -> Vec<(String, String)> {
    let mails = cloud.mails(account).into_iter().filter(|mail| mail.subject.contains("credit"));
    let told = mails.map(|mail| {
        let text = mail.text.unwrap();
        let balance = text.lines().find_map(|line| line.strip_prefix("New balance: ")).unwrap_or_default().to_owned();
        (mail.subject, balance)
    });
    told.filter(|(subject, _)| !subject.starts_with("Receipt")).collect()
}

#[tokio::test]
async fn each_reversal_is_one_e_mail_whoever_caused_it() {
    let (cloud, payment) = bought().await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.charge("acme", "job-1", 400).await.expect(201);
    cloud.settle().await;
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { duplicate: true, ..WebhookConduct::default() });
    let failing = refund(&cloud, &payment, 1_500).await;
    cloud.cloud.stripe.settle_refund(&failing, "failed").unwrap();
    cloud.settle().await;
    let seen = cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200).body;
    let path =
        format!("/v1/support/accounts/acme/purchases/{}/refunds", seen["purchases"][0]["purchase"].as_str().unwrap());
    let unused = json!({"unused_credits": true, "reason": "The customer leaves."});
    cloud.post(&path, &cloud.support_token(), Some("case-1"), &unused).await.expect(201);
    cloud.settle().await;
    let charge = cloud.stripe_get(&format!("/v1/payment_intents/{payment}")).await["latest_charge"].clone();
    let dispute = cloud.cloud.stripe.open_dispute(charge.as_str().unwrap()).unwrap();
    cloud.settle().await;
    let last = cloud.mails("acme").pop().unwrap().text.unwrap();
    assert!(
        last.contains("4,000 credits bring the balance to zero") && last.contains("Automatic top-ups are paused"),
        "{last}"
    );
    cloud.cloud.stripe.decide_dispute(&dispute, true).unwrap();
    cloud.settle().await;
    let expected = [
        ("You were refunded $15.00, and 1,500 credits were taken back", "-500 credits"),
        ("A refund of $15.00 failed, and you have 1,500 credits again", "1,000 credits"),
        ("You were refunded $10.00, and 1,000 credits were taken back", "0 credits"),
        ("Your payment is disputed: 4,000 credits were taken back", "-4,000 credits"),
        ("The dispute of your payment is over, and you have 4,000 credits again", "0 credits"),
    ];
    let expected = expected.map(|(subject, balance)| (subject.to_owned(), balance.to_owned()));
    assert_eq!(told(&cloud, "acme"), expected);
}
