//! Entries into rows.

use super::{Flag, Period, Periods, UsageEntry, UsageRow};
use std::collections::BTreeMap;

/// How far an account is folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageCursor {
    /// Every entry up to this one is in its rows, and none above it.
    pub through_seq: u64,
    /// Whether the names of spenders are being erased or were, so that no row gets one any more.
    pub is_nameless: bool,
}

/// The rows that a block of entries changes, and how far the account is folded then.
///
/// The ledger accepts it only if the account's cursor is exactly `before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageFold {
    pub before: UsageCursor,
    pub after: UsageCursor,
    pub rows: Vec<UsageRow>,
    /// The flags that the rows raise.
    pub flags: Vec<Flag>,
}

/// Folds the entries that follow the cursor into the rows of their days and months.
///
/// `stored` are the rows as they are stored; periods without any have none. At most `rows_max` rows are changed, which
/// is at least the two of one entry: the entries behind those are left for the next fold, as are those behind a gap.
/// `None` if there is nothing to fold.
pub fn decide_fold(
    before: UsageCursor,
    entries: &[UsageEntry],
    stored: Vec<UsageRow>,
    rows_max: usize,
) -> Option<UsageFold> {
    let stored: BTreeMap<Period, UsageRow> = stored.into_iter().map(|row| (row.period, row)).collect();
    let mut changed = BTreeMap::<Period, UsageRow>::new();
    let mut through_seq = before.through_seq;
    for counted in entries {
        let periods = Period::all_of(counted.entry.created_at);
        let new = periods.iter().filter(|period| !changed.contains_key(period)).count();
        if counted.entry.seq != through_seq.saturating_add(1) || changed.len().saturating_add(new) > rows_max {
            break;
        }
        for period in periods {
            let row = || stored.get(&period).cloned().unwrap_or_else(|| UsageRow::empty(period));
            changed.entry(period).or_insert_with(row).count(counted);
        }
        through_seq = counted.entry.seq;
    }
    let rows = changed.into_values();
    let rows = if before.is_nameless { rows.map(|row| row.nameless()).collect() } else { rows.collect() };
    let after = UsageCursor { through_seq, ..before };
    (after != before).then_some(UsageFold { before, after, rows, flags: vec![] })
}

/// The rows of these periods with the entries that may not be in them yet.
///
/// A row counts only what it has not counted, so it does not matter if some of the entries were folded after `tail` began
/// and before the row was read.
pub fn with_tail(periods: Periods, stored: Vec<UsageRow>, tail: &[UsageEntry]) -> Vec<UsageRow> {
    let mut rows: BTreeMap<Period, UsageRow> = stored.into_iter().map(|row| (row.period, row)).collect();
    for counted in tail {
        let period = Period::of(periods.granularity(), counted.entry.created_at);
        if periods.contains(period) {
            rows.entry(period).or_insert_with(|| UsageRow::empty(period)).count(counted);
        }
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{at, charge_command, key};
    use crate::domain::usage::{Granularity, Groups, UsageCounts};
    use crate::domain::{Cause, Credits, Entry, Operation, PackageId, PurchaseId, Spender, TopUpId};
    use std::collections::BTreeSet;

    fn entry(seq: u64, seconds: i64, credits: i64, cause: Cause) -> Entry {
        let credits = Credits::constant(credits);
        Entry { seq, credits, balance_after: Credits::ZERO, created_at: at(seconds), cause, link: None }
    }

    fn charge(text: &str, spender: Option<&str>) -> Cause {
        let command = charge_command(text, "dubbing", 90_000);
        Cause::Charge {
            key: command.request.key,
            operation: command.request.operation,
            price: Some(command.price),
            reference: None,
            expires_in: None,
            request_id: None,
            spender: spender.map(|spender| Spender::parse(spender).unwrap()),
        }
    }

    fn plain(entry: Entry) -> UsageEntry {
        UsageEntry { entry, charge: None }
    }

    fn about(entry: Entry, charge: &Entry) -> UsageEntry {
        UsageEntry { entry, charge: Some(charge.clone()) }
    }

    fn row(fold: &UsageFold, granularity: Granularity, seconds: i64) -> &UsageRow {
        let period = Period::of(granularity, at(seconds));
        fold.rows.iter().find(|row| row.period == period).unwrap()
    }

    const A_DAY: i64 = 86_400;

    fn through(through_seq: u64) -> UsageCursor {
        UsageCursor { through_seq, is_nameless: false }
    }

    /// Two charges, what gave their credits back on the next day, and what was bought.
    fn entries() -> Vec<UsageEntry> {
        let first = entry(1, 10, -15, charge("a", Some("key-1")));
        let second = entry(2, 20, -15, charge("b", None));
        let Cause::Charge { operation, price, .. } = second.cause.clone() else { unreachable!() };
        let captured = Operation { amount: 60_000, ..operation };
        let capture = Cause::Capture { charge: key("b"), operation: captured, price: price.unwrap() };
        let purchase =
            Cause::Purchase { purchase: PurchaseId::mint(1), package: PackageId::parse("credits_500").unwrap() };
        vec![
            plain(first.clone()),
            plain(second.clone()),
            plain(entry(3, 30, 500, purchase)),
            about(entry(4, A_DAY + 1, 5, capture), &second),
            about(entry(5, A_DAY + 2, 15, Cause::Restore { charge: key("a") }), &first),
            plain(entry(6, A_DAY + 3, 700, Cause::TopUp { top_up: TopUpId::mint(1) })),
        ]
    }

    #[test]
    fn each_entry_counts_on_its_own_day_for_the_operation_and_the_spender_of_its_charge() {
        let fold = decide_fold(UsageCursor::default(), &entries(), vec![], 10).unwrap();
        assert_eq!((fold.before, fold.after, fold.rows.len()), (through(0), through(6), 3));
        let first = row(&fold, Granularity::Day, 0);
        let charged = UsageCounts { charges: 1, duration_ms: 90_000, credits_charged: 15, ..UsageCounts::default() };
        assert_eq!(first.total, UsageCounts { credits_purchased: 500, ..charged.plus(&charged) });
        assert_eq!((first.through_seq, first.spenders.unnamed), (3, charged));
        assert_eq!(first.spenders.named.values().collect::<Vec<_>>(), [&charged]);
        assert_eq!(first.operations.named.values().collect::<Vec<_>>(), [&charged.plus(&charged)]);
        let second = row(&fold, Granularity::Day, A_DAY);
        let captured = UsageCounts { duration_ms: -30_000, credits_captured_back: 5, ..UsageCounts::default() };
        let restored = UsageCounts { credits_restored: 15, ..UsageCounts::default() };
        assert_eq!(second.spenders.unnamed, captured);
        assert_eq!(second.spenders.named.values().collect::<Vec<_>>(), [&restored]);
        assert_eq!(second.total, UsageCounts { credits_topped_up: 700, ..captured.plus(&restored) });
        let month = row(&fold, Granularity::Month, 0);
        assert_eq!(month.total, first.total.plus(&second.total));
        assert_eq!(month.total.credits_spent(), 10);
    }

    #[test]
    fn folding_in_any_blocks_gives_the_same_rows_and_an_entry_that_was_counted_is_not_counted_again() {
        let whole = decide_fold(UsageCursor::default(), &entries(), vec![], 10).unwrap();
        for cut in 1..6 {
            let first = decide_fold(UsageCursor::default(), &entries()[..cut], vec![], 10).unwrap();
            let rest = decide_fold(first.after, &entries()[cut..], first.rows.clone(), 10).unwrap();
            let mut rows: BTreeMap<_, _> = first.rows.iter().map(|row| (row.period, row.clone())).collect();
            rows.extend(rest.rows.into_iter().map(|row| (row.period, row)));
            assert_eq!(rows.into_values().collect::<Vec<_>>(), whole.rows, "cut after {cut}");
            for granularity in Granularity::ALL {
                let dates = ["2026-01-01", "2026-01-31"].map(|date| date.parse().unwrap());
                let periods = Periods::new(granularity, dates[0], dates[1]).unwrap();
                let is_in = |row: &&UsageRow| periods.contains(row.period);
                let expected: Vec<_> = whole.rows.iter().filter(is_in).cloned().collect();
                // The tail begins before the rows that were read.
                for stored in [vec![], first.rows.clone(), whole.rows.clone()] {
                    let stored = stored.into_iter().filter(|row| is_in(&row)).collect();
                    assert_eq!(with_tail(periods, stored, &entries()), expected, "cut after {cut}");
                }
            }
        }
    }

    #[test]
    fn where_names_were_erased_a_fold_takes_those_of_stored_rows_away_and_adds_none() {
        let stored = decide_fold(through(0), &entries()[..3], vec![], 10).unwrap().rows;
        assert!(stored.iter().all(UsageRow::has_names));
        let erased = UsageCursor { is_nameless: true, ..through(3) };
        let fold = decide_fold(erased, &entries()[3..], stored, 10).unwrap();
        assert_eq!(fold.after, UsageCursor { is_nameless: true, ..through(6) });
        assert!(!fold.rows.iter().any(UsageRow::has_names));
        let whole = decide_fold(through(0), &entries(), vec![], 10).unwrap();
        let month = |fold: &UsageFold| row(fold, Granularity::Month, 0).clone();
        assert_eq!(month(&fold), month(&whole).nameless(), "the sums stay");
        assert_eq!(month(&fold).spenders.unnamed.charges, 2);
    }

    #[test]
    fn a_fold_ends_before_a_gap_and_before_it_changes_too_many_rows() {
        let mut gap = entries();
        gap.remove(2);
        assert_eq!(decide_fold(UsageCursor::default(), &gap, vec![], 10).unwrap().after.through_seq, 2);
        assert_eq!(decide_fold(through(1), &entries(), vec![], 10), None, "the first entry is not the next one");
        assert_eq!(decide_fold(UsageCursor::default(), &[], vec![], 10), None);
        let fold = decide_fold(UsageCursor::default(), &entries(), vec![], 2).unwrap();
        assert_eq!(fold.after.through_seq, 3, "a day and its month");
        assert_eq!(decide_fold(UsageCursor::default(), &entries(), vec![], 3).unwrap().after.through_seq, 6);
    }

    /// Rows and cursors that so many entries of three spenders in thirty days write, in blocks of a hundred.
    fn written_by(entries: u64) -> (u64, u64) {
        let (mut table, mut folded, mut rows) = (BTreeMap::<Period, UsageRow>::new(), 0, 0);
        let charge = charge("job", Some("key-1"));
        while folded < entries {
            let block = (folded + 1..=folded + 100).map(|seq| {
                let seconds = i64::try_from(seq * 30 * 86_400 / (entries + 1)).unwrap();
                plain(entry(seq, seconds, -15, charge.clone()))
            });
            let block: Vec<_> = block.collect();
            let periods: BTreeSet<_> =
                block.iter().flat_map(|counted| Period::all_of(counted.entry.created_at)).collect();
            let stored = periods.iter().filter_map(|period| table.get(period).cloned()).collect();
            let fold = decide_fold(through(folded), &block, stored, 40).unwrap();
            rows += fold.rows.len() as u64;
            folded = fold.after.through_seq;
            table.extend(fold.rows.into_iter().map(|row| (row.period, row)));
        }
        let counted: i64 = table.values().map(|row| row.total.charges).sum();
        assert_eq!(counted, 2 * i64::try_from(entries).unwrap(), "each entry is in a day and in a month");
        (rows, entries / 100)
    }

    /// The bar is 0.05 row writes per entry.
    #[test]
    fn a_busy_account_writes_two_rows_for_a_hundred_entries_and_one_more_at_midnight() {
        assert_eq!(written_by(31_000), (640, 310));
    }

    #[test]
    fn a_million_entries_write_twenty_thousand_rows() {
        let (rows, cursors) = written_by(1_000_000);
        assert_eq!((rows, cursors), (20_020, 10_000));
    }

    #[test]
    fn a_row_names_two_hundred_spenders_and_sums_up_the_others() {
        let names: Vec<_> = (0..203).map(|number| format!("key-{number}")).collect();
        let entries: Vec<_> =
            (1..).zip(&names).map(|(seq, name)| plain(entry(seq, 0, -15, charge(name, Some(name))))).collect();
        let mut again = plain(entry(204, 1, -15, charge("again", Some("key-0"))));
        let fold = decide_fold(UsageCursor::default(), &[entries, vec![again.clone()]].concat(), vec![], 10).unwrap();
        for row in &fold.rows {
            assert_eq!(row.spenders.named.len(), Groups::<Spender>::NAMES_MAX);
            assert_eq!(row.spenders.others.charges, 3);
            assert_eq!(row.spenders.named[&Spender::parse("key-0").unwrap()].charges, 2, "a known name stays known");
            assert_eq!(row.operations.named.values().map(|counts| counts.charges).sum::<i64>(), 204);
        }
        again.entry.seq = 205;
        assert_eq!(decide_fold(through(204), &[again], fold.rows, 10).unwrap().rows[0].spenders.others.charges, 3);
    }
}
