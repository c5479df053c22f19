//! What a refused charge is told about the next top-up, and that it then comes true.

use super::{dubbing, funded, post};
use crate::support::TestCloud;
use jiff::{SignedDuration, Timestamp};
use local_stripe::{Fault, FaultAction};
use serde_json::{Value, json};

/// The member `top_up` of a refusal, with the times on the first day of the tests.
pub fn outlook(
    state: &str,
    next_check_at: Option<&str>,
    next_eligible_at: Option<&str>,
    reason: Option<&str>,
) -> Value {
    let time = |time: &str| format!("2026-01-05T{time}:00.000Z");
    json!({
        "state": state, "next_check_at": next_check_at.map(time), "next_eligible_at": next_eligible_at.map(time),
        "reason": reason,
    })
}

/// The outlook of the account, whose balance does not cover this many credits.
async fn refused(cloud: &TestCloud, account: &str, credits: i64) -> Value {
    let refused = post(cloud, account, "beyond", &dubbing(credits * 6_000, "x")).await;
    refused.expect_problem(402, "insufficient_credits").body["top_up"].clone()
}

async fn spend(cloud: &TestCloud, account: &str, key: &str, credits: i64) {
    post(cloud, account, key, &dubbing(credits * 6_000, "x")).await.expect(201);
}

/// Moves the clock to one second before the next check, and then to the check itself.
async fn wait_for_the_check(cloud: &TestCloud, outlook: &Value) {
    let next_check_at: Timestamp = outlook["next_check_at"].as_str().unwrap().parse().unwrap();
    let a_second = SignedDuration::from_secs(1);
    let before = cloud.balance("acme").await;
    cloud.advance(next_check_at.duration_since(cloud.now()) - a_second).await;
    assert_eq!(cloud.balance("acme").await, before, "nothing came before {next_check_at}");
    cloud.advance(a_second).await;
}

#[tokio::test]
async fn a_refused_charge_is_told_when_the_next_top_up_comes_and_it_comes_then() {
    let cloud = funded().await;
    assert_eq!(refused(&cloud, "acme", 501).await, outlook("off", None, None, Some("not_turned_on")));
    cloud.turn_on_auto_top_up("acme", 100, 1_100).await;
    let too_rich = outlook("off", None, None, Some("balance_not_below_threshold"));
    assert_eq!(refused(&cloud, "acme", 501).await, too_rich);

    spend(&cloud, "acme", "job-1", 410).await;
    let due = refused(&cloud, "acme", 91).await;
    assert_eq!(due, outlook("due", Some("00:30"), None, None));
    assert_eq!(refused(&cloud, "acme", 1_101).await, outlook("due", Some("00:30"), None, Some("not_enough")));
    wait_for_the_check(&cloud, &due).await;
    assert_eq!(cloud.balance("acme").await, 1_100);

    spend(&cloud, "acme", "job-2", 1_010).await;
    let waiting = refused(&cloud, "acme", 91).await;
    assert_eq!(waiting, outlook("waiting", Some("06:30"), Some("06:30"), None));
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    wait_for_the_check(&cloud, &waiting).await;
    assert_eq!(refused(&cloud, "acme", 91).await, outlook("paused", None, None, Some("generic")));
}

#[tokio::test]
async fn a_refused_charge_is_told_that_a_top_up_is_in_progress() {
    let cloud = funded().await;
    cloud.turn_on_auto_top_up("acme", 100, 1_100).await;
    spend(&cloud, "acme", "job-1", 450).await;
    let path = "/v1/invoices/*/pay".to_owned();
    cloud.cloud.stripe.add_fault(Fault { method: None, path, action: FaultAction::Unavailable, count: u32::MAX });
    cloud.advance(SignedDuration::from_mins(30)).await;
    let in_progress = refused(&cloud, "acme", 91).await;
    assert_eq!(in_progress, outlook("in_progress", Some("01:00"), Some("06:30"), None));
    cloud.cloud.stripe.clear_faults();
    wait_for_the_check(&cloud, &in_progress).await;
    assert_eq!(cloud.balance("acme").await, 1_100);
}

#[tokio::test]
async fn without_a_card_a_refused_charge_is_told_not_to_wait() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.turn_on_auto_top_up("acme", 100, 1_100).await;
    assert_eq!(refused(&cloud, "acme", 10).await, outlook("off", None, None, Some("no_card")));
    cloud.advance(SignedDuration::from_mins(30)).await;
    assert_eq!(refused(&cloud, "acme", 10).await, outlook("paused", None, None, Some("no_card")));
}
