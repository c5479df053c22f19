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
    assert_eq!(off["remedy_link"], json!({"method": "PUT", "href": AUTO_TOP_UP}));
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let no_card = diagnosis(&cloud).await;
    assert_eq!(verdict(&no_card), ("off", "There is no saved card that could be charged."));
    assert_eq!(no_card["remedy_link"], json!({"method": "POST", "href": "/v1/accounts/acme/purchases"}));
    cloud.save_card("acme", "pm_card_visa").await;
    let due = diagnosis(&cloud).await;
    let charged = "The balance is below the threshold. At 5 January 2026, 00:30 UTC, your Visa •••• 4242 is charged \
                   $50.00\u{a0}USD plus tax for 5,000 credits.";
    assert_eq!((verdict(&due), closed(&due)), (("due", charged), vec![]));
    assert_eq!((&due["remedy_link"], &due["decisions"]), (&json!(null), &json!([])));
    assert_eq!(due["next_check_at"], json!("2026-01-05T00:30:00.000Z"));
    let settings = cloud.auto_top_up("acme").await;
    let next = json!({
        "would_charge_now": true, "state": "due", "reason": null, "credits": 5_000, "price": 5_000, "currency": "USD",
        "payment_method": settings["next_top_up"]["payment_method"], "card": {"brand": "visa", "last4": "4242"},
        "next_check_at": "2026-01-05T00:30:00.000Z", "next_eligible_at": null,
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
    let link = &paused["remedy_link"];
    assert_eq!(link["method"], "GET");
    let page = cloud.visit(link["href"].as_str().unwrap()).await.expect(302).location.unwrap();
    assert!(page.starts_with(&cloud.cloud.urls.stripe), "{page}");
    cloud
        .put("/v1/accounts/acme/spending", &cloud.cloud.customer_token("acme"), &json!({"stopped": true}))
        .await
        .expect(200);
    assert_eq!(diagnosis(&cloud).await["remedy_link"], json!({"method": "PUT", "href": "/v1/accounts/acme/spending"}));
}

/// A check decides as a sweep does, and one that decides the same again writes nothing.
#[tokio::test]
async fn the_diagnosis_shows_what_was_decided_and_a_repeated_decision_once() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let check = async || {
        let reason = json!({"reason": "The customer asks."});
        let path = "/v1/support/accounts/acme/auto-top-up/check";
        cloud.post(path, &cloud.support_token(), None, &reason).await.expect(200);
        cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    };
    let decided = async || {
        let decisions = diagnosis(&cloud).await["decisions"].take();
        let of = |decision: &Value| (decision["at"].clone(), decision["decision"].clone(), decision["gate"].clone());
        decisions.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let at = |minute: i64| json!(format!("2026-01-05T00:0{minute}:00.000Z"));
    let skipped = |minute, gate: &str| (at(minute), json!("skipped"), json!(gate));
    check().await;
    check().await;
    assert_eq!(decided().await, [skipped(0, "turned_on")]);
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    check().await;
    check().await;
    check().await;
    let opened = (decided().await[1].0.clone(), json!("opened"), json!(null));
    assert_eq!(decided().await, [skipped(3, "below_threshold"), opened, skipped(0, "turned_on")]);
    let decisions = diagnosis(&cloud).await;
    assert_eq!(decisions["decisions"][0]["balance"], 5_000);
    assert_eq!(decisions["decisions"][1]["top_up"], decisions["attempts"][0]["top_up"]);
}

#[tokio::test]
async fn what_is_turned_on_below_the_threshold_can_be_checked_at_once() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.save_card("acme", "pm_card_visa").await;
    let token = cloud.cloud.customer_token("acme");
    let on = json!({
        "enabled": true, "threshold": 1_000, "target": 5_000,
        "consent": {"text_version": 3, "accepted_by": "owner"},
    });
    let now = format!("{AUTO_TOP_UP}?check=now");
    let before = cloud.get(&format!("{AUTO_TOP_UP}?threshold=1000&target=5000"), &token).await.expect(200).body;
    let next = &before["next_top_up"];
    assert_eq!((&next["would_charge_now"], &next["price"]), (&json!(true), &json!(5_000)), "before anything is saved");
    assert_eq!((&before["last_top_up"], &before["check"]), (&json!(null), &json!(null)));

    let off = cloud.put(&now, &token, &json!({"enabled": false})).await.expect(200).body;
    assert_eq!((&off["check"], cloud.pay_calls()), (&json!(null), 0), "nothing to check");
    let refused = cloud.put(&format!("{AUTO_TOP_UP}?check=later"), &token, &on).await;
    assert_eq!(refused.expect_problem(422, "invalid_request").field_error("check"), "must be now");
    assert_eq!(cloud.auto_top_up("acme").await["enabled"], json!(false), "nothing was saved");

    let saved = cloud.put(&now, &token, &on).await.expect(200).body;
    assert_eq!(saved["check"], json!({"outcome": "paid", "closed": null}));
    assert_eq!((&saved["last_top_up"]["status"], &saved["last_top_up"]["credits"]), (&json!("paid"), &json!(5_000)));
    assert_eq!((cloud.balance("acme").await, cloud.cents_taken("acme").await), (5_000, vec![5_000]));
    cloud.charge("acme", "job-1", 420).await.expect(201);
    let again = cloud.put(&now, &token, &on).await.expect(200).body;
    assert_eq!(
        (&again["check"]["outcome"], &again["check"]["closed"]["gate"]),
        (&json!("skipped"), &json!("interval_passed"))
    );
    assert_eq!(cloud.cents_taken("acme").await, [5_000], "the same gates");

    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(6)).unwrap();
    let declined = cloud.put(&now, &token, &on).await.expect(200).body;
    assert_eq!(
        (&declined["check"]["outcome"], &declined["payment_issue"]["kind"]),
        (&json!("declined"), &json!("declined"))
    );
    assert_eq!(declined["last_top_up"]["status"], "declined");
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
