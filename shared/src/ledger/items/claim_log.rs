//! How often an account asked for its payments.

use crate::domain::AccountId;
use crate::domain::payments::ClaimLog;
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, expiry, instant, list, number};
use crate::ledger::keys;

pub(in crate::ledger) fn claim_log_to_item(account: &AccountId, log: &ClaimLog) -> Attributes {
    Writer::item(keys::claim_log(account))
        .with("revision", number(log.revision))
        .with("asked_at", list(log.asked_at.iter().copied().map(instant)))
        .with("expires_at", expiry(log.expires_at()))
        .into_attributes()
}

pub(in crate::ledger) fn claim_log_from_item(item: &Attributes) -> Result<ClaimLog, Unreadable> {
    let item = Reader::item(item)?;
    Ok(ClaimLog {
        revision: item.number("revision")?,
        asked_at: item.list("asked_at", |item, name| item.instant(name))?,
    })
}
