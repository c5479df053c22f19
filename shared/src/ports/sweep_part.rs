//! Where a sweep stands: what a timer hands from one part of it to the next.

use super::ledger::{DueCursor, Shard};
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;

/// From one sweep to the next, as `template.yaml` schedules them.
pub const SWEEP_PERIOD: SignedDuration = SignedDuration::from_mins(30);

/// So long before the next sweep nothing is begun any more: what is under way ends, and the next may come as much as a
/// minute before its time by this one's clock.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
const HANDOVER: SignedDuration = SignedDuration::from_secs(60);

/// One part of a sweep: what is still to be done of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepPart {
    /// When the sweep was due, the same for all its parts.
    pub started_at: Timestamp,
    /// Accounts that become due later wait for the next sweep. So do those whose attempt this sweep has opened without
    /// learning the outcome: from then on they count as due since that instant.
    pub due_by: Timestamp,
    /// 0 for the part that the schedule begins.
    pub number: u32,
    pub remainder: Remainder,
}

impl SweepPart {
    /// All of a sweep that was due at `started_at` and is begun now.
    pub fn first(started_at: Timestamp, now: Timestamp) -> Self {
        Self { started_at, due_by: now, number: 0, remainder: Remainder::everything() }
    }

    /// From this instant on the sweep begins nothing more, whichever part it is in.
    pub fn ends_at(&self) -> Timestamp {
        self.started_at.saturating_add(SWEEP_PERIOD - HANDOVER).unwrap_or(Timestamp::MAX)
    }
}

/// The shards that a sweep is not through with, in the order of their turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remainder(pub VecDeque<Turn>);

/// What is left of a shard: everything after the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub shard: Shard,
    pub after: Option<DueCursor>,
}

impl Remainder {
    /// Every shard from its start.
    pub fn everything() -> Self {
        Self(Shard::all().map(|shard| Turn { shard, after: None }).collect())
    }
}
