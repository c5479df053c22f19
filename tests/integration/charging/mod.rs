//! Charges, restores and quotes as a service sees them: every answer over HTTP, and its effects.

mod bad_input;
mod batch_time;
mod batches;
mod cost;
mod faults;
mod memory;
mod outlook;
mod pending;
mod price_books;
mod refusals;

use crate::support::{Answer, TestCloud};
use futures::future::join_all;
use jiff::SignedDuration;
use outlook::outlook;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Midnight, the time of every test's clock.
const NOW: &str = "2026-01-05T00:00:00.000Z";

/// A cloud with the account `acme`, which has 500 credits.
async fn funded() -> TestCloud {
    fund(TestCloud::start().await).await
}

async fn fund(cloud: TestCloud) -> TestCloud {
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud
}

async fn post(cloud: &TestCloud, account: &str, key: &str, body: &Value) -> Answer {
    let path = format!("/v1/accounts/{account}/charges");
    cloud.post(&path, &cloud.cloud.service_token(), Some(key), body).await
}

async fn restore(cloud: &TestCloud, account: &str, charge: &str) -> Answer {
    let path = format!("/v1/accounts/{account}/charges/{charge}/restore");
    cloud.post(&path, &cloud.cloud.service_token(), None, &json!({})).await
}

fn dubbing(duration_ms: i64, reference: &str) -> Value {
    json!({"operation": "dubbing", "duration_ms": duration_ms, "reference": reference})
}

#[tokio::test]
async fn a_charge_says_what_it_took_and_what_is_left() {
    let cloud = funded().await;
    let charged = post(&cloud, "acme", "job-1", &dubbing(90_000, "episode-12")).await.expect(201);
    assert_eq!(
        charged.body,
        json!({
            "charge": "job-1", "operation": "dubbing", "status": "posted", "credits": 15, "balance": 485, "seq": 2,
            "reference": "episode-12", "created_at": NOW,
        })
    );
    assert_eq!((charged.content_type.as_str(), charged.is_replay), ("application/json", false));

    let training = json!({"operation": "training", "max_minutes": 5});
    let charged = post(&cloud, "acme", "job-2", &training).await.expect(201);
    assert_eq!(
        charged.body,
        json!({
            "charge": "job-2", "operation": "training", "status": "posted", "credits": 50, "balance": 435, "seq": 3,
            "created_at": NOW,
        }),
        "no reference was given"
    );
    assert_eq!(cloud.balance("acme").await, 435);
}

#[tokio::test]
async fn a_replay_is_the_first_answer_again_and_writes_nothing() {
    let cloud = funded().await;
    let body = dubbing(180_000, "episode-12");
    let first = post(&cloud, "acme", "job-1", &body).await.expect(201);
    cloud.charge("acme", "the-rest", 47).await.expect(201);
    assert_eq!(cloud.balance("acme").await, 0);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24 * 400)).unwrap();
    let footprint = cloud.footprint();

    let replay = post(&cloud, "acme", "job-1", &body).await.expect(200);
    assert!(replay.is_replay, "also if the balance is too small now, and after more than a year");
    assert_eq!(replay.text, first.text);
    assert_eq!(cloud.footprint(), footprint, "no item was written, and the stream has no new record");

    let books = cloud.books();
    post(&cloud, "acme", "new", &body).await.expect_problem(402, "insufficient_credits");
    assert_eq!(cloud.books(), books);

    cloud.restrict("acme", "Unusual consumption.", cloud.now() + SignedDuration::from_hours(1)).await;
    let footprint = cloud.footprint();
    assert_eq!(post(&cloud, "acme", "job-1", &body).await.expect(200).text, first.text, "also while restricted");
    assert_eq!(cloud.footprint(), footprint);
}

#[tokio::test]
async fn a_replay_on_a_balance_that_would_cover_it_writes_nothing_either() {
    let cloud = funded().await;
    let first = cloud.charge("acme", "job-1", 5).await.expect(201);
    let footprint = cloud.footprint();
    let replay = cloud.charge("acme", "job-1", 5).await.expect(200);
    assert_eq!((replay.is_replay, replay.text), (true, first.text));
    assert_eq!(cloud.footprint(), footprint);
    assert_eq!(cloud.balance("acme").await, 450);
}

#[tokio::test]
async fn a_key_is_good_for_one_request_alone() {
    let cloud = funded().await;
    post(&cloud, "acme", "job-1", &dubbing(90_000, "episode-12")).await.expect(201);
    let books = cloud.books();
    for (name, body) in [
        ("another duration of the same price", dubbing(89_999, "episode-12")),
        ("another duration", dubbing(600_000, "episode-12")),
        ("beyond the balance", dubbing(86_400_000, "episode-12")),
        ("another operation", json!({"operation": "training", "max_minutes": 1, "reference": "episode-12"})),
        ("another reference", dubbing(90_000, "episode-13")),
        ("no reference", json!({"operation": "dubbing", "duration_ms": 90_000})),
    ] {
        let answer = post(&cloud, "acme", "job-1", &body).await;
        assert_eq!(answer.status, 409, "{name}: {}", answer.text);
        let answer = answer.expect_problem(409, "idempotency_key_reused");
        assert!(answer.body["detail"].as_str().unwrap().contains("job-1"), "{name}: {}", answer.text);
    }
    assert_eq!(cloud.books(), books);
    assert_eq!(cloud.balance("acme").await, 485);

    cloud.open_account("globex").await;
    cloud.buy("globex", "credits_500", "4242424242424242").await;
    post(&cloud, "globex", "job-1", &dubbing(600_000, "other")).await.expect(201);
    assert_eq!(cloud.balance("globex").await, 400, "each account has its own keys");
}

#[tokio::test]
async fn a_charge_beyond_the_balance_is_refused_with_the_figures_and_changes_nothing() {
    let cloud = funded().await;
    cloud.charge("acme", "job-1", 49).await.expect(201);
    let books = cloud.books();
    let refused =
        post(&cloud, "acme", "job-2", &dubbing(90_000, "x")).await.expect_problem(402, "insufficient_credits");
    assert_eq!(
        (&refused.body["balance"], &refused.body["required"], &refused.body["missing"]),
        (&json!(10), &json!(15), &json!(5))
    );
    assert_eq!(refused.body["top_up"], outlook("off", None, None, Some("not_turned_on")));
    assert_eq!(cloud.books(), books);
    assert_eq!(cloud.history("acme").await.len(), 2);

    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let charged = post(&cloud, "acme", "job-2", &dubbing(90_000, "x")).await.expect(201);
    assert_eq!(charged.body["balance"], 495, "a refused key is not used up");
    cloud.charge("acme", "all-but", 49).await.expect(201);
    post(&cloud, "acme", "last", &dubbing(30_000, "x")).await.expect_problem(402, "insufficient_credits");
    assert_eq!(cloud.balance("acme").await, 5);
}

#[tokio::test]
async fn a_charge_may_take_the_last_credit() {
    let cloud = funded().await;
    assert_eq!(cloud.charge("acme", "all", 50).await.expect(201).body["balance"], 0);
    let refused = cloud.charge("acme", "more", 1).await.expect_problem(402, "insufficient_credits");
    assert_eq!((&refused.body["balance"], &refused.body["missing"]), (&json!(0), &json!(10)));
}

#[tokio::test]
async fn a_restricted_account_is_told_why_and_until_when() {
    let cloud = funded().await;
    let until = cloud.now() + SignedDuration::from_hours(1);
    cloud.restrict("acme", "Unusual consumption is being looked into.", until).await;
    let books = cloud.books();
    for minutes in [1, 1_440] {
        let refused = cloud.charge("acme", "job-1", minutes).await.expect_problem(403, "account_restricted");
        assert_eq!(refused.body["reason"], "Unusual consumption is being looked into.");
        assert_eq!(refused.body["until"], "2026-01-05T01:00:00.000Z");
    }
    assert_eq!(cloud.books(), books);

    cloud.cloud.clock.advance(SignedDuration::from_millis(3_599_999)).unwrap();
    cloud.charge("acme", "job-1", 1).await.expect_problem(403, "account_restricted");
    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    cloud.charge("acme", "job-1", 1).await.expect(201);
}

#[tokio::test]
async fn an_unknown_account_can_neither_be_charged_nor_given_back_to() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    for account in ["nobody", "not%20an%20id", &"x".repeat(65)] {
        let body = json!({"operation": "training", "max_minutes": 1});
        let refused = post(&cloud, account, "job-1", &body).await.expect_problem(404, "not_found");
        assert_eq!(refused.body["detail"], "There is no such account.");
        restore(&cloud, account, "job-1").await.expect_problem(404, "not_found");
    }
    assert_eq!(cloud.footprint(), footprint);
}

/// The numbers of the rule: 10 credits per minute, by the millisecond, rounded up, at least 10.
#[tokio::test]
async fn operations_cost_what_the_price_list_says_and_what_was_quoted() {
    const DUBBING: [(i64, i64); 9] = [
        (1, 10),
        (30_000, 10),
        (60_000, 10),
        (60_001, 11),
        (90_000, 15),
        (180_000, 30),
        (600_000, 100),
        (599_999, 100),
        (86_400_000, 14_400),
    ];
    const TRAINING: [(i64, i64); 6] = [(1, 10), (5, 50), (10, 100), (30, 300), (60, 600), (1_440, 14_400)];
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_50000", "4242424242424242").await;
    let dubbing =
        DUBBING.map(|(duration_ms, credits)| (json!({"operation": "dubbing", "duration_ms": duration_ms}), credits));
    let training =
        TRAINING.map(|(max_minutes, credits)| (json!({"operation": "training", "max_minutes": max_minutes}), credits));
    let priced: Vec<(Value, i64)> = dubbing.into_iter().chain(training).collect();

    let mut balance = 50_000;
    for (number, (operation, credits)) in priced.iter().enumerate() {
        let charged = post(&cloud, "acme", &format!("job-{number}"), operation).await.expect(201);
        balance -= credits;
        assert_eq!(
            (&charged.body["credits"], &charged.body["balance"]),
            (&json!(credits), &json!(balance)),
            "{operation}"
        );
    }

    let operations: Vec<&Value> = priced.iter().map(|(operation, _)| operation).collect();
    let footprint = cloud.footprint();
    for token in [cloud.cloud.service_token(), cloud.cloud.customer_token("acme")] {
        let quoted = cloud.post("/v1/quotes", &token, None, &json!({"operations": operations})).await.expect(200);
        let quotes = quoted.body["operations"].as_array().unwrap();
        for (quote, (operation, credits)) in quotes.iter().zip(&priced) {
            let mut expected = operation.clone();
            expected["credits"] = json!(credits);
            assert_eq!(quote, &expected);
        }
        assert_eq!(quotes.len(), priced.len());
        assert_eq!(quoted.body["credits"], json!(50_000 - balance), "the quote equals the charges");
    }
    assert_eq!(cloud.footprint(), footprint, "a quote charges nothing");
}

#[tokio::test]
async fn a_restore_gives_back_what_the_charge_took_once() {
    let cloud = funded().await;
    post(&cloud, "acme", "job-1", &dubbing(90_000, "episode-12")).await.expect(201);
    let restored = restore(&cloud, "acme", "job-1").await.expect(201);
    assert_eq!(
        restored.body,
        json!({"charge": "job-1", "status": "restored", "credits": 15, "balance": 500, "seq": 3, "created_at": NOW})
    );
    assert!(!restored.is_replay);
    cloud.charge("acme", "job-2", 50).await.expect(201);
    let footprint = cloud.footprint();

    let again = restore(&cloud, "acme", "job-1").await.expect(200);
    assert_eq!((again.is_replay, &again.text), (true, &restored.text));
    let path = "/v1/accounts/acme/charges/job-1/restore";
    let keyed =
        cloud.post(path, &cloud.cloud.service_token(), Some("another"), &json!({"any": "thing"})).await.expect(200);
    assert_eq!(keyed.text, restored.text, "the charge identifies the request, whatever else is sent");
    assert_eq!(cloud.footprint(), footprint);

    let replay = post(&cloud, "acme", "job-1", &dubbing(90_000, "episode-12")).await.expect(200);
    assert_eq!(replay.body["balance"], 485, "the key of a restored charge stays in use");
    assert_eq!(cloud.balance("acme").await, 0);
}

/// R6: a job that failed was restored, and runs again under its old key.
#[tokio::test]
async fn a_replay_of_a_charge_that_was_restored_says_so_and_another_key_charges_the_retry() {
    let cloud = funded().await;
    let body = dubbing(90_000, "episode-12");
    let charged = post(&cloud, "acme", "job-1", &body).await.expect(201);
    restore(&cloud, "acme", "job-1").await.expect(201);
    let mut expected = charged.body.clone();
    expected["status"] = json!("restored");
    expected["restore"] = json!({"credits": 15, "balance": 500, "seq": 3, "created_at": NOW});
    assert_eq!(post(&cloud, "acme", "job-1", &body).await.expect(200).body, expected);
    cloud.charge("acme", "the-rest", 50).await.expect(201);
    let replay = post(&cloud, "acme", "job-1", &body).await.expect(200);
    assert_eq!(replay.body, expected, "also if a new charge would be refused");
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let retried = post(&cloud, "acme", "job-1:2", &body).await.expect(201);
    assert_eq!((&retried.body["status"], &retried.body["balance"]), (&json!("posted"), &json!(485)));
}

#[tokio::test]
async fn only_a_charge_of_this_account_can_be_restored() {
    let cloud = funded().await;
    cloud.open_account("globex").await;
    cloud.charge("acme", "job-1", 5).await.expect(201);
    let purchase = cloud.history("acme").await[1]["purchase"].as_str().unwrap().to_owned();
    restore(&cloud, "acme", "job-1").await.expect(201);
    let footprint = cloud.footprint();
    for (account, charge) in [
        ("acme", "job-2"),
        ("globex", "job-1"),
        ("acme", &purchase),
        ("acme", "restore:job-1"),
        ("acme", "charge:job-1"),
        ("acme", "job%20with%20spaces"),
        ("acme", &"k".repeat(129)),
    ] {
        let refused = restore(&cloud, account, charge).await.expect_problem(404, "not_found");
        assert_eq!(refused.body["detail"], "There is no such charge.", "{account} {charge}");
    }
    assert_eq!(cloud.footprint(), footprint);
}

/// The keys of charges and purchases, and the ids derived from them, do not collide.
#[tokio::test]
async fn one_key_may_name_a_charge_and_a_purchase() {
    let cloud = funded().await;
    let path = "/v1/accounts/acme/purchases";
    let package = json!({"package": "credits_500"});
    cloud.post(path, &cloud.cloud.service_token(), Some("one"), &package).await.expect(201);
    cloud.charge("acme", "one", 5).await.expect(201);
    for key in ["restore:one", "charge:one", "purchase:one", "top_up:one", "ENTRY", "STATE"] {
        cloud.charge("acme", key, 1).await.expect(201);
    }
    assert_eq!(restore(&cloud, "acme", "one").await.expect(201).body["credits"], 50);
    assert_eq!(restore(&cloud, "acme", "restore:one").await.expect(201).body["credits"], 10);
    assert_eq!(cloud.balance("acme").await, 450);
    assert_eq!(cloud.post(path, &cloud.cloud.service_token(), Some("one"), &package).await.status, 200);
}

#[tokio::test]
async fn of_concurrent_requests_with_one_key_one_charges_and_all_get_its_answer() {
    let cloud = funded().await;
    let answers = join_all((0..32).map(|_| cloud.charge("acme", "job-1", 5))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let replayed = answers.iter().filter(|answer| answer.status == 200 && answer.is_replay).count();
    assert_eq!((created, replayed), (1, 31), "{answers:?}");
    let texts: BTreeSet<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (450, 2));
}

#[tokio::test]
async fn concurrent_charges_never_take_more_than_there_is() {
    let cloud = funded().await;
    let keys: Vec<String> = (0..32).map(|number| format!("job-{number}")).collect();
    let answers = join_all(keys.iter().map(|key| cloud.charge("acme", key, 5))).await;
    let of = |status: u16| answers.iter().filter(move |answer| answer.status == status);
    assert_eq!((of(201).count(), of(402).count()), (10, 22), "{answers:?}");
    let balances: BTreeSet<i64> = of(201).map(|answer| answer.body["balance"].as_i64().unwrap()).collect();
    assert_eq!(balances, (0..10).map(|number| number * 50).collect(), "each charge saw a different balance");
    assert!(of(402).all(|answer| answer.body["missing"].as_i64() > Some(0)));
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (0, 11));
}

#[tokio::test]
async fn concurrent_restores_of_one_charge_give_back_once() {
    let cloud = funded().await;
    cloud.charge("acme", "job-1", 5).await.expect(201);
    let answers = join_all((0..16).map(|_| restore(&cloud, "acme", "job-1"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.is_replay), "{answers:?}");
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (500, 3));
}
