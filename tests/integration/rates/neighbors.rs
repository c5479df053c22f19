//! What a loop of refused charges of one account does to the latency of another, in virtual time.
//!
//! The worst case: one running function that answers one request at a time, while everything else waits. Lambda would
//! start another one. The function is the deployed handler, on a ledger that takes DynamoDB's published time for each
//! call. Nothing here depends on the machine, so the figures are the same everywhere.

use charging::{App, handle};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use shared::config::Environment;
use shared::domain::account::decide_open_account;
use shared::domain::charging::{PendingCharge, RefusalRow};
use shared::domain::{
    Account, AccountId, Change, Credits, CustomerId, EmailAddress, Entry, IdempotencyKey, Origin, PriceBook, Salt,
    Spender, SpenderLimits,
};
use shared::http::AccountRateLimiter;
use shared::ports::{
    Accounts, CommitError, Entries, LedgerError, NoPauses, PendingCharges, RandomIds, RefusalRows, Spenders,
};
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const CHARGE: &str = include_str!("../../events/api-gateway-charge.json");

/// In microseconds. DynamoDB's times are those of docs/performance.md; a charge computes for 0.4 ms in all, and a request
/// without DynamoDB for a tenth of a millisecond, twice as long as the benchmark's hello world.
const GATEWAY: u64 = 5_000;
const HANDLER: u64 = 100;
const SDK: u64 = 150;
const GET: u64 = 3_000;
const TRANSACTION: u64 = 8_000;

/// Tokio's timers have a resolution of one millisecond, so the model runs ten times as slow.
const SLOWER: u64 = 10;

async fn spend(microseconds: u64) {
    sleep(Duration::from_micros(microseconds * SLOWER)).await;
}

/// Accounts in memory, whose calls take as long as DynamoDB's.
struct SlowLedger(Mutex<BTreeMap<AccountId, Account>>);

impl Accounts for SlowLedger {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        spend(SDK + GET).await;
        Ok(self.0.lock().unwrap().get(account).cloned())
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        spend(SDK + TRANSACTION).await;
        self.0.lock().unwrap().insert(change.account.id.clone(), change.account.clone());
        Ok(())
    }
}

/// Every key is new here.
impl Entries for SlowLedger {
    async fn entry_get(&self, _account: &AccountId, _origin: &Origin) -> Result<Option<Entry>, LedgerError> {
        spend(SDK + GET).await;
        Ok(None)
    }
}

/// No charge is pending here.
impl PendingCharges for SlowLedger {
    async fn pending_charge_get(
        &self,
        _account: &AccountId,
        _charge: &IdempotencyKey,
    ) -> Result<Option<PendingCharge>, LedgerError> {
        spend(SDK + GET).await;
        Ok(None)
    }
}

/// No spender has limits here.
impl Spenders for SlowLedger {
    async fn spender_limits_get(
        &self,
        _account: &AccountId,
        _spender: &Spender,
    ) -> Result<Option<SpenderLimits>, LedgerError> {
        spend(SDK + GET).await;
        Ok(None)
    }
}

/// Nothing of what is refused is kept here.
impl RefusalRows for SlowLedger {
    async fn refusal_row_put(&self, _row: &RefusalRow) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// The model's time.
#[derive(Clone, Copy)]
struct Elapsed(Instant);

impl Elapsed {
    fn microseconds(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap() / SLOWER
    }
}

impl shared::clock::Clock for Elapsed {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::from_micros(i64::try_from(self.microseconds()).unwrap());
        Timestamp::from_second(1_800_000_000).unwrap() + elapsed
    }
}

enum Modeled {}

impl Capabilities for Modeled {
    type Ledger = SlowLedger;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = Elapsed;
    type Pauses = NoPauses;
    type Ids = RandomIds;
    type PriceBook = PriceBook;
}

/// One running function, and the queue before it.
struct Function {
    app: App<Modeled>,
    /// Tokio's lock is handed on in the order of arrival.
    turn: tokio::sync::Mutex<()>,
    clock: Elapsed,
}

impl Function {
    fn new(per_second: u32) -> Self {
        let variables =
            [("ACCOUNT_REQUESTS_PER_SECOND", per_second.to_string()), ("ACCOUNT_REQUESTS_BURST", "100".into())];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let clock = Elapsed(Instant::now());
        let accounts = [opened("noisy", 0), opened("quiet", 1_000_000)];
        let context = Context {
            ledger: SlowLedger(Mutex::new(accounts.map(|account| (account.id.clone(), account)).into())),
            payments: Absent,
            mailer: Absent,
            timers: Absent,
            clock,
            pauses: NoPauses,
            // The figures are of charges that read first, which take longest.
            memory: Memory::none(),
            ids: RandomIds,
            price_book: PriceBook::reference(),
        };
        let limiter = AccountRateLimiter::of(&Environment::of(variables)).unwrap();
        Self {
            app: App { context, limiter, refusals: RefusalLog::in_lane(0), emit: |_| {} },
            turn: tokio::sync::Mutex::default(),
            clock,
        }
    }

    /// Charges the account for 90 seconds of dubbing, and returns the status.
    async fn charge(&self, account: &str, number: usize) -> u16 {
        let event =
            CHARGE.replace("\"acme\"", &format!("\"{account}\"")).replace("job-event-1", &format!("job-{number}"));
        let request = lambda_http::request::from_str(&event).unwrap();
        spend(GATEWAY).await;
        let _turn = self.turn.lock().await;
        spend(HANDLER).await;
        handle(&self.app, request).await.status().as_u16()
    }

    /// A program that charges again as soon as it is answered, whatever the answer is.
    async fn loop_forever(&self) {
        for number in 0.. {
            let status = self.charge("noisy", number).await;
            assert!([402, 429].contains(&status), "{status}");
        }
    }

    /// The latencies of many charges at random moments, sorted, in microseconds.
    async fn latencies(&self, count: usize) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut latencies = vec![];
        for number in 0..count {
            spend(random.u64(20_000..120_000)).await;
            let began = self.clock.microseconds();
            assert_eq!(self.charge("quiet", number).await, 201);
            latencies.push(self.clock.microseconds() - began);
        }
        latencies.sort_unstable();
        latencies
    }
}

fn opened(name: &str, credits: i64) -> Account {
    let id = AccountId::parse(name).unwrap();
    let email = EmailAddress::parse("owner@example.com").unwrap();
    let opened =
        decide_open_account(id, email, CustomerId::parse("cus_1").unwrap(), Salt::of(7), Timestamp::UNIX_EPOCH);
    Account { balance: Credits::constant(credits), ..opened.account }
}

/// The latency of a quiet account beside this many loops of another, once their burst is used up: mean, median and 99th
/// percentile, in microseconds.
async fn beside(loops: usize, per_second: u32) -> [u64; 3] {
    let function = Function::new(per_second);
    let mut loops: FuturesUnordered<_> = (0..loops).map(|_| function.loop_forever()).collect();
    let measured = async {
        spend(2_000_000).await;
        function.latencies(500).await
    };
    let latencies = tokio::select! {
        latencies = measured => latencies,
        () = async { while loops.next().await.is_some() {} ; std::future::pending().await } => unreachable!(),
    };
    let count = latencies.len();
    [latencies.iter().sum::<u64>() / count as u64, latencies[count / 2], latencies[count * 99 / 100]]
}

/// The rate is the template's. Without it, four loops hold the function all the time.
#[tokio::test(start_paused = true)]
async fn loops_of_refused_charges_leave_the_latency_of_another_account_within_a_tenth() {
    let (alone, limited, unlimited) = (beside(0, 50).await, beside(4, 50).await, beside(4, 0).await);
    println!(
        "mean, median and 99th percentile in µs: {alone:?}; beside loops {limited:?}, without a limit {unlimited:?}"
    );
    let is_within_a_tenth = |[mean, median, _]: [u64; 3]| mean * 10 <= alone[0] * 11 && median * 10 <= alone[1] * 11;
    assert!(is_within_a_tenth(limited), "{limited:?}, alone: {alone:?}");
    assert!(!is_within_a_tenth(unlimited), "without a limit: {unlimited:?}, alone: {alone:?}");
}
