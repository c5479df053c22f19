//! A table that collides like DynamoDB, in virtual time.
//!
//! A transaction travels for a quarter of its time, is in flight for half of it, and its answer travels for the rest.
//! A transaction that arrives while another one holds one of its items conflicts at once. Its conditions are judged
//! when it arrives, and its writes appear when it has been in flight.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>
//!
//! A partition gives 1,000 write units a second and throttles what goes beyond. With that, the model gives the figures
//! that the policy before 2026-11-29 was measured with (docs/performance.md).

use super::timeline::Timeline;
use crate::ledger::{MemoryLedger, MemoryLedgerSettings};
use fastrand::Rng;
use futures::FutureExt;
use shared::domain::charging::PendingCharge;
use shared::domain::{Account, AccountId, Change, Entry, IdempotencyKey, Origin, Spender, SpenderLimits};
use shared::ports::{Accounts, CommitError, Entries, LedgerError, Pauses, PendingCharges, Spenders};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long DynamoDB takes, in the middle of all requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    pub get: Duration,
    /// A transaction of two items.
    pub transaction: Duration,
}

impl Latencies {
    /// What a function in the same region sees on most days.
    pub const USUAL: Self = Self { get: Duration::from_millis(3), transaction: Duration::from_millis(8) };
    /// Published measurements of transactions: <https://www.alexdebrie.com/posts/dynamodb-transactions-performance/>.
    pub const SLOW: Self = Self { get: Duration::from_millis(5), transaction: Duration::from_millis(25) };
}

/// What the table was asked, and what it billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    pub reads: u64,
    pub transactions: u64,
    pub conflicts: u64,
    pub throttled: u64,
    /// Transactions whose condition on the account failed.
    pub stale: u64,
    /// Those of the table and its index.
    pub write_units: u64,
}

impl Requests {
    pub fn refusals(&self) -> u64 {
        self.conflicts + self.throttled + self.stale
    }

    /// With the prices of us-east-1: $0.625 for a million write units, $0.125 for a million read units.
    pub fn millionths_of_a_dollar(&self) -> f64 {
        self.write_units as f64 * 0.625 + self.reads as f64 * 0.125
    }
}

/// The table, its clock, and the randomness of all that use it. Clones share them.
#[derive(Clone)]
pub struct Table {
    pub timeline: Timeline,
    latencies: Latencies,
    ledger: Arc<MemoryLedger>,
    state: Arc<Mutex<State>>,
}

struct State {
    rng: Rng,
    /// The items that a transaction in flight holds.
    held: BTreeSet<Item>,
    partition: Partition,
    requests: Requests,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Account(AccountId),
    Entry(AccountId, Origin),
}

/// The write units that are left, refilled all the time and never above those of one second.
struct Partition {
    units: f64,
    refilled_at: Duration,
}

const UNITS_PER_SECOND: f64 = 1_000.0;
/// A transaction of 25 items takes 27 % longer than one of two.
const LONGER_PER_ITEM: f64 = 0.27 / 23.0;

impl Table {
    pub fn new(latencies: Latencies, seed: u64) -> Self {
        let partition = Partition { units: UNITS_PER_SECOND, refilled_at: Duration::ZERO };
        let (held, requests) = (BTreeSet::new(), Requests::default());
        let state = State { rng: Rng::with_seed(seed), held, partition, requests };
        Self {
            timeline: Timeline::default(),
            latencies,
            ledger: Arc::new(MemoryLedger::new(MemoryLedgerSettings { due_page_size: 100, is_lagging: false })),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Writes without time or conflicts.
    ///
    /// # Errors
    /// As [`Accounts::commit`].
    pub fn write(&self, change: &Change) -> Result<(), CommitError> {
        let written = self.ledger.write(change);
        self.ledger.tables().take_journal();
        written
    }

    /// An account as it is stored now.
    pub fn account(&self, account: &AccountId) -> Option<Account> {
        self.ledger.tables().partitions.get(account)?.account.clone()
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Requests {
        std::mem::take(&mut self.state().requests)
    }

    /// A number from zero to one.
    pub fn random(&self) -> f64 {
        self.state().rng.f64()
    }

    /// A random time: at least four fifths of the median, and in one of a hundred cases twice as much.
    fn around(&self, median: Duration) -> Duration {
        let tail = -(1.0 - self.random()).ln();
        median.mul_f64(0.8 + 0.2 / std::f64::consts::LN_2 * tail)
    }

    async fn read<T>(&self, look: impl FnOnce(&MemoryLedger) -> T + Send) -> T {
        let half = self.around(self.latencies.get) / 2;
        self.state().requests.reads += 1;
        self.timeline.sleep(half).await;
        let seen = look(&self.ledger);
        self.timeline.sleep(half).await;
        seen
    }

    async fn transact(&self, change: &Change) -> Result<(), CommitError> {
        let items = items(change);
        let longer = 1.0 + LONGER_PER_ITEM * items.len().saturating_sub(2) as f64;
        let quarter = self.around(self.latencies.transaction.mul_f64(longer)) / 4;
        self.timeline.sleep(quarter).await;
        if let Err(refusal) = self.enter(change, &items) {
            self.timeline.sleep(quarter * 3).await;
            return Err(refusal);
        }
        self.timeline.sleep(quarter * 2).await;
        let written = self.write(change);
        self.leave(&items);
        self.timeline.sleep(quarter).await;
        written
    }

    /// The transaction arrives: it takes hold of its items, or is refused.
    fn enter(&self, change: &Change, items: &[Item]) -> Result<(), CommitError> {
        let mut state = self.state();
        state.requests.transactions += 1;
        if items.iter().any(|item| state.held.contains(item)) {
            state.requests.conflicts += 1;
            return Err(contended("TransactionConflict"));
        }
        let units = 2 * items.len() as u64;
        if !state.partition.take(units, self.timeline.elapsed()) {
            state.requests.throttled += 1;
            return Err(contended("ThrottlingError"));
        }
        state.requests.write_units += units;
        if let Err(refusal) = self.ledger.tables().check(change) {
            state.requests.stale += u64::from(matches!(refusal, CommitError::Stale { .. }));
            return Err(refusal);
        }
        state.requests.write_units += change.entries.len() as u64;
        state.held.extend(items.iter().cloned());
        Ok(())
    }

    fn leave(&self, items: &[Item]) {
        let mut state = self.state();
        state.held.retain(|held| !items.contains(held));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only charges are simulated, which write these items.
fn items(change: &Change) -> Vec<Item> {
    let account = &change.account.id;
    let entries = change.entries.iter().map(|entry| Item::Entry(account.clone(), entry.origin()));
    std::iter::once(Item::Account(account.clone())).chain(entries).collect()
}

fn contended(code: &'static str) -> CommitError {
    CommitError::Contended(LedgerError::Unavailable { operation: "commit", source: code.into() })
}

impl Partition {
    fn take(&mut self, units: u64, now: Duration) -> bool {
        let refilled = (now - self.refilled_at).as_secs_f64() * UNITS_PER_SECOND;
        self.units = (self.units + refilled).min(UNITS_PER_SECOND);
        self.refilled_at = now;
        let has_enough = self.units >= units as f64;
        if has_enough {
            self.units -= units as f64;
        }
        has_enough
    }
}

impl Accounts for Table {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        self.read(|ledger| at_once(ledger.account_get(account))).await
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        self.transact(change).await
    }
}

impl PendingCharges for Table {
    async fn pending_charge_get(
        &self,
        account: &AccountId,
        charge: &IdempotencyKey,
    ) -> Result<Option<PendingCharge>, LedgerError> {
        self.read(|ledger| at_once(ledger.pending_charge_get(account, charge))).await
    }
}

/// Nobody has limits here, so this is never asked.
impl Spenders for Table {
    async fn spender_limits_get(
        &self,
        account: &AccountId,
        spender: &Spender,
    ) -> Result<Option<SpenderLimits>, LedgerError> {
        self.read(|ledger| ledger.spender_limits_get(account, spender).now_or_never().expect("memory answers at once"))
            .await
    }
}

impl Entries for Table {
    async fn entry_get(&self, account: &AccountId, origin: &Origin) -> Result<Option<Entry>, LedgerError> {
        self.read(|ledger| at_once(ledger.entry_get(account, origin))).await
    }
}

impl Pauses for Table {
    async fn pause(&self, longest: Duration) {
        let drawn = longest.mul_f64(self.random());
        self.timeline.sleep(drawn).await;
    }
}

/// The in-memory ledger never waits.
fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("the in-memory ledger answers at once")
}
