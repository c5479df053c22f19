//! What sweeps decided about an account without opening an attempt. An attempt that they opened is its own record.
//!
//! Only what differs from the last decision is kept, so a sweep that finds an account as the one before did writes
//! nothing.

use super::gates::{GateName, NotDue};
use crate::domain::Credits;
use jiff::Timestamp;

/// The last decisions that opened nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepLog {
    /// Counts the changes of the log. 0 for a log that was never written.
    pub revision: u64,
    /// Oldest first, at most [`SweepLog::LENGTH_MAX`].
    pub skips: Vec<SweepSkip>,
}

/// A sweep looked at the account, and this gate was the first closed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepSkip {
    /// When it was decided for the first time in a row.
    pub at: Timestamp,
    pub gate: GateName,
    pub balance: Credits,
}

impl SweepLog {
    pub const LENGTH_MAX: usize = 20;

    /// The log with this decision. `None` if the last decision was the same, or is a later one. `last_top_up_at` is when
    /// the last attempt opened, which was another decision.
    pub fn noting(&self, skip: SweepSkip, last_top_up_at: Option<Timestamp>) -> Option<Self> {
        let last = self.skips.last().filter(|last| last_top_up_at.is_none_or(|opened_at| opened_at <= last.at));
        let is_same = last.is_some_and(|last| last.gate == skip.gate);
        // A sweep that decided earlier may write later.
        if is_same || self.skips.last().is_some_and(|last| skip.at < last.at) {
            return None;
        }
        let first = self.skips.len().saturating_add(1).saturating_sub(Self::LENGTH_MAX);
        let mut skips = self.skips.get(first..).unwrap_or_default().to_vec();
        skips.push(skip);
        Some(Self { revision: self.revision.saturating_add(1), skips })
    }
}

impl SweepSkip {
    pub fn of(not_due: &NotDue, balance: Credits, at: Timestamp) -> Self {
        Self { at, gate: not_due.gate(), balance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    fn skip(seconds: i64, gate: GateName) -> SweepSkip {
        SweepSkip { at: at(seconds), gate, balance: Credits::constant(7) }
    }

    #[test]
    fn only_what_differs_from_the_last_decision_is_kept() {
        let first = SweepLog::default().noting(skip(1, GateName::NotPaused), None).unwrap();
        assert_eq!((first.revision, &first.skips), (1, &vec![skip(1, GateName::NotPaused)]));
        assert_eq!(first.noting(skip(2, GateName::NotPaused), None), None);
        assert_eq!(first.noting(skip(2, GateName::NotPaused), Some(at(1))), None);
        let other = first.noting(skip(2, GateName::BelowThreshold), None).unwrap();
        assert_eq!((other.revision, other.skips.len()), (2, 2));
        let again = first.noting(skip(3, GateName::NotPaused), Some(at(2)));
        assert_eq!(again.map(|log| log.skips.len()), Some(2), "an attempt was opened since");
    }

    #[test]
    fn the_last_twenty_are_kept() {
        let mut log = SweepLog::default();
        for second in 0..50 {
            let gate = if second % 2 == 0 { GateName::NotPaused } else { GateName::BelowThreshold };
            log = log.noting(skip(second, gate), None).unwrap();
        }
        let seconds: Vec<_> = log.skips.iter().map(|skip| skip.at).collect();
        assert_eq!((log.revision, seconds), (50, (30..50).map(at).collect()));
    }
}
