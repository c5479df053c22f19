//! A company's own price book: other operations, measured otherwise, and what becomes of earlier charges.

use super::{Answer, TestCloud, post};
use crate::support::options;
use prepaid_local::cloud::Options;
use serde_json::{Value, json};
use shared::config::parse_price_book;
use shared::domain::PriceBook;
use std::path::Path;

fn speech(version: &str, credits_per_unit: i64) -> Value {
    json!({
        "version": version,
        "operations": [
            {"operation": "speech", "description": "Speech, per 1,000 characters", "measure": "quantity",
             "credits_per_unit": credits_per_unit, "unit_size": 1_000, "amount_max": 5_000},
            {"operation": "image", "description": "One image", "measure": "quantity", "credits_per_unit": 4,
             "credits_min": 8, "amount_min": 2, "amount_max": 10}
        ],
    })
}

async fn selling_from(book: Option<&Value>, data: &Path) -> TestCloud {
    let price_book = book.map(Value::to_string);
    TestCloud::start_with(Options { price_book, data: Some(data.to_owned()), ..options() }).await.unwrap()
}

async fn quote(cloud: &TestCloud, operation: &Value) -> Answer {
    cloud.post("/v1/quotes", &cloud.cloud.service_token(), None, &json!({"operations": [operation]})).await
}

#[tokio::test]
async fn any_metered_api_is_a_price_book_away() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = selling_from(Some(&speech("2026-12", 3)), folder.path()).await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    for (body, credits) in [
        (json!({"operation": "speech", "quantity": 1}), 1),
        (json!({"operation": "speech", "quantity": 1_000}), 3),
        (json!({"operation": "speech", "quantity": 1_001}), 4),
        (json!({"operation": "image", "quantity": 2}), 8),
        (json!({"operation": "image", "quantity": 3}), 12),
    ] {
        assert_eq!(quote(&cloud, &body).await.expect(200).body["credits"], credits, "{body}");
        let key = body.to_string().replace(['"', ','], "");
        assert_eq!(post(&cloud, "acme", &key, &body).await.expect(201).body["credits"], credits, "{body}");
    }
    for (body, field, message) in [
        (json!({"operation": "speech", "quantity": 5_001}), "quantity", "must be an integer from 1 to 5000"),
        (json!({"operation": "image", "quantity": 1}), "quantity", "must be an integer from 2 to 10"),
        (
            json!({"operation": "speech", "duration_ms": 1}),
            "duration_ms",
            "must not be sent: speech takes quantity alone",
        ),
        (json!({"operation": "dubbing", "duration_ms": 1}), "operation", "must be one of speech, image"),
    ] {
        let answer = post(&cloud, "acme", "wrong", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(answer.field_error(field), message, "{body}");
    }
    assert_eq!(cloud.balance("acme").await, 500 - 1 - 3 - 4 - 8 - 12);
}

/// Rule 3 outlives the price book.
#[tokio::test]
async fn a_charge_is_answered_again_after_its_operation_is_no_longer_sold() {
    let folder = tempfile::tempdir().unwrap();
    let dubbing = json!({"operation": "dubbing", "duration_ms": 90_000, "reference": "episode-12"});
    let first = {
        let cloud = selling_from(None, folder.path()).await;
        cloud.open_account("acme").await;
        cloud.buy("acme", "credits_500", "4242424242424242").await;
        post(&cloud, "acme", "job-1", &dubbing).await.expect(201)
    };
    let cloud = selling_from(Some(&speech("2", 3)), folder.path()).await;
    let books = cloud.books();
    // Not through the test's own client, which refuses what the new book's description does not have.
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/accounts/acme/charges", cloud.cloud.urls.api))
        .bearer_auth(cloud.cloud.service_token())
        .header("Idempotency-Key", "job-1")
        .json(&dubbing)
        .send();
    let answer = answer.await.unwrap();
    assert!(answer.headers().contains_key("idempotent-replayed"));
    assert_eq!(answer.text().await.unwrap(), first.text);
    for (key, body) in [
        ("job-2", dubbing.clone()),
        ("job-1", json!({"operation": "dubbing", "duration_ms": 90_001, "reference": "episode-12"})),
        ("job-1", json!({"operation": "dubbing", "duration_ms": 90_000, "reference": "episode-12", "speed": 1})),
    ] {
        post(&cloud, "acme", key, &body).await.expect_problem(422, "invalid_request");
    }
    post(&cloud, "acme", "job-1", &json!({"operation": "speech", "quantity": 1}))
        .await
        .expect_problem(409, "idempotency_key_reused");
    let charge = |key: &str, duration_ms: i64| {
        json!({"account": "acme", "key": key, "operation": "dubbing", "duration_ms": duration_ms,
            "reference": "episode-12"})
    };
    let charges = [charge("job-1", 90_000), charge("job-2", 90_000), charge("job-3", 90_001)];
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/charges/batch", cloud.cloud.urls.api))
        .bearer_auth(cloud.cloud.service_token())
        .json(&json!({ "charges": charges }))
        .send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    assert_eq!(answer["results"][0], json!({"status": 200, "charge": first.body}));
    assert_eq!((&answer["results"][1]["status"], &answer["results"][2]["status"]), (&json!(422), &json!(422)));
    assert_eq!(cloud.books(), books, "nothing was written but the refusal");
}

#[tokio::test]
async fn a_charge_is_answered_again_after_its_price_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let body = json!({"operation": "speech", "quantity": 5_000});
    let first = {
        let cloud = selling_from(Some(&speech("1", 3)), folder.path()).await;
        cloud.open_account("acme").await;
        cloud.buy("acme", "credits_500", "4242424242424242").await;
        post(&cloud, "acme", "job-1", &body).await.expect(201)
    };
    assert_eq!(first.body["credits"], 15);
    let cloud = selling_from(Some(&speech("2", 4)), folder.path()).await;
    assert_eq!(post(&cloud, "acme", "job-1", &body).await.expect(200).text, first.text);
    assert_eq!(post(&cloud, "acme", "job-2", &body).await.expect(201).body["credits"], 20);
}

/// What a company reads can be written down as its own book.
#[tokio::test]
async fn the_price_book_is_shown_in_the_form_in_which_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for book in [None, Some(speech("2026-12", 3))] {
        let cloud = selling_from(book.as_ref(), folder.path()).await;
        let token = cloud.cloud.customer_token("acme");
        let mut shown = cloud.get("/v1/price-book", &token).await.expect(200).body;
        let expected = match &book {
            Some(book) => parse_price_book(&book.to_string()).unwrap(),
            None => PriceBook {
                version: shared::domain::PriceBookVersion::parse("copy").unwrap(),
                ..PriceBook::reference()
            },
        };
        if book.is_none() {
            assert_eq!(shown["version"], PriceBook::REFERENCE_VERSION);
            shown["version"] = json!("copy");
        }
        assert_eq!(parse_price_book(&shown.to_string()).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_book_that_cannot_be_sold_from_is_refused_at_the_start() {
    let mut book = speech("2026-12", 0);
    let start = |book: &Value| TestCloud::start_with(Options { price_book: Some(book.to_string()), ..options() });
    let error = start(&book).await.err().unwrap();
    assert!(format!("{error:?} {error}").contains("operations[0].credits_per_unit"), "{error:?}");
    book["operations"][0]["credits_per_unit"] = json!(1);
    start(&book).await.unwrap();
}
