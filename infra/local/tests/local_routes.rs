//! The routes that only the local cloud has, asked over its socket.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use prepaid_local::clock::MovableClock;
use prepaid_local::cloud::{LocalCloud, Options};
use reqwest::header::{CONTENT_TYPE, HOST, ORIGIN};
use serde_json::{Value, json};
use std::sync::Arc;

async fn cloud() -> Arc<LocalCloud> {
    let start = "2026-11-22T10:00:00Z".parse().unwrap();
    LocalCloud::start(Options::new(MovableClock::standing(start))).await.unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn asked(request: reqwest::RequestBuilder) -> (u16, String, Value) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let kind = headers.get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap()).to_owned();
    (status, kind, response.json().await.unwrap())
}

// R31
#[tokio::test]
async fn the_clock_moves_by_days_weeks_and_years_and_says_where_it_is() {
    let cloud = cloud().await;
    let url = format!("{}/_local/clock", cloud.urls.api);
    for (by, now) in [
        ("30m", "2026-11-22T10:30:00.000Z"),
        ("PT6H", "2026-11-22T16:30:00.000Z"),
        ("1d", "2026-11-23T16:30:00.000Z"),
        ("1w", "2026-11-30T16:30:00.000Z"),
        ("P1D", "2026-12-01T16:30:00.000Z"),
        ("1y", "2027-12-01T16:30:00.000Z"),
    ] {
        let (status, _, body) = asked(client().post(&url).body(json!({ "advance": by }).to_string())).await;
        assert_eq!((status, body["now"].as_str()), (200, Some(now)), "{by}: {body}");
    }
}

// R31
#[tokio::test]
async fn what_cannot_be_read_or_done_is_a_problem_document_in_our_own_words() {
    let cloud = cloud().await;
    for (path, body, status) in [
        ("clock", "", 422),
        ("clock", "advance=1d", 422),
        ("clock", r#"{"advance":"tomorrow"}"#, 422),
        ("clock", r#"{"advance":"-1d"}"#, 422),
        ("clock", r#"{"advance":"9000y"}"#, 422),
        ("clock", r#"{"to":"2020-01-01T00:00:00Z"}"#, 422),
        ("clock", r#"{"by":"1d"}"#, 422),
        ("tokens", "[]", 422),
        ("tokens", r#"{"subject":"beta"}"#, 422),
    ] {
        let request = client().post(format!("{}/_local/{path}", cloud.urls.api)).body(body);
        let (answered, kind, problem) = asked(request).await;
        assert_eq!((answered, kind.as_str()), (status, "application/problem+json"), "{body}");
        assert_eq!((problem["status"].as_u64(), problem["type"].as_str()), (Some(status.into()), Some("about:blank")));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("The ") && !detail.contains("line 1"), "{detail}");
    }
}

// R32
#[tokio::test]
async fn nobody_gets_a_token_by_another_name_or_from_another_page() {
    let cloud = cloud().await;
    let url = format!("{}/_local/tokens", cloud.urls.api);
    let ask = || client().post(&url).body(r#"{"subject":"service","scopes":["credits/service"]}"#);
    let (status, _, body) = asked(ask().header(ORIGIN, &cloud.urls.api)).await;
    assert!(status == 200 && body["token"].is_string());
    for foreign in [ask().header(HOST, "shop.example"), ask().header(ORIGIN, "https://shop.example")] {
        let (status, kind, body) = asked(foreign).await;
        assert_eq!((status, kind.as_str()), (403, "application/problem+json"));
        assert_eq!(body["token"], Value::Null);
    }
}
