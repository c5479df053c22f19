//! The main job, end to end: charge → run low → sweep → paid top-up → receipt.

use crate::support::TestCloud;
use jiff::SignedDuration;
use serde_json::json;

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);

#[tokio::test]
async fn an_account_that_ran_low_is_topped_up_by_the_next_sweep_and_gets_a_receipt() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.charge("acme", "job-1", 400).await.expect(201);
    cloud.charge("acme", "job-2", 1).await.expect(201);

    let runs = cloud.advance(HALF_AN_HOUR).await;

    assert_eq!((&runs[0]["due"], &runs[0]["paid"]), (&json!(1), &json!(1)));
    assert_eq!(cloud.balance("acme").await, 5_000);
    let history = cloud.history("acme").await;
    assert_eq!((&history[0]["kind"], &history[0]["credits"]), (&json!("top_up"), &json!(4_010)));
    let subjects = cloud.subjects("acme");
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects[1].contains("4,010 credits for $40.10"), "{subjects:?}");
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["due"], json!(0), "nothing is due afterwards");
}
