//! Rows of usage as numbers of a fixed size that add up, so that rows can be recomputed from their entries part by part.
//!
//! Every sum of a row has a weight of its own, a hash of what it counts. A print is the sum of all sums, each times its
//! weight. So the print of a row is the sum of the prints of its entries, and rows with other sums have other prints:
//! nobody finds weights of 128 bits that cancel out.

use super::{Groups, UsageCounts, UsageEntry, UsageRow};
use sha2::{Digest, Sha256};
use std::fmt::Display;

/// What a row adds up to, in four parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowPrint {
    pub total: u128,
    pub operations: u128,
    pub spenders: u128,
    pub hours: u128,
}

impl RowPrint {
    pub fn of(row: &UsageRow) -> Self {
        let hours = row.hours.iter().map(|(hour, charges)| weighted(&[&"hour", hour], *charges));
        Self {
            total: of_counts(&"total", &row.total),
            operations: of_groups(&row.operations),
            spenders: of_groups(&row.spenders),
            hours: hours.fold(0, u128::wrapping_add),
        }
    }

    /// The print of an entry in a row, which says what it names: further names count together.
    pub fn of_entry(row: &UsageRow, counted: &UsageEntry, is_nameless: bool) -> Self {
        let mut alone = UsageRow::empty(row.period);
        alone.count(counted);
        let mut alone = if is_nameless { alone.nameless() } else { alone };
        alone.operations.keep(&row.operations);
        alone.spenders.keep(&row.spenders);
        Self::of(&alone)
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            total: self.total.wrapping_add(other.total),
            operations: self.operations.wrapping_add(other.operations),
            spenders: self.spenders.wrapping_add(other.spenders),
            hours: self.hours.wrapping_add(other.hours),
        }
    }
}

fn of_groups<N: Display>(groups: &Groups<N>) -> u128 {
    let named = groups.named.iter().map(|(name, counts)| of_counts(&format!("named {name}"), counts));
    let others = [of_counts(&"others", &groups.others), of_counts(&"unnamed", &groups.unnamed)];
    named.chain(others).fold(0, u128::wrapping_add)
}

fn of_counts(of: &dyn Display, counts: &UsageCounts) -> u128 {
    let sums = UsageCounts::NAMES.iter().zip(counts.values());
    sums.map(|(name, sum)| weighted(&[of, name], sum)).fold(0, u128::wrapping_add)
}

fn weighted(what: &[&dyn Display], sum: i64) -> u128 {
    if sum == 0 {
        return 0;
    }
    let mut hash = Sha256::new();
    for part in what {
        // A name has neither control characters nor a zero.
        hash.update(format!("{part}\0"));
    }
    let weight =
        hash.finalize().into_iter().take(16).fold(0_u128, |weight, byte| weight.wrapping_shl(8) | u128::from(byte));
    let magnitude = u128::from(sum.unsigned_abs()).wrapping_mul(weight);
    if sum < 0 { magnitude.wrapping_neg() } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{at, charge_command};
    use crate::domain::usage::{Granularity, Period};
    use crate::domain::{Cause, Credits, Entry, Spender};

    fn charge(seq: u64, spender: &str) -> UsageEntry {
        let command = charge_command(&format!("job-{seq}"), "dubbing", 90_000);
        let cause = Cause::Charge {
            key: command.request.key,
            operation: command.request.operation,
            price: Some(command.price),
            reference: None,
            expires_in: None,
            request_id: None,
            spender: Spender::parse(spender).ok(),
        };
        let credits = Credits::constant(-15);
        let entry = Entry { seq, credits, balance_after: Credits::ZERO, created_at: at(seq as i64), cause, link: None };
        UsageEntry { entry, charge: None }
    }

    #[test]
    fn the_print_of_a_row_is_the_sum_of_those_of_its_entries() {
        let mut row = UsageRow::empty(Period::of(Granularity::Day, at(0)));
        let entries: Vec<_> = (1..=250).map(|seq| charge(seq, &format!("key-{}", seq % 230))).collect();
        entries.iter().for_each(|entry| row.count(entry));
        assert!(!row.spenders.others.is_zero(), "more spenders than a row names");
        let sum = entries
            .iter()
            .map(|entry| RowPrint::of_entry(&row, entry, false))
            .fold(RowPrint::default(), RowPrint::plus);
        assert_eq!(sum, RowPrint::of(&row));
    }

    #[test]
    fn another_sum_or_the_same_sum_elsewhere_is_another_print() {
        let mut row = UsageRow::empty(Period::of(Granularity::Day, at(0)));
        [charge(1, "a"), charge(2, "b")].iter().for_each(|entry| row.count(entry));
        let print = RowPrint::of(&row);
        let altered = |alter: fn(&mut UsageRow)| {
            let mut other = row.clone();
            alter(&mut other);
            RowPrint::of(&other)
        };
        let total = altered(|row| row.total.credits_charged += 1);
        assert_eq!((total.total == print.total, total.spenders == print.spenders), (false, true));
        let moved = altered(|row| {
            let (a, b) = (Spender::parse("a").unwrap(), Spender::parse("b").unwrap());
            row.spenders.named.get_mut(&a).unwrap().credits_charged += 1;
            row.spenders.named.get_mut(&b).unwrap().credits_charged -= 1;
        });
        assert_eq!((moved.total == print.total, moved.spenders == print.spenders), (true, false));
        assert_ne!(altered(|row| *row.hours.entry(5).or_default() += 1).hours, print.hours);
        assert_eq!(RowPrint::of(&UsageRow::empty(row.period)), RowPrint::default());
    }
}
