//! Accounts over HTTP: opening, balance, history and the settings of automatic top-ups.

mod auto_top_up;
mod consents;
mod history;
mod limits;
mod planning;
mod spending;
mod statement;
mod verification;

use crate::support::{Answer, TestCloud};
use futures::future::join_all;
use jiff::SignedDuration;
use local_aws::dynamodb::Fault as DynamoFault;
use local_aws::wire::Loss;
use local_stripe::{Fault, FaultAction};
use serde_json::{Value, json};

async fn open(cloud: &TestCloud, body: &Value) -> Answer {
    cloud.post("/v1/accounts", &cloud.cloud.service_token(), None, body).await
}

fn acme() -> Value {
    json!({"account": "acme", "email": "owner@acme.example"})
}

#[tokio::test]
async fn an_account_is_opened_once_and_asking_again_finds_it() {
    let cloud = TestCloud::start().await;
    let opened = open(&cloud, &acme()).await.expect(201);
    let expected = json!({
        "account": "acme", "email": "owner@acme.example", "balance": 0, "created_at": "2026-01-05T00:00:00.000Z",
    });
    assert_eq!((opened.body, opened.is_replay), (expected, false));
    cloud.cloud.clock.advance(SignedDuration::from_hours(1)).unwrap();
    let footprint = cloud.footprint();

    let again = open(&cloud, &acme()).await.expect(200);
    assert_eq!((again.is_replay, &again.text), (true, &opened.text));
    let differs = json!({"account": "acme", "email": "somebody@acme.example"});
    open(&cloud, &differs).await.expect_problem(409, "account_exists");
    assert_eq!(cloud.footprint(), footprint);
    let customers = cloud.stripe_list("/v1/customers?limit=100").await;
    assert_eq!(customers.len(), 1);
    assert_eq!(customers[0]["email"], "owner@acme.example");
}

/// R30: a client that lost the account's data can read it again.
#[tokio::test]
async fn an_account_is_read_as_it_was_opened() {
    let cloud = TestCloud::start().await;
    let opened = open(&cloud, &acme()).await.expect(201);
    for token in [cloud.cloud.customer_token("acme"), cloud.cloud.service_token()] {
        assert_eq!(cloud.get("/v1/accounts/acme", &token).await.expect(200).body, opened.body);
    }
    let nobody = cloud.get("/v1/accounts/nobody", &cloud.cloud.service_token()).await;
    let others = cloud.get("/v1/accounts/acme", &cloud.cloud.customer_token("globex")).await;
    nobody.expect_problem(404, "not_found");
    others.expect_problem(404, "not_found");
}

#[tokio::test]
async fn an_account_needs_an_id_and_an_address() {
    let cloud = TestCloud::start().await;
    let footprint = cloud.footprint();
    let id = "must be 1 to 64 characters of A-Z a-z 0-9 _ -";
    let address = "must be an e-mail address of at most 254 ASCII characters";
    let mut cases = vec![];
    for account in ["", "a b", "a/b", "a#b", "ä", "a.b", &"x".repeat(65)] {
        cases.push((json!({"account": account, "email": "a@b.example"}), "account", id));
    }
    let long = format!("{}@b.example", "a".repeat(65));
    for email in
        ["", "a", "@b.example", "a@", "a@b", "a b@c.example", "a@b.example\r\nBcc: c@d.example", "<a@b.example>", &long]
    {
        cases.push((json!({"account": "acme", "email": email}), "email", address));
    }
    for wrong in [json!(7), json!(null), json!([]), json!({}), json!(true)] {
        let text = "1 to 64 characters of A-Z a-z 0-9 _ -";
        cases.push((json!({"account": wrong, "email": "a@b.example"}), "account", text));
        cases.push((json!({"account": "acme", "email": wrong}), "email", "an e-mail address"));
    }
    // R20.
    cases.push((json!({"account": "a"}), "email", "is required: an e-mail address"));
    cases.push((json!({"email": "a@b.example"}), "account", "is required: 1 to 64 characters"));
    cases.push((json!({"account": "acme", "email": "a@b.example", "balance": 1_000}), "balance", "is not known here"));
    for (body, field, message) in cases {
        let answer = open(&cloud, &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let told = answer.expect_problem(422, "invalid_request").field_error(field);
        assert!(told.contains(message), "{body}: {told}");
    }
    let both = open(&cloud, &json!({"account": "a b", "email": "a"})).await.expect_problem(422, "invalid_request");
    assert_eq!((both.field_error("account").as_str(), both.field_error("email").as_str()), (id, address));
    let request = cloud.request(reqwest::Method::POST, "/v1/accounts").bearer_auth(cloud.cloud.service_token());
    cloud.send(request.body("account=acme")).await.expect_problem(400, "malformed_body");
    assert_eq!(cloud.footprint(), footprint);
    assert_eq!(cloud.cloud.stripe.effects_total(), 0);
}

#[tokio::test]
async fn an_account_that_was_half_opened_gets_no_second_customer() {
    for action in [FaultAction::LoseAnswer, FaultAction::LoseRequest, FaultAction::Unavailable, FaultAction::RateLimit]
    {
        let cloud = TestCloud::start().await;
        let fault = Fault::once("POST", "/v1/customers", action);
        cloud.cloud.stripe.add_fault(fault.clone());
        open(&cloud, &acme()).await.expect(201);
        assert_eq!(customers(&cloud).await, 1, "{action:?} once");

        cloud.cloud.stripe.add_fault(Fault { count: u32::MAX, ..fault });
        let globex = json!({"account": "globex", "email": "owner@globex.example"});
        let failed = open(&cloud, &globex).await;
        assert_eq!((failed.status, failed.retry_after.as_deref()), (503, Some("2")), "{action:?}: {}", failed.text);
        failed.expect_problem(503, "unavailable");
        let balance = cloud.get("/v1/accounts/globex/balance", &cloud.cloud.service_token()).await;
        balance.expect_problem(404, "not_found");
        cloud.cloud.stripe.clear_faults();
        open(&cloud, &globex).await.expect(201);
        assert_eq!(customers(&cloud).await, 2, "{action:?} for a while");
    }
}

/// Stripe stores its own 500 under the key, so another key is used. The customer that was created anyway has no card
/// and no account, and does no harm.
#[tokio::test]
async fn a_failure_that_stripe_remembers_is_overcome() {
    let cloud = TestCloud::start().await;
    for (account, action) in [("acme", FaultAction::InternalError), ("globex", FaultAction::InternalErrorAfterEffect)] {
        cloud.cloud.stripe.add_fault(Fault::once("POST", "/v1/customers", action));
        let body = json!({"account": account, "email": format!("owner@{account}.example")});
        open(&cloud, &body).await.expect(201);
        cloud.buy(account, "credits_500", "4242424242424242").await;
        assert_eq!(cloud.balance(account).await, 500, "{action:?}");
    }
}

async fn customers(cloud: &TestCloud) -> usize {
    cloud.stripe_list("/v1/customers?limit=100").await.len()
}

#[tokio::test]
async fn an_account_whose_commit_or_its_answer_was_lost_is_opened_by_asking_again() {
    for (fault, status) in
        [(DynamoFault::LoseRequest(Loss::ConnectionReset), 201), (DynamoFault::LoseAnswer(Loss::ConnectionReset), 200)]
    {
        let cloud = TestCloud::start().await;
        let decided = fault.clone();
        cloud
            .cloud
            .aws
            .dynamodb
            .faults()
            .decide_with(move |operation| (operation.name == "TransactWriteItems").then(|| decided.clone()));
        open(&cloud, &acme()).await.expect_problem(503, "unavailable");
        cloud.cloud.aws.dynamodb.faults().clear();
        assert_eq!(open(&cloud, &acme()).await.status, status, "{fault:?}");
        assert_eq!(customers(&cloud).await, 1, "{fault:?}");
        cloud.buy("acme", "credits_500", "4242424242424242").await;
        assert_eq!(cloud.balance("acme").await, 500, "the account has this customer");
    }
}

#[tokio::test]
async fn concurrent_openings_make_one_account_and_one_customer() {
    let cloud = TestCloud::start().await;
    let body = acme();
    let answers = join_all((0..8).map(|_| open(&cloud, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.is_replay), "{answers:?}");
    assert_eq!(customers(&cloud).await, 1);
}

#[tokio::test]
async fn the_balance_says_what_there_is_and_whether_charges_are_blocked() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let read =
        async || cloud.get("/v1/accounts/acme/balance", &cloud.cloud.customer_token("acme")).await.expect(200).body;
    let expected = |balance: i64, restriction: Value, as_of: &str| {
        json!({
            "account": "acme", "balance": balance, "pending": 0, "restriction": restriction, "spending_stopped_at": null,
            "as_of": as_of,
        })
    };
    assert_eq!(read().await, expected(0, Value::Null, "2026-01-05T00:00:00.000Z"));
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.charge("acme", "job-1", 1).await.expect(201);
    cloud.restrict("acme", "Unusual consumption.", cloud.now() + SignedDuration::from_mins(1)).await;
    let restriction = json!({"reason": "Unusual consumption.", "until": "2026-01-05T00:01:00.000Z"});
    assert_eq!(read().await, expected(490, restriction, "2026-01-05T00:00:00.000Z"));
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    assert_eq!(read().await, expected(490, Value::Null, "2026-01-05T00:01:00.000Z"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let cloud = TestCloud::start().await;
    for account in ["nobody", "not%20an%20id", &"x".repeat(65)] {
        for what in ["balance", "history", "auto-top-up"] {
            let path = format!("/v1/accounts/{account}/{what}");
            let answer = cloud.get(&path, &cloud.cloud.service_token()).await.expect_problem(404, "not_found");
            assert_eq!(answer.body["detail"], "There is no such account.", "{path}");
        }
        let path = format!("/v1/accounts/{account}/auto-top-up");
        for body in [
            json!({"enabled": false}),
            json!({"enabled": true, "threshold": 100, "target": 1_100, "consent": {"text_version": 3, "accepted_by": "x"}}),
        ] {
            cloud.put(&path, &cloud.cloud.service_token(), &body).await.expect_problem(404, "not_found");
        }
    }
}
