//! A check that all variants implement the same charge: the same requests must get the same answers.

use crate::Error;
use crate::certificates::HOST;
use crate::dynamodb::{ACCOUNT, DynamoDb};
use crate::process::Process;
use crate::variants::Variant;
use local_aws::dynamodb::CancellationCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

/// The price of one charge in the benchmark: 90 seconds of dubbing.
pub const PRICE: i64 = 15;
const DUBBING: &str = r#"{"operation":"dubbing","duration_ms":90000}"#;

/// API Gateway's event for one charge.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
pub fn charge_event(account: &str, key: &str) -> Value {
    event(account, key, DUBBING)
}

fn event(account: &str, key: &str, body: &str) -> Value {
    let recorded = include_str!("../../../../tests/events/api-gateway-charge.json");
    let mut event: Value = serde_json::from_str(recorded).expect("the tests read the same file");
    let path = format!("/v1/accounts/{account}/charges");
    event["headers"]["idempotency-key"] = json!(key);
    event["headers"]["content-length"] = json!(body.len().to_string());
    event["pathParameters"]["account"] = json!(account);
    event["requestContext"]["http"]["path"] = json!(path);
    event["rawPath"] = json!(path);
    event["body"] = json!(body);
    event
}

/// Checks the answer to the `number`th charge of an account that started with this balance.
///
/// # Errors
/// If the answer is not the expected one.
pub fn check_charge(answer: &Value, key: &str, number: i64, balance: i64) -> Result<(), Error> {
    let body = json!({
        "charge": key,
        "operation": "dubbing",
        "status": "posted",
        "credits": PRICE,
        "balance": balance - number * PRICE,
        "seq": number + 1,
    });
    check(answer, 201, &body)
}

/// Checks every kind of answer of a variant.
///
/// # Errors
/// The first wrong answer.
pub async fn check_variant(
    variant: &Variant,
    environment: &BTreeMap<String, String>,
    dynamodb: &DynamoDb,
) -> Result<(), Error> {
    let database = dynamodb.reset(1_000).await?;
    let mut process = Process::start(variant, environment).await?;
    let training = r#"{"operation":"training","max_minutes":100}"#;
    let first = json!({ "charge": "job-1", "credits": 15, "balance": 985, "seq": 2 });
    let missing = json!({ "code": "insufficient_credits", "balance": 985, "required": 1000, "missing": 15 });
    for (event, status, body) in [
        (event(ACCOUNT, "job-1", DUBBING), 201, first.clone()),
        (event(ACCOUNT, "job-1", DUBBING), 200, first.clone()),
        (event(ACCOUNT, "job-1", training), 409, json!({ "code": "idempotency_key_reused" })),
        (event(ACCOUNT, "job-2", training), 402, missing),
        (event(ACCOUNT, "job-2", "{"), 400, json!({ "code": "malformed_body" })),
        (event(ACCOUNT, "job-2", "{}"), 422, json!({ "code": "invalid_request" })),
        (event(ACCOUNT, "no key", DUBBING), 422, json!({ "code": "invalid_request" })),
        (event("nobody", "job-2", DUBBING), 404, json!({ "code": "not_found" })),
        // 61 seconds cost 10.17 credits, rounded up.
        (event(ACCOUNT, "job-3", r#"{"operation":"dubbing","duration_ms":61000}"#), 201, json!({ "credits": 11 })),
        (event(ACCOUNT, "job-4", r#"{"operation":"dubbing","duration_ms":1}"#), 201, json!({ "balance": 964 })),
    ] {
        check(&process.invoke(&event).await?, status, &body).map_err(|error| process.complaint(&error.to_string()))?;
    }
    database.faults().cancel_next_transactions(2, &[CancellationCode::TransactionConflict]);
    let answer = process.invoke(&event(ACCOUNT, "job-5", DUBBING)).await?;
    check(&answer, 201, &json!({ "charge": "job-5", "balance": 949, "seq": 5 }))?;
    if database.faults().remaining() > 0 {
        return Err("a transaction that conflicted with another one was not retried".into());
    }
    Ok(())
}

/// Starts a variant with a DynamoDB that accepts connections and never answers.
///
/// # Errors
/// If it asks for no event even then.
pub async fn check_start_without_dynamodb(
    variant: &Variant,
    environment: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let endpoint = format!("https://{HOST}:{}", silent.local_addr()?.port());
    let mut environment = environment.clone();
    environment.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), endpoint);
    Process::start(variant, &environment).await.map(drop)
}

/// Every field of `body` must be in the answer's body, which may have more.
fn check(answer: &Value, status: u16, body: &Value) -> Result<(), Error> {
    let text = answer["body"].as_str().unwrap_or_default();
    let actual: Value = serde_json::from_str(text).unwrap_or_default();
    let is_as_expected = body.as_object().into_iter().flatten().all(|(name, value)| actual[name] == *value);
    let has_type = answer["headers"]["content-type"].as_str().is_some_and(|kind| kind.starts_with("application/"));
    if answer["statusCode"] == status && is_as_expected && has_type {
        return Ok(());
    }
    Err(format!("{answer} where {status} with {body} was expected").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_held_to_its_status_and_to_every_field_that_is_expected() {
        let answer = |status: u16, body: &str| json!({ "statusCode": status, "headers": { "content-type": "application/json" }, "body": body });
        let expected = json!({ "balance": 985 });
        assert!(check(&answer(201, r#"{"balance":985,"seq":2}"#), 201, &expected).is_ok());
        for wrong in [
            answer(200, r#"{"balance":985}"#),
            answer(201, r#"{"balance":984}"#),
            answer(201, "{}"),
            answer(201, ""),
            json!({ "statusCode": 201, "body": r#"{"balance":985}"# }),
            json!(null),
        ] {
            assert!(check(&wrong, 201, &expected).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_event_asks_for_the_charge_it_names() {
        let event = charge_event("acme", "job-9");
        assert_eq!(event["rawPath"], "/v1/accounts/acme/charges");
        assert_eq!((&event["headers"]["idempotency-key"], &event["body"]), (&json!("job-9"), &json!(DUBBING)));
    }
}
