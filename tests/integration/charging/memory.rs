//! A charging function that remembers what it committed a moment ago, as deployed: what it reads, and what it never
//! answers without reading. The clock stands still, so only a test lets the second pass in which it remembers.

use super::funded;
use crate::support::TestCloud;
use charging::wiring::Deployed;
use jiff::SignedDuration;
use local_aws::dynamodb::Recording;
use serde_json::{Value, json};
use shared::domain::PriceBook;
use shared::http::AccountRateLimiter;
use shared::pauses::RandomPauses;
use shared::ports::RandomIds;
use shared::telemetry::embedded_metrics;
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Absent, Context, Memory, MemorySettings};
use std::cell::RefCell;

/// One charge to remember, and sixteen that find it was right.
const CHARGES_BEFORE_TRUST: usize = 17;

/// A cloud whose account `acme` has 330 credits left of 500, and is recalled for the next charge.
async fn trusted() -> TestCloud {
    let cloud = funded().await;
    for number in 0..CHARGES_BEFORE_TRUST {
        let recording = cloud.cloud.aws.dynamodb.record();
        cloud.charge("acme", &format!("before-{number}"), 1).await.expect(201);
        assert_eq!(requests(&recording), (1, 1), "charge {number} reads first");
    }
    cloud
}

/// The reads and the transactions.
fn requests(recording: &Recording) -> (usize, usize) {
    (recording.count("GetItem"), recording.count("TransactWriteItems"))
}

#[tokio::test]
async fn an_account_that_keeps_holding_is_charged_without_a_read_until_a_second_has_passed() {
    let cloud = trusted().await;
    for number in 0..3 {
        let recording = cloud.cloud.aws.dynamodb.record();
        let charged = cloud.charge("acme", &format!("job-{number}"), 1).await.expect(201);
        assert_eq!(requests(&recording), (0, 1));
        assert_eq!(charged.body["balance"], json!(320 - 10 * number));
    }
    cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
    let recording = cloud.cloud.aws.dynamodb.record();
    cloud.charge("acme", "later", 1).await.expect(201);
    assert_eq!(requests(&recording), (1, 1));
}

#[tokio::test]
async fn a_change_by_another_function_is_seen_by_the_transaction_and_ends_the_trust() {
    let cloud = trusted().await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let recording = cloud.cloud.aws.dynamodb.record();
    let charged = cloud.charge("acme", "job", 1).await.expect(201);
    assert_eq!(requests(&recording), (0, 2), "the refused transaction returns the account");
    assert_eq!(charged.body["balance"], json!(820));
    let recording = cloud.cloud.aws.dynamodb.record();
    cloud.charge("acme", "next", 1).await.expect(201);
    assert_eq!(requests(&recording), (1, 1));
}

#[tokio::test]
async fn nothing_is_refused_on_a_remembered_account() {
    let cloud = trusted().await;
    let recording = cloud.cloud.aws.dynamodb.record();
    cloud.charge("acme", "too-much", 34).await.expect_problem(402, "insufficient_credits");
    assert_eq!(requests(&recording), (2, 0), "the account, and a charge under the same key");

    let cloud = trusted().await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    assert_eq!(cloud.charge("acme", "just-bought", 34).await.expect(201).body["balance"], json!(490));
}

#[tokio::test]
async fn a_charge_is_replayed_also_by_a_function_that_remembers_its_account() {
    let cloud = trusted().await;
    let replay = cloud.charge("acme", "before-3", 1).await.expect(200);
    assert_eq!((replay.is_replay, &replay.body["balance"]), (true, &json!(460)));
    cloud.charge("acme", "before-3", 2).await.expect_problem(409, "idempotency_key_reused");
    assert_eq!(cloud.balance("acme").await, 330);
}

const CHARGE: &str = include_str!("../../events/api-gateway-charge.json");

thread_local! {
    /// The metrics that the function emitted, by test, since each test has its own thread.
    static EMITTED: RefCell<Vec<Value>> = const { RefCell::new(vec![]) };
}

#[tokio::test]
async fn what_memory_saved_and_wasted_is_counted_once_a_minute() {
    let cloud = funded().await;
    let context = Context::<Deployed<_>> {
        ledger: crate::events::direct_ledger(&cloud),
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        clock: cloud.cloud.clock.clone(),
        pauses: RandomPauses,
        memory: Memory::new(MemorySettings { holds_min: 0, ..MemorySettings::CHARGING }),
        ids: RandomIds,
        price_book: PriceBook::reference(),
    };
    let app = charging::App {
        context,
        limiter: AccountRateLimiter::default(),
        refusals: RefusalLog::in_lane(0),
        emit: |metrics| EMITTED.with_borrow_mut(|emitted| emitted.push(metrics.clone())),
    };
    let charge = async |key: &str| {
        let request = lambda_http::request::from_str(&CHARGE.replace("job-event-1", key)).unwrap();
        assert_eq!(charging::handle(&app, request).await.status(), 201);
    };
    charge("read").await;
    charge("remembered").await;
    charge("remembered-too").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    charge("stale").await;
    assert_eq!(EMITTED.take(), [] as [Value; 0]);
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    charge("a-minute-later").await;
    charge("no-more").await;
    let now = shared::clock::Clock::now(&cloud.cloud.clock);
    let counts = [("remembered_commits", 2), ("remembered_stale", 1)];
    assert_eq!(EMITTED.take(), [embedded_metrics("charging", &counts, now)]);
}
