//! The usage of a day or a month, and how far an account is folded.
//!
//! A number that is zero is not written, because most are: a row with hundreds of spenders is rewritten for every block of
//! entries. What has no name is beside the names and not among them, since a name may be anything that an id may be.

use crate::domain::usage::{FlagKind, Groups};
use crate::domain::{AccountId, InvalidId, OperationName, Spender, UsageCounts, UsageCursor, UsageRow};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, flag, instant, number};
use crate::ledger::keys::{self, Key};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

pub(in crate::ledger) fn usage_row_to_item(account: &AccountId, row: &UsageRow) -> Attributes {
    let unless_zero = |counts: &UsageCounts| (!counts.is_zero()).then(|| write(counts));
    Writer::item(keys::usage_row(account, row.period))
        .with("through_seq", number(row.through_seq))
        .with("total", write(&row.total))
        .with("operations", write_named(&row.operations))
        .with_optional("operations_others", unless_zero(&row.operations.others))
        .with_optional("operations_unnamed", unless_zero(&row.operations.unnamed))
        .with("spenders", write_named(&row.spenders))
        .with_optional("spenders_others", unless_zero(&row.spenders.others))
        .with_optional("spenders_unnamed", unless_zero(&row.spenders.unnamed))
        .with_optional("hours", write_hours(&row.hours))
        .with_optional("flagged", write_flagged(&row.flagged))
        .into_attributes()
}

pub(in crate::ledger) fn usage_row_from_item(item: &Attributes) -> Result<UsageRow, Unreadable> {
    let item = Reader::item(item)?;
    let beside = |name: &str| Ok(item.optional(name, |item, name| read(&item.map(name)?))?.unwrap_or_default());
    Ok(UsageRow {
        period: item.id_in_key("SK", Key::usage_period)?,
        through_seq: item.number("through_seq")?,
        total: read(&item.map("total")?)?,
        operations: Groups {
            named: read_named(&item, "operations", OperationName::parse)?,
            others: beside("operations_others")?,
            unnamed: beside("operations_unnamed")?,
        },
        spenders: Groups {
            named: read_named(&item, "spenders", Spender::parse)?,
            others: beside("spenders_others")?,
            unnamed: beside("spenders_unnamed")?,
        },
        hours: item.optional("hours", read_hours)?.unwrap_or_default(),
        flagged: item.optional("flagged", read_flagged)?.unwrap_or_default(),
    })
}

pub(in crate::ledger) fn usage_cursor_to_item(account: &AccountId, cursor: UsageCursor) -> Attributes {
    Writer::item(keys::usage_cursor(account))
        .with("through_seq", number(cursor.through_seq))
        .with_optional("is_nameless", cursor.is_nameless.then(|| flag(true)))
        .into_attributes()
}

pub(in crate::ledger) fn usage_cursor_from_item(item: &Attributes) -> Result<UsageCursor, Unreadable> {
    let item = Reader::item(item)?;
    let is_nameless = item.optional("is_nameless", Reader::flag)?.unwrap_or(false);
    Ok(UsageCursor { through_seq: item.number("through_seq")?, is_nameless })
}

/// The charges by hour, in two digits. Hours without charges are left out.
fn write_hours(hours: &BTreeMap<i8, i64>) -> Option<AttributeValue> {
    let written =
        hours.iter().fold(Writer::map(), |map, (hour, charges)| map.with(&format!("{hour:02}"), number(charges)));
    (!hours.is_empty()).then(|| written.into_value())
}

fn read_hours(item: &Reader<'_>, name: &str) -> Result<BTreeMap<i8, i64>, Unreadable> {
    let (hours, mut read) = (item.map(name)?, BTreeMap::new());
    for hour in 0..24 {
        if let Some(charges) = hours.optional(&format!("{hour:02}"), Reader::number)? {
            read.insert(hour, charges);
        }
    }
    Ok(read)
}

fn write_flagged(flagged: &BTreeMap<FlagKind, Timestamp>) -> Option<AttributeValue> {
    let written =
        flagged.iter().fold(Writer::map(), |map, (kind, raised_at)| map.with(kind.name(), instant(*raised_at)));
    (!flagged.is_empty()).then(|| written.into_value())
}

fn read_flagged(item: &Reader<'_>, name: &str) -> Result<BTreeMap<FlagKind, Timestamp>, Unreadable> {
    let (flagged, mut read) = (item.map(name)?, BTreeMap::new());
    for kind in FlagKind::ALL {
        if let Some(raised_at) = flagged.optional(kind.name(), Reader::instant)? {
            read.insert(kind, raised_at);
        }
    }
    Ok(read)
}

pub(super) fn write(counts: &UsageCounts) -> AttributeValue {
    let unless_zero = |value: i64| (value != 0).then(|| number(value));
    Writer::map()
        .with_optional("charges", unless_zero(counts.charges))
        .with_optional("duration_ms", unless_zero(counts.duration_ms))
        .with_optional("max_minutes", unless_zero(counts.max_minutes))
        .with_optional("quantity", unless_zero(counts.quantity))
        .with_optional("credits_charged", unless_zero(counts.credits_charged))
        .with_optional("credits_captured_back", unless_zero(counts.credits_captured_back))
        .with_optional("credits_voided", unless_zero(counts.credits_voided))
        .with_optional("credits_expired", unless_zero(counts.credits_expired))
        .with_optional("credits_restored", unless_zero(counts.credits_restored))
        .with_optional("credits_purchased", unless_zero(counts.credits_purchased))
        .with_optional("credits_topped_up", unless_zero(counts.credits_topped_up))
        .with_optional("credits_adjusted", unless_zero(counts.credits_adjusted))
        .with_optional("credits_imported", unless_zero(counts.credits_imported))
        .with_optional("credits_reversed", unless_zero(counts.credits_reversed))
        .into_value()
}

pub(super) fn read(counts: &Reader<'_>) -> Result<UsageCounts, Unreadable> {
    let read = |name: &str| Ok(counts.optional(name, Reader::number)?.unwrap_or(0));
    Ok(UsageCounts {
        charges: read("charges")?,
        duration_ms: read("duration_ms")?,
        max_minutes: read("max_minutes")?,
        quantity: read("quantity")?,
        credits_charged: read("credits_charged")?,
        credits_captured_back: read("credits_captured_back")?,
        credits_voided: read("credits_voided")?,
        credits_expired: read("credits_expired")?,
        credits_restored: read("credits_restored")?,
        credits_purchased: read("credits_purchased")?,
        credits_topped_up: read("credits_topped_up")?,
        credits_adjusted: read("credits_adjusted")?,
        credits_imported: read("credits_imported")?,
        credits_reversed: read("credits_reversed")?,
    })
}

fn write_named<N: fmt::Display>(groups: &Groups<N>) -> AttributeValue {
    let named = groups.named.iter();
    named.fold(Writer::map(), |map, (name, counts)| map.with(&name.to_string(), write(counts))).into_value()
}

fn read_named<N: Ord>(
    item: &Reader<'_>,
    name: &str,
    parse: fn(String) -> Result<N, InvalidId>,
) -> Result<BTreeMap<N, UsageCounts>, Unreadable> {
    let groups = item.map(name)?;
    let named = groups.maps().map(|group| {
        let (group, counts) = group?;
        Ok((parse(group.to_owned()).map_err(|_| item.invalid(name))?, read(&counts)?))
    });
    named.collect()
}
