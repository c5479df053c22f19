//! The diagnosis of automatic top-ups, and trying settings on the past.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use serde_json::{Value, json};

const AUTO_TOP_UP: &str = "/v1/accounts/acme/auto-top-up";

async fn diagnosis(cloud: &TestCloud) -> Value {
    cloud.get(&format!("{AUTO_TOP_UP}/diagnosis"), &cloud.cloud.customer_token("acme")).await.expect(200).body
}

fn verdict(body: &Value) -> (&str, &str) {
    (body["state"].as_str().unwrap(), body["verdict"].as_str().unwrap())
}

fn closed(body: &Value) -> Vec<&str> {
    let gates = body["gates"].as_array().unwrap().iter();
    gates.filter(|gate| gate["state"] == "closed").map(|gate| gate["gate"].as_str().unwrap()).collect()
}

/// From off to a pause, with the sweep doing each time what the diagnosis said before.
#[tokio::test]
async fn the_diagnosis_says_what_the_next_sweep_does() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let off = diagnosis(&cloud).await;
    assert_eq!(verdict(&off), ("off", "Automatic top-ups are off."));
    assert_eq!((closed(&off), &off["remedy"]), (vec!["turned_on"], &json!("Turn automatic top-ups on.")));
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let no_card = diagnosis(&cloud).await;
    assert_eq!(verdict(&no_card), ("off", "There is no saved card that could be charged."));
    cloud.save_card("acme", "pm_card_visa").await;
    let due = diagnosis(&cloud).await;
    let charged = "The balance is below the threshold. At 5 January 2026, 00:30 UTC, your card is charged $50.00\u{a0}USD \
                   plus tax for 5,000 credits.";
    assert_eq!((verdict(&due), closed(&due)), (("due", charged), vec![]));
    assert_eq!(due["next_check_at"], json!("2026-01-05T00:30:00.000Z"));
    let settings = cloud.auto_top_up("acme").await;
    let next = json!({
        "would_charge_now": true, "state": "due", "reason": null, "credits": 5_000, "price": 5_000, "currency": "USD",
        "payment_method": settings["next_top_up"]["payment_method"], "next_check_at": "2026-01-05T00:30:00.000Z", "next_eligible_at": null,
    });
    assert_eq!(settings["next_top_up"], next);
    assert!(settings["next_top_up"]["payment_method"].as_str().unwrap().starts_with("pm_"));
    let other =
        cloud.get(&format!("{AUTO_TOP_UP}?threshold=500&target=1500"), &cloud.cloud.customer_token("acme")).await;
    let other = other.expect(200).body;
    assert_eq!((&other["next_top_up"]["price"], &other["target"]), (&json!(1_500), &json!(5_000)), "as if saved");
    cloud.sweep().await;
    cloud.settle().await;
    let enough = diagnosis(&cloud).await;
    let not_below = "The balance of 5,000 credits is not below the threshold of 1,000 credits.";
    assert_eq!(verdict(&enough), ("off", not_below));
    assert_eq!((&enough["remedy"], closed(&enough)), (&json!(null), vec!["below_threshold", "interval_passed"]));
    assert_eq!((&enough["attempts"][0]["status"], &enough["attempts"][0]["price"]), (&json!("paid"), &json!(5_000)));
    cloud.charge("acme", "job-1", 420).await.expect(201);
    let waiting = diagnosis(&cloud).await;
    assert_eq!((waiting["state"].as_str(), closed(&waiting)), (Some("waiting"), vec!["interval_passed"]));
    assert_eq!(waiting["next_eligible_at"], json!("2026-01-05T06:00:00.000Z"));
    cloud.sweep().await;
    assert_eq!(diagnosis(&cloud).await["attempts"], enough["attempts"], "the sweep opened nothing");
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(6)).unwrap();
    assert_eq!(diagnosis(&cloud).await["state"], "due");
    cloud.sweep().await;
    cloud.settle().await;
    let paused = diagnosis(&cloud).await;
    let declined = "Automatic top-ups are paused. Your bank declined it without giving a reason.";
    assert_eq!(verdict(&paused), ("paused", declined));
    assert_eq!(paused["remedy"], json!("Ask your bank, or pay with another card."));
    assert_eq!(paused["attempts"][0]["status"], "declined");
}

async fn tried(cloud: &TestCloud, body: &Value) -> Answer {
    cloud.post(&format!("{AUTO_TOP_UP}/simulate"), &cloud.cloud.customer_token("acme"), None, body).await
}

#[tokio::test]
async fn settings_are_tried_on_the_days_that_the_account_had() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let settings = json!({"threshold": 1_000, "target": 3_000});
    let new = tried(&cloud, &settings).await.expect(200).body;
    assert_eq!((&new["days"], &new["is_history_short"]), (&json!(0), &json!(true)));
    assert_eq!((&new["top_ups"]["count"], &new["recommended"]), (&json!(0), &json!(null)));
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    for day in 0..30 {
        cloud.charge("acme", &format!("job-{day}"), 15).await.expect(201);
        cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
    }
    let past = tried(&cloud, &settings).await.expect(200).body;
    assert_eq!((&past["days"], &past["is_history_short"]), (&json!(30), &json!(false)));
    // 5,000 credits less 150 a day are below 1,000 on the 27th day, and 4,500 are spent in all.
    assert_eq!(past["top_ups"], json!({"count": 1, "credits": 2_003, "price": 2_003}));
    assert_eq!(past["most_in_a_month"]["from"], "2026-01-01");
    assert_eq!((&past["minutes_without_credits"], &past["credits_not_covered"]), (&json!(0), &json!(0)));
    let recommended = &past["recommended"];
    assert_eq!((&recommended["threshold"], &recommended["target"]), (&json!(100), &json!(1_200)));
    let planned = json!({"threshold": 1_000, "target": 3_000, "credits_per_day": 20_000});
    let planned = tried(&cloud, &planned).await.expect(200).body;
    assert_eq!((&planned["days"], &planned["is_history_short"]), (&json!(90), &json!(false)));
    assert_eq!(planned["top_ups"]["count"], 360, "four a day");
    assert!(planned["minutes_without_credits"].as_i64().unwrap() > 90 * 8 * 60, "3,000 credits last 3.6 of 6 hours");
    assert_eq!(planned["recommended"]["minutes_without_credits"], 0);
    let capped = json!({"threshold": 1_000, "target": 3_000, "credits_per_day": 500, "max_per_month": 5_000});
    let capped = tried(&cloud, &capped).await.expect(200).body;
    assert_eq!((&capped["max_per_month"], &capped["most_in_a_month"]["price"]), (&json!(5_000), &json!(5_000)));
    assert!(capped["top_ups_lowered"].as_i64().unwrap() >= 2, "{capped}");
    assert!(capped["minutes_held_by_cap"].as_i64().unwrap() > 0, "15,000 a month are used: {capped}");
    assert_eq!(cloud.auto_top_up("acme").await["threshold"], json!(null), "nothing was changed");
}

#[tokio::test]
async fn settings_that_could_not_be_saved_are_not_tried() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    for (body, field) in [
        (json!({"target": 3_000}), "threshold"),
        (json!({"threshold": 99, "target": 3_000}), "threshold"),
        (json!({"threshold": 1_000, "target": 100_001}), "target"),
        (json!({"threshold": 1_000, "target": 1_999}), "target"),
        (json!({"threshold": 1_000, "target": 3_000, "credits_per_day": -1}), "credits_per_day"),
        (json!({"threshold": 1_000, "target": 3_000, "credits_per_day": 1_000_000_001}), "credits_per_day"),
        (json!({"threshold": 1_000, "target": 3_000, "max_per_month": 999}), "max_per_month"),
        (json!({"threshold": 1_000, "target": 3_000, "rate": 1}), "rate"),
    ] {
        let refused = tried(&cloud, &body).await.expect(422);
        assert!(refused.text.contains(field), "{body}: {}", refused.text);
    }
}
