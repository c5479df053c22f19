//! The history and its pages.

use crate::support::{Answer, TestCloud};
use serde_json::{Value, json};

const HISTORY: &str = "/v1/accounts/acme/history";

async fn page(cloud: &TestCloud, query: &str) -> Answer {
    cloud.get(&format!("{HISTORY}?{query}"), &cloud.cloud.customer_token("acme")).await
}

async fn with_charges(charges: usize) -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    for number in 1..=charges {
        cloud.charge("acme", &format!("job-{number}"), 1).await.expect(201);
    }
    cloud
}

fn seqs(data: &[Value]) -> Vec<i64> {
    data.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn every_kind_of_entry_says_what_caused_it() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    assert_eq!(page(&cloud, "").await.expect(200).body, json!({"data": [], "next_cursor": null, "has_more": false}));
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let charge = json!({"operation": "dubbing", "duration_ms": 90_000, "reference": "episode-12"});
    let token = cloud.cloud.service_token();
    cloud.post("/v1/accounts/acme/charges", &token, Some("job-1"), &charge).await.expect(201);
    cloud.post("/v1/accounts/acme/charges/job-1/restore", &token, None, &json!({})).await.expect(201);
    cloud.charge("acme", "job-2", 1).await.expect(201);
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.sweep().await;

    let body = page(&cloud, "").await.expect(200).body;
    let entries = body["data"].as_array().unwrap();
    let (top_up, purchase) = (entries[0]["top_up"].as_str().unwrap(), entries[4]["purchase"].as_str().unwrap());
    let at = "2026-01-05T00:00:00.000Z";
    let expected = json!([
        {"entry": format!("top_up:{top_up}"), "kind": "top_up", "credits": 4_510, "balance_after": 5_000, "seq": 5,
            "created_at": at, "top_up": top_up},
        {"entry": "charge:job-2", "kind": "charge", "credits": -10, "balance_after": 490, "seq": 4, "created_at": at,
            "charge": "job-2", "operation": "training"},
        {"entry": "restore:job-1", "kind": "restore", "credits": 15, "balance_after": 500, "seq": 3, "created_at": at,
            "charge": "job-1"},
        {"entry": "charge:job-1", "kind": "charge", "credits": -15, "balance_after": 485, "seq": 2, "created_at": at,
            "charge": "job-1", "operation": "dubbing", "reference": "episode-12"},
        {"entry": format!("purchase:{purchase}"), "kind": "purchase", "credits": 500, "balance_after": 500, "seq": 1,
            "created_at": at, "purchase": purchase, "package": "credits_500"},
    ]);
    assert_eq!(body, json!({"data": expected, "next_cursor": null, "has_more": false}));
}

#[tokio::test]
async fn pages_follow_one_another_without_a_gap_or_a_double_however_large_they_are() {
    const ENTRIES: i64 = 121;
    let cloud = with_charges(120).await;
    for limit in [1, 11, 50, 100, 40] {
        let (mut seen, mut query) = (vec![], format!("limit={limit}"));
        loop {
            let body = page(&cloud, &query).await.expect(200).body;
            let data = body["data"].as_array().unwrap();
            seen.extend(seqs(data));
            let more = i64::try_from(seen.len()).unwrap() < ENTRIES;
            assert_eq!(body["has_more"], more, "{query}");
            assert_eq!(data.len(), limit.min(data.len()), "{query}");
            if !more {
                assert_eq!(body["next_cursor"], Value::Null, "{query}");
                break;
            }
            assert_eq!(data.len(), limit, "{query}");
            query = format!("limit={limit}&cursor={}", body["next_cursor"].as_str().unwrap());
            if limit == 40 {
                // A new entry is newer than all of the following pages.
                let key = format!("meanwhile-{}", seen.len());
                cloud.charge("acme", &key, 1).await.expect(201);
            }
        }
        assert_eq!(seen, (1..=ENTRIES).rev().collect::<Vec<_>>(), "{limit}");
    }
    assert_eq!(page(&cloud, "").await.expect(200).body["data"].as_array().unwrap().len(), 20, "without a limit");
    let beyond = page(&cloud, "cursor=1000000&limit=2").await.expect(200).body;
    assert_eq!(seqs(beyond["data"].as_array().unwrap()).len(), 2, "from the newest entry");
    let before_all = page(&cloud, "cursor=1").await.expect(200).body;
    assert_eq!(before_all, json!({"data": [], "next_cursor": null, "has_more": false}));
}

#[tokio::test]
async fn limits_and_cursors_that_are_none_are_refused() {
    let cloud = with_charges(1).await;
    for limit in ["0", "101", "-1", "1.5", "ten", "", "%20", "1e1", "99999999999999999999"] {
        let answer = page(&cloud, &format!("limit={limit}")).await;
        assert_eq!(answer.status, 422, "{limit:?}: {}", answer.text);
        let message = answer.expect_problem(422, "invalid_request").field_error("limit");
        assert_eq!(message, "must be an integer from 1 to 100", "{limit:?}");
    }
    for cursor in ["0", "-1", "abc", "", "1.0", "99999999999999999999", "%00", "1%20OR%201"] {
        let answer = page(&cloud, &format!("cursor={cursor}")).await;
        assert_eq!(answer.status, 422, "{cursor:?}: {}", answer.text);
        answer.expect_problem(422, "invalid_request").field_error("cursor");
    }
    // R26: a misspelled parameter is refused instead of returning the first page again and again.
    for (query, field) in [("cursr=5", "cursr"), ("limit=5&limit=7", "limit"), ("cursor=2&cursor=2", "cursor")] {
        page(&cloud, query).await.expect_problem(422, "invalid_request").field_error(field);
    }
    let both = page(&cloud, "limit=0&cursor=x&page=2").await.expect_problem(422, "invalid_request");
    assert_eq!(both.body["errors"].as_array().unwrap().len(), 3, "all errors are reported: {}", both.text);
}
