//! Pending charges as a service sees them: captured, voided, expired, in every order and at once.

use super::{NOW, funded, post, restore};
use crate::support::{Answer, TestCloud};
use futures::future::join_all;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Ten minutes of dubbing, 100 credits, pending for an hour.
fn dubbing() -> Value {
    json!({"operation": "dubbing", "duration_ms": 600_000, "expires_in_seconds": 3_600})
}

async fn held() -> TestCloud {
    let cloud = funded().await;
    post(&cloud, "acme", "job-1", &dubbing()).await.expect(201);
    cloud
}

async fn end(cloud: &TestCloud, charge: &str, end: &str, body: &Value) -> Answer {
    let path = format!("/v1/accounts/acme/charges/{charge}/{end}");
    cloud.post(&path, &cloud.cloud.service_token(), None, body).await
}

async fn capture(cloud: &TestCloud, duration_ms: i64) -> Answer {
    end(cloud, "job-1", "capture", &json!({ "duration_ms": duration_ms })).await
}

async fn void(cloud: &TestCloud) -> Answer {
    end(cloud, "job-1", "void", &json!({})).await
}

async fn look(cloud: &TestCloud, charge: &str) -> Answer {
    cloud.get(&format!("/v1/accounts/acme/charges/{charge}"), &cloud.cloud.service_token()).await
}

/// The balance and the pending credits.
async fn credits(cloud: &TestCloud) -> (i64, i64) {
    let answer = cloud.get("/v1/accounts/acme/balance", &cloud.cloud.service_token()).await.expect(200);
    (answer.body["balance"].as_i64().unwrap(), answer.body["pending"].as_i64().unwrap())
}

fn pass(cloud: &TestCloud, seconds: i64) {
    cloud.cloud.clock.advance(SignedDuration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn a_pending_charge_takes_its_credits_and_says_until_when() {
    let cloud = funded().await;
    let charged = post(&cloud, "acme", "job-1", &dubbing()).await.expect(201);
    let expected = json!({
        "charge": "job-1", "operation": "dubbing", "status": "pending", "credits": 100, "balance": 400, "seq": 2,
        "created_at": NOW, "expires_at": "2026-01-05T01:00:00.000Z",
    });
    assert_eq!(charged.body, expected);
    assert_eq!(credits(&cloud).await, (400, 100));
    assert_eq!(look(&cloud, "job-1").await.expect(200).body, expected);
    let replay = post(&cloud, "acme", "job-1", &dubbing()).await.expect(200);
    assert_eq!((replay.is_replay, replay.body), (true, expected));
    let books = cloud.books();
    for expires_in_seconds in [json!(3_601), json!(null)] {
        let mut other = dubbing();
        other["expires_in_seconds"] = expires_in_seconds;
        post(&cloud, "acme", "job-1", &other).await.expect_problem(409, "idempotency_key_reused");
    }
    post(&cloud, "acme", "job-2", &json!({"operation": "training", "max_minutes": 41, "expires_in_seconds": 60}))
        .await
        .expect_problem(402, "insufficient_credits");
    assert_eq!(cloud.books(), books);
}

#[tokio::test]
async fn a_capture_keeps_the_true_price_and_gives_the_rest_back_once() {
    let cloud = held().await;
    pass(&cloud, 60);
    let captured = capture(&cloud, 90_000).await.expect(201);
    let expected = json!({
        "charge": "job-1", "operation": "dubbing", "status": "posted", "credits": 100, "credits_kept": 15,
        "balance": 485, "ended_at": "2026-01-05T00:01:00.000Z",
    });
    assert_eq!(captured.body, expected);
    assert_eq!(credits(&cloud).await, (485, 0));
    let entry = &cloud.history("acme").await[0];
    assert_eq!(
        (&entry["entry"], &entry["kind"], &entry["credits"]),
        (&json!("capture:job-1"), &json!("capture"), &json!(85))
    );
    assert_eq!((&entry["charge"], &entry["operation"]), (&json!("job-1"), &json!("dubbing")));

    pass(&cloud, 3_600);
    let footprint = cloud.footprint();
    let again = capture(&cloud, 90_000).await.expect(200);
    assert_eq!((again.is_replay, &again.text), (true, &captured.text), "also after its time");
    assert_eq!(cloud.expire_charges().await["due"], 0, "what was captured does not expire");
    for body in [json!({"duration_ms": 89_999}), json!({}), json!({"duration_ms": 600_001})] {
        let refused = end(&cloud, "job-1", "capture", &body).await.expect_problem(409, "charge_posted");
        assert_eq!(refused.body["charge"], json!({"status": "posted", "credits": 100, "credits_kept": 15}));
    }
    void(&cloud).await.expect_problem(409, "charge_posted");
    assert_eq!(cloud.footprint(), footprint);
    let replay = post(&cloud, "acme", "job-1", &dubbing()).await.expect(200);
    assert_eq!((&replay.body["status"], &replay.body["credits_kept"]), (&json!("posted"), &json!(15)));
}

/// Without a measure, and with one of the same price, everything is kept, and no entry is made.
#[tokio::test]
async fn a_capture_of_everything_moves_no_credits() {
    for (body, amount) in [(json!({}), 600_000), (json!({"duration_ms": 595_000}), 595_000)] {
        let cloud = held().await;
        let captured = end(&cloud, "job-1", "capture", &body).await.expect(201);
        assert_eq!((&captured.body["credits_kept"], &captured.body["balance"]), (&json!(100), &json!(400)));
        assert_eq!((credits(&cloud).await, cloud.history("acme").await.len()), ((400, 0), 2));
        let again = capture(&cloud, amount).await.expect(200);
        assert_eq!(again.text, captured.text, "the same, spelled out");
    }
    let cloud = held().await;
    let path = "/v1/accounts/acme/charges/job-1/capture";
    let request = cloud.request(Method::POST, path).bearer_auth(cloud.cloud.service_token());
    assert_eq!(cloud.send(request).await.expect(201).body["credits_kept"], 100, "without a body");
}

/// A minute may be captured of a charge for a second, because both cost the minimum.
#[tokio::test]
async fn what_counts_is_the_price_and_not_the_measure() {
    let cloud = funded().await;
    let second = json!({"operation": "dubbing", "duration_ms": 1_000, "expires_in_seconds": 60});
    post(&cloud, "acme", "job-1", &second).await.expect(201);
    let refused = capture(&cloud, 60_001).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.field_error("duration_ms"), "must be an integer from 1 to 60000, which the charge covers");
    assert_eq!(capture(&cloud, 60_000).await.expect(201).body["credits_kept"], 10);
}

#[tokio::test]
async fn a_void_gives_everything_back_once() {
    let cloud = held().await;
    let voided = void(&cloud).await.expect(201);
    assert_eq!(
        voided.body,
        json!({
            "charge": "job-1", "operation": "dubbing", "status": "voided", "credits": 100, "credits_kept": 0,
            "balance": 500, "ended_at": NOW,
        })
    );
    assert_eq!(
        (credits(&cloud).await, cloud.history("acme").await[0]["entry"].clone()),
        ((500, 0), json!("void:job-1"))
    );
    pass(&cloud, 3_600);
    let footprint = cloud.footprint();
    let again = void(&cloud).await.expect(200);
    assert_eq!((again.is_replay, &again.text), (true, &voided.text), "also after its time");
    let refused = capture(&cloud, 1).await.expect_problem(409, "charge_voided");
    assert_eq!(refused.body["charge"], json!({"status": "voided", "credits": 100, "credits_kept": 0}));
    restore(&cloud, "acme", "job-1").await.expect_problem(409, "charge_voided");
    assert_eq!(post(&cloud, "acme", "job-1", &dubbing()).await.expect(200).body["status"], "voided");
    assert_eq!(cloud.expire_charges().await["due"], 0);
    assert_eq!(cloud.footprint(), footprint);
}

/// The run comes every minute, and a charge expires at most two minutes late.
#[tokio::test]
async fn what_nobody_captures_comes_back_by_itself() {
    let cloud = held().await;
    pass(&cloud, 3_599);
    assert_eq!(
        cloud.expire_charges().await,
        json!({"due": 0, "expired": 0, "skipped": 0, "failed": 0, "is_complete": true})
    );
    assert_eq!(credits(&cloud).await, (400, 100));
    cloud.advance(SignedDuration::from_secs(121)).await;
    assert_eq!(credits(&cloud).await, (500, 0));
    let entry = &cloud.history("acme").await[0];
    assert_eq!((&entry["entry"], &entry["credits"]), (&json!("expiry:job-1"), &json!(100)));
    let shown = look(&cloud, "job-1").await.expect(200);
    assert_eq!((&shown.body["status"], &shown.body["credits_kept"]), (&json!("expired"), &json!(0)));

    let footprint = cloud.footprint();
    for answer in [capture(&cloud, 1).await, void(&cloud).await] {
        let refused = answer.expect_problem(409, "charge_expired");
        assert_eq!(refused.body["charge"], json!({"status": "expired", "credits": 100, "credits_kept": 0}));
    }
    restore(&cloud, "acme", "job-1").await.expect_problem(409, "charge_expired");
    assert_eq!(post(&cloud, "acme", "job-1", &dubbing()).await.expect(200).body["status"], "expired");
    assert_eq!(cloud.footprint(), footprint);
}

/// Whether or not the run has come, the answer is the same, and the credits are back with it.
#[tokio::test]
async fn nothing_is_captured_or_voided_after_its_time() {
    for is_capture in [true, false] {
        let cloud = held().await;
        pass(&cloud, 3_600);
        assert_eq!(look(&cloud, "job-1").await.expect(200).body["status"], "pending", "nothing has moved yet");
        let answer = if is_capture { capture(&cloud, 1).await } else { void(&cloud).await };
        let refused = answer.expect_problem(409, "charge_expired");
        assert_eq!(refused.body["charge"], json!({"status": "expired", "credits": 100, "credits_kept": 0}));
        assert_eq!(credits(&cloud).await, (500, 0));
        assert_eq!(cloud.expire_charges().await["due"], 0, "the request expired it");
        assert_eq!(cloud.history("acme").await.len(), 3);
    }
}

#[tokio::test]
async fn a_restore_gives_back_what_a_capture_kept() {
    let cloud = held().await;
    let refused = restore(&cloud, "acme", "job-1").await.expect_problem(409, "charge_pending");
    assert!(refused.body["detail"].as_str().unwrap().contains("Void it instead"), "{}", refused.text);
    let captured = capture(&cloud, 90_000).await.expect(201);
    let restored = restore(&cloud, "acme", "job-1").await.expect(201);
    assert_eq!((&restored.body["credits"], &restored.body["balance"]), (&json!(15), &json!(500)));
    let footprint = cloud.footprint();
    assert_eq!(restore(&cloud, "acme", "job-1").await.expect(200).text, restored.text);
    let mut expected = captured.body.clone();
    expected["status"] = json!("restored");
    expected["restore"] = json!({"credits": 15, "balance": 500, "seq": 4, "created_at": NOW});
    assert_eq!(capture(&cloud, 90_000).await.expect(200).body, expected, "it says that it was restored");
    assert_eq!(look(&cloud, "job-1").await.expect(200).body["status"], "restored");
    assert_eq!(cloud.footprint(), footprint);
}

#[tokio::test]
async fn a_charge_that_was_never_pending_cannot_be_ended() {
    let cloud = funded().await;
    cloud.charge("acme", "job-1", 5).await.expect(201);
    let footprint = cloud.footprint();
    for answer in [end(&cloud, "job-1", "capture", &json!({})).await, void(&cloud).await] {
        let refused = answer.expect_problem(409, "charge_posted");
        assert_eq!(refused.body["charge"], json!({"status": "posted", "credits": 50, "credits_kept": 50}));
    }
    for (charge, end_of) in
        [("none", "capture"), ("none", "void"), ("not%20a%20key", "capture"), ("capture:job-1", "void")]
    {
        let refused = end(&cloud, charge, end_of, &json!({})).await.expect_problem(404, "not_found");
        assert_eq!(refused.body["detail"], "There is no such charge.");
        look(&cloud, charge).await.expect_problem(404, "not_found");
    }
    let nobody = "/v1/accounts/nobody/charges/job-1";
    let token = cloud.cloud.service_token();
    let refused = cloud.post(&format!("{nobody}/void"), &token, None, &json!({})).await;
    assert_eq!(refused.expect_problem(404, "not_found").body["detail"], "There is no such account.");
    cloud.get(nobody, &token).await.expect_problem(404, "not_found");
    assert_eq!(cloud.footprint(), footprint);
    restore(&cloud, "acme", "job-1").await.expect(201);
    void(&cloud).await.expect_problem(409, "charge_restored");
}

#[tokio::test]
async fn a_wrong_field_is_told_with_its_range_and_nothing_moves() {
    let cloud = held().await;
    let footprint = cloud.footprint();
    for seconds in [json!(59), json!(0), json!(-60), json!(604_801), json!(60.0), json!("60"), json!(true), json!([60])]
    {
        let mut body = dubbing();
        body["expires_in_seconds"] = seconds;
        let refused = post(&cloud, "acme", "job-2", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.field_error("expires_in_seconds"), "must be an integer from 60 to 604800");
    }
    for (body, field, message) in [
        (
            json!({"duration_ms": 600_001}),
            "duration_ms",
            "must be an integer from 1 to 600000, which the charge covers",
        ),
        (json!({"duration_ms": 0}), "duration_ms", "must be an integer from 1 to 2678400000"),
        (json!({"max_minutes": 1}), "max_minutes", "must not be sent: dubbing takes duration_ms alone"),
        (json!({"quantity": 1}), "quantity", "must not be sent: dubbing takes duration_ms alone"),
        (json!({"duration_ms": 1, "quantity": 1}), "quantity", "must not be sent together with duration_ms"),
        (json!({"duration_ms": 1, "credits": 1}), "credits", "is not known here"),
    ] {
        let refused = end(&cloud, "job-1", "capture", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.field_error(field), message, "{body}");
    }
    end(&cloud, "job-1", "capture", &json!([])).await.expect_problem(400, "malformed_body");
    assert_eq!(cloud.footprint(), footprint);
    let mut week = dubbing();
    week["expires_in_seconds"] = json!(604_800);
    post(&cloud, "acme", "job-2", &week).await.expect(201);
}

/// Captures of two measures, voids and runs at once, before and after the expiry: exactly one ends the charge.
#[tokio::test]
async fn of_sixty_four_captures_voids_and_runs_at_once_exactly_one_ends_the_charge() {
    for is_late in [false, true] {
        let cloud = held().await;
        pass(&cloud, if is_late { 3_600 } else { 3_599 });
        let tasks = (0..64).map(|task| {
            let cloud = &cloud;
            async move {
                match task % 4 {
                    0 => capture(cloud, 90_000).await,
                    1 => capture(cloud, 30_000).await,
                    2 => void(cloud).await,
                    _ => {
                        cloud.expire_charges().await;
                        look(cloud, "job-1").await
                    }
                }
            }
        });
        let answers = join_all(tasks).await;
        let first = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(first, usize::from(!is_late), "{answers:?}");
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201 | 409)), "{answers:?}");
        let ends: BTreeSet<_> = answers.iter().filter_map(|answer| answer.body["ended_at"].as_str()).collect();
        assert!(ends.len() <= 1, "{answers:?}");
        let shown = look(&cloud, "job-1").await.expect(200).body;
        let (kept, entries) = (shown["credits_kept"].as_i64().unwrap(), cloud.history("acme").await.len());
        assert_eq!((credits(&cloud).await, entries), ((500 - kept, 0), 3), "{shown}");
        assert_eq!(shown["status"] == "expired", is_late, "{shown}");
    }
}

/// Sixty charges of one account share transactions, and other accounts are expired beside it.
#[tokio::test]
async fn many_charges_of_an_account_expire_together() {
    let cloud = TestCloud::start().await;
    for (account, charges) in [("acme", 60), ("globex", 1)] {
        cloud.open_account(account).await;
        cloud.buy(account, "credits_5000", "4242424242424242").await;
        let body = json!({"operation": "training", "max_minutes": 1, "expires_in_seconds": 60});
        for number in 0..charges {
            post(&cloud, account, &format!("job-{number}"), &body).await.expect(201);
        }
    }
    pass(&cloud, 60);
    let recording = cloud.cloud.aws.dynamodb.record();
    let summary = cloud.expire_charges().await;
    assert_eq!(summary, json!({"due": 61, "expired": 61, "skipped": 0, "failed": 0, "is_complete": true}));
    let transactions = recording.names().iter().filter(|name| **name == "TransactWriteItems").count();
    assert_eq!(transactions, 3, "32 and 28 charges of one account, and one of the other");
    assert_eq!((cloud.balance("acme").await, cloud.balance("globex").await), (5_000, 5_000));
    assert_eq!(cloud.expire_charges().await["due"], 0);
}

/// A charge whose record cannot be read holds up neither the others of its account nor other accounts.
#[tokio::test]
async fn a_charge_that_cannot_be_expired_holds_up_no_other() {
    let cloud = held().await;
    post(&cloud, "acme", "job-2", &dubbing()).await.expect(201);
    cloud.open_account("globex").await;
    cloud.buy("globex", "credits_500", "4242424242424242").await;
    post(&cloud, "globex", "job-1", &dubbing()).await.expect(201);
    pass(&cloud, 3_600);
    let update = cloud.cloud.aws.dynamodb.client().update_item().table_name(cloud.table());
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let damaged =
        update.key("PK", text("ACCOUNT#acme")).key("SK", text("PENDING#job-1")).update_expression("REMOVE credits");
    damaged.send().await.unwrap();
    let summary = cloud.expire_charges().await;
    assert_eq!(summary, json!({"due": 3, "expired": 2, "skipped": 0, "failed": 1, "is_complete": true}));
    assert_eq!((credits(&cloud).await, cloud.balance("globex").await), ((400, 100), 500));
    assert!(cloud.log().iter().any(|line| line.contains("charges could not be expired")), "the log says so");
}

/// The next run, a minute later, finds what is left.
#[tokio::test]
async fn a_run_that_is_out_of_time_leaves_the_rest_to_the_next() {
    let cloud = held().await;
    post(&cloud, "acme", "job-2", &dubbing()).await.expect(201);
    pass(&cloud, 3_600);
    let clock = cloud.cloud.clock.clone();
    cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
        if operation.name == "Query" {
            clock.advance(SignedDuration::from_secs(51)).unwrap();
        }
        None
    });
    let summary = cloud.expire_charges().await;
    assert_eq!((&summary["expired"], &summary["is_complete"]), (&json!(0), &json!(false)));
    cloud.cloud.aws.dynamodb.faults().clear();
    assert_eq!(cloud.expire_charges().await["expired"], 2);
}
