//! The permissions of a function's role are exactly those that the function uses.
//!
//! None may be missing: in every test the functions call AWS with credentials of their own, and the stand-ins refuse
//! what the role in `template.yaml` does not allow ([`local_aws::access`]). None may be superfluous: this test does
//! everything that the product does, and then every permission must have been used.

use crate::support::TestCloud;
use jiff::SignedDuration;
use local_aws::access::{Call, matches};
use local_gateway::Template;
use local_gateway::template::FunctionConfiguration;
use local_stripe::{Fault, FaultAction, WebhookConduct};
use serde_json::json;
use std::collections::BTreeSet;

/// A function, by its logical id, and one of its permissions.
type Permission = (String, Call);

/// The calls that Lambda itself makes with a function's role to write its log.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html#permissions-executionrole-features>
const TO_LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
/// The calls that Lambda makes to read a stream for the function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html>
const TO_READ_A_STREAM: [&str; 4] =
    ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"];
/// The calls that Lambda makes to report final failures to a queue.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>
const TO_REPORT_FAILURES: &str = "sqs:SendMessage";

#[tokio::test]
async fn every_function_does_all_that_its_role_allows() {
    let cloud = TestCloud::start().await;
    do_everything(&cloud).await;
    let template = &cloud.cloud.template;
    let mut used = cloud.cloud.aws.access.used();
    used.extend(used_by_a_sweep_that_runs_out_of_time().await);
    assert_eq!(unused(template, &used), [""; 0]);
    assert_eq!(missing(template), [""; 0]);
    let allowed = allowed(template);
    assert!(allowed.iter().all(|(_, call)| is_exact(call)), "a wildcard allows unknown calls: {allowed:#?}");
    assert!(used.len() >= 20, "the functions sign their calls");
}

#[tokio::test]
async fn what_a_function_does_not_do_but_may_is_found() {
    let continued = used_by_a_sweep_that_runs_out_of_time().await;
    for (added, to) in [
        ("dynamodb:DeleteItem", "Action: [dynamodb:GetItem, dynamodb:PutItem, dynamodb:DeleteItem]"),
        ("dynamodb:Query", "Action: [dynamodb:GetItem, dynamodb:PutItem, dynamodb:Query]"),
    ] {
        let cloud = TestCloud::start_changed("Action: [dynamodb:GetItem, dynamodb:PutItem]", to).await;
        do_everything(&cloud).await;
        let mut used = cloud.cloud.aws.access.used();
        used.extend(continued.clone());
        let found = unused(&cloud.cloud.template, &used);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("ChargingFunction may {added}")), "{found:?}");
    }
}

#[tokio::test]
async fn what_a_function_does_but_may_not_is_refused_and_nothing_comes_of_it() {
    let cloud =
        TestCloud::start_changed("Action: [dynamodb:GetItem, dynamodb:PutItem]", "Action: dynamodb:GetItem").await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.charge("acme", "job-1", 1).await.expect_problem(500, "internal_error");
    assert_eq!(cloud.balance("acme").await, 500);
    let refused = cloud.take_refused_calls();
    let table = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}", cloud.table());
    let call = Call::new("dynamodb:PutItem", &table);
    assert_eq!(refused, BTreeSet::from([("ChargingFunction".to_owned(), call)]));
}

#[tokio::test]
async fn an_index_and_a_secret_are_permissions_of_their_own() {
    let cloud = TestCloud::start_changed("${Table.Arn}/index/history", "${Table.Arn}/index/due").await;
    cloud.open_account("acme").await;
    cloud.get("/v1/accounts/acme/history", &cloud.cloud.service_token()).await.expect_problem(500, "internal_error");
    let refused: Vec<String> = cloud.take_refused_calls().into_iter().map(|(_, call)| call.resource).collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].ends_with("/index/history"), "{refused:?}");

    let without = "Resource: [!Ref StripeSecretArn, !Ref LinkSecret]";
    let error = TestCloud::try_start_changed(without, "Resource: !Ref StripeSecretArn").await.err().unwrap();
    assert!(
        error.to_string().contains("the secret arn:aws:secretsmanager:us-east-1:000000000000:secret:links"),
        "{error}"
    );
}

/// A session begins, is used and ends.
async fn use_the_dashboard(cloud: &TestCloud) {
    let path = "/v1/accounts/acme/portal-sessions";
    let token = cloud.cloud.service_token();
    let link = cloud.post(path, &token, None, &json!({})).await.expect(200).body["url"].as_str().unwrap().to_owned();
    let link = link.rsplit('/').next().unwrap();
    let entered = cloud.request(reqwest::Method::POST, "/portal/enter").form(&[("token", link)]);
    let entered = cloud.send(entered).await.expect(303);
    let cookie = entered.headers["set-cookie"].split(';').next().unwrap();
    let page = cloud.request(reqwest::Method::GET, "/portal/overview").header("cookie", cookie);
    cloud.send(page).await.expect(200);
    cloud.send(cloud.request(reqwest::Method::DELETE, path).bearer_auth(&token)).await.expect(200);
}

/// Every call that the product makes to AWS, each in its ordinary way.
async fn do_everything(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.charge("acme", "job-1", 1).await.expect(201);
    let batch = json!({"charges": [{"account": "acme", "key": "batch-1", "operation": "training", "max_minutes": 1}]});
    cloud.post("/v1/charges/batch", &token, None, &batch).await.expect(200);
    cloud.post("/v1/accounts/acme/charges/job-1/restore", &token, None, &json!({})).await.expect(201);
    let pending = json!({"operation": "training", "max_minutes": 1, "expires_in_seconds": 60});
    cloud.post("/v1/accounts/acme/charges", &token, Some("job-2"), &pending).await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_secs(60)).unwrap();
    assert_eq!(cloud.expire_charges().await["expired"], 1);
    cloud.history("acme").await;
    cloud.get("/v1/accounts/acme/history/verify", &token).await.expect(200);
    cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200);
    for credits in [1, -1] {
        let body = json!({"credits": credits, "reason": "The customer asks."});
        let path = "/v1/support/accounts/acme/adjustments";
        cloud.post(path, &cloud.support_token(), Some(&format!("case{credits}")), &body).await.expect(201);
    }
    let bought = cloud.get("/v1/accounts/acme/purchases", &token).await.expect(200).body;
    cloud.get("/v1/accounts/acme/payments/pi_none/proof", &token).await.expect(404);
    cloud.post("/v1/accounts/acme/purchases/find", &token, None, &json!({"payment": "pi_none"})).await.expect(200);
    let refunds =
        format!("/v1/support/accounts/acme/purchases/{}/refunds", bought["data"][0]["purchase"].as_str().unwrap());
    let refund = json!({"amount": 1, "reason": "The customer asks."});
    cloud.post(&refunds, &cloud.support_token(), Some("refund-1"), &refund).await.expect(201);
    use_the_dashboard(cloud).await;
    cloud.get("/v1/support/disputes", &cloud.support_token()).await.expect(200);
    let import = cloud.request(reqwest::Method::POST, "/v1/support/imports?dry_run=false&reason=Moved");
    let table = "account,email,credits,source_id\nglobex,owner@globex.example,5,row-1\n";
    cloud.send(import.bearer_auth(cloud.support_token()).body(table)).await.expect(200);
    let limits = "/v1/accounts/acme/limits";
    for total in [json!(10), json!(null)] {
        let of_spender = json!({"spender": "key-1", "day": null, "month": null, "total": total});
        cloud.put(limits, &token, &of_spender).await.expect(200);
    }
    cloud.get(limits, &token).await.expect(200);
    cloud.put(limits, &token, &json!({"day": 1, "month": null})).await.expect(200);
    cloud.charge("acme", "job-3", 1).await.expect_problem(402, "limit_reached");
    cloud.put(limits, &token, &json!({"day": null, "month": null})).await.expect(200);
    let levels = json!({"levels": [{"days_left": 7}, {"credits": 100}]});
    cloud.put("/v1/accounts/acme/alerts", &token, &levels).await.expect(200);
    cloud.cloud.evaluate_alerts().await.unwrap();
    cloud.put("/v1/accounts/acme/alerts", &token, &json!({"levels": []})).await.expect(200);
    cloud.cloud.evaluate_alerts().await.unwrap();
    end_a_block(cloud).await;
    erase(cloud).await;
    cloud.get("/v1/accounts/acme/purchases", &token).await.expect(200);
    cloud.get("/v1/packages", &token).await.expect(200);
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.sweep().await;
    cloud.settle().await;
    let link = cloud.pay_link("acme");
    let page = cloud.visit(&link).await.expect(302).location.unwrap();
    cloud.pay_page(&page, "4242424242424242").await;
    cloud.settle().await;
    cloud.visit(&link).await.expect(200);
    assert_eq!(cloud.balance("acme").await, 5_000);
    let bouncing = json!({"contacts": [{"email": "bounce@simulator.amazonses.com", "roles": ["billing"]}]});
    cloud.put("/v1/accounts/acme/contacts", &token, &bouncing).await.expect(200);
    cloud.settle().await;
    let contacts = cloud.get("/v1/accounts/acme/contacts", &token).await.expect(200).body;
    assert_eq!(contacts["contacts"][0]["status"], "bounced");
    cloud.cloud.close_days().await.unwrap();
    cloud.cloud.clock.advance(SignedDuration::from_hours(25)).unwrap();
    assert_eq!(cloud.cloud.close_days().await.unwrap()["accounts"], 3);
    cloud.get("/v1/support/liability", &cloud.support_token()).await.expect(200);
    reconcile(cloud).await;
}

/// An event that no webhook brings fails, is kept, and is applied by a later run.
async fn reconcile(cloud: &TestCloud) {
    let stripe = &cloud.cloud.stripe;
    stripe.set_webhook_conduct(WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() });
    let outage = Fault::once("GET", "/v1/checkout/sessions/*", FaultAction::Unavailable);
    stripe.add_fault(Fault { count: u32::MAX, ..outage });
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    assert_ne!(cloud.reconcile().await["failed"], 0);
    stripe.clear_faults();
    cloud.cloud.clock.advance(SignedDuration::from_mins(5)).unwrap();
    let summary = cloud.reconcile().await;
    assert_eq!(summary["failed"], 0, "{summary}");
    stripe.set_webhook_conduct(WebhookConduct::default());
}

/// An account with a name in its usage, an e-mail and a spender's limits, which are deleted.
async fn erase(cloud: &TestCloud) {
    let token = cloud.support_token();
    cloud.get("/v1/support/accounts/busy/export", &token).await.expect(200);
    let erased = cloud
        .post("/v1/support/accounts/busy/erase", &token, None, &json!({"reason": "The customer asks."}))
        .await
        .expect(200);
    assert_eq!(erased.body["complete"], true);
}

/// A hundred entries, the last of which ends a block of the usage.
async fn end_a_block(cloud: &TestCloud) {
    cloud.open_account("busy").await;
    cloud.buy("busy", "credits_5000", "4242424242424242").await;
    let charge = |number: u32| json!({"account": "busy", "key": format!("job-{number}"), "operation": "training", "max_minutes": 1});
    let charges: Vec<_> = (1..100).map(charge).collect();
    cloud
        .post("/v1/charges/batch", &cloud.cloud.service_token(), None, &json!({ "charges": charges }))
        .await
        .expect(200);
    cloud.settle().await;
}

/// A sweep that runs out of time sets a timer for the rest.
async fn used_by_a_sweep_that_runs_out_of_time() -> BTreeSet<Permission> {
    let cloud = TestCloud::start().await;
    for number in 0..12 {
        cloud.open_due_account(&format!("account-{number}"), "pm_card_visa").await;
    }
    let (clock, mut is_begun) = (cloud.cloud.clock.clone(), false);
    cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
        if operation.name == "TransactWriteItems" && !is_begun {
            is_begun = true;
            clock.advance(SignedDuration::from_mins(12)).unwrap();
        }
        None
    });
    cloud.sweep().await;
    assert_eq!(cloud.cloud.aws.scheduler.schedules().len(), 1, "the sweep continues later");
    cloud.cloud.aws.access.used()
}

/// The permissions of the functions that were not used, without those that Lambda itself uses.
fn unused(template: &Template, used: &BTreeSet<Permission>) -> Vec<String> {
    let of_lambda: BTreeSet<Permission> =
        template.functions.values().flat_map(|one| lambdas_own(template, one)).collect();
    let allowed = allowed(template);
    let is_used = |(function, allowed): &Permission| {
        let calls = used.iter().filter(|(by, call)| by == function && call.action == allowed.action);
        calls.into_iter().any(|(_, call)| matches(&allowed.resource, &call.resource))
    };
    let unused = allowed.iter().filter(|permission| !of_lambda.contains(permission) && !is_used(permission));
    unused.map(|(function, call)| format!("{function} may {} on {}", call.action, call.resource)).collect()
}

/// The permissions that Lambda needs for a function and that the role lacks.
fn missing(template: &Template) -> Vec<String> {
    let allowed = allowed(template);
    let needed = template.functions.values().flat_map(|function| lambdas_own(template, function));
    let missing = needed.filter(|permission| !allowed.contains(permission));
    missing.map(|(function, call)| format!("{function} may not {} on {}", call.action, call.resource)).collect()
}

/// Every action on every resource that the functions' roles allow.
fn allowed(template: &Template) -> BTreeSet<Permission> {
    let mut allowed = BTreeSet::new();
    for (id, function) in &template.functions {
        for statement in function.role.as_ref().unwrap_or_else(|| panic!("{id} has no role of its own")) {
            assert!(statement.allows, "{id}: a statement that denies is not compared here");
            for action in &statement.actions {
                let calls = statement.resources.iter().map(|resource| Call::new(action, resource));
                allowed.extend(calls.map(|call| (id.clone(), call)));
            }
        }
    }
    allowed
}

/// The calls that Lambda makes for this function, depending on the template.
fn lambdas_own(template: &Template, function: &FunctionConfiguration) -> Vec<Permission> {
    let log_group = function.log_group.as_ref().expect("a function has a log group of its own");
    let mut calls: Vec<Call> = TO_LOG.iter().map(|action| Call::new(action, log_group)).collect();
    for stream in template.streams.iter().filter(|stream| stream.function == function.logical_id) {
        let arn = &template.tables[&stream.table].stream_arn;
        calls.extend(TO_READ_A_STREAM.iter().map(|action| Call::new(action, arn)));
        calls.extend(stream.failure_destination.iter().map(|queue| Call::new(TO_REPORT_FAILURES, queue)));
    }
    calls.extend(function.failure_destination.iter().map(|queue| Call::new(TO_REPORT_FAILURES, queue)));
    calls.into_iter().map(|call| (function.logical_id.clone(), call)).collect()
}

/// Whether it has no wildcard, except where one is needed: a log group's ARN ends in all of its streams, as in
/// CloudFormation, and schedules get their names at run time, in a group that belongs to the stack.
fn is_exact(call: &Call) -> bool {
    let open_end = match call.action.split_once(':') {
        Some(("logs", _)) => ":*",
        Some(("scheduler", _)) => "/*",
        _ => "",
    };
    let resource = call.resource.strip_suffix(open_end).unwrap_or(&call.resource);
    !call.action.contains(['*', '?']) && !resource.contains(['*', '?'])
}
