//! A token issuer for development, whose key pair exists as long as the process.
//!
//! It issues tokens only to code in this process. Over HTTP it serves only its public key.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use futures::future::BoxFuture;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::json;
use uuid::Uuid;

use crate::Clock;
use crate::authorizer::KeySource;

const KEY_BITS: usize = 2048;

/// Signs tokens as one issuer for one audience.
#[derive(Clone)]
pub struct Issuer {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    audience: String,
    key: KeyPair,
    clock: Clock,
}

/// The key that signs an issuer's tokens, and the key that verifies them.
#[derive(Clone)]
pub struct KeyPair {
    private: EncodingKey,
    id: String,
    public: JwkSet,
}

/// Why no key pair could be generated.
#[derive(Debug, thiserror::Error)]
#[error("the issuer's key pair could not be generated")]
pub struct KeyError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl KeyPair {
    /// Generates a key pair, which takes a while.
    ///
    /// # Errors
    /// If the machine's random number generator fails.
    pub fn generate() -> Result<Self, KeyError> {
        let private =
            RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS).map_err(|error| KeyError(error.into()))?;
        let der = private.to_pkcs1_der().map_err(|error| KeyError(error.into()))?;
        let private = EncodingKey::from_rsa_der(der.as_bytes());
        let id = Uuid::now_v7().to_string();
        let mut public = Jwk::from_encoding_key(&private, Algorithm::RS256).map_err(|error| KeyError(error.into()))?;
        public.common.key_id = Some(id.clone());
        Ok(Self { private, id, public: JwkSet { keys: vec![public] } })
    }

    /// The key pair of this process, generated at the first call, so that hundreds of clouds share one key.
    ///
    /// # Errors
    /// If the machine's random number generator fails.
    pub fn of_this_process() -> Result<Self, KeyError> {
        static PAIR: OnceLock<KeyPair> = OnceLock::new();
        if let Some(pair) = PAIR.get() {
            return Ok(pair.clone());
        }
        let pair = Self::generate()?;
        Ok(PAIR.get_or_init(|| pair).clone())
    }
}

impl Issuer {
    /// An issuer with its own key pair.
    ///
    /// `url` is the `iss` of every token and the base of [`Issuer::router`].
    ///
    /// # Errors
    /// If the machine's random number generator fails.
    pub fn new(url: &str, audience: &str, clock: Clock) -> Result<Self, KeyError> {
        Ok(Self::with_key(url, audience, clock, KeyPair::generate()?))
    }

    /// Like [`Issuer::new`], with an existing key pair.
    #[must_use]
    pub fn with_key(url: &str, audience: &str, clock: Clock, key: KeyPair) -> Self {
        let (url, audience) = (url.to_owned(), audience.to_owned());
        Self { inner: Arc::new(Inner { url, audience, key, clock }) }
    }

    /// A token for `subject` that is valid from now on the movable clock.
    #[must_use]
    pub fn token(&self, subject: &str, scopes: &[&str], lifetime: Duration) -> String {
        let issued = (self.inner.clock)().as_second();
        let expiry = issued.saturating_add_unsigned(lifetime.as_secs());
        self.sign(&json!({
            "iss": self.inner.url,
            "aud": self.inner.audience,
            "sub": subject,
            "scope": scopes.join(" "),
            "iat": issued,
            "nbf": issued,
            "exp": expiry,
            "jti": Uuid::now_v7().to_string(),
        }))
    }

    /// A token with arbitrary claims, to test that wrong ones are refused.
    #[must_use]
    pub fn sign(&self, claims: &serde_json::Value) -> String {
        let header = Header { kid: Some(self.inner.key.id.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.inner.key.private).expect("JSON signs with an RSA key")
    }

    /// Serves `/.well-known/openid-configuration` and `/.well-known/jwks.json`; to be mounted at the issuer's URL.
    pub fn router(&self) -> Router {
        self.router_at(&self.inner.url)
    }

    pub(crate) fn router_at(&self, url: &str) -> Router {
        let keys = self.inner.key.public.clone();
        let url = url.trim_end_matches('/');
        let configuration = json!({
            "issuer": self.inner.url,
            "jwks_uri": format!("{url}/.well-known/jwks.json"),
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
        });
        Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(configuration)))
            .route("/.well-known/jwks.json", get(async move || Json(keys)))
    }
}

/// The keys without HTTP, for an issuer and a gateway in the same process.
impl KeySource for Issuer {
    fn keys<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Result<JwkSet, String>> {
        let known = issuer == self.inner.url;
        let keys = if known { Ok(self.inner.key.public.clone()) } else { Err(format!("{issuer} is another issuer")) };
        Box::pin(async move { keys })
    }
}
