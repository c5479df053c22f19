//! The settings of automatic top-ups: what is shown before they are turned on, what is refused, and what is stored.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use serde_json::{Value, json};

const AUTO_TOP_UP: &str = "/v1/accounts/acme/auto-top-up";

async fn opened() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud
}

async fn set(cloud: &TestCloud, body: &Value) -> Answer {
    cloud.put(AUTO_TOP_UP, &cloud.cloud.customer_token("acme"), body).await
}

async fn read(cloud: &TestCloud, query: &str) -> Answer {
    cloud.get(&format!("{AUTO_TOP_UP}{query}"), &cloud.cloud.customer_token("acme")).await
}

fn on(threshold: i64, target: i64) -> Value {
    let consent = json!({"text_version": 3, "accepted_by": "ada@acme.example"});
    json!({"enabled": true, "threshold": threshold, "target": target, "consent": consent})
}

fn never_chosen() -> Value {
    json!({
        "enabled": false, "threshold": null, "target": null, "monthly_cap": null, "consent": null, "text_version": 3,
        "worst_case_text": null, "changed_by": null, "changed_at": null, "off_reason": null, "payment_issue": null, "last_top_up_at": null, "last_top_up": null, "check": null,
        "next_top_up": {
            "would_charge_now": false, "state": "off", "reason": "not_turned_on", "credits": null, "price": null,
            "currency": "USD", "payment_method": null, "card": null, "next_check_at": null, "next_eligible_at": null,
        },
        "limits": {
            "threshold_min": 100, "threshold_max": 99_000, "target_min": 1_100, "target_max": 100_000, "gap_min": 1_000,
            "max_per_month_min": 1_000, "max_per_month_max": 700_000_000_000_i64,
        },
    })
}

/// R5: the text names the bound within which a card is charged, tax included.
#[tokio::test]
async fn what_was_never_chosen_is_off_and_the_worst_case_can_be_seen_beforehand() {
    let cloud = opened().await;
    let footprint = cloud.footprint();
    assert_eq!(read(&cloud, "").await.expect(200).body, never_chosen());
    for (query, once, a_day) in [
        (
            "?threshold=1000&target=10000",
            "at most $100.00\u{a0}USD at a time plus tax, and never more than $130.00\u{a0}USD in all",
            "at most $520.00\u{a0}USD a day",
        ),
        (
            "?threshold=100&target=1100",
            "at most $11.00\u{a0}USD at a time plus tax, and never more than $14.30\u{a0}USD in all",
            "at most $57.20\u{a0}USD a day",
        ),
        (
            "?threshold=99000&target=100000",
            "at most $1,000.00\u{a0}USD at a time plus tax, and never more than $1,300.00\u{a0}USD in all",
            "at most $5,200.00\u{a0}USD a day",
        ),
    ] {
        let mut body = read(&cloud, query).await.expect(200).body;
        let text = body["worst_case_text"].take();
        let text = text.as_str().unwrap();
        assert!(text.contains(once) && text.contains(a_day) && text.contains("4 times a day"), "{text}");
        assert_eq!(body["next_top_up"]["reason"].take(), "no_card", "as if it was on");
        body["next_top_up"]["reason"] = json!("not_turned_on");
        assert_eq!(body, never_chosen(), "reading changes nothing");
    }
    for query in ["?threshold=1000", "?target=10000"] {
        assert_eq!(read(&cloud, query).await.expect(200).body, never_chosen(), "half a choice has no worst case");
    }
    let threshold = "must be an integer from 100 to 99000";
    let target = "must be an integer from 1100 to 100000";
    for (query, field, message) in [
        ("?threshold=99&target=10000", "threshold", threshold),
        ("?threshold=99001&target=100000", "threshold", threshold),
        ("?threshold=ten&target=10000", "threshold", threshold),
        ("?threshold=&target=10000", "threshold", threshold),
        ("?threshold=1000&target=1099", "target", target),
        ("?threshold=1000&target=100001", "target", target),
        ("?threshold=1000&target=1e4", "target", target),
        // R28: settings that could not be saved have no consent text.
        ("?threshold=5000&target=5999", "target", "must be at least 1000 above threshold, that is from 6000"),
        // R26.
        ("?treshold=1000&target=10000", "treshold", "is not a parameter of this request"),
        ("?target=10000&target=20000&threshold=1000", "target", "must be sent once"),
    ] {
        let answer = read(&cloud, query).await;
        assert_eq!(answer.status, 422, "{query}: {}", answer.text);
        assert_eq!(answer.expect_problem(422, "invalid_request").field_error(field), message, "{query}");
    }
    assert_eq!(cloud.footprint(), footprint);
}

#[tokio::test]
async fn the_consent_is_kept_word_for_word_with_who_gave_it_and_when() {
    let cloud = opened().await;
    let shown = read(&cloud, "?threshold=1000&target=10000").await.expect(200).body["worst_case_text"].clone();
    let chosen = set(&cloud, &on(1_000, 10_000)).await.expect(200).body;
    let consent = json!({
        "text_version": 3, "text": shown, "accepted_by": "ada@acme.example", "accepted_at": "2026-01-05T00:00:00.000Z",
    });
    let mut expected = never_chosen();
    for (name, value) in [
        ("enabled", json!(true)),
        ("threshold", json!(1_000)),
        ("target", json!(10_000)),
        ("consent", consent.clone()),
        ("worst_case_text", shown.clone()),
        ("changed_by", json!("ada@acme.example")),
        ("changed_at", json!("2026-01-05T00:00:00.000Z")),
    ] {
        expected[name] = value;
    }
    expected["next_top_up"]["reason"] = json!("no_card");
    assert_eq!(chosen, expected);
    assert_eq!(read(&cloud, "").await.expect(200).body, expected);

    cloud.cloud.clock.advance(SignedDuration::from_hours(1)).unwrap();
    let off = set(&cloud, &json!({"enabled": false, "changed_by": "grace@acme.example"})).await.expect(200).body;
    expected["enabled"] = json!(false);
    expected["changed_by"] = json!("grace@acme.example");
    expected["changed_at"] = json!("2026-01-05T01:00:00.000Z");
    expected["off_reason"] = json!("requested");
    expected["next_top_up"]["reason"] = json!("not_turned_on");
    assert_eq!(off, expected, "settings and consent are kept for the next time");

    let preview = read(&cloud, "?threshold=2000&target=20000").await.expect(200).body;
    assert_eq!(preview["consent"], consent);
    assert_ne!(preview["worst_case_text"], shown);
    let items = cloud.footprint().0;
    let again = set(&cloud, &on(2_000, 20_000)).await.expect(200).body;
    assert_eq!(again["consent"]["text"], preview["worst_case_text"]);
    assert_eq!(again["consent"]["accepted_at"], "2026-01-05T01:00:00.000Z");
    assert_eq!(cloud.footprint().0[0].1, items[0].1 + 1, "the earlier consent is kept with the new one");
}

#[tokio::test]
async fn a_monthly_cap_is_shown_beforehand_and_kept_in_the_words_of_the_consent() {
    let cloud = opened().await;
    let (mut capped, query) = (on(1_000, 10_000), "?threshold=1000&target=10000&max_per_month=20000");
    capped["max_per_month"] = json!(20_000);
    let shown = read(&cloud, query).await.expect(200).body;
    assert_eq!(shown["monthly_cap"], json!(null), "reading changes nothing");
    let text = shown["worst_case_text"].as_str().unwrap();
    let promised = "at most $200.00\u{a0}USD a month plus tax, and never more than $260.00\u{a0}USD a month in all";
    assert!(text.contains(promised) && text.contains("leaves less than $10.00\u{a0}USD"), "{text}");
    let chosen = set(&cloud, &capped).await.expect(200).body;
    assert_eq!(chosen["consent"]["text"].as_str(), Some(text));
    let cap = json!({
        "max": 20_000, "used": 0, "left": 20_000, "top_up_min": 1_000, "currency": "USD",
        "starts_again_at": "2026-02-01T00:00:00.000Z",
    });
    assert_eq!(chosen["monthly_cap"], cap);
    let off = set(&cloud, &json!({"enabled": false, "max_per_month": "x"})).await.expect(200).body;
    assert_eq!(off["monthly_cap"], cap, "it is kept for the next time");
    let without = set(&cloud, &on(1_000, 10_000)).await.expect(200).body;
    assert_eq!(without["monthly_cap"], json!(null), "settings are replaced as a whole");

    let footprint = cloud.footprint();
    let (steps, range) = ("must be an integer from 1000 to 700000000000", "must be an integer from 0 to 700000000000");
    for (value, message) in [
        (json!(999), steps),
        (json!(0), steps),
        (json!(-1), range),
        (json!(700_000_000_001_i64), range),
        (json!(1_000.5), range),
        (json!("20000"), range),
        (json!([]), range),
    ] {
        capped["max_per_month"] = value;
        let told = set(&cloud, &capped).await.expect_problem(422, "invalid_request").field_error("max_per_month");
        assert!(told.starts_with(message), "{capped}: {told}");
    }
    for (query, message) in [("999", steps), ("-1", range), ("1e4", range)] {
        let query = format!("?threshold=1000&target=10000&max_per_month={query}");
        let told = read(&cloud, &query).await.expect_problem(422, "invalid_request").field_error("max_per_month");
        assert!(told.starts_with(message), "{query}: {told}");
    }
    assert_eq!(cloud.footprint(), footprint);
}

#[tokio::test]
async fn the_bounds_themselves_may_be_chosen() {
    let cloud = opened().await;
    for (threshold, target) in [(100, 1_100), (99_000, 100_000), (100, 100_000), (101, 1_101)] {
        let chosen = set(&cloud, &on(threshold, target)).await.expect(200).body;
        assert_eq!((&chosen["threshold"], &chosen["target"]), (&json!(threshold), &json!(target)));
    }
}

#[tokio::test]
async fn whatever_is_not_as_it_must_be_is_refused_and_changes_nothing() {
    let cloud = opened().await;
    set(&cloud, &on(1_000, 10_000)).await.expect(200);
    let (before, footprint) = (read(&cloud, "").await.text, cloud.footprint());
    let with = |name: &str, value: Value| {
        let mut body = on(1_000, 10_000);
        body[name] = value;
        body
    };
    let consent = |value: Value| with("consent", value);
    let by = |accepted_by: Value| consent(json!({"text_version": 3, "accepted_by": accepted_by}));
    let version = |text_version: Value| consent(json!({"text_version": text_version, "accepted_by": "ada"}));
    let threshold = "must be an integer from 100 to 99000";
    let target = "must be an integer from 1100 to 100000";
    let mut cases = vec![
        (on(99, 10_000), "threshold", threshold),
        (on(99_001, 100_000), "threshold", threshold),
        (on(-1, 10_000), "threshold", threshold),
        (on(i64::MIN, 10_000), "threshold", threshold),
        (on(99, 0), "threshold", threshold),
        (on(100, 1_099), "target", target),
        (on(100, 100_001), "target", target),
        (on(100, i64::MAX), "target", target),
        (on(101, 1_100), "target", "must be at least 1000 above threshold, that is from 1101"),
        (on(10_000, 10_000), "target", "must be at least 1000 above threshold, that is from 11000"),
        (on(99_000, 1_100), "target", "must be at least 1000 above threshold, that is from 100000"),
        (json!({"enabled": true, "threshold": 1_000, "target": 10_000}), "consent", "to switch automatic top-ups on"),
        (consent(Value::Null), "consent", "to switch automatic top-ups on"),
        (version(json!(0)), "consent.text_version", "must be 3, the version shown now"),
        (version(json!(2)), "consent.text_version", "must be 3, the version shown now"),
        (version(json!(-1)), "consent.text_version", "must be 3, the version shown now"),
        (json!({"enabled": true, "target": 10_000}), "threshold", "is required: an integer from 100 to 99000"),
        (json!({"enabled": true, "threshold": 1_000}), "target", "is required: an integer from 1100 to 100000"),
        // R20: the error for a missing field names the field where it belongs.
        (json!({}), "enabled", "is required: true or false"),
        (consent(json!([1, "ada"])), "consent", "must be an object"),
        (consent(json!({"text_version": 3})), "consent.accepted_by", "is required: a text of 1 to 100 bytes"),
        (consent(json!({"accepted_by": "ada"})), "consent.text_version", "is required: an integer"),
        (consent(json!({"text_version": 3, "accepted_by": "ada", "x": 1})), "consent.x", "is not known here"),
        (with("currency", json!("eur")), "currency", "is not known here"),
    ];
    for value in [json!("true"), json!(1), json!(null), json!({})] {
        cases.push((with("enabled", value), "enabled", "true or false"));
    }
    for value in [json!("1000"), json!(1_000.5), json!(1_000.0), json!(true), json!([1_000]), json!(u64::MAX)] {
        cases.push((with("threshold", value.clone()), "threshold", threshold));
        cases.push((with("target", value), "target", target));
    }
    for value in [json!("yes"), json!(true), json!(1)] {
        cases.push((consent(value), "consent", "must be an object"));
    }
    for value in [json!("1"), json!(1.0), json!(null)] {
        cases.push((version(value), "consent.text_version", "an integer: the version of the text that was shown"));
    }
    for value in [json!(""), json!("x".repeat(101)), json!("a\nb"), json!(7), json!(null), json!(["ada"])] {
        cases.push((by(value), "consent.accepted_by", "a text of 1 to 100 bytes"));
    }
    for (body, field, message) in cases {
        let answer = set(&cloud, &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let told = answer.expect_problem(422, "invalid_request").field_error(field);
        assert!(told.contains(message), "{body}: {told}");
    }
    let request = cloud.request(reqwest::Method::PUT, AUTO_TOP_UP).bearer_auth(cloud.cloud.customer_token("acme"));
    cloud.send(request.body("{")).await.expect_problem(400, "malformed_body");
    assert_eq!(cloud.footprint(), footprint);
    assert_eq!(read(&cloud, "").await.text, before);
}

#[tokio::test]
async fn switching_off_never_validates_what_else_is_sent() {
    let cloud = opened().await;
    let footprint = cloud.footprint();
    assert_eq!(set(&cloud, &json!({"enabled": false})).await.expect(200).body, never_chosen());
    assert_eq!(cloud.footprint(), footprint, "turning it off again changes nothing");

    set(&cloud, &on(1_000, 10_000)).await.expect(200);
    // R23: fields of a form may be empty.
    let anything = json!({
        "enabled": false, "threshold": "x", "target": [0], "consent": "none", "comment": {"later": null},
    });
    let off = set(&cloud, &anything).await.expect(200).body;
    assert_eq!((&off["enabled"], &off["threshold"], &off["target"]), (&json!(false), &json!(1_000), &json!(10_000)));
    let footprint = cloud.footprint();
    set(&cloud, &json!({"enabled": false})).await.expect(200);
    assert_eq!(cloud.footprint(), footprint);
}

/// Who turned them off is whom the request names, or else the caller.
#[tokio::test]
async fn whoever_turned_top_ups_off_is_shown_until_they_are_turned_on_again() {
    let cloud = opened().await;
    let (own, service) =
        (cloud.cloud.customer_token("acme"), cloud.cloud.token("billing-backend", &["credits/service"]));
    let too_long = "x".repeat(101);
    for (token, changed_by, expected) in [
        (&own, json!("grace@acme.example"), "grace@acme.example"),
        (&own, Value::Null, "acme"),
        (&service, Value::Null, "billing-backend"),
        (&service, json!("grace@acme.example"), "grace@acme.example"),
        (&service, json!(too_long), "billing-backend"),
        (&service, json!([7]), "billing-backend"),
    ] {
        let turned_on = set(&cloud, &on(1_000, 10_000)).await.expect(200).body;
        let by = |body: &Value| (body["changed_by"].clone(), body["off_reason"].clone());
        assert_eq!(by(&turned_on), (json!("ada@acme.example"), Value::Null));
        let body = json!({"enabled": false, "changed_by": changed_by});
        let off = cloud.put(AUTO_TOP_UP, token, &body).await.expect(200).body;
        assert_eq!(by(&off), (json!(expected), json!("requested")), "{changed_by}");
        let again = set(&cloud, &json!({"enabled": false, "changed_by": "later"})).await.expect(200).body;
        assert_eq!(again, off, "the first is kept");
        assert_eq!(read(&cloud, "").await.expect(200).body, off);
    }
}

#[tokio::test]
async fn neither_choosing_nor_looking_asks_stripe() {
    let cloud = opened().await;
    let asked = cloud.cloud.stripe.requests().len();
    set(&cloud, &on(1_000, 10_000)).await.expect(200);
    read(&cloud, "").await.expect(200);
    set(&cloud, &json!({"enabled": false})).await.expect(200);
    assert_eq!(cloud.cloud.stripe.requests().len(), asked);
}
