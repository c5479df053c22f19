//! Several running functions charge one account at random, each remembering what it committed.

use super::table::{Latencies, Requests, Table};
use super::timeline::Tasks;
use super::{Answers, Measured, WARM_UP, Writer, context, lock, measured, opened};
use futures::FutureExt;
use jiff::SignedDuration;
use shared::clock::Clock;
use shared::use_cases::{Memory, MemoryCounts, MemorySettings};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is simulated: charges of one account that arrive independently of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet<'a> {
    pub latencies: Latencies,
    pub charges_per_second: f64,
    /// The share of the charges that each function gets.
    pub shares: &'a [f64],
    pub memory: Option<MemorySettings>,
}

/// What one simulation measured.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetMeasured {
    pub measured: Measured,
    pub remembered: MemoryCounts,
}

const MEASURED: Duration = Duration::from_secs(10 * 60);

impl FleetMeasured {
    pub fn requests_per_charge(&self) -> f64 {
        let Requests { reads, transactions, .. } = self.measured.requests;
        self.measured.per_charge(reads + transactions)
    }

    /// What DynamoDB bills for a million charges, in dollars.
    pub fn cost(&self) -> f64 {
        self.measured.cost()
    }
}

/// Lets the fleet charge for ten minutes of virtual time.
pub fn measure_fleet(fleet: &Fleet<'_>, seed: u64) -> FleetMeasured {
    let (table, account) = opened(fleet.latencies, seed);
    let answers = Arc::<Mutex<Answers>>::default();
    let mut tasks = Tasks::new();
    let mut memories = vec![];
    for share in fleet.shares {
        let mut context = context(&table);
        context.memory = fleet.memory.map_or_else(Memory::none, Memory::new);
        memories.push(context.memory.clone());
        let writer = Writer { context, account: account.clone(), answers: Arc::clone(&answers) };
        tasks.push(serve(writer, table.clone(), fleet.charges_per_second * share).boxed());
    }
    table.timeline.run(&mut tasks, WARM_UP);
    table.take_requests();
    take_counts(&memories, &table);
    lock(&answers).forget_all_but_the_keys();
    table.timeline.run(&mut tasks, WARM_UP + MEASURED);
    let answers = std::mem::take(&mut *lock(&answers));
    FleetMeasured { remembered: take_counts(&memories, &table), measured: measured(&table, answers, MEASURED) }
}

/// A function serves one request at a time. Its requests arrive at random, so that the times between them are
/// exponential.
async fn serve(writer: Writer, table: Table, per_second: f64) {
    loop {
        let gap = -(1.0 - table.random()).ln() / per_second;
        table.timeline.sleep(Duration::from_secs_f64(gap)).await;
        writer.send_charge().await;
    }
}

fn take_counts(memories: &[Memory], table: &Table) -> MemoryCounts {
    let counts = memories.iter().filter_map(|memory| memory.counts_of(SignedDuration::ZERO, table.timeline.now()));
    counts.fold(MemoryCounts::default(), |sum, counts| MemoryCounts {
        hits: sum.hits + counts.hits,
        stale: sum.stale + counts.stale,
    })
}
