//! The usage of one account in one period.

use super::{FlagKind, Granularity, Period, UsageCounts, UsageEntry};
use crate::domain::calendar::hour_of;
use crate::domain::{OperationName, Spender};
use jiff::Timestamp;
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
    /// How many charges were taken in each hour (UTC) of a day. Rows of an early release have none, and neither have
    /// months.
    pub hours: BTreeMap<i8, i64>,
    /// The flags that the day has raised, and when.
    pub flagged: BTreeMap<FlagKind, Timestamp>,
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

    /// Counts what another one does not name with its others.
    pub(super) fn keep(&mut self, known: &Self) {
        for (name, counts) in std::mem::take(&mut self.named) {
            if known.named.contains_key(&name) {
                self.named.insert(name, counts);
            } else {
                self.others = self.others.plus(&counts);
            }
        }
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
        Self {
            period,
            through_seq: 0,
            total,
            operations: Groups::none(),
            spenders: Groups::none(),
            hours: BTreeMap::new(),
            flagged: BTreeMap::new(),
        }
    }

    /// The first of the busiest hours of a day, and its charges. A row of an early release does not know its hours: as if
    /// all charges came in the first one.
    pub fn busiest_hour(&self) -> Option<(i8, i64)> {
        let busiest = self.hours.iter().max_by_key(|(hour, charges)| (**charges, std::cmp::Reverse(**hour)));
        let early = (self.total.charges > 0).then_some((0, self.total.charges));
        busiest.map(|(hour, charges)| (*hour, *charges)).or(early)
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
        if self.period.granularity() == Granularity::Day && counts.charges > 0 {
            let charges = self.hours.entry(hour_of(counted.entry.created_at)).or_default();
            *charges = charges.saturating_add(counts.charges);
        }
        if let Some((operation, spender)) = counted.dimensions() {
            self.operations.add(operation, &counts);
            self.spenders.add(spender, &counts);
        }
    }
}
