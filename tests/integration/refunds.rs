//! Refunds that support makes, end to end.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_stripe::{DefiniteRefusal, Fault, FaultAction};
use reqwest::Method;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";
const REASON: &str = "The customer ordered twice.";

/// The id of the account's newest purchase or attempt.
async fn newest(cloud: &TestCloud, list: &str, id: &str) -> String {
    let seen = cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200).body;
    seen[list][0][id].as_str().unwrap().to_owned()
}

/// An account that bought 5,000 credits, and the route for refunds of that.
async fn bought() -> (TestCloud, String) {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", VISA).await;
    let purchase = newest(&cloud, "purchases", "purchase").await;
    (cloud, format!("/v1/support/accounts/acme/purchases/{purchase}/refunds"))
}

async fn ask(cloud: &TestCloud, path: &str, key: &str, body: &Value) -> Answer {
    cloud.post(path, &cloud.support_token(), Some(key), body).await
}

fn amount(cents: i64) -> Value {
    json!({"amount": cents, "reason": REASON})
}

fn unused() -> Value {
    json!({"unused_credits": true, "reason": REASON})
}

/// The refunds that Stripe made.
async fn at_stripe(cloud: &TestCloud) -> Vec<i64> {
    let refunds = cloud.stripe_get("/v1/refunds").await;
    refunds["data"].as_array().unwrap().iter().map(|refund| refund["amount"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn support_gives_back_an_amount_once_and_its_credits_are_taken() {
    let (cloud, path) = bought().await;
    let made = ask(&cloud, &path, "case-1", &amount(1_000)).await.expect(201);
    assert_eq!(
        (&made.body["amount"], &made.body["currency"], &made.body["status"]),
        (&json!(1_000), &json!("USD"), &json!("succeeded"))
    );
    assert_eq!((&made.body["credits_taken_back"], &made.body["balance"]), (&json!(1_000), &json!(4_000)));
    let again = ask(&cloud, &path, "case-1", &amount(1_000)).await.expect(200);
    assert!(again.is_replay && again.body == made.body, "{}", again.text);
    ask(&cloud, &path, "case-1", &amount(999)).await.expect_problem(409, "idempotency_key_reused");
    cloud.settle().await;
    assert_eq!((at_stripe(&cloud).await, cloud.entries("acme", "reversal").await), (vec![1_000], vec![-1_000]));
    let acts = cloud.get("/v1/support/accounts/acme/acts", &cloud.support_token()).await.expect(200).body;
    let acts = acts["data"].as_array().unwrap();
    assert_eq!(acts.len(), 1);
    assert_eq!(
        (&acts[0]["kind"], &acts[0]["request"], &acts[0]["amount"], &acts[0]["paid_for"], &acts[0]["reason"]),
        (&json!("refunded"), &json!("case-1"), &json!(1_000), &made.body["paid_for"], &json!(REASON))
    );
    let refused = ask(&cloud, &path, "case-2", &amount(4_001)).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.body["errors"][0]["message"], "must be from 1 to 4000, which have not gone back");
    ask(&cloud, &path, "case-2", &amount(4_000)).await.expect(201);
    ask(&cloud, &path, "case-3", &amount(1)).await.expect_problem(409, "nothing_left");
}

#[tokio::test]
async fn support_gives_back_what_was_paid_for_unused_credits() {
    let (cloud, path) = bought().await;
    cloud.charge("acme", "job-1", 100).await.expect(201);
    let made = ask(&cloud, &path, "case-1", &unused()).await.expect(201);
    assert_eq!((&made.body["amount"], &made.body["balance"]), (&json!(4_000), &json!(0)));
    ask(&cloud, &path, "case-2", &unused()).await.expect_problem(409, "nothing_unused");
    let again = ask(&cloud, &path, "case-1", &unused()).await.expect(200);
    assert_eq!(again.body["amount"], 4_000, "although nothing is unused any more");
    cloud.settle().await;
    assert_eq!(at_stripe(&cloud).await, [4_000]);
}

#[tokio::test]
async fn a_top_up_is_refunded_like_a_purchase() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    cloud.sweep().await;
    let (before, granted) = (cloud.balance("acme").await, cloud.entries("acme", "top_up").await[0]);
    let top_up = newest(&cloud, "top_ups", "top_up").await;
    let path = format!("/v1/support/accounts/acme/top-ups/{top_up}/refunds");
    let made = ask(&cloud, &path, "case-1", &amount(granted)).await.expect(201);
    assert_eq!((&made.body["paid_for"], &made.body["balance"]), (&json!(top_up), &json!(before - granted)));
    ask(&cloud, &path, "case-2", &amount(1)).await.expect_problem(409, "nothing_left");
}

#[tokio::test]
async fn bad_requests_for_a_refund_change_nothing() {
    let (cloud, path) = bought().await;
    let neither = json!({"reason": REASON});
    let both = json!({"amount": 1, "unused_credits": true, "reason": REASON});
    for (body, field) in [
        (&neither, "amount"),
        (&both, "amount"),
        (&amount(0), "amount"),
        (&amount(-5), "amount"),
        (&json!({"amount": "5", "reason": REASON}), "amount"),
        (&json!({"amount": 5}), "reason"),
        (&json!({"amount": 5, "reason": REASON, "currency": "usd"}), "currency"),
    ] {
        let refused = ask(&cloud, &path, "case-1", body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.body["errors"][0]["field"], field, "{body}");
    }
    cloud.post(&path, &cloud.support_token(), None, &amount(5)).await.expect_problem(422, "invalid_request");
    let no_one = cloud.cloud.token("", &["credits/support"]);
    cloud.post(&path, &no_one, Some("case-1"), &amount(5)).await.expect_problem(403, "forbidden");
    let unknown = "/v1/support/accounts/acme/purchases/pur_00000000000000000000000000000001/refunds";
    ask(&cloud, unknown, "case-1", &amount(5)).await.expect_problem(404, "not_found");
    ask(&cloud, &path.replace("acme", "globex"), "case-1", &amount(5)).await.expect_problem(404, "not_found");
    let service = cloud.request(Method::POST, &path).bearer_auth(cloud.cloud.service_token());
    cloud.send(service.header("Idempotency-Key", "case-1").json(&amount(5))).await.expect(403);
    assert_eq!((at_stripe(&cloud).await, cloud.balance("acme").await), (vec![], 5_000));
    ask(&cloud, &path, "case-1", &amount(5)).await.expect(201);
}

#[tokio::test]
async fn a_purchase_that_is_not_paid_is_not_refunded() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let open = json!({"package": "credits_5000"});
    let opened = cloud.post("/v1/accounts/acme/purchases", &cloud.cloud.service_token(), Some("buy-1"), &open).await;
    let purchase = opened.expect(201).body["purchase"].as_str().unwrap().to_owned();
    let path = format!("/v1/support/accounts/acme/purchases/{purchase}/refunds");
    ask(&cloud, &path, "case-1", &amount(5)).await.expect_problem(409, "not_paid");
}

#[tokio::test]
async fn a_disputed_payment_is_not_refunded_until_the_dispute_is_won() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4000000000000259").await;
    cloud.settle().await;
    let purchase = newest(&cloud, "purchases", "purchase").await;
    let path = format!("/v1/support/accounts/acme/purchases/{purchase}/refunds");
    ask(&cloud, &path, "case-1", &amount(5)).await.expect_problem(409, "payment_disputed");
    let dispute = cloud.stripe_get("/v1/disputes").await["data"][0]["id"].as_str().unwrap().to_owned();
    cloud.cloud.stripe.decide_dispute(&dispute, true).unwrap();
    cloud.settle().await;
    ask(&cloud, &path, "case-1", &amount(5)).await.expect(201);
}

#[tokio::test]
async fn a_refund_that_stripe_refuses_moves_nothing() {
    let (cloud, path) = bought().await;
    let refuse = FaultAction::Refuse { refusal: DefiniteRefusal::AmountTooLarge };
    cloud.cloud.stripe.add_fault(Fault::once("POST", "/v1/refunds", refuse));
    let refused = ask(&cloud, &path, "case-1", &amount(5)).await.expect_problem(409, "refund_refused");
    assert_eq!(refused.body["stripe_code"], "amount_too_large");
    ask(&cloud, &path, "case-1", &amount(5)).await.expect_problem(409, "refund_refused");
    assert_eq!((at_stripe(&cloud).await, cloud.balance("acme").await), (vec![], 5_000));
    ask(&cloud, &path, "case-2", &amount(5)).await.expect(201);
}

/// Stripe has forgotten the key of the first request by the time it comes again.
#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_made_once() {
    for action in [FaultAction::LoseAnswer, FaultAction::LoseRequest, FaultAction::InternalErrorAfterEffect] {
        let (cloud, path) = bought().await;
        let fault = Fault { method: Some("POST".into()), path: "/v1/refunds".into(), action, count: u32::MAX };
        cloud.cloud.stripe.add_fault(fault);
        let first = ask(&cloud, &path, "case-1", &amount(1_000)).await;
        assert!([503, 201].contains(&first.status), "{action:?}: {}", first.text);
        cloud.cloud.stripe.clear_faults();
        if first.status == 503 {
            let other = ask(&cloud, &path, "case-2", &unused()).await.expect_problem(409, "refund_under_way");
            assert_eq!(other.body["refund_request"], "case-1");
        }
        cloud.advance(SignedDuration::from_hours(25)).await;
        ask(&cloud, &path, "case-1", &amount(1_000)).await.expect(200);
        assert_eq!((at_stripe(&cloud).await, cloud.entries("acme", "reversal").await), (vec![1_000], vec![-1_000]));
    }
}
