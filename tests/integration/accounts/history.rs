//! The history, its pages, its filters and its explanations.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
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
    let first = cloud.post("/v1/accounts/acme/charges", &token, Some("job-1"), &charge).await.expect(201);
    // A replay is another request, and the entry keeps the first one.
    let again = cloud.post("/v1/accounts/acme/charges", &token, Some("job-1"), &charge).await.expect(200);
    assert_ne!(first.request_id(), again.request_id());
    cloud.post("/v1/accounts/acme/charges/job-1/restore", &token, None, &json!({})).await.expect(201);
    let second = cloud.charge("acme", "job-2", 1).await.expect(201);
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.sweep().await;

    let body = page(&cloud, "").await.expect(200).body;
    let entries = body["data"].as_array().unwrap();
    let (top_up, purchase) = (entries[0]["top_up"].as_str().unwrap(), entries[4]["purchase"].as_str().unwrap());
    let at = "2026-01-05T00:00:00.000Z";
    let price = |unit_size: i64| json!({"price_book": "reference-1", "credits_per_unit": 10, "unit_size": unit_size, "credits_min": 10});
    let expected = json!([
        {"entry": format!("top_up:{top_up}"), "kind": "top_up", "credits": 4_510, "balance_after": 5_000, "seq": 5,
            "created_at": at, "top_up": top_up},
        {"entry": "charge:job-2", "kind": "charge", "credits": -10, "balance_after": 490, "seq": 4, "created_at": at,
            "charge": "job-2", "operation": "training", "max_minutes": 1, "billed_max_minutes": 1, "price": price(1),
            "request_id": second.request_id()},
        {"entry": "restore:job-1", "kind": "restore", "credits": 15, "balance_after": 500, "seq": 3, "created_at": at,
            "charge": "job-1"},
        {"entry": "charge:job-1", "kind": "charge", "credits": -15, "balance_after": 485, "seq": 2, "created_at": at,
            "charge": "job-1", "operation": "dubbing", "reference": "episode-12", "duration_ms": 90_000,
            "billed_duration_ms": 90_000, "price": price(60_000), "request_id": first.request_id()},
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

/// Six charges, an hour apart from one another, of two spenders and two operations; one is restored.
async fn varied() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    let token = cloud.cloud.service_token();
    for number in 1..=6 {
        cloud.cloud.clock.advance(SignedDuration::from_hours(1)).unwrap();
        let mut charge = json!({"operation": "dubbing", "duration_ms": number * 30_000, "spender": "key-1"});
        if number % 2 == 0 {
            charge = json!({"operation": "training", "max_minutes": number, "spender": "key-2", "reference": "=1+1"});
        }
        let key = format!("job-{number}");
        cloud.post("/v1/accounts/acme/charges", &token, Some(&key), &charge).await.expect(201);
    }
    cloud.post("/v1/accounts/acme/charges/job-1/restore", &token, None, &json!({})).await.expect(201);
    cloud
}

#[tokio::test]
async fn a_filter_leaves_what_has_every_value_that_is_asked_for() {
    let cloud = varied().await;
    for (query, expected) in [
        ("", vec![8, 7, 6, 5, 4, 3, 2, 1]),
        ("kind=charge", vec![7, 6, 5, 4, 3, 2]),
        ("kind=purchase", vec![1]),
        ("kind=top_up", vec![]),
        ("operation=training", vec![7, 5, 3]),
        ("operation=singing", vec![]),
        ("spender=key-1", vec![6, 4, 2]),
        ("spender=key-2&operation=dubbing", vec![]),
        ("reference=%3D1%2B1", vec![7, 5, 3]),
        ("seq=4", vec![4]),
        ("seq=9", vec![]),
        ("seq=4&cursor=4", vec![]),
        ("from=2026-01-05T03:00:00Z", vec![8, 7, 6, 5, 4]),
        ("to=2026-01-05T03:00:00Z", vec![3, 2, 1]),
        ("from=2026-01-05T03:00:00%2B01:00&to=2026-01-05T03:00:00.001Z", vec![4, 3]),
        ("from=2030-01-01T00:00:00Z", vec![]),
        ("to=1970-01-01T00:00:00Z", vec![]),
        ("kind=charge&spender=key-2&from=2026-01-05T03:00:00Z", vec![7, 5]),
    ] {
        let body = page(&cloud, query).await.expect(200).body;
        assert_eq!(seqs(body["data"].as_array().unwrap()), expected, "{query}");
        assert_eq!((&body["next_cursor"], &body["has_more"]), (&Value::Null, &json!(false)), "{query}");
        // The same, one by one.
        let (mut seen, mut cursor) = (vec![], String::new());
        for _ in 0..20 {
            let body = page(&cloud, &format!("{query}&limit=1{cursor}")).await.expect(200).body;
            seen.extend(seqs(body["data"].as_array().unwrap()));
            let Some(next) = body["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            if query.contains("cursor") {
                break;
            }
        }
        if !query.contains("cursor") {
            assert_eq!(seen, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn filters_that_are_none_are_refused() {
    let cloud = with_charges(1).await;
    for (query, field) in [
        ("kind=gift", "kind"),
        ("kind=", "kind"),
        ("operation=Dubbing", "operation"),
        ("spender=a%20b", "spender"),
        ("reference=", "reference"),
        ("reference=%00", "reference"),
        ("from=yesterday", "from"),
        ("from=2026-01-05", "from"),
        ("from=2026-01-05T00:00:00", "from"),
        ("to=1969-12-31T23:59:59Z", "to"),
        ("to=2026-13-01T00:00:00Z", "to"),
        ("from=2026-01-05T00:00:00Z&to=2026-01-05T00:00:00Z", "to"),
        ("seq=0", "seq"),
        ("seq=1.5", "seq"),
        ("kind=charge&kind=charge", "kind"),
    ] {
        page(&cloud, query).await.expect_problem(422, "invalid_request").field_error(field);
    }
}

async fn explained(cloud: &TestCloud, seq: &str) -> Answer {
    cloud.get(&format!("{HISTORY}/{seq}"), &cloud.cloud.customer_token("acme")).await
}

#[tokio::test]
async fn an_entry_is_explained_in_numbers_and_a_sentence() {
    let cloud = varied().await;
    let token = cloud.cloud.service_token();
    let charge = explained(&cloud, "2").await.expect(200).body;
    assert_eq!(charge["explanation"], "30 s of audio, billed at the minimum: 10 credits.");
    assert_eq!((&charge["balance_before"], &charge["balance_after"]), (&json!(5_000), &json!(4_990)));
    assert_eq!((&charge["duration_ms"], &charge["billed_duration_ms"]), (&json!(30_000), &json!(60_000)));
    assert_eq!((&charge["status"], &charge["price"]["price_book"]), (&json!("restored"), &json!("reference-1")));
    let restored = &charge["related"][0];
    assert_eq!(
        (&restored["entry"], &restored["seq"], &restored["credits"]),
        (&json!("restore:job-1"), &json!(8), &json!(10))
    );
    assert_eq!(restored["explanation"], "Charge job-1 was restored: 10 credits given back.");
    let restore = explained(&cloud, "8").await.expect(200).body;
    assert_eq!((&restore["related"][0]["seq"], restore.get("status")), (&json!(2), None));
    let training = explained(&cloud, "3").await.expect(200).body;
    assert_eq!(training["explanation"], "2 minutes declared, billed as 2 minutes: 20 credits.");
    assert_eq!((&training["status"], &training["related"]), (&json!("posted"), &json!([])));
    assert_eq!(
        explained(&cloud, "1").await.expect(200).body["explanation"],
        "Package credits_5000 was bought: 5,000 credits added."
    );

    let pending = json!({"operation": "dubbing", "duration_ms": 600_000, "expires_in_seconds": 60});
    for key in ["part", "whole", "void", "expired", "open"] {
        cloud.post("/v1/accounts/acme/charges", &token, Some(key), &pending).await.expect(201);
    }
    let end = async |path: &str, body: Value| {
        cloud.post(&format!("/v1/accounts/acme/charges/{path}"), &token, None, &body).await.expect(201);
    };
    end("part/capture", json!({"duration_ms": 90_001})).await;
    end("part/restore", json!({})).await;
    end("whole/capture", json!({})).await;
    end("void/void", json!({})).await;
    let seq_of = async |kind: &str| {
        let data = page(&cloud, &format!("kind={kind}")).await.expect(200).body["data"].clone();
        data[0]["seq"].to_string()
    };
    let capture = explained(&cloud, &seq_of("capture").await).await.expect(200).body;
    let expected = "Captured: 1 min 30.001 s of audio, billed as 90.001 s: 16 credits kept, 84 credits given back.";
    assert_eq!((&capture["explanation"], &capture["related"][0]["seq"]), (&json!(expected), &json!(9)));
    cloud.advance(SignedDuration::from_secs(61)).await;
    let kinds = |body: &Value| {
        let related =
            body["related"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap().to_owned());
        (body["status"].as_str().unwrap().to_owned(), related.collect::<Vec<_>>())
    };
    for (seq, status, related) in [
        ("9", "restored", vec!["capture", "restore"]),
        ("10", "posted", vec![]),
        ("11", "voided", vec!["void"]),
        ("12", "expired", vec!["expiry"]),
        ("13", "expired", vec!["expiry"]),
    ] {
        let body = explained(&cloud, seq).await.expect(200).body;
        assert_eq!(kinds(&body), (status.to_owned(), related.into_iter().map(str::to_owned).collect()), "{seq}");
        assert_eq!(body["explanation"], "10 min of audio, billed as 600 s: 100 credits.");
    }
    for seq in ["0", "99", "-1", "01", "1.0", "x", "9999999999999999999"] {
        explained(&cloud, seq).await.expect_problem(404, "not_found");
    }
}

async fn csv(cloud: &TestCloud, query: &str) -> Answer {
    let request = cloud.request(reqwest::Method::GET, &format!("{HISTORY}?{query}"));
    cloud.send(request.bearer_auth(cloud.cloud.customer_token("acme")).header("Accept", "text/csv")).await
}

#[tokio::test]
async fn the_history_as_csv_is_one_file_page_by_page() {
    let cloud = varied().await;
    let whole = csv(&cloud, "").await.expect(200);
    assert_eq!(whole.content_type, "text/csv; charset=utf-8; header=present");
    assert_eq!(whole.headers.get("link"), None);
    let (mut pages, mut query, mut count) = (String::new(), "limit=3&kind=charge".to_owned(), 0);
    loop {
        let page = csv(&cloud, &query).await.expect(200);
        let header = if count == 0 { "present" } else { "absent" };
        assert_eq!(page.content_type, format!("text/csv; charset=utf-8; header={header}"));
        (pages, count) = (pages + &page.text, count + 1);
        let Some(link) = page.headers.get("link") else { break };
        query = link.strip_prefix("<?").unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert!(query.starts_with("limit=3&kind=charge&cursor="), "{query}");
    }
    assert_eq!(pages, csv(&cloud, "kind=charge").await.expect(200).text);
    let lines: Vec<&str> = whole.text.split("\r\n").collect();
    assert_eq!((lines.len(), lines.last()), (10, Some(&"")), "eight entries and the header, each ended");
    let rows: Vec<Vec<&str>> = lines[..9].iter().map(|line| line.split(',').collect()).collect();
    let cell = |row: usize, name: &str| {
        let column = rows[0].iter().position(|known| *known == name).unwrap();
        rows[row][column]
    };
    assert_eq!((cell(2, "seq"), cell(2, "credits"), cell(2, "max_minutes")), ("7", "-60", "6"));
    assert_eq!((cell(2, "reference"), cell(2, "spender")), ("'=1+1", "key-2"), "no spreadsheet runs it");
    assert_eq!((cell(3, "duration_ms"), cell(3, "billed_duration_ms"), cell(3, "reference")), ("150000", "150000", ""));
    csv(&cloud, "limit=1001").await.expect_problem(422, "invalid_request").field_error("limit");
    csv(&cloud, "limit=1000").await.expect(200);
}
