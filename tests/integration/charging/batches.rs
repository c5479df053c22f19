//! Batches of charges: every charge has its own result, and none of them depends on another one's fate.

use super::{TestCloud, funded, post, restore};
use crate::support::Answer;
use jiff::SignedDuration;
use local_aws::dynamodb::Fault;
use local_aws::wire::Loss;
use reqwest::Method;
use serde_json::{Value, json};

const BATCH: &str = "/v1/charges/batch";

pub async fn send(cloud: &TestCloud, charges: &[Value]) -> Answer {
    cloud.post(BATCH, &cloud.cloud.service_token(), None, &json!({ "charges": charges })).await
}

async fn send_text(cloud: &TestCloud, body: impl Into<reqwest::Body>) -> Answer {
    let request = cloud.request(Method::POST, BATCH).bearer_auth(cloud.cloud.service_token());
    cloud.send(request.header("Content-Type", "application/json").body(body)).await
}

/// A training, at ten credits a minute.
pub fn training(account: &str, key: &str, max_minutes: i64) -> Value {
    json!({"account": account, "key": key, "operation": "training", "max_minutes": max_minutes})
}

pub fn statuses(answer: &Answer) -> Vec<i64> {
    let results = answer.body["results"].as_array().unwrap_or_else(|| panic!("no results: {}", answer.text));
    results.iter().map(|result| result["status"].as_i64().expect("a status")).collect()
}

/// Two accounts with 500 credits each.
async fn two_funded() -> TestCloud {
    let cloud = funded().await;
    cloud.open_account("globex").await;
    cloud.buy("globex", "credits_500", "4242424242424242").await;
    cloud
}

#[tokio::test]
async fn each_charge_of_a_batch_has_its_own_result_in_order() {
    let cloud = two_funded().await;
    post(&cloud, "acme", "used", &json!({"operation": "training", "max_minutes": 1})).await.expect(201);
    let charges = [
        training("acme", "job-1", 20),
        training("globex", "job-1", 1),
        training("nobody", "job-1", 1),
        training("no such id!", "job-1", 1),
        training("acme", "job-2", 30),
        training("acme", "job-3", 29),
        training("acme", "used", 1),
        training("acme", "job-4", 0),
        json!({"account": "acme", "key": "used", "operation": "singing", "max_minutes": 1}),
        training("globex", "job-2", 50),
    ];
    // The ninth names a key twice, so the batch as a whole is refused.
    let refused = send(&cloud, &charges).await.expect_problem(422, "invalid_request");
    assert!(refused.field_error("charges[8].key").contains("charges[6]"), "{}", refused.text);
    let charges = [&charges[..8], &charges[9..]].concat();

    let answer = send(&cloud, &charges).await.expect(200);
    assert_eq!(statuses(&answer), [201, 201, 404, 404, 402, 201, 200, 422, 402], "{}", answer.text);
    assert!(!answer.is_replay && !answer.text.contains("request_id"));
    let results = &answer.body["results"];
    assert_eq!((&results[0]["charge"]["balance"], &results[0]["charge"]["seq"]), (&json!(290), &json!(3)));
    assert_eq!((&results[5]["charge"]["balance"], &results[5]["charge"]["seq"]), (&json!(0), &json!(4)));
    let facts = ["balance", "required", "missing"].map(|name| &results[4]["problem"][name]);
    assert_eq!(facts, [&json!(290), &json!(300), &json!(10)], "what was left when its turn came");
    assert_eq!(results[4]["problem"]["code"], "insufficient_credits");
    assert_eq!((&results[2]["problem"]["code"], &results[2]), (&json!("not_found"), &results[3]));
    assert_eq!((cloud.balance("acme").await, cloud.balance("globex").await), (0, 490));
    assert_eq!((cloud.history("acme").await.len(), cloud.history("globex").await.len()), (4, 2));

    // What each of them is answered alone.
    for position in [0, 1, 5, 6] {
        let Value::Object(mut body) = charges[position].clone() else { panic!("an object") };
        let [account, key] = ["account", "key"].map(|name| body.remove(name).unwrap().as_str().unwrap().to_owned());
        let alone = post(&cloud, &account, &key, &Value::Object(body)).await.expect(200);
        assert!(answer.text.contains(&format!(r#""charge":{}}}"#, alone.text)), "{} in {}", alone.text, answer.text);
    }
}

#[tokio::test]
async fn a_batch_sent_twice_gets_the_same_charges_twice() {
    let cloud = two_funded().await;
    let mut charges: Vec<Value> = (0..60).map(|number| training("acme", &format!("job-{number}"), 1)).collect();
    charges.extend((0..40).map(|number| training("globex", &format!("job-{number}"), 1)));
    let first = send(&cloud, &charges).await.expect(200);
    let mut expected = vec![201; 50];
    expected.extend([402; 10]);
    expected.extend([201; 40]);
    assert_eq!(statuses(&first), expected);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24 * 400)).unwrap();
    let books = cloud.books();

    let second = send(&cloud, &charges).await.expect(200);
    assert_eq!(second.text, first.text.replace(r#""status":201"#, r#""status":200"#), "the charges are the first ones");
    let turned: Vec<Value> = charges.iter().rev().cloned().collect();
    let third = send(&cloud, &turned).await.expect(200);
    let results = |answer: &Answer| answer.body["results"].as_array().unwrap().clone();
    assert_eq!(results(&third), results(&second).into_iter().rev().collect::<Vec<_>>(), "in any order");
    assert_eq!(cloud.books(), books, "no credits moved");
}

/// What was posted takes nothing again, so what is left pays for what was not posted.
#[tokio::test]
async fn a_batch_that_was_done_in_part_is_completed_by_sending_it_again() {
    let cloud = two_funded().await;
    let charges: Vec<Value> = (0..6).map(|number| training("acme", &format!("job-{number}"), 10)).collect();
    let posted = send(&cloud, &charges[1..4]).await.expect(200);
    assert_eq!((statuses(&posted), cloud.balance("acme").await), (vec![201; 3], 200));
    let completed = send(&cloud, &charges).await.expect(200);
    assert_eq!(statuses(&completed), [201, 200, 200, 200, 201, 402]);
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (0, 6));
    for number in 0..3 {
        assert_eq!(completed.body["results"][number + 1]["charge"], posted.body["results"][number]["charge"]);
    }
}

#[tokio::test]
async fn charges_whose_answer_was_lost_get_503_and_the_other_accounts_are_charged() {
    let cloud = two_funded().await;
    let mut charges = vec![training("globex", "job-0", 1)];
    charges.extend((0..60).map(|number| training("acme", &format!("job-{number}"), 1)));
    charges.push(training("globex", "job-1", 1));
    for is_written in [false, true] {
        cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
            let is_acme = operation.name == "TransactWriteItems" && operation.request.to_string().contains("acme");
            let lost = if is_written { Fault::LoseAnswer } else { Fault::LoseRequest };
            is_acme.then(|| lost(Loss::ConnectionReset))
        });
        let answer = send(&cloud, &charges).await.expect(200);
        cloud.cloud.aws.dynamodb.faults().clear();
        let globex = if is_written { 200 } else { 201 };
        let mut expected = vec![503; 62];
        (expected[0], expected[61]) = (globex, globex);
        assert_eq!(statuses(&answer), expected);
        assert_eq!(answer.body["results"][1]["problem"]["code"], "unavailable");
        assert!(!answer.text.contains("Dynamo") && !answer.text.contains("dispatch"), "{}", answer.text);
        let request = &answer.headers["apigw-requestid"];
        let is_told = |line: &&String| line.contains("try again") && line.contains(request.as_str());
        assert_eq!(cloud.log().iter().filter(is_told).count(), 1, "the failure is logged once, with its cause");
    }
    assert_eq!(cloud.balance("acme").await, 10, "49 were written together, and those after them were not tried");
    let completed = send(&cloud, &charges).await.expect(200);
    let mut expected = vec![200; 50];
    expected.push(201);
    expected.extend([402; 10]);
    expected.push(200);
    assert_eq!(statuses(&completed), expected);
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (0, 51));
}

#[tokio::test]
async fn a_charge_of_a_batch_that_was_restored_or_whose_key_was_used_says_so() {
    let cloud = two_funded().await;
    let charges: Vec<Value> = (0..3).map(|number| training("acme", &format!("job-{number}"), 10)).collect();
    send(&cloud, &charges).await.expect(200);
    restore(&cloud, "acme", "job-1").await.expect(201);
    let books = cloud.books();
    let other = [charges[0].clone(), charges[1].clone(), training("acme", "job-2", 11)];
    let answer = send(&cloud, &other).await.expect(200);
    assert_eq!(statuses(&answer), [200, 200, 409]);
    let results = &answer.body["results"];
    assert_eq!(
        (&results[0]["charge"]["status"], &results[1]["charge"]["status"]),
        (&json!("posted"), &json!("restored"))
    );
    assert_eq!(results[1]["charge"]["restore"]["credits"], 100);
    assert_eq!(results[2]["problem"]["code"], "idempotency_key_reused");
    assert_eq!(cloud.books(), books);
    // Also if no new charge would fit.
    cloud.charge("acme", "rest", 30).await.expect(201);
    assert_eq!(cloud.balance("acme").await, 0);
    assert_eq!(send(&cloud, &other).await.expect(200).text, answer.text);
}

#[tokio::test]
async fn a_restricted_account_does_not_hold_up_the_others() {
    let cloud = two_funded().await;
    send(&cloud, &[training("acme", "job-0", 1)]).await.expect(200);
    cloud.restrict("acme", "Unusual consumption.", cloud.now() + SignedDuration::from_secs(1)).await;
    let charges = [training("acme", "job-0", 1), training("globex", "job-0", 1), training("acme", "job-1", 1)];
    let answer = send(&cloud, &charges).await.expect(200);
    assert_eq!(statuses(&answer), [200, 201, 403]);
    let problem = &answer.body["results"][2]["problem"];
    assert_eq!((&problem["code"], &problem["reason"]), (&json!("account_restricted"), &json!("Unusual consumption.")));
}

#[tokio::test]
async fn a_wrong_charge_is_told_its_fields_and_the_others_are_charged() {
    let cloud = funded().await;
    let key = "a text of 1 to 128 visible ASCII characters other than \" \\ , and not only dots";
    for (wrong, field, message) in [
        (
            json!({"operation": "singing", "max_minutes": 1}),
            ".operation",
            "must be one of dubbing, training".to_owned(),
        ),
        (
            json!({"operation": "training", "duration_ms": 1}),
            ".duration_ms",
            "must not be sent: training takes max_minutes alone".to_owned(),
        ),
        (json!({"operation": "training"}), ".max_minutes", "is required: an integer from 1 to 1440".to_owned()),
        (json!({"key": null}), ".key", format!("is required: {key}")),
        (json!({"key": "a b"}), ".key", format!("must be {key}")),
        (json!({"key": ".."}), ".key", format!("must be {key}")),
        (json!({"key": 7}), ".key", format!("must be {key}")),
        (json!({"account": null}), ".account", "is required: the id of an account".to_owned()),
        (json!({"account": 7}), ".account", "must be the id of an account".to_owned()),
        (json!({"reference": ""}), ".reference", "must be a text of 1 to 200 characters".to_owned()),
        (json!({"speed": 1}), ".speed", "is not known here".to_owned()),
        (json!([1]), "", "must be an object".to_owned()),
    ] {
        let charge = match &wrong {
            Value::Object(wrong) => {
                let mut charge = training("acme", "wrong", 1);
                if wrong.contains_key("operation") {
                    charge.as_object_mut().unwrap().remove("max_minutes");
                }
                charge.as_object_mut().unwrap().extend(wrong.clone());
                charge
            }
            other => other.clone(),
        };
        let before = cloud.history("acme").await.len();
        let good = training("acme", &format!("good-{before}"), 1);
        let answer = send(&cloud, &[charge.clone(), good]).await.expect(200);
        assert_eq!(statuses(&answer), [422, 201], "{charge}");
        let error = &answer.body["results"][0]["problem"]["errors"][0];
        assert_eq!(error, &json!({"field": format!("charges[0]{field}"), "message": message}), "{charge}");
        assert_eq!(cloud.history("acme").await.len(), before + 1, "{charge}");
    }
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused_as_a_whole_and_changes_nothing() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    let good = training("acme", "job-1", 1);
    let list = "must be a list of 1 to 100 objects";
    for (body, field, message) in [
        (json!({"charges": []}), "charges", list),
        (json!({"charges": vec![good.clone(); 101]}), "charges", list),
        (json!({"charges": good.clone()}), "charges", list),
        (json!({"charges": "x"}), "charges", list),
        (json!({}), "charges", "is required: a list of 1 to 100 objects"),
        (json!({"charges": null}), "charges", "is required: a list of 1 to 100 objects"),
        (json!({"charges": [good.clone()], "dry_run": true}), "dry_run", "is not known here"),
        (
            json!({"charges": [training("acme", "job-2", 1), good.clone(), training("acme", "job-1", 7)]}),
            "charges[2].key",
            "is the key of charges[1] as well; each key of an account may be there once",
        ),
        (
            json!({"charges": [good.clone(), {"account": "acme", "key": "job-1"}]}),
            "charges[1].key",
            "is the key of charges[0] as well; each key of an account may be there once",
        ),
    ] {
        let refused = send_text(&cloud, body.to_string()).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.field_error(field), message, "{body}");
    }
    for body in ["", "{", "[]", "null", "7", r#"{"charges":[}"#] {
        send_text(&cloud, body).await.expect_problem(400, "malformed_body");
    }
    let query = cloud.request(Method::POST, &format!("{BATCH}?dry_run=1")).bearer_auth(cloud.cloud.service_token());
    let refused = cloud.send(query.json(&json!({"charges": [good]}))).await.expect_problem(422, "invalid_request");
    refused.field_error("dry_run");
    assert_eq!(cloud.footprint(), footprint, "nothing was written");
    assert_eq!(cloud.balance("acme").await, 500);
}

/// R19: a batch may have 1 MB, and its answer stays small whatever was sent.
#[tokio::test]
async fn a_batch_may_have_one_megabyte() {
    let cloud = funded().await;
    let batch = json!({"charges": [training("acme", "job-1", 1)]}).to_string();
    let spaced = |bytes: usize| format!("{}{batch}", " ".repeat(bytes - batch.len()));
    send_text(&cloud, spaced(1024 * 1024 + 1)).await.expect_problem(413, "body_too_large");
    assert_eq!(cloud.balance("acme").await, 500);
    assert_eq!(statuses(&send_text(&cloud, spaced(1024 * 1024)).await.expect(200)), [201]);
    let unknown: Vec<String> = (0..900).map(|number| format!(r#""{number}":1"#)).collect();
    let wrong = format!("{{{}}}", unknown.join(","));
    let answer = send_text(&cloud, format!(r#"{{"charges":[{}]}}"#, vec![wrong; 100].join(","))).await.expect(200);
    assert_eq!(statuses(&answer), vec![422; 100]);
    assert!(answer.text.len() < 300_000, "{}", answer.text.len());
}

#[tokio::test]
async fn the_same_key_of_two_accounts_is_two_charges() {
    let cloud = two_funded().await;
    let charges = [training("acme", "job-1", 1), training("globex", "job-1", 2)];
    assert_eq!(statuses(&send(&cloud, &charges).await.expect(200)), [201, 201]);
    assert_eq!((cloud.balance("acme").await, cloud.balance("globex").await), (490, 480));
}

/// A pending charge needs two items of the transaction, so 49 of them and the account just fit.
#[tokio::test]
async fn a_batch_may_have_pending_charges() {
    let cloud = funded().await;
    cloud.charge("acme", "before-midnight", 1).await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
    let pending = |number: usize| {
        let mut charge = training("acme", &format!("job-{number}"), 1);
        charge["expires_in_seconds"] = json!(60);
        charge
    };
    let recording = cloud.cloud.aws.dynamodb.record();
    let charges: Vec<Value> = (0..49).map(pending).collect();
    let answer = send(&cloud, &charges).await.expect(200);
    assert_eq!(statuses(&answer), [201; 49], "{}", answer.text);
    let transaction = recording.operations().pop().unwrap();
    assert_eq!(transaction.operation.requested_item_count(), 99);
    let first = &answer.body["results"][0]["charge"];
    assert_eq!((&first["status"], &first["balance"]), (&json!("pending"), &json!(480)));
    assert!(first["expires_at"].is_string(), "{first}");

    let path = "/v1/accounts/acme/charges/job-1/void";
    cloud.post(path, &cloud.cloud.service_token(), None, &json!({})).await.expect(201);
    let again = send(&cloud, &[pending(0), pending(1), training("acme", "job-2", 1)]).await.expect(200);
    assert_eq!(statuses(&again), [200, 200, 409], "another request, if it is not pending");
    assert_eq!(&again.body["results"][0]["charge"], first);
    assert_eq!(again.body["results"][1]["charge"]["status"], "voided");
    let mut wrong = pending(50);
    wrong["expires_in_seconds"] = json!(59);
    let answer = send(&cloud, &[wrong]).await.expect(200);
    let error = &answer.body["results"][0]["problem"]["errors"][0];
    assert_eq!(error["field"], "charges[0].expires_in_seconds");
}
