//! The refunds that support asked for, as a list in the item of the purchase or the attempt.

use crate::domain::payments::{Refund, RefundStatus, WantedRefund};
use crate::domain::{IdempotencyKey, RefundId};
use crate::ledger::attributes::{Reader, Unreadable, Writer, flag, instant, list, number, text};
use aws_sdk_dynamodb::types::AttributeValue;

/// `None` if there are none.
pub(super) fn write(refunds: &[Refund]) -> Option<AttributeValue> {
    (!refunds.is_empty()).then(|| list(refunds.iter().map(write_one)))
}

fn write_one(refund: &Refund) -> AttributeValue {
    let made = match &refund.status {
        RefundStatus::Made(id) => Some(text(id)),
        RefundStatus::Asked | RefundStatus::Refused => None,
    };
    let is_of_unused = refund.wanted == WantedRefund::UnusedCredits;
    Writer::map()
        .with("key", text(&refund.key))
        .with("amount", number(refund.amount))
        .with_optional("unused_credits", is_of_unused.then(|| flag(true)))
        .with("asked_at", instant(refund.asked_at))
        .with_optional("refund", made)
        .with_optional("refused", (refund.status == RefundStatus::Refused).then(|| flag(true)))
        .into_value()
}

pub(super) fn read(item: &Reader<'_>) -> Result<Vec<Refund>, Unreadable> {
    let refunds = item.optional("refunds", |item, name| item.list(name, read_one))?;
    Ok(refunds.unwrap_or_default())
}

fn read_one(item: &Reader<'_>, name: &str) -> Result<Refund, Unreadable> {
    let refund = item.map(name)?;
    let amount @ 1.. = refund.number("amount")? else { return Err(refund.invalid("amount")) };
    let is_of_unused = refund.optional("unused_credits", Reader::flag)?.unwrap_or(false);
    let made = refund.optional("refund", |map, name| map.id(name, RefundId::parse))?;
    let status = match (made, refund.optional("refused", Reader::flag)?.unwrap_or(false)) {
        (Some(id), false) => RefundStatus::Made(id),
        (None, true) => RefundStatus::Refused,
        (None, false) => RefundStatus::Asked,
        (Some(_), true) => return Err(refund.invalid("refused")),
    };
    Ok(Refund {
        key: refund.id("key", IdempotencyKey::parse)?,
        wanted: if is_of_unused { WantedRefund::UnusedCredits } else { WantedRefund::Amount(amount) },
        amount,
        asked_at: refund.instant("asked_at")?,
        status,
    })
}
