//! Who gets in, for every route that the template has: no token, a false one, a weak one, another's one.

use crate::support::{Answer, TestCloud};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use local_gateway::Issuer;
use local_gateway::template::Route;
use reqwest::{Method, RequestBuilder};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};
use std::time::Duration;

const CUSTOMER: &str = "credits/customer";
const SERVICE: &str = "credits/service";
const OPEN_ROUTES: [&str; 2] = ["GET /pay/{token}", "POST /v1/webhooks/stripe"];
const MISSING_PURCHASE: &str = "pur_00000000000000000000000000000000";

fn routes(cloud: &TestCloud) -> Vec<Route> {
    let routes: Vec<Route> =
        cloud.cloud.template.routes.iter().filter(|route| route.authorizer.is_some()).cloned().collect();
    assert!(routes.len() >= 10, "the template has its routes");
    routes
}

/// A request that would do something if it got in.
fn request(cloud: &TestCloud, route: &Route, account: &str) -> RequestBuilder {
    let path = route.path.to_string();
    let body = match (route.method.as_str(), path.as_str()) {
        ("GET", _) => Value::Null,
        ("POST", "/v1/accounts") => json!({"account": account, "email": "owner@account.example"}),
        ("POST", "/v1/accounts/{account}/charges") => json!({"operation": "training", "max_minutes": 1}),
        ("POST", "/v1/accounts/{account}/charges/{charge}/restore") => json!({}),
        ("POST", "/v1/quotes") => json!({"operations": [{"operation": "training", "max_minutes": 1}]}),
        ("PUT", "/v1/accounts/{account}/auto-top-up") => json!({
            "enabled": true, "threshold": 100, "target": 1_100,
            "consent": {"text_version": 1, "accepted_by": "somebody"},
        }),
        ("POST", "/v1/accounts/{account}/purchases") => json!({"package": "credits_500"}),
        _ => panic!("{} is new: say here what it takes", route.key()),
    };
    let path = path.replace("{account}", account).replace("{charge}", "job-0").replace("{purchase}", MISSING_PURCHASE);
    let request = cloud.request(route.method.parse::<Method>().unwrap(), &path).header("Idempotency-Key", "key-1");
    if body.is_null() { request } else { request.json(&body) }
}

async fn ask(cloud: &TestCloud, route: &Route, account: &str, token: &str) -> Answer {
    cloud.send(request(cloud, route, account).bearer_auth(token)).await
}

/// API Gateway's own words, which cannot be changed for HTTP APIs.
#[track_caller]
fn expect_gateway(answer: &Answer, status: u16, what: &str) {
    let message = if status == 401 { "Unauthorized" } else { "Forbidden" };
    assert_eq!((answer.status, &answer.body), (status, &json!({ "message": message })), "{what}");
    assert_eq!(answer.content_type, "application/json", "{what}");
    assert!(answer.www_authenticate.as_ref().is_some_and(|value| value.starts_with("Bearer")), "{what}");
}

/// A funded account with one charge: there is something to lose.
async fn funded() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.open_account("globex").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.charge("acme", "job-0", 1).await.expect(201);
    cloud
}

/// What a good token says, with some claims replaced; a null takes one away.
fn claims(cloud: &TestCloud, changes: &Value) -> Value {
    let authorizer = cloud.cloud.template.authorizers.values().next().unwrap();
    let now = cloud.now().as_second();
    let mut claims = json!({
        "iss": authorizer.issuer, "aud": authorizer.audience[0], "sub": "acme",
        "scope": format!("{CUSTOMER} {SERVICE}"), "iat": now, "nbf": now, "exp": now + 3_600,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn header_of(token: &str) -> Value {
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Tokens that somebody without the issuer's key could make.
fn forgeries(cloud: &TestCloud) -> Vec<(&'static str, String)> {
    let claims = claims(cloud, &json!({}));
    let good = cloud.cloud.issuer.sign(&claims);
    let header = header_of(&good);
    let parts: Vec<&str> = good.split('.').collect();
    let with_algorithm = |algorithm: &str| {
        let mut header = header.clone();
        header["alg"] = json!(algorithm);
        header
    };
    let mut more = claims.clone();
    more["sub"] = json!("globex");
    let stranger = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2_048).unwrap();
    let stranger = EncodingKey::from_rsa_der(stranger.to_pkcs1_der().unwrap().as_bytes());
    let named = |algorithm| Header { kid: header["kid"].as_str().map(str::to_owned), ..Header::new(algorithm) };
    let signed = |header: &Header, key: &EncodingKey| jsonwebtoken::encode(header, &claims, key).unwrap();
    let issuer = &cloud.cloud.template.authorizers.values().next().unwrap().issuer;
    let other_issuer = Issuer::new(issuer, "prepaid-local", cloud.cloud.clock.shared()).unwrap();
    vec![
        ("garbage", "garbage".to_owned()),
        ("garbage in three parts", "a.b.c".to_owned()),
        ("nothing but dots", "..".to_owned()),
        ("unsigned", format!("{}.{}.", encoded(&with_algorithm("none")), parts[1])),
        ("unsigned with a signature", format!("{}.{}.{}", encoded(&with_algorithm("None")), parts[1], parts[2])),
        ("without its signature", format!("{}.{}.", parts[0], parts[1])),
        ("with other claims", format!("{}.{}.{}", parts[0], encoded(&more), parts[2])),
        ("cut short", good[..good.len() - 4].to_owned()),
        ("signed by another key under its own name", other_issuer.sign(&claims)),
        ("signed by another key under the issuer's name", signed(&named(Algorithm::RS256), &stranger)),
        ("signed with a secret", signed(&named(Algorithm::HS256), &EncodingKey::from_secret(b"secret"))),
        ("signed without naming a key", signed(&Header::new(Algorithm::RS256), &stranger)),
    ]
}

/// Tokens of the issuer that are not for now or not for us.
fn unfit(cloud: &TestCloud) -> Vec<(&'static str, String)> {
    let now = cloud.now().as_second();
    let token = |changes: Value| cloud.cloud.issuer.sign(&claims(cloud, &changes));
    vec![
        ("expired", token(json!({"exp": now - 1}))),
        ("expiring this second", token(json!({"exp": now}))),
        ("without an end", token(json!({"exp": null}))),
        ("not yet valid", token(json!({"nbf": now + 1}))),
        ("issued tomorrow", token(json!({"iat": now + 86_400}))),
        ("of another issuer", token(json!({"iss": "https://issuer.example"}))),
        ("of no issuer", token(json!({"iss": null}))),
        ("for another audience", token(json!({"aud": "another-api"}))),
        ("for nobody", token(json!({"aud": null}))),
    ]
}

#[tokio::test]
async fn without_a_good_token_no_route_lets_anybody_in() {
    let cloud = funded().await;
    let (footprint, asked) = (cloud.footprint(), cloud.cloud.stripe.requests().len());
    let tokens: Vec<_> = forgeries(&cloud).into_iter().chain(unfit(&cloud)).collect();
    for route in routes(&cloud) {
        let key = route.key();
        let none = cloud.send(request(&cloud, &route, "acme")).await;
        expect_gateway(&none, 401, &format!("{key} without a token"));
        for header in ["", "Bearer", "Bearer ", "Basic YWNtZTphY21l"] {
            let answer = cloud.send(request(&cloud, &route, "acme").header("Authorization", header)).await;
            expect_gateway(&answer, 401, &format!("{key} with {header:?}"));
        }
        for (name, token) in &tokens {
            expect_gateway(&ask(&cloud, &route, "acme", token).await, 401, &format!("{key} with a token {name}"));
        }
    }
    assert_eq!((cloud.footprint(), cloud.cloud.stripe.requests().len()), (footprint, asked));
}

#[tokio::test]
async fn a_good_token_without_the_routes_scope_is_forbidden() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    for route in routes(&cloud) {
        let key = route.key();
        for scope in ["", "openid email", "credits", "credits/services", "credits/service.read", "CREDITS/SERVICE"] {
            let token = cloud.cloud.issuer.sign(&claims(&cloud, &json!({ "scope": scope })));
            expect_gateway(&ask(&cloud, &route, "acme", &token).await, 403, &format!("{key} with {scope:?}"));
        }
        let unscoped = cloud.cloud.issuer.sign(&claims(&cloud, &json!({ "scope": null })));
        expect_gateway(&ask(&cloud, &route, "acme", &unscoped).await, 403, &format!("{key} with an identity token"));
        let customer = ask(&cloud, &route, "acme", &cloud.cloud.customer_token("acme")).await;
        if route.scopes == [SERVICE] {
            expect_gateway(&customer, 403, &format!("{key} with a customer's token"));
        } else {
            assert!(!matches!(customer.status, 401 | 403), "{key}: {}", customer.text);
        }
    }
    let (items, _) = cloud.footprint();
    // The customer's own purchase and its key, and the consent to automatic top-ups.
    assert_eq!(items[0].1 - footprint.0[0].1, 3, "nothing came of the forbidden ones");
    let only_service: Vec<String> =
        routes(&cloud).into_iter().filter(|route| route.scopes == [SERVICE]).map(|route| route.key()).collect();
    assert_eq!(
        only_service,
        [
            "POST /v1/accounts/{account}/charges",
            "POST /v1/accounts/{account}/charges/{charge}/restore",
            "POST /v1/accounts",
        ]
    );
}

#[tokio::test]
async fn a_customer_cannot_tell_anothers_account_from_one_that_does_not_exist() {
    let cloud = funded().await;
    let (footprint, asked) = (cloud.footprint(), cloud.cloud.stripe.requests().len());
    let mut count = 0;
    for route in routes(&cloud).into_iter().filter(|route| route.scopes.iter().any(|scope| scope == CUSTOMER)) {
        if !route.path.to_string().contains("{account}") {
            continue;
        }
        count += 1;
        let globex = cloud.cloud.customer_token("globex");
        let others = ask(&cloud, &route, "acme", &globex).await.expect_problem(404, "not_found");
        let missing = ask(&cloud, &route, "nobody", &globex).await.expect_problem(404, "not_found");
        assert_eq!(others.text_without_request_id(), missing.text_without_request_id(), "{}", route.key());
        assert_ne!(others.body["request_id"], missing.body["request_id"]);
        assert_eq!(others.body["detail"], "There is no such account.", "{}", route.key());
        // A customer whose own account was never opened sees the same, so the words come from one place.
        if !route.path.to_string().contains("{purchase}") {
            let own = ask(&cloud, &route, "ghost", &cloud.cloud.customer_token("ghost")).await;
            assert_eq!(
                own.expect_problem(404, "not_found").text_without_request_id(),
                others.text_without_request_id()
            );
        }
    }
    assert_eq!(count, 6, "routes of one account that customers reach");
    assert_eq!((cloud.footprint(), cloud.cloud.stripe.requests().len()), (footprint, asked));
}

/// The account is the token's subject to the letter: neither a part of it nor another spelling will do.
#[tokio::test]
async fn a_subject_reaches_the_account_of_exactly_its_name() {
    let cloud = funded().await;
    for subject in ["ACME", "acm", "acme2", " acme", "acme ", "", "*", "acme,globex", "globex acme"] {
        let token = cloud.cloud.customer_token(subject);
        cloud.get("/v1/accounts/acme/balance", &token).await.expect_problem(404, "not_found");
    }
    let absent = cloud.cloud.issuer.sign(&claims(&cloud, &json!({"sub": null, "scope": CUSTOMER})));
    cloud.get("/v1/accounts/acme/balance", &absent).await.expect_problem(404, "not_found");
    for path in ["/v1/accounts/acme/balance", "/v1/accounts/%61cme/balance"] {
        assert_eq!(cloud.get(path, &cloud.cloud.customer_token("acme")).await.expect(200).body["balance"], 490);
    }
    for path in ["/v1/accounts/globex%2F..%2Facme/balance", "/v1/accounts//balance"] {
        assert_eq!(cloud.get(path, &cloud.cloud.customer_token("globex")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_service_reaches_every_account_on_every_route() {
    let cloud = funded().await;
    let token = cloud.cloud.service_token();
    for route in routes(&cloud) {
        for account in ["acme", "globex"] {
            let answer = ask(&cloud, &route, account, &token).await;
            let is_reached = match answer.status {
                200 | 201 => true,
                402 => account == "globex" && answer.body["code"] == "insufficient_credits",
                404 => answer.body["detail"] != "There is no such account.",
                409 => answer.body["code"] == "account_exists",
                _ => false,
            };
            assert!(is_reached, "{} for {account}: {}", route.key(), answer.text);
        }
    }
}

#[tokio::test]
async fn a_token_lives_by_the_clock() {
    let cloud = funded().await;
    let read = async |token: &str| cloud.get("/v1/accounts/acme/balance", token).await.status;
    let short = cloud.cloud.issuer.token("acme", &[CUSTOMER], Duration::from_secs(60));
    let start = cloud.now().as_second() + 59;
    let later = cloud.cloud.issuer.sign(&claims(&cloud, &json!({ "nbf": start })));
    assert_eq!((read(&short).await, read(&later).await), (200, 401));
    cloud.cloud.clock.advance(SignedDuration::from_secs(59)).unwrap();
    assert_eq!((read(&short).await, read(&later).await), (200, 200));
    cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
    assert_eq!((read(&short).await, read(&later).await), (401, 200));
}

#[tokio::test]
async fn only_the_link_of_the_e_mails_and_stripes_webhook_need_no_token() {
    let cloud = TestCloud::start().await;
    let mut open: Vec<String> =
        cloud.cloud.template.routes.iter().filter(|route| route.authorizer.is_none()).map(Route::key).collect();
    open.sort();
    assert_eq!(open, OPEN_ROUTES);
    assert!(routes(&cloud).iter().all(|route| !route.scopes.is_empty()), "an identity token would pass");
    let footprint = cloud.footprint();
    let unsigned = cloud.request(Method::POST, "/v1/webhooks/stripe").json(&json!({"id": "evt_1"}));
    cloud.send(unsigned).await.expect_problem(400, "invalid_signature");
    assert_eq!(cloud.send(cloud.request(Method::GET, "/pay/forged")).await.status, 404);
    assert_eq!(cloud.footprint(), footprint);
}

#[tokio::test]
async fn what_the_template_does_not_name_is_not_there() {
    let cloud = funded().await;
    let token = cloud.cloud.service_token();
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/v1/accounts"),
        (Method::GET, "/v1/accounts/acme"),
        (Method::DELETE, "/v1/accounts/acme"),
        (Method::GET, "/v1/accounts/acme/charges"),
        (Method::POST, "/v1/accounts/acme/balance"),
        (Method::PUT, "/v1/accounts/acme/history"),
        (Method::POST, "/v1/packages"),
        (Method::GET, "/v1/webhooks/stripe"),
        (Method::POST, "/v1/accounts/acme/charges/"),
    ] {
        let answer = cloud.send(cloud.request(method.clone(), path).bearer_auth(&token)).await;
        assert_eq!((answer.status, &answer.body), (404, &json!({"message": "Not Found"})), "{method} {path}");
    }
}
