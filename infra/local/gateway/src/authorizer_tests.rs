use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::Issuer;

const URL: &str = "http://127.0.0.1:9000";
const NOW: i64 = 1_795_000_000;

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(URL, "pets", clock()).unwrap());
static STRANGER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(URL, "pets", clock()).unwrap());

fn clock() -> Clock {
    Arc::new(|| Timestamp::from_second(NOW).unwrap())
}

fn authorizer(source: Arc<dyn KeySource>, clock: Clock) -> JwtAuthorizer {
    let configuration = Authorizer {
        issuer: URL.to_owned(),
        audience: vec!["other".to_owned(), "pets".to_owned()],
        header: "authorization".to_owned(),
        scopes: Vec::new(),
    };
    JwtAuthorizer::new(configuration, source, clock)
}

fn ours() -> JwtAuthorizer {
    authorizer(Arc::new(ISSUER.clone()), clock())
}

/// Valid claims with changes; null removes a claim.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "iss": URL, "aud": "pets", "sub": "a", "exp": NOW + 60, "nbf": NOW, "iat": NOW });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn decided(changes: Value, scopes: &[&str]) -> Result<Authorized, Refusal> {
    let token = format!("Bearer {}", ISSUER.sign(&claims(changes)));
    let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    ours().authorize(Some(&token), &scopes).await
}

#[tokio::test]
async fn a_request_without_a_token_is_told_to_bring_one() {
    for header in [None, Some(""), Some("Bearer ")] {
        let refusal = ours().authorize(header, &[]).await.unwrap_err();
        assert_eq!(refusal.www_authenticate(&[]), "Bearer");
    }
}

#[tokio::test]
async fn claims_are_checked_by_the_movable_clock() {
    for (changes, reason) in [
        (json!({ "iss": "http://127.0.0.1:9001" }), "the token does not have a valid issuer"),
        (json!({ "iss": null }), "the token does not have a valid issuer"),
        (json!({ "aud": "elsewhere" }), "the token does not have a valid audience"),
        (json!({ "aud": null }), "the token does not have a valid audience"),
        (json!({ "aud": "elsewhere", "client_id": "pets" }), "the token does not have a valid audience"),
        (json!({ "exp": NOW }), "the token has expired"),
        (json!({ "exp": null }), "the token has expired"),
        (json!({ "nbf": NOW + 1 }), "the token is not valid yet"),
        (json!({ "iat": NOW + 1 }), "the token was issued in the future"),
    ] {
        assert_eq!(decided(changes.clone(), &[]).await, Err(Refusal::InvalidToken(reason)), "{changes}");
    }
}

#[tokio::test]
async fn every_form_of_a_good_token_passes() {
    for changes in [
        json!({}),
        json!({ "aud": ["x", "pets"] }),
        json!({ "aud": null, "client_id": "other" }),
        json!({ "exp": NOW + 1, "nbf": null, "iat": null }),
        json!({ "exp": 1_795_000_001.5 }),
    ] {
        assert!(decided(changes.clone(), &[]).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn one_of_the_routes_scopes_is_enough() {
    let route = ["pets/write", "pets/admin"];
    for (changes, held) in [
        (json!({ "scope": "openid pets/admin" }), Some(vec!["pets/admin"])),
        (json!({ "scp": ["pets/write", "pets/admin"] }), Some(vec!["pets/write", "pets/admin"])),
        (json!({ "scp": "pets/write" }), Some(vec!["pets/write"])),
        (json!({ "scope": "pets/writer" }), None),
        (json!({ "scope": "", "scp": ["pets/write"] }), None),
        (json!({}), None),
    ] {
        let decision = decided(changes.clone(), &route).await;
        match held {
            Some(held) => assert_eq!(decision.unwrap().scopes.unwrap(), held, "{changes}"),
            None => assert_eq!(decision, Err(Refusal::InsufficientScope), "{changes}"),
        }
    }
    assert_eq!(decided(json!({ "scope": "pets/write" }), &[]).await.unwrap().scopes, None);
}

#[tokio::test]
async fn claims_are_handed_on_as_text() {
    let changes = json!({ "groups": ["a", "b"], "admin": true, "level": 7, "address": { "city": "Bern" } });
    let claims = decided(changes, &[]).await.unwrap().claims;
    for (name, text) in [
        ("sub", "a"),
        ("exp", "1795000060"),
        ("groups", "[a b]"),
        ("admin", "true"),
        ("level", "7"),
        ("address", "map[city:Bern]"),
    ] {
        assert_eq!(claims[name], text);
    }
}

#[tokio::test]
async fn a_token_somebody_else_signed_is_refused() {
    let authorizer = ours();
    let good = ISSUER.sign(&claims(json!({})));
    let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
    parts[1] = STRANGER.sign(&claims(json!({ "sub": "b" }))).split('.').nth(1).unwrap().to_owned();
    let forged = authorizer.authorize(Some(&parts.join(".")), &[]).await;
    assert_eq!(forged, Err(Refusal::InvalidToken("signature is invalid")));

    let stranger = authorizer.authorize(Some(&STRANGER.sign(&claims(json!({})))), &[]).await;
    assert_eq!(stranger, Err(Refusal::InvalidToken("unable to find a signing key that matches the kid")));

    let header = jsonwebtoken::Header { kid: Some("x".to_owned()), ..Default::default() };
    let secret = jsonwebtoken::EncodingKey::from_secret(b"shared");
    let symmetric = jsonwebtoken::encode(&header, &claims(json!({})), &secret).unwrap();
    let refusal = authorizer.authorize(Some(&symmetric), &[]).await;
    assert_eq!(refusal, Err(Refusal::InvalidToken("signing method is invalid")));

    let refusal = authorizer.authorize(Some("Bearer not.a.token"), &[]).await;
    assert_eq!(refusal, Err(Refusal::InvalidToken("the token is malformed")));
}

#[tokio::test]
async fn the_header_may_hold_the_token_alone_or_after_bearer() {
    let token = ISSUER.token("a", &[], Duration::from_mins(1));
    for header in [token.clone(), format!("Bearer {token}"), format!("bearer {token}")] {
        assert!(ours().authorize(Some(&header), &[]).await.is_ok());
    }
}

#[test]
fn www_authenticate_names_scopes_and_reason() {
    let scopes = ["pets/read".to_owned(), "pets/write".to_owned()];
    let refusal = Refusal::InvalidToken("the token has expired").www_authenticate(&scopes);
    let expected =
        r#"Bearer scope="pets/read pets/write" error="invalid_token" error_description="the token has expired""#;
    assert_eq!(refusal, expected);
    assert!(Refusal::InsufficientScope.www_authenticate(&scopes).contains(r#"error="insufficient_scope""#));
}

struct Counted(AtomicUsize);

impl KeySource for Counted {
    fn keys<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Result<JwkSet, String>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        ISSUER.keys(issuer)
    }
}

#[tokio::test]
async fn keys_are_kept_for_two_hours_and_asked_for_again_when_one_is_unknown() {
    let now = Arc::new(std::sync::Mutex::new(NOW));
    let clock: Clock = Arc::new({
        let now = Arc::clone(&now);
        move || Timestamp::from_second(*now.lock().unwrap()).unwrap()
    });
    let source = Arc::new(Counted(AtomicUsize::new(0)));
    let authorizer = authorizer(Arc::clone(&source) as Arc<dyn KeySource>, clock);
    let token = ISSUER.sign(&claims(json!({ "exp": NOW + 100_000 })));
    for (at, fetches) in [(0, 1), (7199, 1), (7200, 2)] {
        *now.lock().unwrap() = NOW + at;
        authorizer.authorize(Some(&token), &[]).await.unwrap();
        assert_eq!(source.0.load(Ordering::Relaxed), fetches, "after {at} s");
    }
    let stranger = STRANGER.sign(&claims(json!({})));
    authorizer.authorize(Some(&stranger), &[]).await.unwrap_err();
    assert_eq!(source.0.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn discovery_finds_the_keys_over_http_and_an_absent_issuer_is_told_as_such() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keys = ISSUER.router_at(&url);
    let server = tokio::spawn(async move { axum::serve(listener, keys).await });
    let fetched = Discovery::default().keys(&url).await.unwrap();
    assert_eq!(fetched, ISSUER.keys(URL).await.unwrap());
    server.abort();
    server.await.unwrap_err();

    let configuration = Authorizer { issuer: url, audience: Vec::new(), header: String::new(), scopes: Vec::new() };
    let authorizer = JwtAuthorizer::new(configuration, Arc::new(Discovery::default()), clock());
    let refusal = authorizer.authorize(Some(&ISSUER.sign(&claims(json!({})))), &[]).await;
    assert_eq!(refusal, Err(Refusal::InvalidToken("OIDC discovery endpoint communication error")));
}
