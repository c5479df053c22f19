//! The customer's own stop: what it stops, who asked for it, and how it is lifted.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use serde_json::{Value, json};

const SPENDING: &str = "/v1/accounts/acme/spending";

async fn funded() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud
}

async fn set(cloud: &TestCloud, body: Value) -> Answer {
    cloud.put(SPENDING, &cloud.cloud.customer_token("acme"), &body).await
}

#[tokio::test]
async fn a_stop_refuses_charges_until_one_call_lifts_it_and_says_who_asked() {
    let cloud = funded().await;
    let token = cloud.cloud.customer_token("acme");
    let never = json!({"stopped": false, "changed_by": null, "changed_at": null});
    assert_eq!(cloud.get(SPENDING, &token).await.expect(200).body, never);
    assert_eq!(set(&cloud, json!({"stopped": false})).await.expect(200).body, never, "nothing was stopped");

    let stopped = set(&cloud, json!({"stopped": true, "changed_by": "ada@acme.example"})).await.expect(200);
    let expected = json!({"stopped": true, "changed_by": "ada@acme.example", "changed_at": "2026-01-05T00:00:00.000Z"});
    assert_eq!(stopped.body, expected);
    cloud.cloud.clock.advance(SignedDuration::from_hours(1)).unwrap();
    let books = cloud.books();
    let again = set(&cloud, json!({"stopped": true, "changed_by": "bob@acme.example"})).await.expect(200);
    assert_eq!((again.body, cloud.get(SPENDING, &token).await.body), (expected.clone(), expected), "the first is kept");
    let refused = cloud.charge("acme", "job-1", 1).await.expect_problem(403, "spending_stopped");
    assert_eq!(refused.body["stopped_at"], "2026-01-05T00:00:00.000Z");
    assert_eq!(cloud.books(), books);
    let balance = cloud.get("/v1/accounts/acme/balance", &token).await.expect(200);
    assert_eq!(balance.body["spending_stopped_at"], "2026-01-05T00:00:00.000Z");

    // A customer's own token says who asks.
    let lifted = set(&cloud, json!({"stopped": false})).await.expect(200);
    assert_eq!(lifted.body, json!({"stopped": false, "changed_by": "acme", "changed_at": "2026-01-05T01:00:00.000Z"}));
    cloud.charge("acme", "job-1", 1).await.expect(201);
    let balance = cloud.get("/v1/accounts/acme/balance", &token).await.expect(200);
    assert_eq!(balance.body["spending_stopped_at"], Value::Null);
}

#[tokio::test]
async fn a_charge_that_was_taken_is_answered_again_while_spending_is_stopped() {
    let cloud = funded().await;
    let first = cloud.charge("acme", "job-1", 1).await.expect(201);
    set(&cloud, json!({"stopped": true})).await.expect(200);
    let again = cloud.charge("acme", "job-1", 1).await.expect(200);
    assert_eq!((again.is_replay, again.body), (true, first.body));
    let restore = "/v1/accounts/acme/charges/job-1/restore";
    cloud.post(restore, &cloud.cloud.service_token(), None, &json!({})).await.expect(201);
}

#[tokio::test]
async fn no_top_up_opens_while_spending_is_stopped() {
    let cloud = funded().await;
    cloud.save_card("acme", "pm_card_visa").await;
    set(&cloud, json!({"stopped": true})).await.expect(200);
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    assert_eq!(cloud.sweep().await["due"], 0);
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 500);
    set(&cloud, json!({"stopped": false})).await.expect(200);
    assert_eq!(cloud.sweep().await["paid"], 1);
    assert_eq!(cloud.balance("acme").await, 5_000);
}

#[tokio::test]
async fn a_stop_with_a_wrong_field_is_told_the_field_and_changes_nothing() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    let who = "a text of 1 to 100 bytes: who asks for this";
    for (token, body, field, message) in [
        (cloud.cloud.customer_token("acme"), json!({}), "stopped", "is required: true or false".to_owned()),
        (cloud.cloud.customer_token("acme"), json!({"stopped": 1}), "stopped", "must be true or false".to_owned()),
        (
            cloud.cloud.customer_token("acme"),
            json!({"stopped": true, "changed_by": ""}),
            "changed_by",
            format!("must be {who}"),
        ),
        (
            cloud.cloud.service_token(),
            json!({"stopped": true, "changed_by": "x".repeat(101)}),
            "changed_by",
            format!("must be {who}"),
        ),
        (cloud.cloud.service_token(), json!({"stopped": true}), "changed_by", format!("is required: {who}")),
        (cloud.cloud.service_token(), json!({"stopped": true, "by": 1}), "by", "is not known here".to_owned()),
    ] {
        let refused = cloud.put(SPENDING, &token, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.field_error(field), message, "{body}");
    }
    assert_eq!(cloud.footprint(), footprint);
    let others = cloud.put(SPENDING, &cloud.cloud.customer_token("globex"), &json!({"stopped": true})).await;
    others.expect_problem(404, "not_found");
}
