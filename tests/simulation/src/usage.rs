//! The rules of usage, as an independent sum over the entries.

use crate::ledger::Partition;
use crate::request::FOLD_LIMITS;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use shared::domain::usage::{FairUse, Flag, FlagKind};
use shared::domain::{Cause, Entry, Granularity, Measure, Operation, Origin, Spender, UsageCounts, UsageRow};
use std::collections::{BTreeMap, BTreeSet};

/// What each group of each period adds up to, by the name of the number. Zeros are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<(String, String, &'static str), i64>);

impl Sums {
    fn add(&mut self, period: &str, group: &str, name: &'static str, value: i64) {
        if value != 0 {
            let sum = self.0.entry((period.to_owned(), group.to_owned(), name)).or_default();
            *sum += value;
        }
    }

    /// The sums over an account's entries up to a `seq`, in days, months or both.
    pub fn of_entries(partition: &Partition, through_seq: u64, granularities: &[Granularity]) -> Self {
        let mut sums = Self::default();
        for entry in partition.entries.values().filter(|entry| entry.seq <= through_seq) {
            for granularity in granularities {
                sums.add_entry(partition, entry, &period(*granularity, entry.created_at));
            }
        }
        sums.0.retain(|_, sum| *sum != 0);
        sums
    }

    fn add_entry(&mut self, partition: &Partition, entry: &Entry, period: &str) {
        let (about, (name, moved)) = (charge_of(partition, entry), counted(entry));
        let mut groups = vec!["total".to_owned()];
        if let Some((operation, spender)) = &about {
            groups.push(format!("operation {}", operation.name));
            groups.push(spender.as_ref().map_or("no spender".to_owned(), |spender| format!("spender {spender}")));
        }
        // Every operation of the simulation is measured in declared minutes.
        let minutes = match (&entry.cause, &about) {
            (Cause::Charge { operation, .. }, _) => operation.amount,
            (Cause::Capture { operation, .. }, Some((charged, _))) => operation.amount - charged.amount,
            _ => 0,
        };
        for group in groups {
            self.add(period, &group, name, moved);
            self.add(period, &group, Measure::MaxMinutes.name(), minutes);
            self.add(period, &group, "charges", i64::from(matches!(entry.cause, Cause::Charge { .. })));
        }
    }

    /// What rows say.
    pub fn of_rows<'a>(rows: impl IntoIterator<Item = &'a UsageRow>) -> Self {
        let mut sums = Self::default();
        for row in rows {
            let period = named(row.period.granularity(), &row.period.first().to_string());
            sums.add_counts(&period, "total", &row.total);
            sums.add_counts(&period, "other operations", &row.operations.others);
            sums.add_counts(&period, "no operation", &row.operations.unnamed);
            sums.add_counts(&period, "other spenders", &row.spenders.others);
            sums.add_counts(&period, "no spender", &row.spenders.unnamed);
            for (operation, counts) in &row.operations.named {
                sums.add_counts(&period, &format!("operation {operation}"), counts);
            }
            for (spender, counts) in &row.spenders.named {
                sums.add_counts(&period, &format!("spender {spender}"), counts);
            }
        }
        sums
    }

    fn add_counts(&mut self, period: &str, group: &str, counts: &UsageCounts) {
        for (name, value) in UsageCounts::NAMES.iter().zip(counts.values()) {
            self.add(period, group, name, value);
        }
    }

    /// The same without the names of spenders, which are erased one after the other.
    fn nameless(self) -> Self {
        let mut sums = Self::default();
        for ((period, group, name), value) in self.0 {
            let is_of_spender = group.starts_with("spender ") || group == "other spenders";
            sums.add(&period, if is_of_spender { "no spender" } else { &group }, name, value);
        }
        sums.0.retain(|_, sum| *sum != 0);
        sums
    }

    /// The first sum that differs, in words, from those that are expected of an account.
    pub fn difference_in(self, partition: &Partition, expected: Self) -> Option<String> {
        let is_closed = partition.account.as_ref().is_some_and(|account| account.closed_at.is_some());
        if is_closed { self.nameless().difference(&expected.nameless()) } else { self.difference(&expected) }
    }

    /// The first sum that differs, in words. `None` if all are the same.
    fn difference(&self, expected: &Self) -> Option<String> {
        let keys = self.0.keys().chain(expected.0.keys());
        keys.map(|key| (key, self.0.get(key).copied().unwrap_or(0), expected.0.get(key).copied().unwrap_or(0)))
            .find(|(_, sum, expected)| sum != expected)
            .map(|((period, group, name), sum, expected)| {
                format!("{name} of {group} in {period} is {sum}, not {expected}")
            })
    }
}

/// The stored rows hold the entries up to the cursor and no others, each once.
///
/// # Errors
/// The sum that differs.
pub fn check_rows(partition: &Partition) -> Result<(), String> {
    let stored = Sums::of_rows(partition.usage_rows.values());
    let expected = Sums::of_entries(partition, partition.usage_cursor.through_seq, &Granularity::ALL);
    stored.difference_in(partition, expected).map_or(Ok(()), Err)?;
    check_flags(partition)
}

/// The number that an entry counts in, and what it adds to it.
pub fn counted(entry: &Entry) -> (&'static str, i64) {
    let moved = entry.credits.get();
    match &entry.cause {
        Cause::Charge { .. } => ("credits_charged", -moved),
        Cause::Capture { .. } => ("credits_captured_back", moved),
        Cause::Void { .. } => ("credits_voided", moved),
        Cause::Expiry { .. } => ("credits_expired", moved),
        Cause::Restore { .. } => ("credits_restored", moved),
        Cause::Purchase { .. } => ("credits_purchased", moved),
        Cause::TopUp { .. } => ("credits_topped_up", moved),
        Cause::Reversal { .. } => ("credits_reversed", -moved),
        Cause::Adjustment { .. } => ("credits_adjusted", moved),
        Cause::Import { .. } => ("credits_imported", moved),
    }
}

/// The numbers of a day that can be unusual: its busiest hour, and its credits.
fn numbers_of(partition: &Partition, date: Date, kind: FlagKind) -> i64 {
    let zoned = |entry: &Entry| entry.created_at.to_zoned(TimeZone::UTC);
    let folded = partition.entries.values().filter(|entry| entry.seq <= partition.usage_cursor.through_seq);
    let of_day = folded.filter(|entry| zoned(entry).date() == date);
    match kind {
        FlagKind::UnknownPayment => 0,
        FlagKind::CreditsPerDay => {
            let is_spent = |entry: &&Entry| {
                !matches!(
                    entry.cause,
                    Cause::Purchase { .. }
                        | Cause::TopUp { .. }
                        | Cause::Reversal { .. }
                        | Cause::Adjustment { .. }
                        | Cause::Import { .. }
                )
            };
            of_day.filter(is_spent).map(|entry| -entry.credits.get()).sum()
        }
        FlagKind::ChargesPerHour => {
            let mut hours = BTreeMap::<i8, i64>::new();
            let charges = of_day.filter(|entry| matches!(entry.cause, Cause::Charge { .. }));
            charges.for_each(|entry| *hours.entry(zoned(entry).hour()).or_default() += 1);
            hours.into_values().max().unwrap_or(0)
        }
    }
}

/// Each kind of flag is raised at most once for a day, and a day that is unusual has raised it.
fn check_flags(partition: &Partition) -> Result<(), String> {
    let mut raised = BTreeSet::new();
    for flag in partition.flags.values().filter(|flag| flag.payment.is_none()) {
        let Flag { kind, date, value, threshold, .. } = flag;
        if !raised.insert((*date, *kind)) {
            return Err(format!("{kind:?} is raised twice for {date}"));
        }
        let expected = threshold_of(partition, *date, *kind);
        if *threshold != expected || value <= threshold {
            return Err(format!("{kind:?} is raised for {date} at {value} above {threshold}, not {expected}"));
        }
    }
    let folded = partition.entries.values().filter(|entry| entry.seq <= partition.usage_cursor.through_seq);
    let dates: BTreeSet<Date> = folded.map(|entry| entry.created_at.to_zoned(TimeZone::UTC).date()).collect();
    for date in dates {
        for kind in FlagKind::ALL {
            let (value, threshold) = (numbers_of(partition, date, kind), threshold_of(partition, date, kind));
            if value > threshold && !raised.contains(&(date, kind)) {
                return Err(format!("{date} has {value} {kind:?}, above {threshold}, and raised no flag"));
            }
        }
    }
    Ok(())
}

/// What the days before make usual.
fn threshold_of(partition: &Partition, date: Date, kind: FlagKind) -> i64 {
    let FairUse { days, medians, spreads, charges_per_hour_min, credits_per_day_min } = FOLD_LIMITS.fair_use;
    let folded = partition.entries.values().filter(|entry| entry.seq <= partition.usage_cursor.through_seq);
    let dates = folded.map(|entry| entry.created_at.to_zoned(TimeZone::UTC).date());
    let window: Vec<Date> = (1..=days).rev().map(|ago| date - ago.days()).collect();
    let first = dates.filter(|known| window.contains(known)).min();
    let past = window.into_iter().filter(|day| first.is_some_and(|first| *day >= first));
    let mut past: Vec<i64> = past.map(|day| numbers_of(partition, day, kind)).collect();
    let middle = |numbers: &mut Vec<i64>| {
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied().unwrap_or(0)
    };
    let median = middle(&mut past);
    let spread = middle(&mut past.iter().map(|number| (number - median).abs()).collect());
    let min = match kind {
        FlagKind::ChargesPerHour => charges_per_hour_min,
        FlagKind::CreditsPerDay => credits_per_day_min,
        FlagKind::UnknownPayment => i64::MAX,
    };
    min.max(medians * median).max(median + spreads * spread)
}

fn period(granularity: Granularity, instant: Timestamp) -> String {
    let date = instant.to_zoned(TimeZone::UTC).date();
    named(granularity, &date.to_string())
}

fn named(granularity: Granularity, date: &str) -> String {
    match granularity {
        Granularity::Day => format!("day {date}"),
        Granularity::Month => format!("month {}", &date[..7]),
    }
}

/// The charge that an entry is, or gives credits back for.
fn charge_of(partition: &Partition, entry: &Entry) -> Option<(Operation, Option<Spender>)> {
    let charge = match &entry.cause {
        Cause::Charge { .. } => entry,
        Cause::Capture { charge, .. }
        | Cause::Void { charge }
        | Cause::Expiry { charge }
        | Cause::Restore { charge } => partition.entries.get(&Origin::Charge(charge.clone()))?,
        Cause::Purchase { .. }
        | Cause::TopUp { .. }
        | Cause::Reversal { .. }
        | Cause::Adjustment { .. }
        | Cause::Import { .. } => return None,
    };
    match &charge.cause {
        Cause::Charge { operation, spender, .. } => Some((operation.clone(), spender.clone())),
        _ => None,
    }
}
