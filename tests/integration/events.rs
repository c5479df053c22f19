//! The events of `tests/events`, in the services' own format, delivered to the deployed functions.

use crate::ledger::clients;
use crate::support::TestCloud;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use shared::domain::PriceBook;
use shared::http::AccountRateLimiter;
use shared::ledger::direct::DirectClient;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::pauses::RandomPauses;
use shared::ports::RandomIds;
use shared::stripe::{SecretString, Settings, StripePayments};
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Absent, Context, Memory};

const CHARGE: &str = include_str!("../events/api-gateway-charge.json");
const SWEEP: &str = include_str!("../events/scheduler-sweep.json");

fn table(cloud: &TestCloud) -> String {
    cloud.cloud.template.tables.values().next().expect("the template has a table").name.clone()
}

fn ledger(cloud: &TestCloud) -> DynamoLedger {
    DynamoLedger::new(cloud.cloud.aws.dynamodb.client(), table(cloud), LedgerSettings::default())
}

/// The ledger of `charging`.
pub fn direct_ledger(cloud: &TestCloud) -> DynamoLedger<DirectClient> {
    let client = clients::through(cloud.cloud.aws.dynamodb.connector(), 3);
    DynamoLedger::new(client, table(cloud), LedgerSettings::default())
}

#[tokio::test]
async fn api_gateways_event_is_charged_once_however_often_it_is_delivered() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let context = Context::<charging::wiring::Deployed<_>> {
        ledger: direct_ledger(&cloud),
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        clock: cloud.cloud.clock.clone(),
        pauses: RandomPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: PriceBook::reference(),
    };
    let app = charging::App {
        context,
        limiter: AccountRateLimiter::default(),
        refusals: RefusalLog::in_lane(0),
        emit: |_| {},
    };

    let mut answers = vec![];
    for _ in 0..2 {
        let request = lambda_http::request::from_str(CHARGE).unwrap();
        let answer = charging::handle(&app, request).await;
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        answers.push((answer.status().as_u16(), answer.headers().contains_key("idempotent-replayed"), body));
    }

    assert_eq!((answers[0].0, answers[0].1), (201, false), "{}", answers[0].2);
    assert_eq!((answers[1].0, answers[1].1), (200, true), "{}", answers[1].2);
    assert_eq!(answers[0].2, answers[1].2);
    assert_eq!(answers[0].2["credits"], json!(15));
    assert_eq!(cloud.balance("acme").await, 485);
}

#[tokio::test]
async fn the_schedulers_event_tops_up_the_accounts_that_are_due() {
    let a_quarter_of_an_hour_later: jiff::Timestamp = "2026-01-05T00:15:00Z".parse().unwrap();
    assert_tops_up(a_quarter_of_an_hour_later.as_millisecond().try_into().unwrap()).await;
}

#[tokio::test]
async fn the_ten_minutes_that_cargo_lambda_grants_are_counted_from_now() {
    assert_tops_up(600_000).await;
}

async fn assert_tops_up(deadline_ms: u64) {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let mut settings = Settings::new(SecretString::from(cloud.cloud.stripe_api_key.clone()));
    settings.api_base = cloud.cloud.urls.stripe.clone();
    let context = Context::<top_up_sweep::wiring::Deployed<_>> {
        ledger: ledger(&cloud),
        payments: StripePayments::new(settings).unwrap(),
        mailer: Absent,
        timers: crate::sweeps::timers_in("prepaid-timers", &cloud.cloud.aws.scheduler),
        clock: cloud.cloud.clock.clone(),
        pauses: RandomPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: PriceBook::reference(),
    };
    let app = top_up_sweep::App { context, emit: |_| {} };

    let mut context = lambda_runtime::Context::default();
    context.deadline = deadline_ms;
    let event = LambdaEvent::new(serde_json::from_str(SWEEP).unwrap(), context);
    let summary = top_up_sweep::handle(&app, event).await.unwrap();

    assert_eq!((summary.due, summary.paid, summary.is_complete), (1, 1, true));
    assert_eq!(cloud.balance("acme").await, 5_000);
}
