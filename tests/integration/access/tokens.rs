//! Tokens from the issuer and others: valid ones with any claims, forged ones, and those for another audience.

use crate::support::TestCloud;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use local_gateway::Issuer;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};

/// The claims of a valid token, with some replaced; a null removes one.
pub fn claims(cloud: &TestCloud, changes: &Value) -> Value {
    let authorizer = cloud.cloud.template.authorizers.values().next().unwrap();
    let now = cloud.now().as_second();
    let mut claims = json!({
        "iss": authorizer.issuer, "aud": authorizer.audience[0], "sub": "acme",
        "scope": "credits/customer credits/service", "iat": now, "nbf": now, "exp": now + 3_600,
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

/// Tokens that can be made without the issuer's key.
pub fn forgeries(cloud: &TestCloud) -> Vec<(&'static str, String)> {
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

/// Valid signatures of the issuer, but for another time or another audience.
pub fn unfit(cloud: &TestCloud) -> Vec<(&'static str, String)> {
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
