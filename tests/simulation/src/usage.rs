//! The rules of usage, as an independent sum over the entries.

use crate::ledger::Partition;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use shared::domain::{Cause, Entry, Granularity, Measure, Operation, Origin, Spender, UsageCounts, UsageRow};
use std::collections::BTreeMap;

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
        let (about, moved) = (charge_of(partition, entry), entry.credits.get());
        let (name, moved) = match &entry.cause {
            Cause::Charge { .. } => ("credits_charged", -moved),
            Cause::Capture { .. } => ("credits_captured_back", moved),
            Cause::Void { .. } => ("credits_voided", moved),
            Cause::Expiry { .. } => ("credits_expired", moved),
            Cause::Restore { .. } => ("credits_restored", moved),
            Cause::Purchase { .. } => ("credits_purchased", moved),
            Cause::TopUp { .. } => ("credits_topped_up", moved),
            Cause::Adjustment { .. } => ("credits_adjusted", moved),
            Cause::Import { .. } => ("credits_imported", moved),
        };
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
    stored.difference_in(partition, expected).map_or(Ok(()), Err)
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
        Cause::Purchase { .. } | Cause::TopUp { .. } | Cause::Adjustment { .. } | Cause::Import { .. } => return None,
    };
    match &charge.cause {
        Cause::Charge { operation, spender, .. } => Some((operation.clone(), spender.clone())),
        _ => None,
    }
}
