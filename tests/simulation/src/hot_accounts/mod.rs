//! How many charges one account sustains, in virtual time: the real use cases over a table that collides like DynamoDB.
//!
//! The same seed always gives exactly the same figures.

mod fleet;
mod table;
mod timeline;

pub use fleet::{Fleet, FleetMeasured, measure_fleet};
pub use table::{Latencies, Requests};

use crate::names;
use futures::FutureExt;
use shared::clock::Clock;
use shared::domain::account::decide_open_account;
use shared::domain::charging::CHARGES_TOGETHER_MAX;
use shared::domain::{AccountId, Credits, CustomerId, EmailAddress, PriceBook, Salt};
use shared::ports::RandomIds;
use shared::use_cases::charging::{BatchCharge, BatchLimits, BatchPart, ChargeError, charge, charge_batch};
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use table::Table;
use timeline::{Tasks, Timeline};

/// The ports of a simulated charging function.
pub enum Simulated {}

impl Capabilities for Simulated {
    type Ledger = Table;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = Timeline;
    type Pauses = Table;
    type Ids = RandomIds;
    type PriceBook = PriceBook;
}

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub latencies: Latencies,
    /// How many requests are under way at any time, all on one account.
    pub writers: u32,
    pub request: Request,
}

/// What each writer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `POST …/charges`.
    Charge,
    /// `POST /v1/charges/batch` with so many charges of the account.
    Batch(u32),
}

/// What one simulation measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub seconds: f64,
    pub charges: u64,
    /// Requests answered 503.
    pub unavailable: u64,
    pub requests: Requests,
    /// Of the requests that charged, in ascending order.
    pub latencies: Vec<Duration>,
}

/// What the writers report.
#[derive(Default)]
struct Answers {
    charges: u64,
    unavailable: u64,
    latencies: Vec<Duration>,
    keys: u32,
}

impl Answers {
    fn forget_all_but_the_keys(&mut self) {
        *self = Self { keys: self.keys, ..Self::default() };
    }
}

const WARM_UP: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(60);

impl Measured {
    pub fn charges_per_second(&self) -> f64 {
        self.charges as f64 / self.seconds
    }

    pub fn per_charge(&self, count: u64) -> f64 {
        count as f64 / self.charges.max(1) as f64
    }

    /// What DynamoDB bills for a million charges, in dollars.
    pub fn cost(&self) -> f64 {
        self.requests.millionths_of_a_dollar() / self.charges.max(1) as f64
    }

    /// The share of transactions that were refused.
    pub fn refused(&self) -> f64 {
        self.requests.refusals() as f64 / self.requests.transactions.max(1) as f64
    }

    /// The share of requests answered 503.
    pub fn unavailable(&self) -> f64 {
        self.unavailable as f64 / (self.unavailable + self.latencies.len() as u64).max(1) as f64
    }

    /// The latency that this share of the requests stays within.
    pub fn latency_within(&self, share: f64) -> Duration {
        let position = (self.latencies.len().saturating_sub(1) as f64 * share) as usize;
        self.latencies.get(position).copied().unwrap_or_default()
    }
}

/// Lets the writers charge one account for a minute of virtual time.
pub fn measure(load: Load, seed: u64) -> Measured {
    let (table, account) = opened(load.latencies, seed);
    let answers = Arc::<Mutex<Answers>>::default();
    let mut tasks = Tasks::new();
    for _ in 0..load.writers {
        let writer = Writer { context: context(&table), account: account.clone(), answers: Arc::clone(&answers) };
        tasks.push(writer.write(load.request).boxed());
    }
    table.timeline.run(&mut tasks, WARM_UP);
    table.take_requests();
    lock(&answers).forget_all_but_the_keys();
    table.timeline.run(&mut tasks, WARM_UP + MEASURED);
    let answers = std::mem::take(&mut *lock(&answers));
    measured(&table, answers, MEASURED)
}

fn measured(table: &Table, answers: Answers, time: Duration) -> Measured {
    let Answers { charges, unavailable, mut latencies, .. } = answers;
    latencies.sort();
    Measured { seconds: time.as_secs_f64(), charges, unavailable, requests: table.take_requests(), latencies }
}

/// A table with an account that never runs out of credits.
fn opened(latencies: Latencies, seed: u64) -> (Table, AccountId) {
    let table = Table::new(latencies, seed);
    let account = names::account("acme");
    let email = EmailAddress::parse("owner@example.com").expect("a good address");
    let customer = CustomerId::parse("cus_1").expect("a good id");
    let mut opening = decide_open_account(account.clone(), email, customer, Salt::of(7), table.timeline.now());
    opening.account.balance = Credits::new(1_000_000_000_000).expect("below the greatest balance");
    table.write(&opening).expect("the table is empty");
    (table, account)
}

fn context(table: &Table) -> Context<Simulated> {
    Context {
        ledger: table.clone(),
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        clock: table.timeline.clone(),
        pauses: table.clone(),
        memory: Memory::none(),
        ids: RandomIds,
        price_book: PriceBook::reference(),
    }
}

/// Sends one request after the other.
struct Writer {
    context: Context<Simulated>,
    account: AccountId,
    answers: Arc<Mutex<Answers>>,
}

impl Writer {
    async fn write(self, request: Request) {
        loop {
            match request {
                Request::Charge => self.send_charge().await,
                Request::Batch(size) => self.send_batch(size).await,
            }
        }
    }

    async fn send_charge(&self) {
        let started_at = self.context.clock.elapsed();
        let charges = self.charge().await;
        self.answered(charges, started_at);
    }

    async fn send_batch(&self, size: u32) {
        let started_at = self.context.clock.elapsed();
        let charges = self.charge_batch(size).await;
        self.answered(charges, started_at);
    }

    fn answered(&self, charges: Option<u64>, started_at: Duration) {
        let mut answers = lock(&self.answers);
        match charges {
            Some(charges) => {
                answers.charges += charges;
                answers.latencies.push(self.context.clock.elapsed() - started_at);
            }
            None => answers.unavailable += 1,
        }
    }

    /// The number of charges taken; `None` for an answer of 503.
    async fn charge(&self) -> Option<u64> {
        match charge(&self.context, &self.account, &names::charge_command(self.next_key(), 1)).await {
            Ok(charged) if !charged.posted.is_replay => Some(1),
            Err(ChargeError::Store(error)) if error.is_retryable() => None,
            other => panic!("a new charge that the balance covers was answered {other:?}"),
        }
    }

    /// The same for a batch, which is unavailable if a part of it is. No batch here has more than one transaction.
    async fn charge_batch(&self, size: u32) -> Option<u64> {
        let charge =
            |_| BatchCharge { account: self.account.clone(), command: names::charge_command(self.next_key(), 1) };
        let charges: Vec<_> = (0..size).map(charge).collect();
        let limits = BatchLimits { together_max: CHARGES_TOGETHER_MAX, accounts_at_once: 1 };
        let (mut posted, mut is_answered) = (0, true);
        charge_batch(&self.context, &charges, limits, |BatchPart { answers, unanswered }| {
            is_answered &= unanswered.is_none_or(|left| !left.error.is_retryable());
            posted += answers.iter().filter(|(_, answer)| matches!(answer, Ok(new) if !new.posted.is_replay)).count();
        })
        .await;
        is_answered.then_some(posted as u64)
    }

    fn next_key(&self) -> u32 {
        let mut answers = lock(&self.answers);
        answers.keys += 1;
        answers.keys
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
