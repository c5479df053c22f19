//! Invalid requests: the error names the field and its range, and nothing changes.

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

/// Checks that the request changed nothing: balance, history, table and stream.
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
    // R22.
    for body in ["[]", "null", "7", "true", r#""training""#, r#"["training",null,1,null]"#, &"[".repeat(10_000)] {
        for path in [CHARGES, "/v1/quotes", "/v1/accounts", "/v1/accounts/acme/purchases"] {
            send(&cloud, path, body.to_owned()).await.expect_problem(400, "malformed_body");
        }
    }
    assert_nothing_moved(&cloud, &footprint).await;
}

const OPERATION: &str = "must be one of dubbing, training";
const DURATION: &str = "must be an integer from 1 to 86400000";
const MINUTES: &str = "must be an integer from 1 to 1440";
const REFERENCE: &str = "must be a text of 1 to 200 characters";

/// Every field with every wrong value: the body, the field in the error, and the message.
fn wrong_operations() -> Vec<(String, &'static str, &'static str)> {
    let mut wrong = vec![];
    let mut add = |body: Value, field, message| wrong.push((body.to_string(), field, message));
    for operation in [json!("singing"), json!("Dubbing"), json!(""), json!(7), json!(["dubbing"]), json!({})] {
        add(json!({"operation": operation, "duration_ms": 1_000}), "operation", OPERATION);
    }
    // R20.
    add(json!({"operation": null, "duration_ms": 1_000}), "operation", "is required: one of dubbing, training");
    add(json!({"duration_ms": 1_000}), "operation", "is required: one of dubbing, training");
    add(json!({}), "operation", "is required: one of dubbing, training");
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
    let alone = "must not be sent: dubbing takes duration_ms alone";
    add(json!({"operation": "dubbing", "duration_ms": 1, "max_minutes": 1}), "max_minutes", alone);
    add(json!({"operation": "dubbing", "max_minutes": 1}), "max_minutes", alone);
    let alone = "must not be sent: training takes max_minutes alone";
    add(json!({"operation": "training", "duration_ms": 1, "max_minutes": 1}), "duration_ms", alone);
    add(json!({"operation": "training", "duration_ms": 1}), "duration_ms", alone);
    let required = "is required: an integer from 1 to 86400000";
    add(json!({"operation": "dubbing"}), "duration_ms", required);
    add(json!({"operation": "dubbing", "duration_ms": null}), "duration_ms", required);
    add(json!({"operation": "training"}), "max_minutes", "is required: an integer from 1 to 1440");
    wrong.push((r#"{"operation":"dubbing","duration_ms":99999999999999999999}"#.to_owned(), "duration_ms", DURATION));
    wrong.push((r#"{"operation":"dubbing","duration_ms":1e3}"#.to_owned(), "duration_ms", DURATION));
    wrong
}

#[tokio::test]
async fn a_charge_with_a_wrong_field_is_told_the_field_and_its_range() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    let mut cases = wrong_operations();
    // R15: invisible characters are refused by name.
    for (character, name) in [
        ('\n', "U+000A"),
        ('\u{0}', "U+0000"),
        ('\u{85}', "U+0085"),
        ('\u{202e}', "U+202E"),
        ('\u{200b}', "U+200B"),
        ('\u{feff}', "U+FEFF"),
    ] {
        let body = json!({"operation": "training", "max_minutes": 1, "reference": format!("a{character}b")});
        cases.push((body.to_string(), "reference", name));
    }
    for reference in [json!(""), json!("r".repeat(201))] {
        let body = json!({"operation": "training", "max_minutes": 1, "reference": reference});
        cases.push((body.to_string(), "reference", REFERENCE));
    }
    for reference in [json!(7), json!(["r"]), json!({}), json!(true)] {
        let body = json!({"operation": "training", "max_minutes": 1, "reference": reference});
        cases.push((body.to_string(), "reference", "must be a text of 1 to 200 characters"));
    }
    for name in ["credits", "Operation", "max-minutes", "key", "operations", ""] {
        let mut body = json!({"operation": "training", "max_minutes": 1});
        body[name] = json!(1);
        cases.push((body.to_string(), name, "is not known here"));
    }
    let twice = r#"{"operation":"training","max_minutes":1,"max_minutes":2}"#;
    cases.push((twice.to_owned(), "max_minutes", "must be sent once"));
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
    // R21: a measure of the other operation or an unknown field does not hide further errors.
    let body = json!({"operation": "dubbing", "duration_ms": 0, "max_minutes": -1, "reference": "", "speed": 2});
    let answer = send(&cloud, CHARGES, body.to_string()).await.expect_problem(422, "invalid_request");
    let named = answer.body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap());
    assert_eq!(named.collect::<Vec<_>>(), ["max_minutes", "duration_ms", "reference", "speed"]);
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
    let list = "must be a list of 1 to 100 objects";
    let mut cases: Vec<(String, String, &str)> = vec![
        (json!({"operations": []}).to_string(), "operations".to_owned(), list),
        (json!({"operations": vec![&one; 101]}).to_string(), "operations".to_owned(), list),
        (json!({"operations": 7}).to_string(), "operations".to_owned(), list),
        (json!({"operations": one}).to_string(), "operations".to_owned(), list),
        (json!({}).to_string(), "operations".to_owned(), "is required: a list of 1 to 100 objects"),
        (json!({"operations": [["training", null, 1]]}).to_string(), "operations[0]".to_owned(), "must be an object"),
        (json!({"operations": [one], "reference": "r"}).to_string(), "reference".to_owned(), "is not known here"),
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
    let cases: [&[&[u8]]; 13] = [
        &[],
        &[b""],
        &[b" "],
        &[b"\"\""],
        &[b"a b"],
        &[b"a\"b"],
        &[b"a\\b"],
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
            assert_eq!(message, "must be sent once, 1 to 128 visible ASCII characters other than \" \\ ,");
        }
    }
    assert_nothing_moved(&cloud, &footprint).await;
    assert_eq!(cloud.cloud.stripe.request_count("POST", "/v1/checkout/sessions"), 1, "the one that funded the account");
    cloud.charge("acme", &"k".repeat(128), 1).await.expect(201);
}

/// R14: the quoted form is the same key, and base64 is a valid key, in the header and in the path of a restore.
/// R27: a key that a path cannot contain is refused before anything is charged under it.
#[tokio::test]
async fn a_key_may_be_quoted_and_base64_and_no_dots_alone() {
    let cloud = funded().await;
    let key = "aGk/+w==:job#7?%2F";
    let charged = cloud.charge("acme", key, 1).await.expect(201);
    assert_eq!(charged.body["charge"], key);
    let again = cloud.charge("acme", &format!("\"{key}\""), 1).await.expect(200);
    assert!(again.is_replay && again.body == charged.body);
    let path = format!("{CHARGES}/aGk%2F%2Bw%3D%3D%3Ajob%237%3F%252F/restore");
    let token = cloud.cloud.service_token();
    let read = cloud.get(path.trim_end_matches("/restore"), &token).await.expect(200);
    assert_eq!(read.body["charge"], key);
    let restored = cloud.post(&path, &token, None, &json!({})).await.expect(201);
    assert_eq!((&restored.body["charge"], &restored.body["balance"]), (&json!(key), &json!(500)));
    for dots in [".", "..", "\"..\""] {
        let answer = cloud.charge("acme", dots, 1).await.expect_problem(422, "invalid_request");
        assert!(answer.field_error("Idempotency-Key").contains("dots"), "{}", answer.text);
    }
    assert_eq!(cloud.balance("acme").await, 500);
}

/// R15: a retry from a platform that encodes the reference in another Unicode form is the same request.
#[tokio::test]
async fn a_reference_in_another_form_of_unicode_is_the_same() {
    let cloud = funded().await;
    let body = |reference: &str| json!({"operation": "training", "max_minutes": 1, "reference": reference}).to_string();
    let composed = send(&cloud, CHARGES, body("caf\u{e9}")).await.expect(201);
    let decomposed = send(&cloud, CHARGES, body("cafe\u{301}")).await.expect(200);
    assert_eq!((&composed.body, &composed.body["reference"]), (&decomposed.body, &json!("caf\u{e9}")));
    send(&cloud, CHARGES, body("cafe")).await.expect_problem(409, "idempotency_key_reused");
}

/// R17: a path that was encoded twice is decoded only once, and then names no account.
#[tokio::test]
async fn a_path_is_decoded_once() {
    let cloud = funded().await;
    let token = cloud.cloud.service_token();
    cloud.get("/v1/accounts/ac%6De/balance", &token).await.expect(200);
    cloud.get("/v1/accounts/ac%256De/balance", &token).await.expect_problem(404, "not_found");
}

/// The gateway refuses bodies above API Gateway's 10 MB, and those that exceed Lambda's 6 MB.
#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    for megabytes in [7, 10] {
        let body =
            format!("{}{}", " ".repeat(megabytes * 1024 * 1024), json!({"operation": "training", "max_minutes": 1}));
        let answer = send(&cloud, CHARGES, body).await.expect(413);
        assert_eq!(answer.body, json!({"message": "Request Entity Too Large"}));
    }
    assert_nothing_moved(&cloud, &footprint).await;
    // R19: the function accepts 256 KB, and repeats only a little of what it does not know.
    let charge = json!({"operation": "training", "max_minutes": 1}).to_string();
    let spaced = |bytes: usize| format!("{}{charge}", " ".repeat(bytes - charge.len()));
    send(&cloud, CHARGES, spaced(256 * 1024 + 1)).await.expect_problem(413, "body_too_large");
    let long = format!(r#"{{"{}":1}}"#, "x".repeat(200_000));
    let answer = send(&cloud, CHARGES, long).await.expect_problem(422, "invalid_request");
    assert!(answer.text.len() < 1_000, "{}", answer.text.len());
    assert_nothing_moved(&cloud, &footprint).await;
    send(&cloud, CHARGES, spaced(256 * 1024)).await.expect(201);
}
