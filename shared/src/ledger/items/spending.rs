//! The customer's stops of spending, and the limits of spenders.
//!
//! The account's own limits are a map within the account, so that a charge that counts against them writes no item more.

use crate::domain::spending::Limit;
use crate::domain::{AccountId, Actor, Limits, SpenderLimits, SpendingChange};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, flag, number, text};
use crate::ledger::keys::{self, Key};
use aws_sdk_dynamodb::types::AttributeValue;

pub(in crate::ledger) fn spending_change_to_item(account: &AccountId, change: &SpendingChange) -> Attributes {
    Writer::item(keys::spending_change(account, change.changed_at))
        .with("is_stopped", flag(change.is_stopped))
        .with("changed_by", text(&change.changed_by))
        .into_attributes()
}

pub(in crate::ledger) fn spending_change_from_item(item: &Attributes) -> Result<SpendingChange, Unreadable> {
    let item = Reader::item(item)?;
    Ok(SpendingChange {
        is_stopped: item.flag("is_stopped")?,
        changed_by: item.id("changed_by", Actor::parse)?,
        changed_at: item.id_in_key("SK", Key::spending_changed_at)?,
    })
}

pub(in crate::ledger) fn spender_limits_to_item(account: &AccountId, limits: &SpenderLimits) -> Attributes {
    let item = Writer::item(keys::spender_limits(account, &limits.spender)).with("date", text(limits.date));
    write(item, limits.limits).into_attributes()
}

pub(in crate::ledger) fn spender_limits_from_item(item: &Attributes) -> Result<SpenderLimits, Unreadable> {
    let item = Reader::item(item)?;
    Ok(SpenderLimits {
        spender: item.id_in_key("SK", Key::spender)?,
        date: item.word("date", |date| date.parse().ok())?,
        limits: read(&item)?,
    })
}

/// The map within the account, `None` without limits.
pub(super) fn write_within(limits: Limits) -> Option<AttributeValue> {
    (limits != Limits::default()).then(|| write(Writer::map(), limits).into_value())
}

pub(super) fn read_within(item: &Reader<'_>, name: &str) -> Result<Limits, Unreadable> {
    read(&item.map(name)?)
}

fn write(writer: Writer, limits: Limits) -> Writer {
    writer
        .with_optional("day", limits.day.map(write_limit))
        .with_optional("month", limits.month.map(write_limit))
        .with_optional("total", limits.total.map(write_limit))
}

fn read(item: &Reader<'_>) -> Result<Limits, Unreadable> {
    Ok(Limits {
        day: item.optional("day", read_limit)?,
        month: item.optional("month", read_limit)?,
        total: item.optional("total", read_limit)?,
    })
}

fn write_limit(limit: Limit) -> AttributeValue {
    Writer::map()
        .with("max", credits(limit.max))
        .with("used", credits(limit.used))
        .with("after_seq", number(limit.after_seq))
        .into_value()
}

fn read_limit(item: &Reader<'_>, name: &str) -> Result<Limit, Unreadable> {
    let limit = item.map(name)?;
    Ok(Limit { max: limit.credits("max")?, used: limit.credits("used")?, after_seq: limit.number("after_seq")? })
}
