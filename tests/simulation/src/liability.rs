//! The rules of the liability, as an independent sum over the entries of all accounts.

use crate::ledger::Tables;
use crate::rules::Broken;
use crate::usage::counted;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use shared::domain::liability::{Flow, LiabilityRow};
use shared::domain::{Entry, UsageCounts};
use std::collections::BTreeMap;

/// The shards of a day.
const SHARDS: usize = 16;

/// The sums of each kind of entry, by the name of its number. Zeros are left out.
type Sums = BTreeMap<&'static str, i64>;

/// What a day or all days so far should say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    opening: i64,
    brought_forward: i64,
    moved: Sums,
    outstanding: i64,
}

/// Every closed day says what the entries of all accounts that were listed by then add up to, by the time of each entry.
///
/// # Errors
/// The first broken rule.
pub fn check(tables: &Tables) -> Result<(), Broken> {
    let Some(closed) = tables.closed_days else { return Ok(()) };
    let mut day = closed.first;
    while day <= closed.through {
        check_day(tables, closed.first, day)?;
        day = day.tomorrow().map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn check_day(tables: &Tables, first: Date, day: Date) -> Result<(), Broken> {
    let rows: Vec<&LiabilityRow> =
        tables.liability_rows.iter().filter(|((of, _), _)| *of == day).map(|(_, row)| row).collect();
    if rows.len() != SHARDS || rows.iter().any(|row| !row.is_complete) {
        return Err(format!("{day} is closed with {} rows, not all of them complete", rows.len()));
    }
    let listed: Vec<(Date, Vec<&Entry>)> =
        tables.listed.iter().map(|(id, at)| (date(*at), entries(tables, id))).collect();
    let listed: Vec<_> = listed.into_iter().filter(|(listed_on, _)| *listed_on <= day).collect();
    let accounts: u64 = rows.iter().map(|row| row.accounts).sum();
    if accounts != listed.len() as u64 {
        return Err(format!("{accounts} accounts are counted on {day}, not {}", listed.len()));
    }
    let (mut of_day, mut total) = (Expected::default(), Expected::default());
    for (listed_on, entries) in &listed {
        // An account is counted from the day on which it was listed, or from the first day of all.
        let counted_from = (*listed_on).max(first);
        for entry in entries {
            let made_on = date(entry.created_at);
            let credits = entry.credits.get();
            if made_on > day {
                continue;
            }
            total.outstanding += credits;
            of_day.outstanding += credits;
            if made_on < counted_from {
                total.brought_forward += credits;
                of_day.brought_forward += if counted_from == day { credits } else { 0 };
                of_day.opening += if counted_from < day { credits } else { 0 };
            } else {
                add(&mut total.moved, entry);
                if made_on == day {
                    add(&mut of_day.moved, entry);
                } else {
                    of_day.opening += credits;
                }
            }
        }
    }
    let said: Flow = rows.iter().map(|row| row.flow).sum();
    compare(&format!("on {day}"), &said, &of_day)?;
    let said: Flow = rows.iter().map(|row| row.total()).sum();
    compare(&format!("up to {day}"), &said, &total)
}

fn compare(when: &str, said: &Flow, expected: &Expected) -> Result<(), Broken> {
    let moved: Sums =
        UsageCounts::NAMES.iter().copied().zip(said.moved.values()).filter(|(_, sum)| *sum != 0).collect();
    let said_so =
        Expected { opening: said.opening, brought_forward: said.brought_forward, moved, outstanding: said.outstanding };
    if said_so != *expected {
        return Err(format!("{when}, the liability is {said_so:?}, not {expected:?}"));
    }
    match said.difference() {
        0 => Ok(()),
        difference => Err(format!("{when}, the liability has a difference of {difference}")),
    }
}

fn add(sums: &mut Sums, entry: &Entry) {
    let (name, moved) = counted(entry);
    *sums.entry(name).or_default() += moved;
    sums.retain(|_, sum| *sum != 0);
}

fn entries<'a>(tables: &'a Tables, account: &shared::domain::AccountId) -> Vec<&'a Entry> {
    tables.partitions.get(account).into_iter().flat_map(|partition| partition.entries.values()).collect()
}

fn date(instant: Timestamp) -> Date {
    instant.to_zoned(TimeZone::UTC).date()
}
