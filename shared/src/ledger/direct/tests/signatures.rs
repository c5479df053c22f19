//! Signatures, compared with those of the SDK's own signer.

use super::super::operation::Unsigned;
use super::super::signing::{Signer, SigningError, signing_key};
use super::*;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::HeaderValue;

const HOST: &str = "dynamodb.eu-central-1.amazonaws.com";
const BODY: &str = r#"{"TableName":"credits"}"#;

fn unsigned() -> Unsigned {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.GetItem"));
    Unsigned { headers, body: Bytes::from_static(BODY.as_bytes()) }
}

fn signer() -> Signer {
    Signer::new("eu-central-1", HOST)
}

fn authorization(headers: &HeaderMap) -> &str {
    headers["authorization"].to_str().unwrap()
}

/// The header that the SDK's signer makes for the same request.
fn of_the_sdk(credentials: &Credentials, now: Timestamp) -> String {
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("dynamodb")
        .time(now.into())
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let headers =
        [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.GetItem")].into_iter();
    let url = format!("https://{HOST}/");
    let request = SignableRequest::new("POST", url, headers, SignableBody::Bytes(BODY.as_bytes())).unwrap();
    let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
    let (headers, _) = instructions.into_parts();
    headers.iter().find(|header| header.name() == "authorization").unwrap().value().to_owned()
}

#[test]
fn a_signature_is_that_of_the_sdk_with_and_without_a_session_token() {
    let long_lived = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "tests");
    for credentials in [credentials(), long_lived] {
        for now in [NOON, "2026-01-02T03:04:05Z", "2026-12-31T23:59:59.999Z"] {
            let now: Timestamp = now.parse().unwrap();
            let headers = signer().sign(&credentials, &unsigned(), now).unwrap();
            assert_eq!(authorization(&headers), of_the_sdk(&credentials, now));
            let token = headers.get("x-amz-security-token").map(|token| token.to_str().unwrap());
            assert_eq!(token, credentials.session_token());
            assert_eq!(headers["host"], HOST);
            assert_eq!(headers["x-amz-target"], "DynamoDB_20120810.GetItem", "its own headers stay");
        }
    }
}

/// The first example of AWS's documentation of the signing key.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html>
#[test]
fn the_key_is_derived_as_aws_documents_it() {
    let key = signing_key(SECRET, ["20150830", "us-east-1", "iam"]);
    assert_eq!(hex::encode(key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

#[test]
fn the_key_of_the_day_is_renewed_at_midnight() {
    let signer = signer();
    for now in ["2026-11-22T23:59:59.999Z", "2026-11-23T00:00:00Z", "2026-11-22T23:59:59Z", "2027-11-22T00:00:00Z"] {
        let now: Timestamp = now.parse().unwrap();
        let headers = signer.sign(&credentials(), &unsigned(), now).unwrap();
        assert_eq!(authorization(&headers), of_the_sdk(&credentials(), now));
    }
}

#[test]
fn the_key_of_the_day_is_renewed_for_new_credentials() {
    let signer = signer();
    let renewed = Credentials::new("AKIDRENEWED", "another secret", Some("another token".to_owned()), None, "tests");
    let same_id = Credentials::new("AKIDEXAMPLE", "a rotated secret", None, None, "tests");
    for credentials in [credentials(), renewed, credentials(), same_id, credentials()] {
        let headers = signer.sign(&credentials, &unsigned(), noon()).unwrap();
        assert_eq!(authorization(&headers), of_the_sdk(&credentials, noon()));
    }
}

#[test]
fn a_request_without_its_operation_is_not_signed() {
    let mut request = unsigned();
    request.headers.remove("x-amz-target");
    let refused = signer().sign(&credentials(), &request, noon()).unwrap_err();
    assert!(matches!(refused, SigningError::Incomplete(_)), "{refused}");
}

#[test]
fn nothing_shows_a_secret() {
    let headers = signer().sign(&credentials(), &unsigned(), noon()).unwrap();
    let (client, _) = Always::client(lost);
    for shown in [format!("{headers:?}"), format!("{client:?}")] {
        assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{shown}");
    }
}
