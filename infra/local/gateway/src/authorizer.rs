//! API Gateway's JWT authorizer.
//!
//! The order of the checks and the answers follow
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html> and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html>.
//! Token times are compared with the movable clock, never with the machine's, and without leeway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::Clock;
use crate::template::Authorizer;

/// How long API Gateway waits for an issuer's keys.
const FETCH_TIMEOUT: Duration = Duration::from_millis(1500);
/// API Gateway may cache keys for two hours.
const KEYS_AGE_MAX: SignedDuration = SignedDuration::from_hours(2);

/// The source of an issuer's public keys.
pub trait KeySource: Send + Sync {
    /// # Errors
    /// Why the issuer's keys are not available.
    fn keys<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Result<JwkSet, String>>;
}

/// Reads the `jwks_uri` from the issuer's discovery document and fetches the keys from there, over plain HTTP.
#[derive(Default)]
pub struct Discovery {
    client: reqwest::Client,
}

impl KeySource for Discovery {
    fn keys<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Result<JwkSet, String>> {
        #[derive(Deserialize)]
        struct Document {
            jwks_uri: String,
        }
        Box::pin(async move {
            let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
            let document: Document = self.get(&url).await?;
            self.get(&document.jwks_uri).await
        })
    }
}

impl Discovery {
    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let answer =
            async { self.client.get(url).timeout(FETCH_TIMEOUT).send().await?.error_for_status()?.json().await };
        answer.await.map_err(|error: reqwest::Error| crate::error::chain(&error))
    }
}

/// A valid token's part of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorized {
    /// Every claim as text, as API Gateway passes claims on.
    pub claims: BTreeMap<String, String>,
    /// The route's scopes that the token has; `None` on a route without scopes.
    pub scopes: Option<Vec<String>>,
}

/// Why a request does not reach its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 401 without further explanation: there is no token.
    NoToken,
    /// 401 with the reason in `www-authenticate`.
    InvalidToken(&'static str),
    /// 403: the token is valid but has none of the route's scopes.
    InsufficientScope,
}

impl Refusal {
    /// The value of `www-authenticate`, with the scopes that the route requires.
    pub fn www_authenticate(&self, scopes: &[String]) -> String {
        let scopes = scopes.join(" ");
        match self {
            Self::NoToken => "Bearer".to_owned(),
            Self::InvalidToken(reason) => {
                format!(r#"Bearer scope="{scopes}" error="invalid_token" error_description="{reason}""#)
            }
            Self::InsufficientScope => format!(
                r#"Bearer scope="{scopes}" error="insufficient_scope" error_description="the token does not have the required scopes""#
            ),
        }
    }
}

/// One authorizer with its issuer's keys.
pub(crate) struct JwtAuthorizer {
    configuration: Authorizer,
    source: Arc<dyn KeySource>,
    cache: Mutex<Option<(Timestamp, JwkSet)>>,
    clock: Clock,
}

impl JwtAuthorizer {
    pub fn new(configuration: Authorizer, source: Arc<dyn KeySource>, clock: Clock) -> Self {
        Self { configuration, source, cache: Mutex::new(None), clock }
    }

    /// The request header that carries the token.
    pub fn header(&self) -> &str {
        &self.configuration.header
    }

    /// Checks the header's value for a route with `scopes`.
    pub async fn authorize(&self, header: Option<&str>, scopes: &[String]) -> Result<Authorized, Refusal> {
        let token = header.map(bearer).filter(|token| !token.is_empty()).ok_or(Refusal::NoToken)?;
        let claims = self.verified(token).await?;
        self.check_claims(&claims)?;
        let held = held_scopes(&claims, scopes);
        if !scopes.is_empty() && held.is_empty() {
            return Err(Refusal::InsufficientScope);
        }
        let claims = claims.iter().map(|(name, value)| (name.clone(), claim_text(value))).collect();
        Ok(Authorized { claims, scopes: (!scopes.is_empty()).then_some(held) })
    }

    /// The claims of a token with a valid signature of the issuer.
    async fn verified(&self, token: &str) -> Result<Map<String, Value>, Refusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::InvalidToken("the token is malformed"))?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512) {
            return Err(Refusal::InvalidToken("signing method is invalid"));
        }
        let kid = header.kid.ok_or(Refusal::InvalidToken("kid is missing from the token"))?;
        let key = self.key(&kid).await?;
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation)
            .map(|token| token.claims)
            .map_err(|_| Refusal::InvalidToken("signature is invalid"))
    }

    /// The key with the id `kid`. If it is missing, the keys are fetched again, because the issuer may have rotated
    /// them.
    async fn key(&self, kid: &str) -> Result<DecodingKey, Refusal> {
        let mut cache = self.cache.lock().await;
        let now = (self.clock)();
        let known = cache.as_ref().filter(|(since, keys)| {
            now.duration_since(*since) < KEYS_AGE_MAX && *since <= now && keys.find(kid).is_some()
        });
        if known.is_none() {
            let keys = self.source.keys(&self.configuration.issuer).await.map_err(|reason| {
                tracing::warn!(issuer = self.configuration.issuer, reason, "the issuer's keys cannot be fetched");
                Refusal::InvalidToken("OIDC discovery endpoint communication error")
            })?;
            *cache = Some((now, keys));
        }
        let key = cache.as_ref().and_then(|(_, keys)| keys.find(kid));
        let key = key.ok_or(Refusal::InvalidToken("unable to find a signing key that matches the kid"))?;
        DecodingKey::from_jwk(key).map_err(|_| Refusal::InvalidToken("the issuer's key is not an RSA key"))
    }

    /// Issuer, audience and times. `client_id` counts only if there is no `aud`.
    fn check_claims(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let now = (self.clock)().as_second();
        if claims.get("iss").and_then(Value::as_str) != Some(&self.configuration.issuer) {
            return Err(Refusal::InvalidToken("the token does not have a valid issuer"));
        }
        let audience = texts(claims.get("aud").or_else(|| claims.get("client_id")));
        if !audience.iter().any(|audience| self.configuration.audience.iter().any(|known| known == audience)) {
            return Err(Refusal::InvalidToken("the token does not have a valid audience"));
        }
        match seconds(claims, "exp") {
            Some(expiry) if expiry > now => {}
            _ => return Err(Refusal::InvalidToken("the token has expired")),
        }
        if seconds(claims, "nbf").is_some_and(|start| start > now) {
            return Err(Refusal::InvalidToken("the token is not valid yet"));
        }
        if seconds(claims, "iat").is_some_and(|issued| issued > now) {
            return Err(Refusal::InvalidToken("the token was issued in the future"));
        }
        Ok(())
    }
}

fn bearer(header: &str) -> &str {
    match header.trim_start().split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim(),
        _ => header.trim(),
    }
}

fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    value.as_i64().or_else(|| value.as_number()?.to_string().split('.').next()?.parse().ok())
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The route's scopes that are in `scope` or, if that is missing, in `scp`.
fn held_scopes(claims: &Map<String, Value>, scopes: &[String]) -> Vec<String> {
    let held = texts(claims.get("scope").or_else(|| claims.get("scp")));
    let held: Vec<&str> = held.into_iter().flat_map(str::split_whitespace).collect();
    scopes.iter().filter(|scope| held.contains(&scope.as_str())).cloned().collect()
}

/// API Gateway writes claims as text: a list becomes `[a b]`, and a map `map[name:value]`.
fn claim_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(claim_text).collect::<Vec<_>>().join(" ")),
        Value::Object(entries) => {
            let entries: Vec<_> = entries.iter().map(|(name, value)| format!("{name}:{}", claim_text(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "authorizer_tests.rs"]
mod tests;
