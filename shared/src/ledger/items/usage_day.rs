//! The counters of a day: a map within the account during that day, and a separate item afterwards.

use crate::domain::{AccountId, UsageDay};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, number, text};
use crate::ledger::keys;

pub(in crate::ledger) fn usage_day_to_item(account: &AccountId, day: &UsageDay) -> Attributes {
    counters(Writer::item(keys::usage_day(account, day.date)), day).into_attributes()
}

pub(super) fn write(day: &UsageDay) -> Writer {
    counters(Writer::map(), day)
}

pub(super) fn read(usage: &Reader<'_>) -> Result<UsageDay, Unreadable> {
    Ok(UsageDay {
        date: usage.word("date", |date| date.parse().ok())?,
        charges: usage.number("charges")?,
        credits_charged: usage.credits("credits_charged")?,
        credits_restored: usage.credits("credits_restored")?,
    })
}

fn counters(writer: Writer, day: &UsageDay) -> Writer {
    writer
        .with("date", text(day.date))
        .with("charges", number(day.charges))
        .with("credits_charged", credits(day.credits_charged))
        .with("credits_restored", credits(day.credits_restored))
}
