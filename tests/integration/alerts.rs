//! Levels at which customers are told that the balance runs low, through the API and the schedule.

use crate::support::TestCloud;
use jiff::SignedDuration;
use local_aws::ses::Message;
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/v1/accounts/acme/alerts";

async fn funded() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    evaluate(&cloud).await;
    cloud
}

async fn choose(cloud: &TestCloud, levels: Value) -> Value {
    let chosen = cloud.put(PATH, &cloud.cloud.customer_token("acme"), &json!({ "levels": levels })).await;
    chosen.expect(200).body["levels"].clone()
}

/// Runs the evaluation, and delivers what became owed.
async fn evaluate(cloud: &TestCloud) -> Value {
    let summary = cloud.cloud.evaluate_alerts().await.expect("the run ends");
    cloud.settle().await;
    summary
}

/// The subjects of the e-mails about a low balance.
fn subjects(cloud: &TestCloud) -> Vec<String> {
    cloud.subjects("acme").into_iter().filter(|subject| subject.starts_with("Your credit balance")).collect()
}

fn told(cloud: &TestCloud, name: &str) -> Vec<Value> {
    let events = cloud.cloud.aws.events.events().into_iter();
    let of_name = events.filter(|event| event["detail-type"] == name);
    of_name.map(|event| event["detail"]["data"].clone()).collect()
}

#[tokio::test]
async fn a_crossing_is_told_once_with_an_e_mail_and_an_event() {
    let cloud = funded().await;
    let chosen = choose(&cloud, json!([{ "credits": 500 }, { "credits": 100, "enabled": false }])).await;
    let level = |credits: i64, enabled: bool| json!({ "credits": credits, "days_left": null, "enabled": enabled, "last_told_at": null });
    assert_eq!(chosen, json!([level(500, true), level(100, false)]));
    assert_eq!(evaluate(&cloud).await["evaluated"], 1);
    cloud.charge("acme", "job-1", 450).await.expect(201);
    assert_eq!(evaluate(&cloud).await["due"], 0, "500 credits are not below 500");
    cloud.charge("acme", "job-2", 1).await.expect(201);
    let summary = evaluate(&cloud).await;
    assert_eq!((&summary["due"], &summary["told"], &summary["is_complete"]), (&json!(1), &json!(2), &json!(true)));
    assert_eq!(subjects(&cloud), ["Your credit balance is below 500 credits"]);
    assert_eq!(
        told(&cloud, "credits.low"),
        [json!({ "balance": 490, "levels": [{ "kind": "credits", "number": 500 }] })]
    );
    cloud.charge("acme", "job-3", 45).await.expect(201);
    evaluate(&cloud).await;
    assert_eq!(subjects(&cloud).len(), 1, "the other level is off");
    let shown = cloud.get(PATH, &cloud.cloud.service_token()).await.expect(200).body;
    assert_eq!(shown["levels"][0]["last_told_at"], "2026-01-05T00:00:00.000Z");
}

#[tokio::test]
async fn an_e_mail_about_a_low_balance_goes_to_who_wants_it() {
    const OPERATIONS: &str = "operations@acme.example";
    let cloud = funded().await;
    choose(&cloud, json!([{ "credits": 500 }, { "credits": 100 }])).await;
    let token = cloud.cloud.customer_token("acme");
    let name_operations = async |opted_out: &[&str]| {
        let owner = json!({ "email": "owner@acme.example", "roles": ["billing"] });
        let operations = json!({ "email": OPERATIONS, "roles": ["alerts"], "opted_out": opted_out });
        let contacts = json!({ "contacts": [owner, operations] });
        cloud.put("/v1/accounts/acme/contacts", &token, &contacts).await.expect(200);
        cloud.settle().await;
    };
    let sent = || -> Vec<Message> {
        let messages = cloud.cloud.aws.ses.messages().into_iter();
        messages.filter(|mail| mail.subject.starts_with("Your credit balance")).collect()
    };
    name_operations(&[]).await;
    let confirmation = cloud.cloud.aws.ses.messages().into_iter().rfind(|mail| mail.to == [OPERATIONS]).unwrap();
    let text = confirmation.text.unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/confirm/")).unwrap();
    cloud.send(cloud.request(Method::POST, &link[cloud.cloud.urls.api.len()..])).await.expect(200);
    cloud.charge("acme", "job-1", 460).await.expect(201);
    evaluate(&cloud).await;
    let first = sent();
    assert_eq!(
        first.iter().map(|mail| mail.to.clone()).collect::<Vec<_>>(),
        [[OPERATIONS]],
        "for alerts, not for billing"
    );

    name_operations(&["low_balance"]).await;
    cloud.charge("acme", "job-2", 31).await.expect(201);
    evaluate(&cloud).await;
    assert_eq!(sent().len(), 1, "it was turned off");
    assert_eq!(told(&cloud, "credits.low").len(), 2, "other systems are told all the same");
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    assert_eq!(cloud.subjects("acme").last().unwrap(), "Receipt for your purchase: 500 credits for $5.00");
}

#[tokio::test]
async fn support_sees_the_levels_and_a_closed_account_is_told_nothing() {
    let cloud = funded().await;
    let chosen = choose(&cloud, json!([{ "credits": 500 }])).await;
    let token = cloud.support_token();
    let shown = cloud.get("/v1/support/accounts/acme", &token).await.expect(200).body;
    assert_eq!(shown["alerts"]["levels"], chosen);
    cloud.charge("acme", "job-1", 500).await.expect(201);
    let reason = json!({ "reason": "The customer asks." });
    cloud.post("/v1/support/accounts/acme/erase", &token, None, &reason).await.expect(200);
    assert_eq!(evaluate(&cloud).await["told"], 0);
    assert_eq!(subjects(&cloud), [""; 0]);
    assert_eq!((told(&cloud, "credits.low").len(), told(&cloud, "credits.exhausted").len()), (0, 0));
    cloud.put(PATH, &cloud.cloud.customer_token("acme"), &json!({ "levels": [] })).await.expect(403);
}

/// The charge itself writes what it wrote before: account and entry.
#[tokio::test]
async fn a_charge_within_the_bounds_writes_nothing_for_alerts() {
    let cloud = funded().await;
    choose(&cloud, json!([{ "credits": 500 }])).await;
    evaluate(&cloud).await;
    let (writes, _) = cloud.footprint();
    cloud.charge("acme", "job-1", 1).await.expect(201);
    let (after, _) = cloud.footprint();
    let items = |tables: &[(String, i64)]| tables.iter().map(|(_, count)| count).sum::<i64>();
    assert_eq!(items(&after) - items(&writes), 1, "the entry");
}

#[tokio::test]
async fn a_schedule_evaluates_every_minute() {
    let cloud = funded().await;
    choose(&cloud, json!([{ "credits": 500 }])).await;
    cloud.charge("acme", "job-1", 460).await.expect(201);
    assert_eq!(subjects(&cloud), [""; 0]);
    cloud.advance(SignedDuration::from_mins(1)).await;
    assert_eq!(subjects(&cloud).len(), 1);
}

#[tokio::test]
async fn a_healthy_top_up_keeps_it_quiet_and_one_that_fails_leaves_no_silence() {
    let cloud = funded().await;
    choose(&cloud, json!([{ "credits": 400 }])).await;
    cloud.turn_on_auto_top_up("acme", 500, 5_000).await;
    evaluate(&cloud).await;
    cloud.advance(SignedDuration::from_mins(1)).await;
    cloud.charge("acme", "job-1", 470).await.expect(201);
    assert_eq!(evaluate(&cloud).await["told"], 0);
    cloud.advance(SignedDuration::from_mins(29)).await;
    cloud.advance(SignedDuration::from_mins(61)).await;
    assert_eq!(cloud.balance("acme").await, 5_000, "the sweep topped it up");
    assert_eq!(subjects(&cloud), [""; 0]);
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.settle().await;
    cloud.advance(SignedDuration::from_hours(6)).await;
    cloud.charge("acme", "job-2", 470).await.expect(201);
    assert_eq!(evaluate(&cloud).await["told"], 0, "a sweep comes");
    cloud.advance(SignedDuration::from_mins(61)).await;
    assert_eq!(subjects(&cloud), ["Your credit balance is below 400 credits"]);
}

#[tokio::test]
async fn days_left_are_counted_at_what_the_account_spends() {
    let cloud = funded().await;
    for day in 0..8 {
        cloud.charge("acme", &format!("job-{day}"), 10).await.expect(201);
        cloud.advance(SignedDuration::from_hours(24)).await;
    }
    // 100 a day: 4,200 credits are 42 days.
    assert_eq!(choose(&cloud, json!([{ "days_left": 41 }])).await[0]["days_left"], 41);
    evaluate(&cloud).await;
    assert_eq!(subjects(&cloud), [""; 0]);
    cloud.charge("acme", "big", 20).await.expect(201);
    evaluate(&cloud).await;
    assert_eq!(subjects(&cloud), ["Your credit balance is enough for less than 41 days"]);
    let mail = cloud.mails("acme").pop().unwrap().text.unwrap();
    assert!(mail.contains("100 credits"), "{mail}");
}

#[tokio::test]
async fn exhaustion_is_told_to_other_systems_without_any_level() {
    let cloud = funded().await;
    cloud.charge("acme", "job-1", 499).await.expect(201);
    evaluate(&cloud).await;
    assert_eq!(told(&cloud, "credits.exhausted"), [Value::Null; 0]);
    cloud.charge("acme", "job-2", 1).await.expect(201);
    evaluate(&cloud).await;
    assert_eq!(told(&cloud, "credits.exhausted"), [json!({ "balance": 0, "required": 10 })]);
    assert_eq!(subjects(&cloud), [""; 0]);
}

#[tokio::test]
async fn what_is_wrong_with_levels_is_named_and_nothing_is_changed() {
    let cloud = funded().await;
    choose(&cloud, json!([{ "credits": 500 }])).await;
    let token = cloud.cloud.customer_token("acme");
    let six: Vec<Value> = (1..=6).map(|credits| json!({ "credits": credits })).collect();
    for (body, field, message) in [
        (json!({}), "levels", "is required: a list of 0 to 5 objects"),
        (json!({ "levels": six }), "levels", "must be a list of 0 to 5 objects"),
        (
            json!({ "levels": [{}] }),
            "levels[0].credits",
            "is required: an integer from 1 to 1000000000000, or days_left",
        ),
        (
            json!({ "levels": [{ "credits": 0 }] }),
            "levels[0].credits",
            "must be an integer from 1 to 1000000000000, or days_left",
        ),
        (json!({ "levels": [{ "days_left": 366 }] }), "levels[0].days_left", "must be an integer from 1 to 365"),
        (
            json!({ "levels": [{ "days_left": 7, "credits": 5 }] }),
            "levels[0].credits",
            "must not be sent with days_left",
        ),
        (json!({ "levels": [{ "credits": 7, "enabled": 1 }] }), "levels[0].enabled", "must be true or false"),
        (
            json!({ "levels": [{ "credits": 7 }, { "credits": 7 }] }),
            "levels[1]",
            "must be another level than those before it",
        ),
    ] {
        let refused = cloud.put(PATH, &token, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.field_error(field), message, "{body}");
    }
    let shown = cloud.get(PATH, &token).await.expect(200).body;
    assert_eq!(shown["levels"][0]["credits"], 500);
    let other = cloud.cloud.customer_token("other");
    cloud.put(PATH, &other, &json!({ "levels": [] })).await.expect(404);
    assert_eq!(choose(&cloud, json!([])).await, json!([]), "none any more");
}
