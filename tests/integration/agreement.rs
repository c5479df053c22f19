//! `template.yaml`, `infra/openapi.yaml`, the functions' routes and their real answers agree.
//!
//! Every answer in any test is checked against the description, see [`TestCloud::send`].

use crate::support::description::DESCRIPTION;
use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_aws::dynamodb::Fault;
use local_aws::wire::Loss;
use local_gateway::Template;
use local_stripe::webhook_signature;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::payments::Invoiced;
use shared::domain::{AccountId, TopUpId};
use shared::http::Route;
use shared::stripe::webhook::EVENT_TYPES;
use std::collections::{BTreeMap, BTreeSet};

/// A route by method and path.
type Key = (String, String);

/// For each route, the function that answers it, and the scopes of which a token needs one.
type Guarded = BTreeMap<Key, (String, Option<BTreeSet<String>>)>;

/// The routes of one function, as the function itself defines them.
fn answered<T>(binary: &str, routes: &[Route<T>]) -> Guarded {
    let scopes = |route: &Route<T>| {
        let scopes = route.access.scopes();
        (!scopes.is_empty()).then(|| scopes.iter().map(|scope| (*scope).to_owned()).collect())
    };
    let key = |route: &Route<T>| (route.method.to_string(), route.path.to_owned());
    routes.iter().map(|route| (key(route), (binary.to_owned(), scopes(route)))).collect()
}

fn deployed(template: &Template) -> Guarded {
    let scopes = |route: &local_gateway::template::Route| {
        route.authorizer.is_some().then(|| route.scopes.iter().cloned().collect())
    };
    let binary = |function: &str| template.functions[function].binary.clone();
    let key = |route: &local_gateway::template::Route| (route.method.clone(), route.path.to_string());
    template.routes.iter().map(|route| (key(route), (binary(&route.function), scopes(route)))).collect()
}

/// Which function answers and who may call: the functions' routes, the template and the description agree.
#[tokio::test]
async fn what_is_deployed_is_what_is_described_and_what_the_functions_answer() {
    let cloud = TestCloud::start().await;
    let deployed = deployed(&cloud.cloud.template);
    assert_eq!(deployed.len(), cloud.cloud.template.routes.len(), "no route is deployed twice");
    let answered = [
        answered("accounts", accounts::ROUTES),
        answered("charging", charging::ROUTES),
        answered("portal", portal::ROUTES),
        answered("purchases", purchases::ROUTES),
        answered("stripe-webhooks", stripe_webhooks::ROUTES),
        answered("support", support::ROUTES),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    assert_eq!(answered.len(), deployed.len(), "no route is answered twice");
    assert_eq!(answered.into_iter().collect::<Guarded>(), deployed);
    // A parameter for the rest of the path has a plus in the template, which OpenAPI cannot express.
    let described = |(method, path): Key| (method, path.replace("+}", "}"));
    let guarded: BTreeMap<_, _> = deployed.into_iter().map(|(key, (_, scopes))| (described(key), scopes)).collect();
    assert_eq!(DESCRIPTION.operations(), guarded);
}

#[test]
fn the_readme_subscribes_to_the_events_that_concern_us_and_no_others() {
    let lines = include_str!("../../README.md").split("enabled_events[]=").skip(1);
    let listed: Vec<&str> = lines.filter_map(|line| line.split('\'').next()).collect();
    assert_eq!(listed, EVENT_TYPES.map(|(name, _)| name));
}

/// Variables that a function does not require, because they have a default.
const OPTIONAL: [&str; 9] = [
    "ACCOUNT_REQUESTS_BURST",
    "ACCOUNT_REQUESTS_PER_SECOND",
    "PORTAL_RETURN_ORIGINS",
    "PRICE_BOOK",
    "RUST_LOG",
    "STRIPE_AUTOMATIC_TAX",
    "STRIPE_COLLECT_TAX_ID",
    "STRIPE_INVOICES",
    "STRIPE_ENDPOINT_CALLS_PER_SECOND",
];

#[tokio::test]
async fn the_readme_exports_every_variable_that_a_function_needs() {
    let exports = include_str!("../../README.md").lines().filter_map(|line| line.strip_prefix("export "));
    let exported: BTreeSet<&str> =
        exports.flat_map(str::split_whitespace).filter_map(|word| Some(word.split_once('=')?.0)).collect();
    let cloud = TestCloud::start().await;
    let needed = cloud.cloud.template.functions.values().flat_map(|function| function.environment.keys());
    let missing: BTreeSet<&String> =
        needed.filter(|name| !exported.contains(name.as_str()) && !OPTIONAL.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "README.md does not export {missing:?}, so `cargo lambda watch` cannot start all");
}

/// These tests cannot cause API Gateway's throttling, an internal error or a failed integration. [`crate::rates`] has the
/// functions' own 429.
const OUT_OF_REACH: [u16; 2] = [429, 500];

#[tokio::test]
async fn every_answer_that_is_described_is_given_as_it_is_described() {
    let cloud = TestCloud::start().await;
    refusals_of_the_gateway(&cloud).await;
    accounts_and_purchases(&cloud).await;
    charges(&cloud).await;
    auto_top_ups(&cloud).await;
    limits(&cloud).await;
    acts_of_support(&cloud).await;
    links(&cloud).await;
    contacts(&cloud).await;
    payment_methods(&cloud).await;
    crate::portal::every_answer(&cloud).await;
    webhook(&cloud, "another secret", "invoice.paid").await.expect(400);
    webhook(&cloud, &webhook_secret(&cloud).await, "a.type.of.tomorrow").await.expect(200);
    outages(&cloud).await;

    let mut never_given = BTreeSet::new();
    for (method, path) in DESCRIPTION.operations().into_keys() {
        let statuses = DESCRIPTION.statuses(&method, &path);
        let within_reach = statuses.into_iter().filter(|status| !OUT_OF_REACH.contains(status));
        never_given.extend(within_reach.map(|status| format!("{method} {path} {status}")));
    }
    for given in cloud.answers() {
        never_given.remove(&given);
    }
    assert!(never_given.is_empty(), "{never_given:#?}");
}

async fn post(cloud: &TestCloud, path: &str, key: &str, body: &Value) {
    cloud.post(path, &cloud.cloud.service_token(), Some(key), body).await;
}

/// 401, 403, 413 and 422 for an unknown query parameter (R26) on every route that has them.
async fn refusals_of_the_gateway(cloud: &TestCloud) {
    let too_large = " ".repeat(10 * 1024 * 1024 + 1);
    for (method, path_as_described) in DESCRIPTION.operations().into_keys() {
        let path = path_as_described.replace(['{', '}'], "");
        let request = || cloud.request(method.parse::<Method>().unwrap(), &path);
        cloud.send(request()).await;
        cloud.send(request().bearer_auth(cloud.cloud.token("acme", &["openid"]))).await;
        if path.starts_with("/v1/") && DESCRIPTION.statuses(&method, &path_as_described).contains(&401) {
            let mistyped = cloud.request(method.parse::<Method>().unwrap(), &format!("{path}?cursr=5"));
            let mistyped = mistyped.bearer_auth(cloud.any_token());
            cloud.send(mistyped).await.expect_problem(422, "invalid_request").field_error("cursr");
        }
        if !["GET", "HEAD"].contains(&method.as_str()) {
            let request = request().bearer_auth(cloud.any_token());
            cloud.send(request.body(too_large.clone())).await.expect(413);
        }
    }
}

async fn accounts_and_purchases(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    for email in ["owner@acme.example", "owner@acme.example", "other@acme.example", "none"] {
        post(cloud, "/v1/accounts", "unused", &json!({"account": "acme", "email": email})).await;
    }
    cloud.get("/v1/accounts/acme", &token).await.expect(200);
    cloud.get("/v1/accounts/nobody", &token).await.expect(404);
    let purchases = "/v1/accounts/acme/purchases";
    for (key, package) in
        [("buy-1", "credits_500"), ("buy-1", "credits_500"), ("buy-1", "credits_5000"), ("buy-2", "no_such_package")]
    {
        post(cloud, purchases, key, &json!({ "package": package })).await;
    }
    post(cloud, "/v1/accounts/nobody/purchases", "buy-1", &json!({"package": "credits_500"})).await;
    let opened = cloud.post(purchases, &token, Some("buy-1"), &json!({"package": "credits_500"})).await;
    let purchase = format!("{purchases}/{}", opened.body["purchase"].as_str().unwrap());
    cloud.get(&purchase, &token).await.expect(200);
    cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), "4242424242424242").await;
    cloud.settle().await;
    assert_eq!(cloud.get(&purchase, &token).await.expect(200).body["status"], "paid");
    let find = format!("{purchases}/find");
    for body in [json!({"receipt": "NONE-0001"}), json!({}), json!({"receipt": "A-1", "payment": "pi_1"})] {
        cloud.post(&find, &token, None, &body).await;
    }
    let nobodys = "/v1/accounts/nobody/purchases/find";
    cloud.post(nobodys, &token, None, &json!({"payment": "pi_none"})).await.expect(404);
    cloud.get(&format!("{purchases}/other"), &token).await;
    cloud.get(&format!("{purchases}?limit=1"), &token).await.expect(200);
    cloud.get(&format!("{purchases}?cursor=1"), &token).await.expect(422);
    cloud.get("/v1/accounts/nobody/purchases", &token).await.expect(404);
    let invoices = "/v1/accounts/acme/invoices";
    let listed = cloud.get(invoices, &token).await.expect(200);
    cloud.get(&format!("{invoices}?limit=0"), &token).await.expect(422);
    let invoice = listed.body["data"][0]["invoice"].as_str().unwrap();
    cloud.get(&format!("{invoices}/{invoice}"), &token).await.expect(200);
    cloud.get(&format!("{invoices}/in_none"), &token).await.expect(404);
    cloud.get("/v1/accounts/nobody/invoices", &token).await.expect(404);
    cloud.get("/v1/packages", &token).await;
    let proof = |id: &str| format!("/v1/accounts/acme/payments/{id}/proof");
    cloud.get(&proof(invoice), &token).await.expect(200);
    cloud.get(&proof("pi_none"), &token).await.expect(404);
    cloud.get(&format!("/v1/support/payments/{invoice}/proof"), &cloud.support_token()).await.expect(200);
    cloud.get("/v1/support/payments/ch_1/proof", &cloud.support_token()).await.expect(404);
    post(cloud, "/v1/accounts", "unused", &json!({"account": "deleted", "email": "owner@deleted.example"})).await;
    let customer = format!("/v1/customers/{}", cloud.customer("deleted").await);
    cloud.stripe(Method::DELETE, &customer, &[]).await.expect(200);
    let body = json!({"package": "credits_500"});
    let refused = cloud.post("/v1/accounts/deleted/purchases", &token, Some("buy-1"), &body).await;
    refused.expect_problem(409, "customer_deleted");
    receipt(cloud, &cloud.mails("acme").pop().and_then(|mail| mail.text).expect("a receipt")).await;
    for path in ["/v1/accounts", purchases, &find] {
        malformed(cloud, Method::POST, path).await;
    }
}

/// The link of a receipt: while Stripe answers and while it does not. Later it has expired.
async fn receipt(cloud: &TestCloud, text: &str) {
    let link = text[text.find("/receipt/").expect("a link")..].split_whitespace().next().unwrap().to_owned();
    for (method, status) in [(Method::GET, 302), (Method::HEAD, 302)] {
        cloud.send(cloud.request(method.clone(), &link)).await.expect(status);
        cloud.send(cloud.request(method.clone(), "/receipt/false")).await.expect(404);
        let path = "/v1/invoices/*".to_owned();
        let action = local_stripe::FaultAction::Unavailable;
        cloud.cloud.stripe.add_fault(local_stripe::Fault { method: None, path, action, count: u32::MAX });
        cloud.send(cloud.request(method.clone(), &link)).await.expect(503);
        cloud.cloud.stripe.clear_faults();
        let account = AccountId::parse("acme").unwrap();
        let paid = Invoiced::TopUp(TopUpId::mint(1));
        let expired = cloud.link_key().await.sign_receipt(&account, &paid, cloud.now());
        cloud.send(cloud.request(method, &format!("/receipt/{expired}"))).await.expect(410);
    }
}

async fn charges(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    let charges = "/v1/accounts/acme/charges";
    let dubbing = json!({"operation": "dubbing", "duration_ms": 60_001, "reference": "episode-12"});
    let training = json!({"operation": "training", "max_minutes": 30});
    for (key, body) in
        [("1", &dubbing), ("1", &dubbing), ("1", &training), ("2", &training), ("3", &training), ("", &dubbing)]
    {
        post(cloud, charges, key, body).await;
    }
    for path in [format!("{charges}/1/restore"), format!("{charges}/1/restore"), format!("{charges}/none/restore")] {
        post(cloud, &path, "unused", &json!({})).await;
    }
    pending_charges(cloud).await;
    let quote = json!({"operations": [{"operation": "dubbing", "duration_ms": 60_001}, training]});
    cloud.post("/v1/quotes", &token, None, &quote).await.expect(200);
    cloud.get("/v1/price-book", &token).await.expect(200);
    cloud.get("/v1/price-book?version=1", &token).await.expect(422);
    cloud.post("/v1/quotes", &token, None, &json!({"operations": []})).await.expect(422);
    let batch = json!({"charges": [
        {"account": "acme", "key": "1", "operation": "dubbing", "duration_ms": 60_001, "reference": "episode-12"},
        {"account": "acme", "key": "5", "operation": "training", "max_minutes": 1},
        {"account": "acme", "key": "6", "operation": "training", "max_minutes": 1_440},
        {"account": "nobody", "key": "1", "operation": "training", "max_minutes": 1},
        {"account": "acme", "key": "7", "operation": "training"},
    ]});
    let answer = cloud.post("/v1/charges/batch", &token, None, &batch).await.expect(200);
    assert!(answer.text.contains("restored") && answer.text.contains("insufficient_credits"), "{}", answer.text);
    cloud.post("/v1/charges/batch", &token, None, &json!({"charges": []})).await.expect(422);
    for path in [charges, "/v1/quotes", "/v1/charges/batch"] {
        malformed(cloud, Method::POST, path).await;
    }
    post(cloud, "/v1/accounts/nobody/charges", "1", &dubbing).await;
    cloud.restrict("acme", "Unusual consumption.", cloud.now() + SignedDuration::from_secs(1)).await;
    post(cloud, charges, "4", &dubbing).await;
    cloud.get("/v1/accounts/acme/balance", &token).await.expect(200);
    cloud.get("/v1/accounts/nobody/balance", &token).await.expect(404);
    cloud.get("/v1/accounts/acme/history?limit=2", &token).await.expect(200);
    cloud.get("/v1/accounts/acme/history?limit=101", &token).await.expect(422);
    cloud.get("/v1/accounts/nobody/history", &token).await.expect(404);
    cloud.get("/v1/accounts/acme/usage?group_by=spender", &token).await.expect(200);
    cloud.get("/v1/accounts/acme/usage?from=1969-12-31", &token).await.expect(422);
    cloud.get("/v1/accounts/nobody/usage", &token).await.expect(404);
    cloud.get("/v1/accounts/acme/usage/forecast", &token).await.expect(200);
    cloud.get("/v1/accounts/nobody/usage/forecast", &token).await.expect(404);
    let csv = cloud.request(Method::GET, "/v1/accounts/acme/history").header("Accept", "text/csv");
    cloud.send(csv.bearer_auth(&token)).await.expect(200);
    cloud.get("/v1/accounts/acme/history/1", &token).await.expect(200);
    cloud.get("/v1/accounts/acme/history/2", &token).await.expect(200);
    cloud.get("/v1/accounts/acme/history/2?limit=1", &token).await.expect(422);
    cloud.get("/v1/accounts/acme/history/none", &token).await.expect(404);
    cloud.get("/v1/accounts/acme/requests?limit=1", &token).await.expect(200);
    cloud.get("/v1/accounts/acme/requests?cursor=1", &token).await.expect(422);
    cloud.get("/v1/accounts/nobody/requests", &token).await.expect(404);
    cloud.get("/v1/accounts/acme/history/verify?limit=2", &token).await.expect(200);
    cloud.get("/v1/accounts/acme/history/verify?limit=501", &token).await.expect(422);
    cloud.get("/v1/accounts/nobody/history/verify", &token).await.expect(404);
    for (path, invalid) in [("chain?limit=2", "chain?limit=101"), ("statement", "statement?through_seq=100000")] {
        cloud.get(&format!("/v1/accounts/acme/history/{path}"), &token).await.expect(200);
        cloud.get(&format!("/v1/accounts/acme/history/{invalid}"), &token).await.expect(422);
        cloud.get(&format!("/v1/accounts/nobody/history/{path}"), &token).await.expect(404);
    }
    cloud.get("/v1/statement-keys", &token).await.expect(200);
    cloud.get("/v1/statement-keys?x=1", &token).await.expect(422);
}

async fn pending_charges(cloud: &TestCloud) {
    let charges = "/v1/accounts/acme/charges";
    let pending = json!({"operation": "dubbing", "duration_ms": 60_001, "expires_in_seconds": 60});
    for key in ["p-1", "p-1", "p-2"] {
        post(cloud, charges, key, &pending).await;
    }
    post(cloud, charges, "p-3", &json!({"operation": "dubbing", "duration_ms": 1, "expires_in_seconds": 59})).await;
    let less = json!({"duration_ms": 1});
    for (path, body) in [
        ("p-1/restore", &json!({})),
        ("p-1/capture", &json!({"duration_ms": 120_000})),
        ("p-1/capture", &less),
        ("p-1/capture", &less),
        ("p-1/void", &json!({})),
        ("p-2/void", &json!({})),
        ("p-2/void", &json!({})),
        ("p-2/capture", &json!({})),
        ("none/capture", &json!({})),
        ("none/void", &json!({})),
    ] {
        post(cloud, &format!("{charges}/{path}"), "unused", body).await;
    }
    malformed(cloud, Method::POST, &format!("{charges}/p-1/capture")).await;
    for charge in ["1", "p-1", "p-2", "none"] {
        cloud.get(&format!("{charges}/{charge}"), &cloud.cloud.service_token()).await;
    }
}

/// Never chosen, shown, chosen, and paused by a declined card.
async fn auto_top_ups(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    let settings = "/v1/accounts/acme/auto-top-up";
    cloud.get(settings, &token).await.expect(200);
    cloud.get(&format!("{settings}?threshold=1000&target=10000"), &token).await.expect(200);
    cloud.get(&format!("{settings}?threshold=1"), &token).await.expect(422);
    cloud.put(settings, &token, &json!({"enabled": true})).await.expect(422);
    cloud.put("/v1/accounts/nobody/auto-top-up", &token, &json!({"enabled": false})).await.expect(404);
    cloud.get("/v1/accounts/nobody/auto-top-up", &token).await.expect(404);
    malformed(cloud, Method::PUT, settings).await;
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.sweep().await;
    cloud.settle().await;
    assert!(cloud.auto_top_up("acme").await["payment_issue"].is_object());
    pauses(cloud).await;
    cloud.put(settings, &token, &json!({"enabled": false})).await.expect(200);
    cloud.get("/v1/accounts/acme/consents?limit=1", &token).await.expect(200);
    cloud.get("/v1/accounts/acme/consents?cursor=1", &token).await.expect(422);
    cloud.get("/v1/accounts/nobody/consents", &token).await.expect(404);
    cloud.get(&format!("{settings}/diagnosis"), &token).await.expect(200);
    cloud.get("/v1/accounts/nobody/auto-top-up/diagnosis", &token).await.expect(404);
    let (what_if, tried) = (format!("{settings}/simulate"), json!({"threshold": 1_000, "target": 5_000}));
    cloud.post(&what_if, &token, None, &tried).await.expect(200);
    cloud.post(&what_if, &token, None, &json!({"threshold": 1})).await.expect(422);
    cloud.post("/v1/accounts/nobody/auto-top-up/simulate", &token, None, &tried).await.expect(404);
    malformed(cloud, Method::POST, &what_if).await;
}

/// A retry that the bank declines again, and a pause that ends.
async fn pauses(cloud: &TestCloud) {
    let (token, retry) = (cloud.cloud.service_token(), "/v1/accounts/acme/auto-top-up/retry");
    let named = json!({"payment_method": "pm_of_nobody"});
    for (key, body, status) in
        [("retry-1", &json!({}), 201), ("retry-1", &json!({}), 200), ("retry-1", &named, 409), ("retry-2", &named, 422)]
    {
        cloud.post(retry, &token, Some(key), body).await.expect(status);
    }
    malformed(cloud, Method::POST, retry).await;
    cloud.open_due_account("resumed", "pm_card_chargeCustomerFail").await;
    cloud.sweep().await;
    let of = |account: &str, what: &str| format!("/v1/accounts/{account}/auto-top-up/{what}");
    let customer = cloud.customer("resumed").await;
    let none = [("invoice_settings[default_payment_method]", "")];
    cloud.stripe_post(&format!("/v1/customers/{customer}"), &none).await;
    let resume = of("resumed", "resume");
    cloud.post(&resume, &token, None, &json!({})).await.expect_problem(409, "no_valid_card");
    cloud.put("/v1/accounts/resumed/auto-top-up", &token, &json!({"enabled": false})).await.expect(200);
    cloud.post(&resume, &token, None, &json!({})).await.expect(200);
    for what in ["retry", "resume"] {
        cloud.post(&of("nobody", what), &token, Some("retry-3"), &json!({})).await.expect(404);
    }
}

/// A stop, limits of the account and of a spender, and what would refuse a charge.
async fn limits(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    let stop = |stopped: bool| json!({"stopped": stopped, "changed_by": "ada@acme.example"});
    for (name, body) in [
        ("spending", stop(false)),
        ("spending", stop(true)),
        ("limits", json!({"day": 0, "month": null})),
        ("limits", json!({"spender": "key-1", "day": 1, "month": 2, "total": 3})),
        ("alerts", json!({"levels": [{"credits": 500}, {"days_left": 7, "enabled": false}]})),
    ] {
        let path = format!("/v1/accounts/acme/{name}");
        cloud.put(&path, &token, &body).await.expect(200);
        cloud.get(&path, &token).await.expect(200);
        cloud.put(&path, &token, &json!({})).await.expect(422);
        cloud.put(&path.replace("acme", "nobody"), &token, &body).await.expect(404);
        cloud.get(&path.replace("acme", "nobody"), &token).await.expect(404);
        malformed(cloud, Method::PUT, &path).await;
    }
    cloud.get("/v1/accounts/acme/limits?limit=0", &token).await.expect(422);
    // The restriction has ended.
    cloud.cloud.clock.advance(SignedDuration::from_secs(2)).unwrap();
    let quotes = "/v1/accounts/acme/quotes";
    let quote = json!({"operations": [{"operation": "training", "max_minutes": 1}], "spender": "key-1"});
    let foreseen = async || cloud.post(quotes, &token, None, &quote).await.expect(200).body["would_exceed"].clone();
    assert_eq!(foreseen().await["code"], "spending_stopped");
    cloud.put("/v1/accounts/acme/spending", &token, &stop(false)).await.expect(200);
    assert_eq!(foreseen().await["code"], "limit_reached");
    cloud.post(quotes, &token, None, &json!({"operations": []})).await.expect(422);
    cloud.post("/v1/accounts/nobody/quotes", &token, None, &quote).await.expect(404);
    malformed(cloud, Method::POST, quotes).await;
    cloud.put("/v1/accounts/acme/limits", &token, &json!({"day": null, "month": null})).await.expect(200);
}

/// Contacts, and the link to one: while it is pending, after its confirmation, and forged.
async fn contacts(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    let path = "/v1/accounts/acme/contacts";
    let owner = json!({"email": "owner@acme.example", "roles": ["billing", "alerts"]});
    let list =
        json!({"contacts": [owner, {"email": "ops@acme.example", "roles": ["alerts"], "opted_out": ["low_balance"]}]});
    cloud.put(path, &token, &list).await.expect(200);
    cloud.get(path, &token).await.expect(200);
    cloud.put(path, &token, &json!({})).await.expect(422);
    for (method, body) in [(Method::GET, json!(null)), (Method::PUT, list)] {
        let request = cloud.request(method, "/v1/accounts/nobody/contacts").bearer_auth(&token).json(&body);
        cloud.send(request).await.expect(404);
    }
    malformed(cloud, Method::PUT, path).await;
    cloud.settle().await;
    let mails = cloud.cloud.aws.ses.messages();
    let text = mails.iter().find(|mail| mail.to == ["ops@acme.example"]).and_then(|mail| mail.text.clone()).unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/confirm/")).unwrap();
    let link = link[cloud.cloud.urls.api.len()..].to_owned();
    let each = async |link: &str, status: u16| {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            cloud.send(cloud.request(method, link)).await.expect(status);
        }
    };
    cloud.cloud.aws.dynamodb.faults().decide_with(|_| Some(Fault::LoseRequest(Loss::ConnectionReset)));
    each(&link, 503).await;
    cloud.cloud.aws.dynamodb.faults().clear();
    each(&link, 200).await;
    each("/confirm/false", 404).await;
    let key = cloud.link_key().await;
    let account = AccountId::parse("acme").unwrap();
    let expired = key.sign_confirmation(&account, &shared::domain::ContactId::mint(1), cloud.now());
    each(&format!("/confirm/{expired}"), 410).await;
}

/// Each route of support with what it answers.
async fn acts_of_support(cloud: &TestCloud) {
    let token = cloud.support_token();
    let (account, reason) = ("/v1/support/accounts/acme", json!({"reason": "The customer asks."}));
    cloud.get("/v1/support/accounts?account=acme", &token).await.expect(200);
    cloud.get("/v1/support/accounts", &token).await.expect(422);
    let notices = cloud.get(&format!("{account}/notices"), &token).await.expect(200).body;
    let notice = format!("/notices/{}/resend", notices["data"][0]["notice"].as_str().unwrap());
    let until = (cloud.now() + SignedDuration::from_hours(1)).to_string();
    let restriction = json!({"until": until, "reason": "Unusual consumption."});
    let no_one = cloud.cloud.token("", &["credits/support"]);
    for (method, path, body, statuses) in [
        (Method::POST, "/adjustments", json!({"credits": 1, "reason": "The customer asks."}), vec![201, 200]),
        (Method::POST, "/adjustments", json!({"credits": 2, "reason": "The customer asks."}), vec![409]),
        (Method::PUT, "/restriction", restriction, vec![200]),
        (Method::POST, notice.as_str(), reason.clone(), vec![200, 409]),
        (Method::POST, "/auto-top-up/check", reason.clone(), vec![200]),
    ] {
        let request = |account: &str, token: &str| {
            let request = cloud.request(method.clone(), &format!("/v1/support/accounts/{account}{path}"));
            request.bearer_auth(token).header("Idempotency-Key", "case-1")
        };
        for status in statuses {
            cloud.send(request("acme", &token).json(&body)).await.expect(status);
        }
        cloud.send(request("acme", &no_one).json(&body)).await.expect_problem(403, "forbidden");
        cloud.send(request("nobody", &token).json(&body)).await.expect(404);
        cloud.send(request("acme", &token).json(&json!({}))).await.expect(422);
        cloud.send(request("acme", &token).body("{")).await.expect(400);
    }
    for (account, query, status) in [("acme", "?reason=Done", 200), ("acme", "", 422), ("nobody", "?reason=Done", 404)]
    {
        let lift = cloud.request(Method::DELETE, &format!("/v1/support/accounts/{account}/restriction{query}"));
        cloud.send(lift.bearer_auth(&token)).await.expect(status);
    }
    let import = |query: &str, token: &str, body: Vec<u8>| {
        let request = cloud.request(Method::POST, &format!("/v1/support/imports{query}"));
        cloud.send(request.bearer_auth(token).header("content-type", "text/csv").body(body))
    };
    let table =
        "account,email,credits,source_id\nacme,owner@acme.example,5,row-1\nacme,other@acme.example,5,row-2\n,,,\n";
    for (query, token, body, status) in [
        ("", token.as_str(), table.into(), 200),
        ("?dry_run=false&reason=Moved", &token, table.into(), 200),
        ("", &token, vec![0xff], 400),
        ("", &no_one, table.into(), 403),
        ("", &token, vec![b'a'; 300_000], 413),
        ("?dry_run=false", &token, table.into(), 422),
    ] {
        import(query, token, body).await.expect(status);
    }
    let day = cloud.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    cloud.get(&format!("/v1/support/liability?on={day}"), &token).await.expect_problem(409, "day_not_closed");
    cloud.cloud.close_days().await.expect("the run succeeds");
    cloud.get("/v1/support/liability?on=2020-01-01", &token).await.expect_problem(404, "not_found");
    cloud.get("/v1/support/liability", &token).await.expect(200);
    cloud.get("/v1/support/liability?on=x", &token).await.expect(422);
    refunds(cloud).await;
    disputes(cloud).await;
    erasures(cloud).await;
    cloud.get("/v1/support/flags?account=acme&limit=1", &token).await.expect(200);
    cloud.get("/v1/support/flags?cursor=1", &token).await.expect(422);
    for list in ["", "/notices", "/acts", "/export"] {
        cloud.get(&format!("{account}{list}"), &token).await.expect(200);
        cloud.get(&format!("{account}{list}?limit=0"), &token).await.expect(422);
        cloud.get(&format!("/v1/support/accounts/nobody{list}"), &token).await.expect(404);
    }
}

/// Refunds of a purchase and of a top-up.
async fn refunds(cloud: &TestCloud) {
    let token = cloud.support_token();
    cloud.open_due_account("refunded", "pm_card_visa").await;
    cloud.sweep().await;
    cloud.buy("refunded", "credits_500", "4242424242424242").await;
    let no_one = cloud.cloud.token("", &["credits/support"]);
    let body = json!({"amount": 1, "reason": "The customer asks."});
    let seen = cloud.get("/v1/support/accounts/refunded", &token).await.expect(200).body;
    for (list, id) in [("purchases", "purchase"), ("top_ups", "top_up")] {
        let path = format!("{}/{}/refunds", list.replace('_', "-"), seen[list][0][id].as_str().unwrap());
        let ask = |account: &str, token: &str| {
            let request = cloud.request(Method::POST, &format!("/v1/support/accounts/{account}/{path}"));
            request.bearer_auth(token).header("Idempotency-Key", "refund-1")
        };
        for status in [201, 200] {
            cloud.send(ask("refunded", &token).json(&body)).await.expect(status);
        }
        cloud.send(ask("refunded", &token).json(&json!({"amount": 2, "reason": "Other."}))).await.expect(409);
        cloud.send(ask("refunded", &no_one).json(&body)).await.expect_problem(403, "forbidden");
        cloud.send(ask("nobody", &token).json(&body)).await.expect(404);
        cloud.send(ask("refunded", &token).json(&json!({}))).await.expect(422);
        cloud.send(ask("refunded", &token).body("{")).await.expect(400);
    }
}

/// A dispute of the refunded top-up.
async fn disputes(cloud: &TestCloud) {
    let (token, list) = (cloud.support_token(), "/v1/support/disputes");
    let customer = cloud.customer("refunded").await;
    let charges = cloud.stripe_get(&format!("/v1/charges?customer={customer}")).await;
    let dispute = cloud.cloud.stripe.open_dispute(charges["data"][0]["id"].as_str().unwrap()).unwrap();
    cloud.settle().await;
    assert_eq!(cloud.get(list, &token).await.expect(200).body["data"][0]["dispute"], json!(dispute));
    cloud.get(&format!("{list}?cursor=1"), &token).await.expect(422);
    cloud.get(&format!("{list}/{dispute}/evidence"), &token).await.expect(200);
    cloud.get(&format!("{list}/du_none/evidence"), &token).await.expect(404);
}

/// An account that cannot be erased yet, and one that is.
async fn erasures(cloud: &TestCloud) {
    let (token, service) = (cloud.support_token(), cloud.cloud.service_token());
    let erase = async |account: &str, token: &str, body: &Value| {
        cloud.post(&format!("/v1/support/accounts/{account}/erase"), token, None, body).await
    };
    let reason = json!({"reason": "The customer asks."});
    cloud.open_account("gone").await;
    let purchases = "/v1/accounts/gone/purchases";
    cloud.post(purchases, &service, Some("buy-1"), &json!({"package": "credits_500"})).await.expect(201);
    erase("gone", &token, &reason).await.expect_problem(409, "payment_open");
    cloud.open_account("left").await;
    assert_eq!(erase("left", &token, &reason).await.expect(200).body["complete"], true);
    erase("left", &cloud.cloud.token("", &["credits/support"]), &reason).await.expect_problem(403, "forbidden");
    erase("nobody", &token, &reason).await.expect(404);
    erase("left", &token, &json!({})).await.expect(422);
    let broken = cloud.request(Method::POST, "/v1/support/accounts/left/erase").bearer_auth(&token).body("{");
    cloud.send(broken).await.expect(400);
    let is_closed = |answer: Answer| drop(answer.expect_problem(403, "account_closed"));
    let training = json!({"operation": "training", "max_minutes": 1});
    is_closed(cloud.post("/v1/accounts/left/charges", &service, Some("1"), &training).await);
    let package = json!({"package": "credits_500"});
    is_closed(cloud.post("/v1/accounts/left/purchases", &service, Some("1"), &package).await);
    let again = json!({"account": "left", "email": "owner@left.example"});
    is_closed(cloud.post("/v1/accounts", &service, None, &again).await);
    let stop = json!({"stopped": true, "changed_by": "ada@left.example"});
    is_closed(cloud.put("/v1/accounts/left/spending", &service, &stop).await);
    let none = json!({"day": null, "month": null});
    is_closed(cloud.put("/v1/accounts/left/limits", &service, &none).await);
    let list = json!({"contacts": [{"email": "ada@example.com", "roles": ["billing"]}]});
    is_closed(cloud.put("/v1/accounts/left/contacts", &service, &list).await);
    is_closed(cloud.put("/v1/accounts/left/auto-top-up", &service, &json!({"enabled": false})).await);
    for what in ["retry", "resume"] {
        let path = format!("/v1/accounts/left/auto-top-up/{what}");
        is_closed(cloud.post(&path, &service, Some("retry-1"), &json!({})).await);
    }
    let quote = json!({"operations": [training]});
    let foreseen = cloud.post("/v1/accounts/left/quotes", &service, None, &quote).await.expect(200);
    assert_eq!(foreseen.body["would_exceed"]["code"], "account_closed");
}

/// Cards of an account that has one, of one whose customer was deleted, of one that is closed, and of none.
async fn payment_methods(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    let card = cloud.save_card("acme", "pm_card_visa").await;
    for (account, statuses) in [
        ("acme", [200, 200, 200, 200]),
        ("deleted", [409, 409, 409, 409]),
        ("left", [200, 403, 403, 403]),
        ("nobody", [404, 404, 404, 404]),
    ] {
        let account = format!("/v1/accounts/{account}");
        let cards = format!("{account}/payment-methods");
        cloud.get(&cards, &token).await.expect(statuses[0]);
        cloud.post(&format!("{cards}/setup"), &token, None, &json!({})).await.expect(statuses[1]);
        cloud.post(&format!("{account}/billing-portal"), &token, None, &json!({})).await.expect(statuses[2]);
        let chosen = json!({ "payment_method": card });
        cloud.put(&format!("{cards}/default"), &token, &chosen).await.expect(statuses[3]);
    }
    let default = "/v1/accounts/acme/payment-methods/default";
    for (account, statuses) in
        [("acme", [200, 200]), ("deleted", [409, 409]), ("left", [200, 403]), ("nobody", [404, 404])]
    {
        let details = format!("/v1/accounts/{account}/billing-details");
        cloud.get(&details, &token).await.expect(statuses[0]);
        cloud.put(&details, &token, &json!({"company": "Acme GmbH"})).await.expect(statuses[1]);
    }
    let details = "/v1/accounts/acme/billing-details";
    cloud.put(details, &token, &json!({"company": ""})).await.expect(422);
    malformed(cloud, Method::PUT, details).await;
    cloud.put(default, &token, &json!({"payment_method": ""})).await.expect(422);
    malformed(cloud, Method::PUT, default).await;
    for (card, status) in [(card.as_str(), 200), ("pm_none", 404)] {
        let remove = cloud.request(Method::DELETE, &format!("/v1/accounts/acme/payment-methods/{card}"));
        cloud.send(remove.bearer_auth(&token)).await.expect(status);
    }
}

/// The link in the e-mail about the declined card: while the top-up is unpaid, while Stripe is down, after the payment,
/// after the link has expired, and a forged one.
async fn links(cloud: &TestCloud) {
    let link = cloud.pay_link("acme");
    let follow = async |link: &str| {
        let probed = cloud.send(cloud.request(Method::HEAD, link)).await;
        let page = cloud.send(cloud.request(Method::GET, link)).await;
        assert_eq!((probed.status, probed.text.as_str()), (page.status, ""));
        page
    };
    let page = follow(&link).await.expect(302).location.unwrap();
    let fault = local_stripe::Fault {
        method: None,
        path: "/v1/invoices/*".to_owned(),
        action: local_stripe::FaultAction::Unavailable,
        count: u32::MAX,
    };
    cloud.cloud.stripe.add_fault(fault);
    follow(&link).await.expect(503);
    cloud.cloud.stripe.clear_faults();
    cloud.pay_page(&page, "4242424242424242").await;
    cloud.settle().await;
    follow(&link).await.expect(200);
    follow("/pay/false").await.expect(404);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24 * 29)).unwrap();
    follow(&link).await.expect(410);
}

/// An event signed with the endpoint's secret or with another one.
async fn webhook(cloud: &TestCloud, secret: &str, kind: &str) -> Answer {
    let event = json!({
        "id": "evt_1", "object": "event", "type": kind, "created": cloud.now().as_second(), "livemode": false,
        "data": {"object": {"id": "in_1", "object": "invoice"}},
    });
    let signature = webhook_signature(secret, cloud.now().as_second(), event.to_string().as_bytes());
    cloud
        .send(cloud.request(Method::POST, "/v1/webhooks/stripe").header("stripe-signature", signature).json(&event))
        .await
}

async fn webhook_secret(cloud: &TestCloud) -> String {
    let secret: Value = serde_json::from_str(&cloud.secret("stripe").await).unwrap();
    secret["webhook_secrets"][0].as_str().unwrap().to_owned()
}

/// 503 on every route that calls DynamoDB.
async fn outages(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    cloud.cloud.aws.dynamodb.faults().decide_with(|_| Some(Fault::LoseRequest(Loss::ConnectionReset)));
    let account = "/v1/accounts/acme";
    let purchase = format!("{account}/purchases/pur_00000000000000000000000000000000");
    for path in [
        account.to_owned(),
        format!("{account}/balance"),
        format!("{account}/charges/1"),
        format!("{account}/history"),
        format!("{account}/usage"),
        format!("{account}/usage/forecast"),
        format!("{account}/history/1"),
        format!("{account}/requests"),
        format!("{account}/history/verify"),
        format!("{account}/history/chain"),
        format!("{account}/history/statement"),
        format!("{account}/auto-top-up"),
        format!("{account}/auto-top-up/diagnosis"),
        format!("{account}/spending"),
        format!("{account}/limits"),
        format!("{account}/contacts"),
        format!("{account}/consents"),
        format!("{account}/payment-methods"),
        format!("{account}/invoices"),
        format!("{account}/invoices/in_1"),
        format!("{account}/billing-details"),
        format!("{account}/alerts"),
        format!("{account}/purchases"),
        purchase,
    ] {
        cloud.get(&path, &token).await.expect(503);
    }
    let invoices = cloud.stripe_get("/v1/invoices?limit=100").await;
    let is_acmes = |invoice: &&Value| invoice["metadata"]["account"] == "acme";
    let invoice = invoices["data"].as_array().unwrap().iter().find(is_acmes).unwrap()["id"].as_str().unwrap();
    cloud.get(&format!("{account}/payments/{invoice}/proof"), &token).await.expect(503);
    cloud.get(&format!("/v1/support/payments/{invoice}/proof"), &cloud.support_token()).await.expect(503);
    let training = json!({"operation": "training", "max_minutes": 1});
    for (path, body) in [
        (format!("{account}/quotes"), json!({"operations": [training.clone()]})),
        (format!("{account}/charges"), training),
        (format!("{account}/auto-top-up/simulate"), json!({"threshold": 1_000, "target": 5_000})),
        (format!("{account}/auto-top-up/retry"), json!({})),
        (format!("{account}/auto-top-up/resume"), json!({})),
        (format!("{account}/charges/1/restore"), json!({})),
        (format!("{account}/charges/1/capture"), json!({})),
        (format!("{account}/charges/1/void"), json!({})),
        (format!("{account}/payment-methods/setup"), json!({})),
        (format!("{account}/billing-portal"), json!({})),
        (format!("{account}/purchases"), json!({"package": "credits_500"})),
        (format!("{account}/purchases/find"), json!({"payment": "pi_none"})),
        ("/v1/accounts".to_owned(), json!({"account": "globex", "email": "owner@globex.example"})),
    ] {
        cloud.post(&path, &token, Some("outage"), &body).await.expect(503);
    }
    cloud.put(&format!("{account}/auto-top-up"), &token, &json!({"enabled": false})).await.expect(503);
    cloud.put(&format!("{account}/billing-details"), &token, &json!({})).await.expect(503);
    cloud.put(&format!("{account}/limits"), &token, &json!({"day": 5, "month": null})).await.expect(503);
    let list = json!({"contacts": [{"email": "owner@acme.example", "roles": ["billing"]}]});
    cloud.put(&format!("{account}/contacts"), &token, &list).await.expect(503);
    cloud.put(&format!("{account}/alerts"), &token, &json!({"levels": [{"credits": 1}]})).await.expect(503);
    let stop = json!({"stopped": true, "changed_by": "ada"});
    cloud.put(&format!("{account}/spending"), &token, &stop).await.expect(503);
    cloud
        .put(&format!("{account}/payment-methods/default"), &token, &json!({"payment_method": "pm_1"}))
        .await
        .expect(503);
    let remove = cloud.request(Method::DELETE, &format!("{account}/payment-methods/pm_1"));
    cloud.send(remove.bearer_auth(&token)).await.expect(503);
    let sessions = format!("{account}/portal-sessions");
    cloud.post(&sessions, &token, None, &json!({})).await.expect(503);
    cloud.send(cloud.request(Method::DELETE, &sessions).bearer_auth(&token)).await.expect(503);
    crate::portal::every_outage(cloud).await;
    support_outages(cloud).await;
    webhook(cloud, &webhook_secret(cloud).await, "invoice.paid").await.expect(503);
    cloud.cloud.aws.dynamodb.faults().clear();
}

async fn support_outages(cloud: &TestCloud) {
    let (token, account) = (cloud.support_token(), "/v1/support/accounts/acme");
    let disputes = cloud.stripe_get("/v1/disputes").await;
    let dispute = disputes["data"][0]["id"].as_str().unwrap();
    for path in [
        "/v1/support/accounts?account=acme",
        "/v1/support/liability",
        account,
        &format!("{account}/notices"),
        &format!("{account}/acts"),
        &format!("{account}/export"),
        "/v1/support/flags",
        "/v1/support/disputes",
        &format!("/v1/support/disputes/{dispute}/evidence"),
    ] {
        cloud.get(path, &token).await.expect(503);
    }
    let reason = json!({"reason": "The customer asks."});
    let resend = format!("{account}/notices/ntc_00000000000000000000000000000001/resend");
    let adjust = json!({"credits": 1, "reason": "The customer asks."});
    let refund = json!({"amount": 1, "reason": "The customer asks."});
    for (path, body) in [
        (format!("{account}/purchases/pur_00000000000000000000000000000001/refunds"), &refund),
        (format!("{account}/top-ups/top_00000000000000000000000000000001/refunds"), &refund),
        (format!("{account}/adjustments"), &adjust),
        (resend, &reason),
        (format!("{account}/auto-top-up/check"), &reason),
        (format!("{account}/erase"), &reason),
    ] {
        cloud.post(&path, &token, Some("outage"), body).await.expect(503);
    }
    let until = (cloud.now() + SignedDuration::from_hours(1)).to_string();
    let restriction = json!({"until": until, "reason": "Unusual consumption."});
    cloud.put(&format!("{account}/restriction"), &token, &restriction).await.expect(503);
    let lift = cloud.request(Method::DELETE, &format!("{account}/restriction?reason=Done"));
    cloud.send(lift.bearer_auth(&token)).await.expect(503);
}

async fn malformed(cloud: &TestCloud, method: Method, path: &str) {
    let request = cloud.request(method, path).bearer_auth(cloud.cloud.service_token());
    cloud.send(request.header("Idempotency-Key", "malformed").body("{")).await.expect(400);
}
