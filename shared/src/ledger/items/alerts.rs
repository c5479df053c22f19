//! The levels at which a customer is told that the balance runs low, and when they are evaluated next.

use crate::domain::alerts::{AlertLevel, AlertState, Alerts, LevelAlert};
use crate::domain::{Account, AccountId};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, flag, instant, number, text};
use crate::ledger::keys::{self, Due};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

pub(in crate::ledger) fn alerts_to_item(account: &AccountId, alerts: &Alerts) -> Attributes {
    let level = |place: usize| alerts.levels.get(place).map(write_level_alert);
    Writer::item(keys::alerts(account))
        .with("is_exhaustion_armed", flag(alerts.is_exhaustion_armed))
        .with_optional("waiting_since", alerts.waiting_since.map(instant))
        .with_optional("level_1", level(0))
        .with_optional("level_2", level(1))
        .with_optional("level_3", level(2))
        .with_optional("level_4", level(3))
        .with_optional("level_5", level(4))
        .into_attributes()
}

/// A level in the attributes `kind` and `number`.
pub(super) fn write_level(level: AlertLevel) -> AttributeValue {
    Writer::map().with("kind", text(level.name())).with("number", number(level.number())).into_value()
}

fn write_level_alert(alert: &LevelAlert) -> AttributeValue {
    Writer::map()
        .with("level", write_level(alert.level))
        .with("is_on", flag(alert.is_on))
        .with("is_armed", flag(alert.state.is_armed))
        .with_optional("told_at", alert.state.told_at.map(instant))
        .into_value()
}

pub(in crate::ledger) fn alerts_from_item(item: &Attributes) -> Result<Alerts, Unreadable> {
    let item = Reader::item(item)?;
    let levels = ["level_1", "level_2", "level_3", "level_4", "level_5"];
    let levels = levels.map(|name| item.optional(name, read_level_alert)).into_iter();
    Ok(Alerts {
        levels: levels.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect(),
        is_exhaustion_armed: item.flag("is_exhaustion_armed")?,
        waiting_since: item.optional("waiting_since", Reader::instant)?,
    })
}

fn read_level_alert(item: &Reader<'_>, name: &str) -> Result<LevelAlert, Unreadable> {
    let alert = item.map(name)?;
    let state = AlertState { is_armed: alert.flag("is_armed")?, told_at: alert.optional("told_at", Reader::instant)? };
    Ok(LevelAlert { level: read_level(&alert.map("level")?)?, is_on: alert.flag("is_on")?, state })
}

pub(super) fn read_level(item: &Reader<'_>) -> Result<AlertLevel, Unreadable> {
    let number = item.number("number")?;
    let level = match item.text("kind")? {
        "credits" => AlertLevel::credits(number),
        "days_left" => AlertLevel::days_left(number),
        _ => return Err(item.invalid("kind")),
    };
    level.map_err(|_| item.invalid("number"))
}

pub(in crate::ledger) fn alerts_due_to_item(account: &Account, at: Timestamp) -> Attributes {
    Writer::item(keys::alerts_due(&account.id))
        .with("due_shard", text(Due::Alerts.shard_of(&account.id)))
        .with("due_at", instant(at))
        .into_attributes()
}

pub(in crate::ledger) fn alerts_due_from_item(item: &Attributes) -> Result<Timestamp, Unreadable> {
    Reader::item(item)?.instant("due_at")
}
