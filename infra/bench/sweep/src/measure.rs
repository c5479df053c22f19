//! The measurements of a run, and the limits that it has to meet.

use crate::stripe::{CALLS_MAX, Calls, ENDPOINT_CALLS_MAX};
use crate::{Error, say};
use local_aws::dynamodb::RecordedOperation;
use serde_json::Value;
use shared::ports::Shard;
use std::fmt;
use std::time::Duration;

/// The most that the memory of the function's processes may grow after the warm-up, in kilobytes.
const GROWTH_MAX_KB: u64 = 4 * 1024;
const WARM_UP: Duration = Duration::from_secs(20);

/// The sum of the summaries of all parts of the sweeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub paid: u64,
    pub unknown: u64,
    pub failed: u64,
    pub skipped: u64,
    pub others: u64,
}

impl Summary {
    pub fn add(&mut self, answer: &Value) -> Result<(), Error> {
        let count = |name: &str| answer[name].as_u64().ok_or_else(|| format!("no {name} in {answer}"));
        self.paid += count("paid")?;
        self.unknown += count("unknown")?;
        self.failed += count("failed")?;
        self.skipped += count("skipped")?;
        self.others += count("declined")?
            + count("action_required")?
            + count("refused")?
            + count("abandoned")?
            + count("processing")?;
        Ok(())
    }
}

/// The requests to DynamoDB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    queries: usize,
    index_items: usize,
    gets: usize,
    table_items: usize,
    transactions: usize,
    others: usize,
    errors: usize,
}

impl Tally {
    pub fn count(&mut self, operations: &[RecordedOperation]) {
        for recorded in operations {
            self.errors += usize::from(recorded.error.is_some() || recorded.loss.is_some());
            match recorded.operation.name.as_str() {
                "Query" => {
                    self.queries += 1;
                    self.index_items += recorded.item_count;
                }
                "GetItem" => {
                    self.gets += 1;
                    self.table_items += recorded.item_count;
                }
                "TransactWriteItems" => self.transactions += 1,
                _ => self.others += 1,
            }
        }
    }
}

/// The memory of the function's processes over time.
#[derive(Clone, Debug, Default)]
pub struct Sampler {
    /// The seconds since the start, and the kilobytes of the largest process.
    samples: Vec<(u64, u64)>,
}

impl Sampler {
    pub fn sample(&mut self, elapsed: Duration) {
        let Some(kilobytes) = children_resident_kb().into_iter().max() else { return };
        let second = elapsed.as_secs();
        if self.samples.last().is_none_or(|(last, _)| *last < second) {
            if second.is_multiple_of(60) {
                say(&format!("{} minutes: the function uses {kilobytes} KB", second / 60));
            }
            self.samples.push((second, kilobytes));
        }
    }

    fn most(&self, seconds: std::ops::Range<u64>) -> u64 {
        let within = self.samples.iter().filter(|(second, _)| seconds.contains(second));
        within.map(|(_, kilobytes)| *kilobytes).max().unwrap_or_default()
    }

    fn peak(&self) -> u64 {
        self.most(0..u64::MAX)
    }

    /// The peak during the warm-up.
    fn early(&self) -> u64 {
        self.most(0..WARM_UP.as_secs())
    }
}

/// The resident memory of this process's children on Linux; empty elsewhere.
fn children_resident_kb() -> Vec<u64> {
    let own = std::process::id().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else { return vec![] };
    let status =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(entry.ok()?.path().join("status")).ok();
    let field = |status: &str, name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.to_owned())
    };
    // Before it executes the function, a child is a copy of this process with all of its memory.
    let is_function = |status: &String| {
        field(status, "PPid:").as_ref() == Some(&own)
            && ["top-up-sweep", "bootstrap"].contains(&field(status, "Name:").unwrap_or_default().as_str())
    };
    let children = processes.filter_map(status).filter(is_function);
    children.filter_map(|status| field(&status, "VmRSS:")?.parse().ok()).collect()
}

/// The results of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub due: usize,
    pub summary: Summary,
    pub sweeps: usize,
    pub continuations: usize,
    /// The most parts under way at the same time.
    pub most_at_once: usize,
    /// The time until the last call.
    pub seconds: f64,
    pub calls: Calls,
    /// The events about payments that were accepted, and those that were not.
    pub events: (usize, usize),
    pub tally: Tally,
    pub memory: Sampler,
    pub topped_up: usize,
    pub paid: usize,
}

impl Report {
    fn promises(&self) -> [(String, bool); 6] {
        let items_max = self.due * 11 / 10 + usize::from(Shard::COUNT);
        let most = self.calls.endpoints.values().map(|(_, most)| *most).max().unwrap_or_default();
        let growth = self.memory.peak().saturating_sub(self.memory.early());
        [
            (format!("index items read {} ≤ {items_max}", self.tally.index_items), self.tally.index_items <= items_max),
            (format!("answers 429: {}", self.calls.refusals), self.calls.refusals == 0),
            (
                format!(
                    "most calls in a second: {most} ≤ {ENDPOINT_CALLS_MAX} of one endpoint, {} ≤ {CALLS_MAX} in all",
                    self.calls.most
                ),
                most <= ENDPOINT_CALLS_MAX && self.calls.most <= CALLS_MAX,
            ),
            (
                format!("events accepted {} = due {}, others: {}", self.events.0, self.due, self.events.1),
                self.events == (self.due, 0),
            ),
            (
                format!("topped up once {} = paid once {} = due {}", self.topped_up, self.paid, self.due),
                self.topped_up == self.due && self.paid == self.due,
            ),
            (
                format!("memory grew by {growth} KB ≤ {GROWTH_MAX_KB} after {} s", WARM_UP.as_secs()),
                growth <= GROWTH_MAX_KB,
            ),
        ]
    }

    pub fn is_kept(&self) -> bool {
        self.promises().iter().all(|(_, is_kept)| *is_kept)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:.0} s, {:.2} attempts a second", self.seconds, self.due as f64 / self.seconds)?;
        writeln!(
            out,
            "{} sweeps, {} continuations, at most {} at once",
            self.sweeps, self.continuations, self.most_at_once
        )?;
        writeln!(out, "{:?}", self.summary)?;
        writeln!(out, "DynamoDB: {:?}", self.tally)?;
        for (endpoint, (total, most)) in &self.calls.endpoints {
            writeln!(out, "Stripe: {endpoint}: {total} calls, at most {most} in a second")?;
        }
        writeln!(
            out,
            "memory: {} KB at most in the first {} s, {} KB at most in all",
            self.memory.early(),
            WARM_UP.as_secs(),
            self.memory.peak()
        )?;
        for (promise, is_kept) in self.promises() {
            writeln!(out, "{}: {promise}", if is_kept { "kept" } else { "BROKEN" })?;
        }
        Ok(())
    }
}
