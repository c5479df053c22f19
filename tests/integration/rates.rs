//! The rate of requests for each account: it holds on every route of an account, before anything is read, and the
//! requests of one account leave those of another alone.

mod neighbors;

use crate::support::TestCloud;
use crate::support::description::DESCRIPTION;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// Every route with an account in its path, as described: the method, and the path for this account.
fn routes_of_accounts() -> Vec<(Method, String)> {
    let operations = DESCRIPTION.operations().into_keys().filter(|(_, path)| path.contains("{account}"));
    let routes: Vec<_> = operations.map(|(method, path)| (method.parse().unwrap(), path)).collect();
    assert!(routes.len() >= 9, "{routes:?}");
    routes
}

fn is_of_charging(method: &Method, path: &str) -> bool {
    charging::ROUTES.iter().any(|route| route.method == *method && route.path == path)
}

fn effects(cloud: &TestCloud) -> impl PartialEq + std::fmt::Debug + use<> {
    (cloud.footprint(), cloud.cloud.stripe.requests().len())
}

/// Each route gets an account of its own, because a function's routes share the account's rate.
#[tokio::test]
async fn every_route_of_an_account_keeps_its_rate_and_refuses_before_anything_is_read() {
    let cloud = TestCloud::start_limited(1, 2).await;
    for (number, (method, described)) in routes_of_accounts().into_iter().enumerate() {
        let path = described.replace("{account}", &format!("account-{number}")).replace(['{', '}'], "");
        let ask = || cloud.send(cloud.request(method.clone(), &path).bearer_auth(cloud.any_token()));
        for _ in 0..2 {
            let admitted = ask().await;
            assert!([400, 404, 422].contains(&admitted.status), "{method} {path}: {}", admitted.text);
        }
        let (recording, before) = (cloud.cloud.aws.dynamodb.record(), effects(&cloud));
        let refused = ask().await.expect_problem(429, "too_many_requests");
        assert_eq!(refused.retry_after.as_deref(), Some("1"), "{method} {path}");
        // What charging refuses is counted in memory, and the first of a minute is written once it is answered.
        if is_of_charging(&method, &described) {
            assert_eq!(recording.names(), ["PutItem"], "{method} {path} reads nothing");
        } else {
            assert_eq!(recording.names(), [""; 0], "{method} {path} reads nothing");
            assert_eq!(effects(&cloud), before, "{method} {path}");
        }
        recording.clear();
        ask().await.expect_problem(429, "too_many_requests");
        assert_eq!(recording.names(), [""; 0], "{method} {path} reads and writes nothing");
        cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
        assert_ne!(ask().await.status, 429, "{method} {path}");
    }
}

#[tokio::test]
async fn no_one_uses_up_the_rate_of_an_account_that_is_not_theirs() {
    let cloud = TestCloud::start_limited(1, 2).await;
    cloud.open_account("acme").await;
    let path = "/v1/accounts/acme/balance";
    let others = cloud.cloud.customer_token("globex");
    for token in [&others, "not.a.token", &cloud.cloud.token("acme", &["openid"])] {
        for _ in 0..5 {
            assert!([401, 403, 404].contains(&cloud.get(path, token).await.status));
        }
    }
    let own = cloud.cloud.customer_token("acme");
    for status in [200, 200, 429] {
        cloud.get(path, &own).await.expect(status);
    }
    cloud.get("/v1/accounts/globex/balance", &others).await.expect(404);
}

#[tokio::test]
async fn a_loop_of_refused_charges_is_stopped_and_charges_of_others_go_on() {
    let cloud = TestCloud::start_limited(50, 100).await;
    cloud.open_account("loop").await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let mut statuses = vec![];
    for number in 0..150 {
        statuses.push(cloud.charge("loop", &format!("job-{number}"), 1).await.status);
    }
    assert_eq!(statuses, [[402; 100].as_slice(), &[429; 50]].concat());
    cloud.charge("acme", "job-1", 1).await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_millis(20)).unwrap();
    cloud.charge("loop", "next", 1).await.expect(402);
    cloud.charge("loop", "next", 1).await.expect(429);
}

/// A refused request changes nothing, so the same key charges once it is admitted.
#[tokio::test]
async fn a_charge_that_was_refused_for_its_rate_is_taken_when_it_is_repeated() {
    let cloud = TestCloud::start_limited(1, 1).await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.charge("acme", "job-1", 5).await.expect(201);
    cloud.charge("acme", "job-2", 5).await.expect(429);
    cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
    assert_eq!(cloud.charge("acme", "job-2", 5).await.expect(201).body["balance"], 400);
}

/// The account that is refused does not hold up the others, and nothing is read for it.
#[tokio::test]
async fn a_batch_counts_once_for_each_of_its_accounts() {
    let cloud = TestCloud::start_limited(1, 2).await;
    for account in ["acme", "globex"] {
        cloud.open_account(account).await;
        cloud.buy(account, "credits_500", "4242424242424242").await;
    }
    cloud.charge("acme", "job-0", 1).await.expect(201);
    let charge = |account: &str, number: u32, minutes: u32| json!({"account": account, "key": format!("job-{number}"), "operation": "training", "max_minutes": minutes});
    let charges = [charge("acme", 1, 1), charge("globex", 1, 1), charge("acme", 2, 0), charge("acme", 3, 1)];
    let batch = json!({ "charges": charges });
    let statuses = async || {
        let answer = cloud.post("/v1/charges/batch", &cloud.cloud.service_token(), None, &batch).await.expect(200);
        let results = answer.body["results"].as_array().unwrap().clone();
        assert!(
            results.iter().all(|result| result["status"] != 429 || result["problem"]["code"] == "too_many_requests")
        );
        results.iter().map(|result| result["status"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(statuses().await, [201, 201, 422, 201]);
    let recording = cloud.cloud.aws.dynamodb.record();
    assert_eq!(statuses().await, [429, 200, 429, 429]);
    let names = ["GetItem", "TransactWriteItems", "GetItem", "PutItem"];
    assert_eq!(recording.names(), names, "only of the other account, and at last the refusals of this one");
    assert_eq!(statuses().await, [429; 4]);
    cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
    assert_eq!(statuses().await, [200, 200, 422, 200]);
}

/// The template sets the rate of every function that has a route with an account.
#[tokio::test]
async fn every_function_with_routes_of_accounts_is_deployed_with_the_limit() {
    let cloud = TestCloud::start_limited(7, 9).await;
    let template = &cloud.cloud.template;
    let of_accounts = template.routes.iter().filter(|route| route.path.to_string().contains("{account}"));
    let functions: BTreeSet<&String> = of_accounts.map(|route| &route.function).collect();
    assert_eq!(functions.len(), 5, "{functions:?}");
    for function in functions {
        let environment = &template.functions[function].environment;
        let limit = json!([environment["ACCOUNT_REQUESTS_PER_SECOND"], environment["ACCOUNT_REQUESTS_BURST"]]);
        assert_eq!(limit, json!(["7", "9"]), "{function}");
    }
}
