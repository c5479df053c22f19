//! The routes that need no token: each is protected by its own signature, and a token gives no further access.
//!
//! `webhooks.rs`, `pay_links.rs`, `receipts.rs` and `contacts.rs` test the signatures, and `portal.rs` the sessions. These tests check that no other route is open, and that a
//! token is neither required nor read.

use super::callers::callers;
use super::effects;
use crate::support::TestCloud;
use crate::support::description::DESCRIPTION;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

/// Each with the status of a request without a valid signature. The public keys of statements are for everybody.
const OPEN: [(&str, &str, u16); 12] = [
    ("GET", "/confirm/{token}", 404),
    ("GET", "/pay/{token}", 404),
    ("GET", "/portal/{page}", 401),
    ("GET", "/receipt/{token}", 404),
    ("GET", "/v1/statement-keys", 200),
    ("HEAD", "/confirm/{token}", 404),
    ("HEAD", "/pay/{token}", 404),
    ("HEAD", "/portal/{page}", 405),
    ("HEAD", "/receipt/{token}", 404),
    ("POST", "/confirm/{token}", 404),
    ("POST", "/portal/{page}", 401),
    ("POST", "/v1/webhooks/stripe", 400),
];

fn unsigned(cloud: &TestCloud, method: &str, path: &str) -> RequestBuilder {
    let page = if method == "POST" { "leave" } else { "overview" };
    let request =
        cloud.request(method.parse::<Method>().unwrap(), &path.replace("{token}", "forged").replace("{page}", page));
    if path.starts_with("/v1/webhooks/") { request.json(&json!({ "id": "evt_1" })) } else { request }
}

#[tokio::test]
async fn only_links_the_dashboard_stripes_webhook_and_public_keys_need_no_token() {
    let described = DESCRIPTION.operations();
    let open: Vec<_> =
        described.iter().filter(|(_, scopes)| scopes.is_none()).map(|(operation, _)| operation).collect();
    let known: Vec<_> = OPEN.map(|(method, path, _)| (method.to_owned(), path.to_owned())).into();
    assert_eq!(open, known.iter().collect::<Vec<_>>(), "a route without a token must be listed here");
}

#[tokio::test]
async fn no_token_opens_a_route_that_a_signature_guards() {
    let cloud = TestCloud::start().await;
    let (callers, before) = (callers(&cloud), effects(&cloud));
    for (method, path, status) in OPEN {
        let nobody = cloud.send(unsigned(&cloud, method, path)).await.expect(status).without_request_id();
        for caller in &callers {
            let header = caller.authorization.as_deref().unwrap_or_default();
            let answer = cloud.send(unsigned(&cloud, method, path).header("Authorization", header)).await;
            assert_eq!(answer.without_request_id(), nobody, "{method} {path} by {}", caller.name);
        }
    }
    assert_eq!(effects(&cloud), before);
}
