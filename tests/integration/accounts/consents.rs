//! The record of consents: each one word for word, with who agreed and when.

use crate::support::TestCloud;
use jiff::SignedDuration;
use serde_json::{Value, json};

const CONSENTS: &str = "/v1/accounts/acme/consents";

async fn turn_on(cloud: &TestCloud, target: i64, accepted_by: &str) {
    let body = json!({
        "enabled": true, "threshold": 1_000, "target": target,
        "consent": {"text_version": 3, "accepted_by": accepted_by},
    });
    cloud.put("/v1/accounts/acme/auto-top-up", &cloud.cloud.customer_token("acme"), &body).await.expect(200);
}

#[tokio::test]
async fn every_consent_is_listed_word_for_word_with_who_agreed_and_when() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let token = cloud.cloud.customer_token("acme");
    let none = json!({"data": [], "next_cursor": null, "has_more": false});
    assert_eq!(cloud.get(CONSENTS, &token).await.expect(200).body, none);
    turn_on(&cloud, 5_000, "ada@acme.example").await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(1)).unwrap();
    turn_on(&cloud, 10_000, "bob@acme.example").await;
    let off = json!({"enabled": false, "changed_by": "grace@acme.example"});
    cloud.put("/v1/accounts/acme/auto-top-up", &token, &off).await.expect(200);

    let newest = cloud.get(&format!("{CONSENTS}?limit=1"), &token).await.expect(200).body;
    let shown = cloud.auto_top_up("acme").await["consent"].clone();
    let consent = &newest["data"][0];
    for name in ["text_version", "text", "accepted_by", "accepted_at"] {
        assert_eq!(consent[name], shown[name], "{name}");
    }
    assert!(consent["text"].as_str().unwrap().contains("back to 10,000 credits: at most $100.00"), "{consent}");
    let facts = |consent: &Value| {
        ["threshold", "target", "price_max", "currency", "accepted_by", "accepted_at", "current"]
            .map(|name| consent[name].clone())
    };
    let expected = |target: i64, price: i64, by: &str, at: &str, is_current: bool| {
        [json!(1_000), json!(target), json!(price), json!("USD"), json!(by), json!(at), json!(is_current)]
    };
    assert_eq!(facts(consent), expected(10_000, 10_000, "bob@acme.example", "2026-01-05T01:00:00.000Z", true));
    let turned_off =
        json!({"at": "2026-01-05T01:00:00.000Z", "reason": "requested", "changed_by": "grace@acme.example"});
    assert_eq!(consent["turned_off"], turned_off);
    let cursor = newest["next_cursor"].as_str().unwrap();
    let older = cloud.get(&format!("{CONSENTS}?cursor={cursor}"), &token).await.expect(200).body;
    assert_eq!((older["data"].as_array().unwrap().len(), &older["has_more"]), (1, &json!(false)));
    let first = expected(5_000, 5_000, "ada@acme.example", "2026-01-05T00:00:00.000Z", false);
    assert_eq!(facts(&older["data"][0]), first);
    assert_eq!(older["data"][0]["turned_off"], Value::Null, "others followed");
    assert!(older["data"][0]["text"].as_str().unwrap().contains("back to 5,000 credits"));
}

#[tokio::test]
async fn the_consents_of_an_erased_account_keep_their_text_and_no_name() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    turn_on(&cloud, 5_000, "ada@acme.example").await;
    let off = json!({"enabled": false, "changed_by": "grace@acme.example"});
    cloud.put("/v1/accounts/acme/auto-top-up", &cloud.cloud.service_token(), &off).await.expect(200);
    let reason = json!({"reason": "The customer asks."});
    cloud.post("/v1/support/accounts/acme/erase", &cloud.support_token(), None, &reason).await.expect(200);
    let left = cloud.get(CONSENTS, &cloud.cloud.service_token()).await.expect(200).body;
    let consent = &left["data"][0];
    assert_eq!((&consent["accepted_by"], &consent["current"]), (&Value::Null, &json!(false)));
    let turned_off = &consent["turned_off"];
    assert_eq!((&turned_off["reason"], &turned_off["changed_by"]), (&json!("requested"), &Value::Null));
    assert!(consent["text"].as_str().unwrap().contains("back to 5,000 credits"));
}
