//! A batch is answered in time, however long the ledger takes.

use charging::{App, handle};
use jiff::Timestamp;
use lambda_http::http::{Method, Request};
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::domain::account::decide_open_account;
use shared::domain::charging::{PendingCharge, RefusalRow};
use shared::domain::{
    Account, AccountId, Change, Credits, CustomerId, EmailAddress, Entry, IdempotencyKey, Origin, PriceBook, Salt,
    Spender, SpenderLimits,
};
use shared::http::AccountRateLimiter;
use shared::pauses::RandomPauses;
use shared::ports::{Accounts, CommitError, Entries, LedgerError, PendingCharges, RandomIds, RefusalRows, Spenders};
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::future::pending;
use std::time::Duration;
use tokio::time::Instant;

/// Answers at once, except for the commits of accounts whose name begins with `slow`: those are never answered.
struct SlowLedger;

impl Accounts for SlowLedger {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        let email = EmailAddress::parse("owner@example.com").unwrap();
        let customer = CustomerId::parse("cus_1").unwrap();
        let opened = decide_open_account(account.clone(), email, customer, Salt::of(7), Timestamp::UNIX_EPOCH).account;
        Ok(Some(Account { balance: Credits::new(1_000_000).unwrap(), ..opened }))
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        if change.account.id.as_str().starts_with("slow") { pending().await } else { Ok(()) }
    }
}

impl Entries for SlowLedger {
    async fn entry_get(&self, _: &AccountId, _: &Origin) -> Result<Option<Entry>, LedgerError> {
        Ok(None)
    }
}

impl PendingCharges for SlowLedger {
    async fn pending_charge_get(
        &self,
        _: &AccountId,
        _: &IdempotencyKey,
    ) -> Result<Option<PendingCharge>, LedgerError> {
        Ok(None)
    }
}

impl Spenders for SlowLedger {
    async fn spender_limits_get(&self, _: &AccountId, _: &Spender) -> Result<Option<SpenderLimits>, LedgerError> {
        Ok(None)
    }
}

/// Nothing of what is refused is kept here.
impl RefusalRows for SlowLedger {
    async fn refusal_row_put(&self, _row: &RefusalRow) -> Result<(), LedgerError> {
        Ok(())
    }
}

#[derive(Clone)]
struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

enum Slow {}

impl Capabilities for Slow {
    type Ledger = SlowLedger;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = Epoch;
    type Pauses = RandomPauses;
    type Ids = RandomIds;
    type PriceBook = PriceBook;
}

fn app() -> App<Slow> {
    let price_book = PriceBook::reference();
    let context = Context {
        ledger: SlowLedger,
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        clock: Epoch,
        pauses: RandomPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book,
    };
    App { context, limiter: AccountRateLimiter::default(), refusals: RefusalLog::in_lane(0), emit: |_| {} }
}

/// Sends a batch of one charge for each account, and returns the statuses.
async fn statuses(accounts: &[String]) -> Vec<i64> {
    let charge = |account| json!({"account": account, "key": "job-1", "operation": "training", "max_minutes": 1});
    let body = json!({"charges": accounts.iter().map(charge).collect::<Vec<_>>()});
    let context = json!({
        "stage": "$default", "routeKey": "POST /v1/charges/batch",
        "authorizer": {"jwt": {"claims": {"sub": "service", "scope": "credits/service"}, "scopes": null}},
        "http": {"method": "POST", "path": "/v1/charges/batch"},
    });
    let context = RequestContext::ApiGatewayV2(serde_json::from_value(context).unwrap());
    let request = Request::builder().method(Method::POST).uri("/v1/charges/batch");
    let request = request.body(Body::Text(body.to_string())).unwrap().with_request_context(context);
    let answer = handle(&app(), request).await;
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
    let answer: Value = serde_json::from_slice(answer.body().as_ref()).unwrap();
    answer["results"].as_array().unwrap().iter().map(|result| result["status"].as_i64().unwrap()).collect()
}

/// Accounts are charged eight at a time, so those after eight slow ones are not reached.
#[tokio::test(start_paused = true)]
async fn a_batch_over_a_hundred_slow_accounts_is_answered_in_time() {
    let began = Instant::now();
    let accounts: Vec<String> = (0..100).map(|number| format!("slow-{number}")).collect();
    assert_eq!(statuses(&accounts).await, vec![503; 100]);
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(9), "Lambda stops the function after ten seconds: {elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn slow_accounts_do_not_hold_up_the_others_of_a_batch() {
    let slow = |number| (0..7).any(|place| number == 13 * place);
    let accounts: Vec<String> =
        (0..100).map(|number| format!("{}-{number}", if slow(number) { "slow" } else { "fast" })).collect();
    let expected: Vec<i64> = (0..100).map(|number| if slow(number) { 503 } else { 201 }).collect();
    assert_eq!(statuses(&accounts).await, expected);
}
