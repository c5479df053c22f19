//! The progress of a sweep, which a timer passes from one part to the next.

use super::ledger::{DueCursor, Shard};
use crate::domain::payments::SWEEP_MINUTES;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;

/// The interval between sweeps, as scheduled in `template.yaml`.
pub const SWEEP_PERIOD: SignedDuration = SignedDuration::from_mins(SWEEP_MINUTES);

/// A sweep starts nothing new this long before the next one, so that work in progress can finish. Scheduler starts the next
/// one within the minute that follows its time, and never before.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
const HANDOVER: SignedDuration = SignedDuration::from_secs(20);

/// One part of a sweep: the work that remains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepPart {
    /// The scheduled start of the sweep, the same for all its parts.
    pub started_at: Timestamp,
    /// Accounts that become due later wait for the next sweep. So do those for which this sweep opened a top-up without
    /// learning its outcome, because they then count as due since the opening.
    pub due_by: Timestamp,
    /// 0 for the part that the schedule starts.
    pub number: u32,
    pub remainder: Remainder,
}

impl SweepPart {
    /// A whole sweep that was scheduled for `started_at` and starts now.
    pub fn first(started_at: Timestamp, now: Timestamp) -> Self {
        Self { started_at, due_by: now, number: 0, remainder: Remainder::everything() }
    }

    /// From this time on, no part of the sweep starts anything new.
    pub fn ends_at(&self) -> Timestamp {
        self.started_at.saturating_add(SWEEP_PERIOD - HANDOVER).unwrap_or(Timestamp::MAX)
    }
}

/// The shards that a sweep has not finished, in the order in which they are processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remainder(pub VecDeque<Turn>);

/// The rest of a shard: everything after the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub shard: Shard,
    pub after: Option<DueCursor>,
}

impl Remainder {
    /// Every shard from its beginning.
    pub fn everything() -> Self {
        Self(Shard::all().map(|shard| Turn { shard, after: None }).collect())
    }
}
