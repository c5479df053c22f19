//! The usage of one account in one period.

use super::{Period, UsageCounts, UsageEntry};
use crate::domain::{OperationName, Spender};
use std::collections::BTreeMap;

/// Everything that an account's entries of one period add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    pub period: Period,
    /// The `seq` of the last entry that was counted. Entries are counted in their order, so every entry of the period up
    /// to this one is in the row.
    pub through_seq: u64,
    pub total: UsageCounts,
    pub operations: Groups<OperationName>,
    pub spenders: Groups<Spender>,
}

/// What the charges of a row, and what was given back for them, add up to for each operation or spender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups<N> {
    /// The first [`Self::NAMES_MAX`] names of the period.
    pub named: BTreeMap<N, UsageCounts>,
    /// All further names together.
    pub others: UsageCounts,
    /// What has no name: charges without a spender.
    pub unnamed: UsageCounts,
}

impl<N: Ord + Clone> Groups<N> {
    /// A row is rewritten for every block of entries, so it must not grow with the number of spenders.
    pub const NAMES_MAX: usize = 200;

    pub fn none() -> Self {
        Self { named: BTreeMap::new(), others: UsageCounts::default(), unnamed: UsageCounts::default() }
    }

    fn add(&mut self, name: Option<&N>, counts: &UsageCounts) {
        let group = match name {
            None => &mut self.unnamed,
            Some(name) if self.named.contains_key(name) || self.named.len() < Self::NAMES_MAX => {
                self.named.entry(name.clone()).or_default()
            }
            Some(_) => &mut self.others,
        };
        *group = group.plus(counts);
    }
}

impl UsageRow {
    /// A period of which nothing was counted yet.
    pub fn empty(period: Period) -> Self {
        let total = UsageCounts::default();
        Self { period, through_seq: 0, total, operations: Groups::none(), spenders: Groups::none() }
    }

    /// Whether it names a spender.
    pub fn has_names(&self) -> bool {
        !self.spenders.named.is_empty() || !self.spenders.others.is_zero()
    }

    /// The row without the names of spenders: what they spent counts as spent without a name.
    #[must_use]
    pub fn nameless(&self) -> Self {
        let Groups { named, others, unnamed } = &self.spenders;
        let unnamed = named.values().fold(unnamed.plus(others), |sum, counts| sum.plus(counts));
        Self { spenders: Groups { unnamed, ..Groups::none() }, ..self.clone() }
    }

    /// Counts an entry of the period, unless it was counted before.
    pub(super) fn count(&mut self, counted: &UsageEntry) {
        if counted.entry.seq <= self.through_seq {
            return;
        }
        self.through_seq = counted.entry.seq;
        let counts = counted.counts();
        self.total = self.total.plus(&counts);
        if let Some((operation, spender)) = counted.dimensions() {
            self.operations.add(operation, &counts);
            self.spenders.add(spender, &counts);
        }
    }
}
