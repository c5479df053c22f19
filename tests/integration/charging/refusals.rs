//! Refused requests: shown with their reason, bounded in rows and in writes, and never in the way of an answer.

use super::batches::{send, training};
use super::{TestCloud, funded, post};
use crate::support::Answer;
use jiff::SignedDuration;
use local_aws::dynamodb::{Fault, RecordedOperation};
use local_aws::wire::Loss;
use serde_json::{Value, json};

async fn page(cloud: &TestCloud, query: &str) -> Answer {
    cloud.get(&format!("/v1/accounts/acme/requests?{query}"), &cloud.cloud.customer_token("acme")).await
}

async fn listed(cloud: &TestCloud) -> Vec<Value> {
    page(cloud, "limit=100").await.expect(200).body["data"].as_array().unwrap().clone()
}

/// The writes, each with the item's sort key.
fn writes(operations: &[RecordedOperation]) -> Vec<String> {
    let written =
        operations.iter().filter(|recorded| !["GetItem", "Query"].contains(&recorded.operation.name.as_str()));
    let sort = |recorded: &RecordedOperation| {
        assert_eq!(recorded.operation.name, "PutItem");
        recorded.operation.request["Item"]["SK"]["S"].as_str().unwrap().to_owned()
    };
    written.map(sort).collect()
}

#[tokio::test]
async fn every_reason_for_a_refusal_is_shown_with_what_was_asked_for() {
    let cloud = funded().await;
    let token = cloud.cloud.customer_token("acme");
    let mut asked = json!({"operation": "training", "max_minutes": 51, "reference": "episode-12", "spender": "key-1"});
    let poor = post(&cloud, "acme", "poor", &asked).await.expect(402);
    let expected = json!({
        "kind": "request", "at": "2026-01-05T00:00:00.000Z", "status": 402, "code": "insufficient_credits",
        "detail": poor.body["detail"], "request_id": poor.request_id(), "charge": "poor", "credits": 510,
        "operation": "training", "max_minutes": 51, "reference": "episode-12", "spender": "key-1",
    });
    assert_eq!(listed(&cloud).await, [expected]);

    asked["max_minutes"] = json!(1);
    post(&cloud, "acme", "taken", &asked).await.expect(201);
    post(&cloud, "acme", "taken", &asked).await.expect(200);
    assert_eq!(listed(&cloud).await.len(), 1, "what is taken is in the history");
    // Three of a minute are shown as they were, so each of these has a minute of its own.
    let next_minute = || cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    next_minute();
    post(&cloud, "acme", "taken", &json!({"operation": "training", "max_minutes": 2})).await.expect(409);
    next_minute();
    cloud.put("/v1/accounts/acme/limits", &token, &json!({"day": 5, "month": null})).await.expect(200);
    post(&cloud, "acme", "limited", &asked).await.expect(402);
    next_minute();
    let stop = json!({"stopped": true, "changed_by": "ada"});
    cloud.put("/v1/accounts/acme/spending", &token, &stop).await.expect(200);
    post(&cloud, "acme", "stopped", &asked).await.expect(403);
    next_minute();
    cloud.restrict("acme", "Unusual consumption.", cloud.now() + SignedDuration::from_hours(1)).await;
    send(&cloud, &[training("acme", "restricted", 1)]).await.expect(200);
    post(&cloud, "acme", "invalid", &json!({"operation": "training"})).await.expect(422);
    post(&cloud, "nobody", "nobody", &asked).await.expect(404);
    let shown: Vec<_> = listed(&cloud)
        .await
        .iter()
        .map(|row| {
            (
                row["charge"].as_str().unwrap().to_owned(),
                row["status"].as_u64().unwrap(),
                row["code"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [
        ("restricted", 403, "account_restricted"),
        ("stopped", 403, "spending_stopped"),
        ("limited", 402, "limit_reached"),
        ("taken", 409, "idempotency_key_reused"),
        ("poor", 402, "insufficient_credits"),
    ];
    assert_eq!(shown, expected.map(|(charge, status, code)| (charge.to_owned(), status, code.to_owned())));

    let mut one_by_one = vec![];
    let mut query = "limit=1".to_owned();
    loop {
        let body = page(&cloud, &query).await.expect(200).body;
        one_by_one.extend(body["data"].as_array().unwrap().iter().map(|row| row["charge"].clone()));
        let Some(cursor) = body["next_cursor"].as_str() else { break };
        query = format!("limit=1&cursor={cursor}");
    }
    assert_eq!(one_by_one, expected.map(|(charge, ..)| json!(charge)));
    for cursor in ["", "1", "1-16", "01-00", "1-0", "x-00", "-1-00", "10000000000-00"] {
        page(&cloud, &format!("cursor={cursor}")).await.expect_problem(422, "invalid_request").field_error("cursor");
    }
    // They are shown for thirty days, whether or not DynamoDB has deleted them by then.
    cloud.cloud.clock.advance(SignedDuration::from_hours(30 * 24) - SignedDuration::from_mins(3)).unwrap();
    assert_eq!(listed(&cloud).await.len(), 4);
    cloud.cloud.clock.advance(SignedDuration::from_mins(10)).unwrap();
    assert_eq!(listed(&cloud).await, [] as [Value; 0]);
}

/// A refusal costs one write of one unit, after its answer, and a flood of them a few in a minute.
#[tokio::test]
async fn a_flood_of_refusals_is_bounded_in_rows_and_in_writes() {
    let cloud = TestCloud::start_limited(50, 100).await;
    cloud.open_account("acme").await;
    let recording = cloud.cloud.aws.dynamodb.record();
    for number in 0..400 {
        let status = cloud.charge("acme", &format!("job-{number}"), 1).await.status;
        assert_eq!(status, if number < 100 { 402 } else { 429 });
    }
    let written = writes(&recording.operations());
    assert_eq!(written.len(), 6, "three as they were, and a row at 1, 10 and 100: {written:?}");
    let rows = listed(&cloud).await;
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[0]["kind"], &rows[0]["requests"]), (&json!("more"), &json!(100)), "counted in tenfolds");
    // The next request of the following minute writes how many there were.
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    cloud.charge("acme", "later", 1).await.expect(402);
    let more = listed(&cloud).await.into_iter().find(|row| row["kind"] == "more").unwrap();
    assert_eq!(more["codes"], json!({"insufficient_credits": 97, "too_many_requests": 300}));
    assert_eq!(more["requests"], 397);
    // Each of the others of a batch counts as well.
    recording.clear();
    let charges: Vec<Value> = (0..99).map(|number| training("acme", &format!("batch-{number}"), 1)).collect();
    send(&cloud, &charges).await.expect(200);
    let written = writes(&recording.operations());
    assert!(written.len() <= 3, "two as they were, and the others: {written:?}");
}

#[tokio::test]
async fn a_refusal_that_cannot_be_kept_is_answered_all_the_same() {
    let cloud = funded().await;
    for fault in [Fault::LoseRequest(Loss::ConnectionReset), Fault::LoseAnswer(Loss::ConnectionReset)] {
        cloud
            .cloud
            .aws
            .dynamodb
            .faults()
            .decide_with(move |operation| (operation.name == "PutItem").then_some(fault.clone()));
        let refused = cloud.charge("acme", "poor", 51).await.expect_problem(402, "insufficient_credits");
        assert_eq!(refused.body["balance"], 500);
        cloud.cloud.aws.dynamodb.faults().clear();
    }
    cloud.charge("acme", "job-1", 1).await.expect(201);
}

/// With every text at its longest, a row is one write unit.
#[tokio::test]
async fn a_row_fits_in_one_write_unit() {
    let cloud = funded().await;
    let recording = cloud.cloud.aws.dynamodb.record();
    let charge = json!({
        "operation": "dubbing", "duration_ms": 86_400_000, "reference": "x".repeat(200), "spender": "y".repeat(64),
    });
    post(&cloud, "acme", &"k".repeat(128), &charge).await.expect(402);
    let operations = recording.operations();
    let put = operations.iter().find(|recorded| recorded.operation.name == "PutItem").unwrap();
    let bytes: usize = put.operation.request["Item"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| name.len() + value.as_object().unwrap().values().next().unwrap().as_str().unwrap().len())
        .sum();
    // The account's id is 60 characters shorter than the longest.
    assert!(bytes + 60 < 1_024, "{bytes} bytes");
}
