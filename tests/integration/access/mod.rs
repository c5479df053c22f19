//! Access control: every operation of `infra/openapi.yaml`, called by every kind of caller.
//!
//! The matrix is built from the description, so it includes every operation that is added there. The expected result
//! comes from the scopes in the description, and the gateway takes the scopes from `template.yaml`. If the two differ,
//! a cell of the matrix is wrong.

mod callers;
mod open_routes;
mod tokens;

use crate::support::description::{DESCRIPTION, Example};
use crate::support::{Answer, TestCloud};
use callers::{CUSTOMER, Caller, Grant, callers};
use jiff::SignedDuration;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Unauthorized,
    Forbidden,
    /// Another customer's account, reported as one that does not exist.
    NotFound,
    LetIn,
}

/// An operation that requires a token.
struct Guarded {
    method: Method,
    path: String,
    scopes: BTreeSet<String>,
    example: Example,
}

impl Guarded {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether the operation concerns a single account, which is in the path.
    fn is_of_an_account(&self) -> bool {
        self.path.contains("{account}")
    }

    /// Any one of the scopes is enough. With only the customers' scope, the account must be the caller's own.
    fn verdict(&self, grant: Option<&Grant>, account: &str) -> Verdict {
        let Some(grant) = grant else { return Verdict::Unauthorized };
        let held: Vec<&String> = self.scopes.iter().filter(|scope| grant.scopes.contains(&scope.as_str())).collect();
        if held.is_empty() {
            Verdict::Forbidden
        } else if !self.is_of_an_account() || held.iter().any(|scope| *scope != CUSTOMER) || grant.subject == account {
            Verdict::LetIn
        } else {
            Verdict::NotFound
        }
    }
}

/// A cloud with data to protect: acme has credits, a charge and a purchase, and globex has an account.
struct World {
    cloud: TestCloud,
    /// Existing values for the parameters in paths.
    existing: BTreeMap<&'static str, String>,
    effects: Effects,
}

/// If it is equal before and after, nothing was written and Stripe got no request.
type Effects = ((Vec<(String, i64)>, local_aws::dynamodb::StreamCursor), usize);

impl World {
    async fn new() -> Self {
        let cloud = TestCloud::start().await;
        cloud.open_account("acme").await;
        cloud.open_account("globex").await;
        cloud.buy("acme", "credits_5000", "4242424242424242").await;
        cloud.charge("acme", "job-0", 1).await.expect(201);
        let history = cloud.history("acme").await;
        let purchase = history.iter().find_map(|entry| entry["purchase"].as_str()).unwrap().to_owned();
        let notices = cloud.get("/v1/support/accounts/acme/notices", &cloud.support_token()).await.expect(200);
        let notice = notices.body["data"][0]["notice"].as_str().unwrap().to_owned();
        let invoices = cloud.get("/v1/accounts/acme/invoices", &cloud.cloud.service_token()).await.expect(200);
        let invoice = invoices.body["data"][0]["invoice"].as_str().unwrap().to_owned();
        let charge = "job-0".to_owned();
        let existing = BTreeMap::from([
            ("charge", charge),
            ("purchase", purchase),
            ("notice", notice),
            ("payment", invoice.clone()),
            ("invoice", invoice),
        ]);
        let effects = effects(&cloud);
        Self { cloud, existing, effects }
    }

    fn guarded(&self) -> Vec<Guarded> {
        let described = DESCRIPTION.operations();
        let deployed: BTreeSet<(String, String)> = self
            .cloud
            .cloud
            .template
            .routes
            .iter()
            .map(|route| (route.method.clone(), route.path.to_string().replace("+}", "}")))
            .collect();
        assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), deployed, "described and deployed");
        let guarded = described.into_iter().filter_map(|((method, path), scopes)| {
            let example = DESCRIPTION.example(&method, &path);
            Some(Guarded { method: method.parse().unwrap(), path, scopes: scopes?, example })
        });
        let guarded: Vec<Guarded> = guarded.collect();
        assert!(guarded.len() >= 10, "the description has operations");
        assert!(guarded.iter().all(|operation| !operation.scopes.is_empty()), "an identity token would pass");
        guarded
    }

    /// A request with the description's own examples, for this account.
    fn request(&self, operation: &Guarded, account: &str) -> RequestBuilder {
        let mut path = operation.path.replace("{account}", account);
        for (name, example) in &operation.example.path_parameters {
            path = path.replace(&format!("{{{name}}}"), self.existing.get(name.as_str()).unwrap_or(example));
        }
        if !operation.example.query.is_empty() {
            let url = reqwest::Url::parse_with_params("http://a", &operation.example.query).unwrap();
            path.push('?');
            path.push_str(url.query().unwrap());
        }
        let mut request = self.cloud.request(operation.method.clone(), &path);
        for (name, value) in &operation.example.headers {
            request = request.header(name, value);
        }
        match operation.example.body.clone() {
            None => request,
            Some(Value::String(table)) => request.header("content-type", "text/csv").body(table),
            Some(mut body) => {
                if body["account"].is_string() {
                    body["account"] = json!(account);
                }
                request.json(&body)
            }
        }
    }

    async fn ask(&self, operation: &Guarded, account: &str, caller: &Caller) -> Answer {
        let mut request = self.request(operation, account);
        if let Some(authorization) = &caller.authorization {
            request = request.header("Authorization", authorization);
        }
        self.cloud.send(request).await
    }

    #[track_caller]
    fn expect_no_effects(&self) {
        assert_eq!(effects(&self.cloud), self.effects, "a refused request had an effect");
    }
}

fn effects(cloud: &TestCloud) -> Effects {
    (cloud.footprint(), cloud.cloud.stripe.requests().len())
}

#[tokio::test]
async fn whoever_is_not_meant_gets_nothing_on_any_route() {
    let world = World::new().await;
    let (callers, mut count) = (callers(&world.cloud), 0);
    for operation in world.guarded() {
        for caller in &callers {
            let verdict = operation.verdict(caller.grant.as_ref(), "acme");
            let what = format!("{} by {}", operation.name(), caller.name);
            match verdict {
                Verdict::LetIn => continue,
                Verdict::Unauthorized => {
                    expect_gateway(&world.ask(&operation, "acme", caller).await, 401, "Unauthorized", &what);
                }
                Verdict::Forbidden => {
                    expect_gateway(&world.ask(&operation, "acme", caller).await, 403, "Forbidden", &what);
                }
                Verdict::NotFound => expect_as_if_not_there(&world, &operation, caller, &what).await,
            }
            count += 1;
        }
    }
    world.expect_no_effects();
    assert!(count > 400, "{count} cells");
}

#[tokio::test]
async fn whoever_is_meant_gets_in_on_every_route() {
    let world = World::new().await;
    let (callers, mut count) = (callers(&world.cloud), 0);
    for operation in world.guarded() {
        let mut scopes_let_in: BTreeSet<&str> = BTreeSet::new();
        for caller in &callers {
            let Some(grant) = &caller.grant else { continue };
            if operation.verdict(Some(grant), "acme") == Verdict::LetIn {
                let answer = world.ask(&operation, "acme", caller).await;
                // Of a card or a top-up that does not exist, only the function itself can say so.
                let detail = answer.body["detail"].as_str().unwrap_or_default();
                let is_missing = ["payment method", "top-up", "dispute"]
                    .iter()
                    .any(|what| detail == format!("There is no such {what}."))
                    || answer.text.contains("must be a saved card of this customer");
                // More callers than an account may ask in an hour: only the function itself counts its questions.
                let is_counted = answer.body["code"] == "too_many_claims";
                let is_in = matches!(answer.status, 200 | 201 | 402 | 409) || is_missing || is_counted;
                assert!(is_in, "{} by {}: {} {}", operation.name(), caller.name, answer.status, answer.text);
                scopes_let_in.extend(grant.scopes.iter().copied().filter(|_| grant.scopes.len() == 1));
                count += 1;
            }
        }
        assert!(operation.scopes.iter().all(|scope| scopes_let_in.contains(scope.as_str())), "{}", operation.name());
    }
    assert!(count > 40, "{count} cells");
}

/// The routes that customers must not call. A change here changes who may move money.
#[tokio::test]
async fn only_services_charge_restore_and_open_accounts() {
    let world = World::new().await;
    let guarded = world.guarded();
    let closed = guarded.iter().filter(|operation| !operation.scopes.contains(CUSTOMER)).map(Guarded::name);
    let closed: Vec<String> = closed.collect();
    for operation in [
        "POST /v1/accounts",
        "POST /v1/accounts/{account}/charges",
        "POST /v1/accounts/{account}/charges/{charge}/restore",
    ] {
        assert!(closed.iter().any(|name| name == operation), "{operation}: {closed:?}");
    }
}

/// API Gateway's own messages, which cannot be changed for HTTP APIs.
#[track_caller]
fn expect_gateway(answer: &Answer, status: u16, message: &str, what: &str) {
    assert_eq!((answer.status, &answer.body), (status, &json!({ "message": message })), "{what}");
    assert_eq!(answer.content_type, "application/json", "{what}");
    assert!(answer.www_authenticate.as_ref().is_some_and(|value| value.starts_with("Bearer")), "{what}");
}

/// The whole answer, including headers, equals the one for an account that does not exist; only the request id differs.
async fn expect_as_if_not_there(world: &World, operation: &Guarded, caller: &Caller, what: &str) {
    let others = world.ask(operation, "acme", caller).await.expect_problem(404, "not_found");
    let missing = world.ask(operation, "nobody", caller).await.expect_problem(404, "not_found");
    assert_eq!(others.without_request_id(), missing.without_request_id(), "{what}");
    assert_ne!(others.body["request_id"], missing.body["request_id"], "{what}");
    assert_eq!(others.body["detail"], "There is no such account.", "{what}");
}

/// The account must equal the token's subject exactly: no part of it and no other spelling is accepted.
#[tokio::test]
async fn a_subject_reaches_the_account_of_exactly_its_name() {
    let world = World::new().await;
    let cloud = &world.cloud;
    for subject in ["ACME", "acm", "acme2", " acme", "acme ", "", "*", "acme,globex", "globex acme"] {
        let token = cloud.cloud.customer_token(subject);
        cloud.get("/v1/accounts/acme/balance", &token).await.expect_problem(404, "not_found");
    }
    let absent = cloud.cloud.issuer.sign(&tokens::claims(cloud, &json!({"sub": null, "scope": CUSTOMER})));
    cloud.get("/v1/accounts/acme/balance", &absent).await.expect_problem(404, "not_found");
    for path in ["/v1/accounts/acme/balance", "/v1/accounts/%61cme/balance"] {
        assert_eq!(cloud.get(path, &cloud.cloud.customer_token("acme")).await.expect(200).body["balance"], 4_990);
    }
    for path in ["/v1/accounts/globex%2F..%2Facme/balance", "/v1/accounts//balance"] {
        assert_eq!(cloud.get(path, &cloud.cloud.customer_token("globex")).await.status, 404, "{path}");
    }
    // A customer without an account gets the same answer for its own account as for another customer's.
    let ghost = cloud.get("/v1/accounts/ghost/balance", &cloud.cloud.customer_token("ghost")).await;
    let others = cloud.get("/v1/accounts/acme/balance", &cloud.cloud.customer_token("ghost")).await;
    assert_eq!(ghost.without_request_id(), others.without_request_id());
    world.expect_no_effects();
}

#[tokio::test]
async fn a_token_lives_by_the_clock() {
    let world = World::new().await;
    let cloud = &world.cloud;
    let read = async |token: &str| cloud.get("/v1/accounts/acme/balance", token).await.status;
    let now = cloud.now().as_second();
    let short = cloud.cloud.issuer.sign(&tokens::claims(cloud, &json!({ "exp": now + 60 })));
    let later = cloud.cloud.issuer.sign(&tokens::claims(cloud, &json!({ "nbf": now + 59 })));
    assert_eq!((read(&short).await, read(&later).await), (200, 401));
    cloud.cloud.clock.advance(SignedDuration::from_secs(59)).unwrap();
    assert_eq!((read(&short).await, read(&later).await), (200, 200));
    cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
    assert_eq!((read(&short).await, read(&later).await), (401, 200));
}

#[tokio::test]
async fn what_is_not_described_is_not_there() {
    let world = World::new().await;
    let described = DESCRIPTION.operations();
    let paths: BTreeSet<&String> = described.keys().map(|(_, path)| path).collect();
    let token = world.cloud.cloud.token("acme", &["credits/customer", "credits/service", "credits/support"]);
    let elsewhere = ["/", "/v1", "/v1/accounts/acme/", "/v1/accounts/acme/balance/", "/pay"].map(str::to_owned);
    let paths: Vec<String> = paths.into_iter().cloned().chain(elsewhere).collect();
    for path in &paths {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] {
            let is_described = |(known, pattern): &(String, String)| known == method && is_matched(pattern, path);
            if !described.keys().any(is_described) {
                let concrete = path.replace("{account}", "acme").replace(['{', '}'], "");
                let request = world.cloud.request(method.parse().unwrap(), &concrete).bearer_auth(&token);
                let answer = world.cloud.send(request).await;
                assert_eq!((answer.status, &answer.body), (404, &json!({"message": "Not Found"})), "{method} {path}");
            }
        }
    }
    world.expect_no_effects();
}

/// Whether a described path is this one, or has a parameter where this one has a name.
fn is_matched(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let is_same = |(pattern, segment): (&&str, &&str)| pattern == segment || pattern.starts_with('{');
    pattern.len() == path.len() && pattern.iter().zip(&path).all(is_same)
}

/// The rule of the matrix itself, which all its cells depend on.
#[test]
fn any_scope_of_an_operation_is_enough_and_a_customers_is_for_its_own_account() {
    let operation = |path: &str, scopes: &[&str]| Guarded {
        method: Method::GET,
        path: path.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        example: Example { path_parameters: BTreeMap::new(), headers: vec![], query: vec![], body: Some(Value::Null) },
    };
    let both = operation("/v1/accounts/{account}/balance", &[CUSTOMER, "credits/service"]);
    let services = operation("/v1/accounts/{account}/charges", &["credits/service"]);
    let shared = operation("/v1/packages", &[CUSTOMER, "credits/service"]);
    for (operation, subject, scopes, verdict) in [
        (&both, "acme", vec![CUSTOMER], Verdict::LetIn),
        (&both, "globex", vec![CUSTOMER], Verdict::NotFound),
        (&both, "globex", vec![CUSTOMER, "credits/service"], Verdict::LetIn),
        (&both, "acme", vec!["credits/support"], Verdict::Forbidden),
        (&both, "acme", vec![], Verdict::Forbidden),
        (&services, "acme", vec![CUSTOMER], Verdict::Forbidden),
        (&services, "globex", vec!["credits/service"], Verdict::LetIn),
        (&shared, "globex", vec![CUSTOMER], Verdict::LetIn),
    ] {
        let grant = Grant { subject, scopes };
        assert_eq!(operation.verdict(Some(&grant), "acme"), verdict, "{} {grant:?}", operation.name());
        assert_eq!(operation.verdict(None, "acme"), Verdict::Unauthorized);
    }
}
