//! Requests that are not as they must be: each is told which field and which range, and nothing changes.

use super::{TestCloud, funded};
use crate::support::Answer;
use reqwest::Method;
use serde_json::{Value, json};

const CHARGES: &str = "/v1/accounts/acme/charges";

async fn send(cloud: &TestCloud, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = cloud.request(Method::POST, path).bearer_auth(cloud.cloud.service_token());
    let request = request.header("Idempotency-Key", "job-1").header("Content-Type", "application/json");
    cloud.send(request.body(body)).await
}

/// Checks that the request moved nothing: neither balance nor history nor table nor stream.
async fn assert_nothing_moved(cloud: &TestCloud, footprint: &impl PartialEq<Footprint>) {
    assert!(*footprint == cloud.footprint(), "{:?}", cloud.footprint());
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (500, 1));
}

type Footprint = (Vec<(String, i64)>, local_aws::dynamodb::StreamCursor);

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    for body in
        ["", " ", "{", "nonsense", "{'operations':[]}", "operation=training&max_minutes=1", "\u{feff}{}", "\u{0}"]
    {
        for path in [CHARGES, "/v1/quotes"] {
            let answer = send(&cloud, path, body).await;
            assert_eq!(answer.status, 400, "{path} {body:?}: {}", answer.text);
            answer.expect_problem(400, "malformed_body");
        }
    }
    for body in [
        r#"{"operation":"training","max_minutes":1}x"#,
        r#"{"operation":"training","max_minutes":1}{}"#,
        r#"{"operation":"training","max_minutes":01}"#,
        r#"{"operation":"training","max_minutes":NaN}"#,
        r#"{"operation":"training","max_minutes":1,}"#,
    ] {
        let answer = send(&cloud, CHARGES, body).await;
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text);
        answer.expect_problem(400, "malformed_body");
    }
    send(&cloud, CHARGES, vec![0xff, 0xfe]).await.expect_problem(400, "malformed_body");
    assert_nothing_moved(&cloud, &footprint).await;
}

const OPERATION: &str = "must be one of dubbing, training";
const DURATION: &str = "must be an integer from 1 to 86400000";
const MINUTES: &str = "must be an integer from 1 to 1440";
const REFERENCE: &str = "must be 1 to 200 characters, none of them a control character";

/// Every field with every wrong value: the body, the field that is named, what it is told.
fn wrong_operations() -> Vec<(String, &'static str, &'static str)> {
    let mut wrong = vec![];
    let mut add = |body: Value, field, message| wrong.push((body.to_string(), field, message));
    for operation in
        [json!("singing"), json!("Dubbing"), json!(""), json!(7), json!(null), json!(["dubbing"]), json!({})]
    {
        add(json!({"operation": operation, "duration_ms": 1_000}), "operation", OPERATION);
    }
    for duration in [
        json!(0),
        json!(-1),
        json!(86_400_001),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1.5),
        json!(90_000.0),
        json!("90000"),
        json!(true),
        json!([90_000]),
        json!({"ms": 90_000}),
    ] {
        add(json!({"operation": "dubbing", "duration_ms": duration}), "duration_ms", DURATION);
    }
    for minutes in [json!(0), json!(-5), json!(1_441), json!(1e300), json!(0.5), json!("5"), json!(false)] {
        add(json!({"operation": "training", "max_minutes": minutes}), "max_minutes", MINUTES);
    }
    let alone = "is for training; dubbing takes duration_ms alone";
    add(json!({"operation": "dubbing", "duration_ms": 1, "max_minutes": 1}), "max_minutes", alone);
    add(json!({"operation": "dubbing", "max_minutes": 1}), "max_minutes", alone);
    let alone = "is for dubbing; training takes max_minutes alone";
    add(json!({"operation": "training", "duration_ms": 1, "max_minutes": 1}), "duration_ms", alone);
    add(json!({"operation": "training", "duration_ms": 1}), "duration_ms", alone);
    let required = "is required for dubbing: an integer from 1 to 86400000";
    add(json!({"operation": "dubbing"}), "duration_ms", required);
    add(json!({"operation": "dubbing", "duration_ms": null}), "duration_ms", required);
    add(json!({"operation": "training"}), "max_minutes", "is required for training: an integer from 1 to 1440");
    wrong.push((r#"{"operation":"dubbing","duration_ms":99999999999999999999}"#.to_owned(), "duration_ms", DURATION));
    wrong.push((r#"{"operation":"dubbing","duration_ms":1e3}"#.to_owned(), "duration_ms", DURATION));
    wrong
}

#[tokio::test]
async fn a_charge_with_a_wrong_field_is_told_the_field_and_its_range() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    let mut cases = wrong_operations();
    for reference in [json!(""), json!("r".repeat(201)), json!("a\nb"), json!("a\u{0}b"), json!("\u{85}")] {
        let body = json!({"operation": "training", "max_minutes": 1, "reference": reference});
        cases.push((body.to_string(), "reference", REFERENCE));
    }
    for reference in [json!(7), json!(["r"]), json!({}), json!(true)] {
        let body = json!({"operation": "training", "max_minutes": 1, "reference": reference});
        cases.push((body.to_string(), "reference", "must be a text of 1 to 200 characters"));
    }
    for body in ["[]", "null", "7", "true", r#""training""#, r#"["training",null,1,null]"#] {
        cases.push((body.to_owned(), "body", "expected a JSON object"));
    }
    cases.push(("{}".to_owned(), "body", "missing field `operation`"));
    for name in ["credits", "Operation", "max-minutes", "key", "operations", ""] {
        let mut body = json!({"operation": "training", "max_minutes": 1});
        body[name] = json!(1);
        cases.push((body.to_string(), name, "unknown field"));
    }
    cases.push((r#"{"operation":"training","max_minutes":1,"max_minutes":2}"#.to_owned(), "body", "duplicate field"));
    cases.push(("[".repeat(10_000), "body", "expected a JSON object"));
    for (body, field, message) in cases {
        let answer = send(&cloud, CHARGES, body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let answer = answer.expect_problem(422, "invalid_request");
        assert!(answer.field_error(field).contains(message), "{body}: {}", answer.text);
        assert!(!answer.text.contains("struct") && !answer.text.contains("line"), "{body}: {}", answer.text);
    }
    assert_nothing_moved(&cloud, &footprint).await;
    let longest = json!({"operation": "training", "max_minutes": 1, "reference": "ö".repeat(200)});
    send(&cloud, CHARGES, longest.to_string()).await.expect(201);
}

#[tokio::test]
async fn several_wrong_fields_are_told_together() {
    let cloud = funded().await;
    let body = json!({"operation": "dubbing", "duration_ms": 0, "reference": ""});
    let answer = send(&cloud, CHARGES, body.to_string()).await.expect_problem(422, "invalid_request");
    assert_eq!(
        (answer.field_error("duration_ms").as_str(), answer.field_error("reference").as_str()),
        (DURATION, REFERENCE)
    );
    let body = json!({"operations": [{"operation": "dubbing", "duration_ms": 0}, {"operation": "training", "max_minutes": 1},
        {"operation": "singing"}]});
    let answer = send(&cloud, "/v1/quotes", body.to_string()).await.expect_problem(422, "invalid_request");
    assert_eq!(answer.field_error("operations[0].duration_ms"), DURATION);
    assert_eq!(answer.field_error("operations[2].operation"), OPERATION);
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_quote_with_a_wrong_field_is_told_the_field_and_its_range() {
    let cloud = funded().await;
    let one = json!({"operation": "training", "max_minutes": 1});
    let list = "must be a list of 1 to 100 operations";
    let mut cases: Vec<(String, String, &str)> = vec![
        (json!({"operations": []}).to_string(), "operations".to_owned(), list),
        (json!({"operations": vec![&one; 101]}).to_string(), "operations".to_owned(), list),
        (json!({"operations": 7}).to_string(), "operations".to_owned(), list),
        (json!({"operations": one}).to_string(), "operations".to_owned(), list),
        (json!({}).to_string(), "body".to_owned(), "missing field `operations`"),
        (json!([[one]]).to_string(), "body".to_owned(), "expected a JSON object"),
        (
            json!({"operations": [["training", null, 1]]}).to_string(),
            "operations[0]".to_owned(),
            "expected a JSON object",
        ),
        (json!({"operations": [one], "reference": "r"}).to_string(), "reference".to_owned(), "unknown field"),
    ];
    for (operation, field, message) in wrong_operations() {
        let body = format!(r#"{{"operations":[{one},{operation}]}}"#);
        cases.push((body, format!("operations[1].{field}"), message));
    }
    for (body, field, message) in cases {
        let answer = send(&cloud, "/v1/quotes", body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let answer = answer.expect_problem(422, "invalid_request");
        assert!(answer.field_error(&field).contains(message), "{body}: {}", answer.text);
    }
    let most = json!({"operations": vec![&one; 100]});
    assert_eq!(send(&cloud, "/v1/quotes", most.to_string()).await.expect(200).body["credits"], 1_000);
}

#[tokio::test]
async fn an_idempotency_key_is_sent_once_and_is_a_key() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    let too_long = "k".repeat(129);
    let cases: [&[&[u8]]; 12] = [
        &[],
        &[b""],
        &[b" "],
        &[b"a b"],
        &[b"a/b"],
        &[b"a#b"],
        &[b"a,b"],
        &[b"\xc3\xa9"],
        &[b"\xff"],
        &[too_long.as_bytes()],
        &[b"job-1", b"job-1"],
        &[b"job-1", b"job-2"],
    ];
    for (path, body) in [
        (CHARGES, json!({"operation": "training", "max_minutes": 1})),
        ("/v1/accounts/acme/purchases", json!({"package": "credits_500"})),
    ] {
        for keys in cases {
            let request = cloud.request(Method::POST, path).bearer_auth(cloud.cloud.service_token()).json(&body);
            let request = keys.iter().fold(request, |request, key| {
                request.header("Idempotency-Key", http::HeaderValue::from_bytes(key).unwrap())
            });
            let answer = cloud.send(request).await;
            assert_eq!(answer.status, 422, "{path} {keys:?}: {}", answer.text);
            let message = answer.expect_problem(422, "invalid_request").field_error("Idempotency-Key");
            assert_eq!(message, "must be sent once, 1 to 128 characters of A-Z a-z 0-9 _ . : -");
        }
    }
    assert_nothing_moved(&cloud, &footprint).await;
    assert_eq!(cloud.cloud.stripe.request_count("POST", "/v1/checkout/sessions"), 1, "the one that funded the account");
    cloud.charge("acme", &"k".repeat(128), 1).await.expect(201);
}

/// The gateway refuses what is beyond API Gateway's 10 MB, and what Lambda's 6 MB would not take.
#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_the_gateway() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    for megabytes in [7, 10] {
        let body =
            format!("{}{}", " ".repeat(megabytes * 1024 * 1024), json!({"operation": "training", "max_minutes": 1}));
        let answer = send(&cloud, CHARGES, body).await.expect(413);
        assert_eq!(answer.body, json!({"message": "Request Entity Too Large"}));
    }
    assert_nothing_moved(&cloud, &footprint).await;
    let body = format!("{}{}", " ".repeat(1024 * 1024), json!({"operation": "training", "max_minutes": 1}));
    send(&cloud, CHARGES, body).await.expect(201);
}
