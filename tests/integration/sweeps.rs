//! The sweep over all accounts: it reads only due accounts, and no failure of an account, other sweep or clock makes it
//! charge twice or stop early without reporting that.

use crate::support::TestCloud;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_scheduler::config::retry::RetryConfig;
use aws_sdk_scheduler::config::{BehaviorVersion, Region};
use futures::future::join_all;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use local_aws::dynamodb::{Fault as TableFault, LocalDynamoDb, Refusal};
use local_aws::scheduler::LocalScheduler;
use local_stripe::{Fault, FaultAction, LocalStripe};
use prepaid_local::clock::MovableClock;
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};
use shared::config::Environment;
use shared::domain::account::decide_open_account;
use shared::domain::payments::decide_open_top_up;
use shared::domain::payments::{AutoTopUp, Consent};
use shared::domain::payments::{DeclineReason, PaymentIssue, PaymentIssueKind};
use shared::domain::{
    Account, AccountId, Amount, Change, ConsentId, Consenter, Credits, Currency, CustomerId, EmailAddress,
    PaymentMethodId, PriceBook, Salt, TopUpId,
};
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::pauses::RandomPauses;
use shared::ports::*;
use shared::stripe::{Settings, StripePayments};
use shared::telemetry::embedded_metrics;
use shared::timers::{EventBridgeTimers, TimerSettings};
use shared::use_cases::{Absent, Context, Memory};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use tokio::net::TcpListener;
use top_up_sweep::wiring::Deployed;
use top_up_sweep::{App, FollowedUp, Summary, handle};

mod continued;

const TABLE: &str = "credits";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:sweep";
/// No attempt starts later than this before Lambda ends the function, which is longer than one attempt can take.
const MARGIN: SignedDuration = SignedDuration::from_secs(240);
const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

thread_local! {
    /// The metrics that the function emitted, by test, since each test has its own thread.
    static EMITTED: RefCell<Vec<Value>> = const { RefCell::new(vec![]) };
}

/// The function, its table without a stream, and Stripe.
struct Bench<C: Clock = MovableClock> {
    database: LocalDynamoDb,
    stripe: LocalStripe,
    clock: MovableClock,
    scheduler: LocalScheduler,
    app: App<Deployed<C>>,
}

impl Bench {
    async fn start() -> Self {
        let clock = MovableClock::standing("2026-01-05T00:00:00Z".parse().unwrap());
        Self::with(clock.clone(), clock, 1_000).await
    }
}

impl<C: Clock> Bench<C> {
    /// `clock` is for the stand-ins and `own` for the function, which makes at most this many calls per second to an
    /// endpoint.
    async fn with(clock: MovableClock, own: C, calls_per_second: u32) -> Self {
        let database = LocalDynamoDb::in_memory();
        database.create_table(TABLE, &table_properties()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let stripe = LocalStripe::new(local_stripe::Settings {
            api_keys: vec!["sk_test_local".to_owned()],
            base_url: base_url.clone(),
            tax_basis_points: 0,
            seed: 3,
            clock: clock.shared(),
        });
        let server = stripe.clone();
        tokio::spawn(async move { server.serve(listener).await });
        let environment =
            [("STRIPE_API_BASE", base_url), ("STRIPE_ENDPOINT_CALLS_PER_SECOND", calls_per_second.to_string())];
        let environment = Environment::of(environment.map(|(name, value)| (name.to_owned(), value)).into());
        let scheduler = LocalScheduler::new(["timers"], clock.shared());
        let context = Context {
            ledger: DynamoLedger::new(database.client(), TABLE, LedgerSettings::default()),
            payments: StripePayments::new(Settings::of(&environment, "sk_test_local".into()).unwrap()).unwrap(),
            mailer: Absent,
            timers: timers_in("timers", &scheduler),
            clock: own,
            pauses: RandomPauses,
            memory: Memory::none(),
            ids: RandomIds,
            price_book: PriceBook::reference(),
        };
        let app = App { context, emit: |metrics| EMITTED.with_borrow_mut(|emitted| emitted.push(metrics.clone())) };
        Self { database, stripe, clock, scheduler, app }
    }

    /// Runs the function as if Lambda ended it after this long.
    async fn sweep_within(&self, time_left: SignedDuration) -> Result<Summary, Error> {
        self.handle_within(json!({}), time_left).await
    }

    async fn handle_within(&self, event: Value, time_left: SignedDuration) -> Result<Summary, Error> {
        let mut context = lambda_runtime::Context::default();
        context.deadline = (self.clock.now() + time_left).as_millisecond().try_into().unwrap();
        context.invoked_function_arn = FUNCTION.to_owned();
        handle(&self.app, LambdaEvent::new(event, context)).await
    }

    async fn sweep(&self) -> Summary {
        self.sweep_within(SignedDuration::from_mins(15)).await.unwrap()
    }

    /// A customer at Stripe with a test card, and its account, which is not stored yet.
    async fn account(&self, name: &str, card: &str) -> Account {
        let (id, email) = (AccountId::parse(name).unwrap(), email());
        let customer = self.app.context.payments.customer_create(&id, &email).await.unwrap();
        let path = format!("/v1/payment_methods/{card}/attach");
        let attached = self.stripe_post(&path, &format!("customer={customer}")).await;
        let payment_method = PaymentMethodId::parse(attached["id"].as_str().unwrap()).unwrap();
        let choice = format!("invoice_settings[default_payment_method]={payment_method}");
        self.stripe_post(&format!("/v1/customers/{customer}"), &choice).await;
        Account { payment_method: Some(payment_method), ..due_account(name, customer, self.clock.now()) }
    }

    /// Stores an account that is due and can pay.
    async fn store_due(&self, name: &str, card: &str) {
        self.store(self.account(name, card).await).await;
    }

    async fn store(&self, account: Account) {
        self.app
            .context
            .ledger
            .commit(&Change { account, entries: vec![], records: vec![], notices: vec![], events: vec![] })
            .await
            .unwrap();
    }

    /// Overwrites one attribute of a stored account, without any of the checks that keep accounts valid.
    async fn damage(&self, name: &str, attribute: &str, value: AttributeValue) {
        let update = self
            .database
            .client()
            .update_item()
            .table_name(TABLE)
            .key("PK", AttributeValue::S(format!("ACCOUNT#{name}")))
            .key("SK", AttributeValue::S("STATE".to_owned()))
            .update_expression("SET #attribute = :value")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":value", value);
        update.send().await.unwrap();
    }

    async fn balance(&self, name: &str) -> i64 {
        let account = self.app.context.ledger.account_get(&AccountId::parse(name).unwrap()).await.unwrap();
        account.unwrap().balance.get()
    }

    async fn stripe_post(&self, path: &str, form: &str) -> Value {
        self.stripe_send("POST", path, form).await
    }

    async fn stripe_send(&self, method: &str, path: &str, form: &str) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", "Bearer sk_test_local")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(bytes::Bytes::from(form.to_owned()))
            .unwrap();
        let response = self.stripe.handle(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}: {response:?}");
        serde_json::from_slice(response.body()).unwrap()
    }

    /// The number of charges of each customer's cards.
    async fn payments(&self) -> BTreeMap<String, usize> {
        let charges = self.stripe_send("GET", "/v1/charges?limit=100", "").await;
        assert_eq!(charges["has_more"], json!(false));
        let mut payments = BTreeMap::new();
        for charge in charges["data"].as_array().unwrap().iter().filter(|charge| charge["paid"] == true) {
            *payments.entry(charge["customer"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        payments
    }
}

/// The deployed adapter with the embedded scheduler.
pub fn timers_in(group: &str, scheduler: &LocalScheduler) -> EventBridgeTimers {
    let config = aws_sdk_scheduler::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .allow_no_auth()
        .retry_config(RetryConfig::disabled())
        .http_client(scheduler.sdk_config_http_client());
    let settings = TimerSettings {
        group: group.to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/timers".to_owned(),
        dead_letter_arn: "arn:aws:sqs:us-east-1:000000000000:failures".to_owned(),
    };
    EventBridgeTimers::new(aws_sdk_scheduler::Client::from_conf(config.build()), settings)
}

/// As deployed, but without the stream, which nothing reads here and which slows the table down.
fn table_properties() -> Value {
    let yaml = include_str!("../../template.yaml");
    let required = ["JwtIssuer", "JwtAudience", "StripeSecretArn", "ReturnUrl", "Sender", "SenderIdentity"];
    let parameters = required.map(|name| (name.to_owned(), "unused".to_owned())).into();
    let deployment = local_gateway::Deployment { parameters, ..local_gateway::Deployment::default() };
    let template = local_gateway::Template::parse(yaml, &deployment).unwrap();
    let mut properties = template.tables["Table"].properties.clone();
    properties.as_object_mut().unwrap().remove("StreamSpecification").unwrap();
    properties
}

fn email() -> EmailAddress {
    EmailAddress::parse("owner@acme.example").unwrap()
}

/// An empty account with top-ups on, due since its creation.
fn due_account(name: &str, customer: CustomerId, now: Timestamp) -> Account {
    let consent = Consent {
        id: ConsentId::mint(1),
        text_version: 1,
        accepted_by: Consenter::parse("owner").ok(),
        accepted_at: now,
        price_max: Amount::new(Currency::USD, Amount::MINOR_MAX).unwrap(),
    };
    let auto_top_up = AutoTopUp {
        is_enabled: true,
        threshold: Credits::constant(1_000),
        target: Credits::constant(5_000),
        cap: None,
        consent,
    };
    let opened = decide_open_account(AccountId::parse(name).unwrap(), email(), customer, Salt::of(7), now).account;
    Account { auto_top_up: Some(auto_top_up), ..opened }
}

/// Accounts that are not due: no settings, off, rich, at the threshold, paused, or topped up recently.
fn resting_account(number: usize, now: Timestamp) -> Account {
    let name = format!("resting_{number}");
    let due = due_account(&name, CustomerId::parse(format!("cus_{number}")).unwrap(), now);
    let top_up = TopUpId::mint(number as u128);
    let kind = PaymentIssueKind::Declined(DeclineReason::Generic);
    match number % 6 {
        0 => Account { auto_top_up: None, ..due },
        1 => Account { auto_top_up: due.auto_top_up.clone().map(|on| AutoTopUp { is_enabled: false, ..on }), ..due },
        2 => Account { balance: Credits::constant(4_000), ..due },
        3 => Account { balance: Credits::constant(1_000), ..due },
        4 => Account { payment_issue: Some(PaymentIssue { kind, top_up, since: now }), ..due },
        _ => Account { last_top_up_at: Some(now - AN_HOUR), ..due },
    }
}

/// The limit: of 10,000 accounts 100 are due. The index returns exactly those 100, in one query for each of its 16
/// shards. Each attempt reads its account three times and its record twice, and nothing of other accounts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_over_ten_thousand_accounts_reads_the_hundred_that_are_due() {
    const ACCOUNTS: usize = 10_000;
    const DUE: usize = 100;
    let bench = Bench::start().await;
    let now = bench.clock.now();
    let resting = stream::iter(0..ACCOUNTS - DUE).map(|number| bench.store(resting_account(number, now)));
    resting.buffer_unordered(8).collect::<Vec<()>>().await;
    for number in 0..DUE {
        bench.store_due(&format!("due_{number}"), "pm_card_visa").await;
    }
    let recording = bench.database.record();

    let summary = bench.sweep().await;

    assert_eq!((summary.due, summary.paid, summary.is_complete), (100, 100, true), "{summary:?}");
    let operations = recording.operations();
    let named = |name: &str| operations.iter().filter(|recorded| recorded.operation.name == name).collect::<Vec<_>>();
    let (queries, gets, commits) = (named("Query"), named("GetItem"), named("TransactWriteItems"));
    assert_eq!(queries.len() + gets.len() + commits.len(), operations.len(), "{:?}", recording.names());
    assert!(queries.iter().all(|query| query.operation.index() == Some("due")));
    let listed: usize = queries.iter().map(|query| query.item_count).sum();
    assert_eq!((queries.len(), listed), (32, DUE), "the index: accounts and unpaid attempts");
    assert_eq!((gets.len(), commits.len()), (3 * DUE, 2 * DUE), "what the attempts read and write");
    let read: BTreeSet<&str> =
        gets.iter().map(|get| get.operation.request["Key"]["PK"]["S"].as_str().unwrap()).collect();
    assert!(read.len() == DUE && read.iter().all(|key| key.starts_with("ACCOUNT#due_")), "{read:?}");
    let payments = bench.payments().await;
    assert!(payments.len() == DUE && payments.values().all(|count| *count == 1), "{payments:?}");

    recording.clear();
    assert_eq!(bench.sweep().await.due, 0);
    assert_eq!(recording.names(), vec!["Query"; 32], "nothing is due any more");
}

#[tokio::test]
async fn one_accounts_failure_stops_no_other_and_is_counted() {
    let bench = Bench::start().await;
    for number in 0..20 {
        bench.store_due(&format!("sound_{number}"), "pm_card_visa").await;
    }
    bench.store_due("unreadable", "pm_card_visa").await;
    bench.damage("unreadable", "balance", AttributeValue::S("a lot".to_owned())).await;
    let now = bench.clock.now();
    bench.store(due_account("refused", CustomerId::parse("cus_nobody").unwrap(), now)).await;

    let summary = bench.sweep().await;

    assert_eq!((summary.due, summary.paid), (22, 20), "{summary:?}");
    assert_eq!((summary.failed, summary.unknown, summary.is_complete), (1, 1, true), "{summary:?}");
    for number in 0..20 {
        assert_eq!(bench.balance(&format!("sound_{number}")).await, 5_000);
    }
    let refused = bench.app.context.ledger.account_get(&AccountId::parse("refused").unwrap()).await.unwrap().unwrap();
    assert_eq!(refused.payment_issue, None, "a request that Stripe rejects is not a decline");
}

#[tokio::test]
async fn two_sweeps_at_once_charge_each_account_once() {
    let bench = Bench::start().await;
    for number in 0..20 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    // Slow enough that both sweeps work on the same accounts at the same time.
    let slow = Fault {
        method: None,
        path: "/v1/invoices".to_owned(),
        action: FaultAction::Latency { milliseconds: 20 },
        count: u32::MAX,
    };
    bench.stripe.add_fault(slow);

    let summaries = join_all([bench.sweep(), bench.sweep(), bench.sweep()]).await;

    assert!(summaries.iter().map(|summary| summary.paid).sum::<u64>() >= 20, "{summaries:?}");
    assert!(summaries.iter().all(|summary| summary.failed == 0 && summary.declined == 0), "{summaries:?}");
    bench.sweep().await;
    let payments = bench.payments().await;
    assert!(payments.len() == 20 && payments.values().all(|count| *count == 1), "{payments:?}");
    for number in 0..20 {
        assert_eq!(bench.balance(&format!("account_{number}")).await, 5_000);
    }
}

#[tokio::test]
async fn a_schedule_that_fires_twice_tops_up_once() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let sweeps = join_all([cloud.sweep(), cloud.sweep()]).await;
    assert!(sweeps.iter().all(|sweep| sweep["failed"] == 0), "{sweeps:?}");
    cloud.settle().await;
    assert_eq!(cloud.cents_taken("acme").await, [5_000]);
    assert_eq!(cloud.entries("acme", "top_up").await, [5_000]);
    assert_eq!(cloud.mails("acme").len(), 1);
}

#[tokio::test]
async fn a_sweep_without_time_left_begins_nothing_and_says_that_it_is_not_complete() {
    let bench = Bench::start().await;
    for number in 0..3 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    bench.stripe.clear_requests();
    let recording = bench.database.record();
    for time_left in [SignedDuration::ZERO, SignedDuration::from_secs(-1), MARGIN] {
        let summary = bench.sweep_within(time_left).await.unwrap();
        assert!(!summary.is_complete, "{time_left}: {summary:?}");
        assert_eq!(summary.due, 0, "{time_left}: {summary:?}");
    }
    assert_eq!(bench.stripe.requests(), vec![]);
    assert!(recording.names().iter().all(|name| name == "Query"), "{:?}", recording.names());

    let summary = bench.sweep_within(MARGIN + SignedDuration::from_millis(1)).await.unwrap();
    assert_eq!((summary.paid, summary.is_complete), (3, true), "{summary:?}");
}

/// Advances by half a second at each call.
#[derive(Clone)]
struct Ticking(MovableClock);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.0.advance(SignedDuration::from_millis(500)).unwrap()
    }
}

#[tokio::test]
async fn what_a_sweep_had_no_time_for_is_done_by_the_next_one() {
    let clock = MovableClock::standing("2026-01-05T00:00:00Z".parse().unwrap());
    let bench = Bench::with(clock.clone(), Ticking(clock), 1_000).await;
    for number in 0..40 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    let first = bench.sweep_within(MARGIN + SignedDuration::from_secs(10)).await.unwrap();
    assert!(!first.is_complete && (1..40).contains(&first.paid) && first.paid == first.due, "{first:?}");
    let second = bench.sweep().await;
    assert_eq!((first.paid + second.paid, second.is_complete), (40, true), "{first:?} {second:?}");
    let payments = bench.payments().await;
    assert!(payments.len() == 40 && payments.values().all(|count| *count == 1), "{payments:?}");
}

/// Deciding again stops after four seconds; a single commit that takes longer still succeeds.
#[tokio::test]
async fn a_ledger_that_is_slow_makes_no_failure_of_what_it_has_written() {
    let clock = MovableClock::standing("2026-01-05T00:00:00Z".parse().unwrap());
    let standing = clock.clone();
    let slow = move || standing.advance(SignedDuration::from_millis(1_500)).unwrap();
    let bench = Bench::with(clock, slow, 1_000).await;
    for number in 0..3 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    let summary = bench.sweep().await;
    assert_eq!((summary.paid, summary.failed), (3, 0), "{summary:?}");
}

#[tokio::test]
async fn an_event_without_a_deadline_is_an_error_and_not_a_sweep_without_end() {
    let bench = Bench::start().await;
    let mut context = lambda_runtime::Context::default();
    context.deadline = u64::MAX;
    assert!(handle(&bench.app, LambdaEvent::new(json!({}), context)).await.is_err());
}

#[tokio::test]
async fn due_accounts_that_cannot_be_listed_fail_the_run_so_that_somebody_hears_of_it() {
    let bench = Bench::start().await;
    bench.store_due("acme", "pm_card_visa").await;
    bench.database.faults().next("Query", 1, TableFault::Refuse(Refusal::InternalServerError));
    assert!(bench.sweep_within(AN_HOUR).await.is_err());
    assert_eq!(bench.sweep().await.paid, 1, "nothing is lost");
}

#[tokio::test]
async fn the_summary_counts_every_outcome_and_is_emitted_as_metrics() {
    let bench = Bench::start().await;
    for name in ["paid_1", "paid_2", "paid_3", "unreadable", "skipped"] {
        bench.store_due(name, "pm_card_visa").await;
    }
    bench.damage("unreadable", "balance", AttributeValue::S("a lot".to_owned())).await;
    bench.damage("skipped", "balance", AttributeValue::N("9000".to_owned())).await;
    bench.store_due("declined_1", "pm_card_chargeCustomerFail").await;
    bench.store_due("declined_2", "pm_card_chargeCustomerFail").await;
    bench.store_due("action_required", "pm_card_authenticationRequired").await;
    let now = bench.clock.now();
    bench.store(due_account("unknown", CustomerId::parse("cus_nobody").unwrap(), now)).await;
    let abandoned = bench.account("abandoned", "pm_card_visa").await;
    bench.store(abandoned.clone()).await;
    let (mut opened, _) = decide_open_top_up(&abandoned, &PriceBook::reference(), TopUpId::mint(1), now).unwrap();
    opened.account.auto_top_up = opened.account.auto_top_up.map(|on| AutoTopUp { is_enabled: false, ..on });
    bench.app.context.ledger.commit(&opened).await.unwrap();

    let summary = bench.sweep().await;

    let expected = Summary {
        due: 10,
        paid: 3,
        declined: 2,
        action_required: 1,
        refused: 0,
        abandoned: 1,
        processing: 0,
        unknown: 1,
        unknown_for_an_hour: 0,
        skipped: 1,
        failed: 1,
        is_complete: true,
        is_continued: false,
        unpaid: Some(FollowedUp { is_complete: true, ..FollowedUp::default() }),
    };
    assert_eq!(summary, expected);
    let counts = [
        ("due", 10),
        ("paid", 3),
        ("declined", 2),
        ("action_required", 1),
        ("refused", 0),
        ("abandoned", 1),
        ("processing", 0),
        ("unknown", 1),
        ("unknown_for_an_hour", 0),
        ("skipped", 1),
        ("failed", 1),
    ];
    assert_eq!(EMITTED.take(), [embedded_metrics("top-up-sweep", &counts, now)]);
}

/// Stripe accepts 25 calls per second to one endpoint, and the setting stays below. Each attempt calls four endpoints
/// once. Only a lower limit is certain: at `r` calls per second, `n` calls take at least `(n − 1) / r` seconds.
#[tokio::test]
async fn no_more_calls_a_second_reach_an_endpoint_than_the_setting_allows() {
    const CALLS_PER_SECOND: f64 = 20.0;
    let clock = MovableClock::running();
    let bench = Bench::with(clock.clone(), clock, 20).await;
    for number in 0..30 {
        bench.store_due(&format!("account_{number}"), "pm_card_visa").await;
    }
    bench.stripe.clear_requests();
    // The clock of the request log.
    let started_at = SystemClock.now();

    assert_eq!(bench.sweep().await.paid, 30);

    let requests = bench.stripe.requests();
    assert_eq!(requests.len(), 4 * 30, "four calls for each account");
    for path in ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/*/finalize", "/v1/invoices/*/pay"] {
        let calls: Vec<_> = requests.iter().filter(|request| request.is("POST", path)).collect();
        let took = calls.last().unwrap().at.duration_since(started_at).as_secs_f64();
        let least = (calls.len() - 1) as f64 / CALLS_PER_SECOND;
        // A tick may come a little early to keep its interval.
        assert!(calls.len() == 30 && took >= least - 0.01, "{} calls to {path} in {took} s", calls.len());
    }
}

/// The setting as the template passes it to the function.
#[tokio::test]
async fn the_template_hands_the_rate_of_calls_to_the_sweep() {
    let cloud = TestCloud::start().await;
    let function = cloud.cloud.template.function_of_binary("top-up-sweep").unwrap();
    let rate: u32 = function.environment["STRIPE_ENDPOINT_CALLS_PER_SECOND"].parse().unwrap();
    // A paid attempt takes four calls of the sweep, and customers need some of the 100 per second and of the 25 to one
    // endpoint. 45,000 accounts are topped up in 34 minutes: two handovers take 36 seconds, and the sweep's end 20.
    assert!(4 * rate <= 92 && rate <= 23, "{rate}");
    assert!(45_000 / u64::from(rate) + 56 <= 34 * 60, "{rate}");
    let environment = Environment::of(function.environment.clone());
    let settings = Settings::of(&environment, "sk_test_local".into()).unwrap();
    assert_eq!(settings.endpoint_calls_per_second.map(NonZeroU32::get), Some(rate));
}
