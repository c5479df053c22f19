//! What the company's other systems are told: the events on the bus, and the shapes that `infra/events` describes.

use crate::ledger::samples::outbound_events;
use crate::support::TestCloud;
use crate::support::events::{SCHEMAS, errors_of};
use jiff::SignedDuration;
use local_aws::event_bus::EventBusFault;
use local_aws::wire::Loss;
use serde_json::{Value, json};
use shared::domain::{AccountId, OutboundEvent, OutboundEventId};
use shared::event_details::event_detail;
use std::collections::{BTreeMap, BTreeSet};

/// The types of an account's events on the bus, oldest first.
fn told(cloud: &TestCloud, account: &str) -> Vec<String> {
    let events = cloud.cloud.aws.events.events();
    let of_account = events.iter().filter(|event| event["detail"]["account"] == account);
    of_account.map(|event| event["detail-type"].as_str().unwrap().to_owned()).collect()
}

fn data_of(cloud: &TestCloud, name: &str) -> Value {
    let events = cloud.cloud.aws.events.events();
    let event = events.iter().rfind(|event| event["detail-type"] == name);
    event.unwrap_or_else(|| panic!("no {name}"))["detail"]["data"].clone()
}

/// Every kind of event is described, every description is of a kind of event, and nothing in it is never written.
#[test]
fn every_event_is_as_it_is_described_and_nothing_else_is_described() {
    let mut written: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for event in outbound_events() {
        let (name, detail) = (event.kind.name(), event_detail(&event));
        assert_eq!(errors_of(name, &detail), [""; 0], "{detail}");
        written.entry(name).or_default().push(detail);
    }
    let described: BTreeSet<_> = SCHEMAS.keys().map(String::as_str).collect();
    assert_eq!(described, written.keys().copied().collect());
    for (name, schema) in &*SCHEMAS {
        let described = schema.document["properties"]["data"]["properties"].as_object().unwrap();
        for (property, of_property) in described {
            assert!(of_property["description"].is_string(), "{name}.{property} is not described");
            let is_written = |detail: &Value| detail["data"].get(property).is_some();
            assert!(written[name.as_str()].iter().any(is_written), "{name}.{property} is never written");
        }
        for example in schema.document["examples"].as_array().unwrap() {
            assert_eq!(errors_of(name, example), [""; 0], "the example of {name}");
        }
    }
}

#[test]
fn a_schema_refuses_what_is_missing_and_what_it_does_not_describe() {
    for event in outbound_events() {
        let (name, detail) = (event.kind.name(), event_detail(&event));
        for property in detail["data"].as_object().unwrap().keys() {
            let mut without = detail.clone();
            without["data"].as_object_mut().unwrap().remove(property);
            assert_ne!(errors_of(name, &without), [""; 0], "{name} without {property}");
        }
        let mut more = detail;
        more["data"]["surprise"] = json!(1);
        assert_ne!(errors_of(name, &more), [""; 0], "{name}");
    }
    assert_ne!(errors_of("credits.lost", &json!({})), [""; 0], "no such event");
}

/// EventBridge takes ten events of 256 KB in all.
#[test]
fn the_longest_event_is_small() {
    for event in outbound_events() {
        let account = AccountId::parse("a".repeat(64)).unwrap();
        let longest = OutboundEvent { id: OutboundEventId::mint(u128::MAX), account, ..event };
        assert!(event_detail(&longest).to_string().len() < 1_024);
    }
}

#[tokio::test]
async fn a_purchase_and_a_top_up_are_told_once_when_they_are_paid() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.settle().await;
    assert_eq!(told(&cloud, "acme"), ["purchase.paid"]);
    let data = data_of(&cloud, "purchase.paid");
    assert_eq!((&data["credits"], &data["balance"]), (&json!(500), &json!(500)));
    assert_eq!(data["price"], json!({ "minor": 500, "currency": "USD" }));
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.sweep().await;
    cloud.settle().await;
    cloud.settle().await;
    assert_eq!(told(&cloud, "acme"), ["purchase.paid", "top_up.paid"]);
    let data = data_of(&cloud, "top_up.paid");
    assert_eq!((&data["credits"], &data["balance"]), (&json!(4_500), &json!(5_000)));
}

#[tokio::test]
async fn a_pause_is_told_with_its_reason_and_so_is_its_end() {
    let cloud = TestCloud::start().await;
    for (account, card, issue, reason, more) in [
        ("declined", "pm_card_chargeCustomerFail", "declined", json!("generic"), &["top_up.paused"][..]),
        (
            "asked",
            "pm_card_authenticationRequired",
            "action_required",
            Value::Null,
            &["payment.action_required", "top_up.paused"],
        ),
    ] {
        cloud.open_account(account).await;
        cloud.save_card(account, card).await;
        cloud.turn_on_auto_top_up(account, 1_000, 5_000).await;
        cloud.sweep().await;
        cloud.settle().await;
        assert_eq!(told(&cloud, account), more, "{account}");
        let data = data_of(&cloud, "top_up.paused");
        assert_eq!((&data["issue"], &data["reason"]), (&json!(issue), &reason));
        let page = cloud.visit(&cloud.pay_link(account)).await.expect(302).location.unwrap();
        cloud.pay_page(&page, "4242424242424242").await;
        cloud.settle().await;
        let mut after: Vec<_> = told(&cloud, account).split_off(more.len());
        after.sort();
        assert_eq!(after, ["top_up.paid", "top_up.resumed"], "{account}");
        assert_eq!(data_of(&cloud, "top_up.resumed")["top_up"], data["top_up"]);
    }
}

#[tokio::test]
async fn a_restriction_is_told_when_it_is_set_and_not_when_it_is_lifted() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    for _ in 0..2 {
        cloud.restrict("acme", "Unusual activity", "2026-01-06T00:00:00Z".parse().unwrap()).await;
    }
    cloud.settle().await;
    assert_eq!(told(&cloud, "acme"), ["account.restricted"], "a repetition is none");
    let data = json!({ "reason": "Unusual activity", "until": "2026-01-06T00:00:00.000Z" });
    assert_eq!(data_of(&cloud, "account.restricted"), data);
}

#[tokio::test]
async fn a_limit_that_refuses_charges_is_told_once_a_period() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let token = cloud.cloud.service_token();
    let limit = |day: i64| json!({ "day": day, "month": null });
    cloud.put("/v1/accounts/acme/limits", &token, &limit(15)).await.expect(200);
    let refuse = async |key: &str| {
        cloud.charge("acme", key, 2).await.expect_problem(402, "limit_reached");
        cloud.settle().await;
        told(&cloud, "acme").into_iter().filter(|name| name == "limit.reached").count()
    };
    assert_eq!((refuse("job-1").await, refuse("job-2").await), (1, 1));
    let data = data_of(&cloud, "limit.reached");
    assert_eq!((&data["limit"], &data["max"], &data["spender"]), (&json!("account_day"), &json!(15), &Value::Null));
    assert_eq!(data["starts_again_at"], "2026-01-06T00:00:00.000Z");
    cloud.advance(SignedDuration::from_hours(24)).await;
    assert_eq!((refuse("job-3").await, refuse("job-4").await), (2, 2), "the next day");
    cloud.put("/v1/accounts/acme/limits", &token, &limit(16)).await.expect(200);
    assert_eq!(refuse("job-5").await, 3, "another limit");
}

/// The record is delivered again after a failure, and says the same under the same id.
#[tokio::test]
async fn an_event_that_is_published_again_has_the_same_id_and_says_the_same() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    // As often as the client tries it, and once more by the stream.
    cloud.cloud.aws.events.fail_next(4, EventBusFault::LoseAnswer(Loss::ConnectionReset));
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.settle().await;
    let events = cloud.cloud.aws.events.events();
    assert!(events.len() > 1, "{events:?}");
    for event in &events {
        assert_eq!(event["detail"], events[0]["detail"]);
    }
    let read = async |path: &str| {
        let page = reqwest::get(format!("{}{path}", cloud.cloud.urls.aws)).await.unwrap();
        page.text().await.unwrap()
    };
    let shown: Vec<Value> = serde_json::from_str(&read("/events.json").await).unwrap();
    assert_eq!(shown.len(), events.len());
    assert!(read("/events").await.contains("purchase.paid"));
}
