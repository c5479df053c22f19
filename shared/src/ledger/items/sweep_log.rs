//! What sweeps decided about an account without opening an attempt.

use crate::domain::AccountId;
use crate::domain::payments::{GateName, SweepLog, SweepSkip};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, list, number, text};
use crate::ledger::keys;
use aws_sdk_dynamodb::types::AttributeValue;

pub(in crate::ledger) fn sweep_log_to_item(account: &AccountId, log: &SweepLog) -> Attributes {
    Writer::item(keys::sweep_log(account))
        .with("revision", number(log.revision))
        .with("decisions", list(log.skips.iter().map(write)))
        .into_attributes()
}

pub(in crate::ledger) fn sweep_log_from_item(item: &Attributes) -> Result<SweepLog, Unreadable> {
    let item = Reader::item(item)?;
    Ok(SweepLog { revision: item.number("revision")?, skips: item.list("decisions", read)? })
}

fn write(skip: &SweepSkip) -> AttributeValue {
    Writer::map()
        .with("at", instant(skip.at))
        .with("gate", text(skip.gate.name()))
        .with("balance", credits(skip.balance))
        .into_value()
}

fn read(item: &Reader<'_>, name: &str) -> Result<SweepSkip, Unreadable> {
    let skip = item.map(name)?;
    Ok(SweepSkip {
        at: skip.instant("at")?,
        gate: skip.word("gate", GateName::of_name)?,
        balance: skip.credits("balance")?,
    })
}
