//! What went back of a payment, as a map in the item of the purchase or the attempt.

use crate::domain::payments::{Returns, Reversed};
use crate::ledger::attributes::{Reader, Unreadable, Writer, credits, number};
use aws_sdk_dynamodb::types::AttributeValue;

/// `None` if nothing went back.
pub(super) fn write(reversed: Reversed) -> Option<AttributeValue> {
    if reversed == Reversed::default() {
        return None;
    }
    let Reversed { returns, taken, entries } = reversed;
    let Returns { paid, refunds, refunds_failed, withdrawn, reinstated } = returns;
    let unless_zero = |value: i64| (value != 0).then(|| number(value));
    let map = Writer::map()
        .with("paid", number(paid))
        .with_optional("refunds", unless_zero(refunds))
        .with_optional("refunds_failed", unless_zero(refunds_failed))
        .with_optional("withdrawn", unless_zero(withdrawn))
        .with_optional("reinstated", unless_zero(reinstated))
        .with("taken", credits(taken))
        .with("entries", number(entries));
    Some(map.into_value())
}

pub(super) fn read(item: &Reader<'_>) -> Result<Reversed, Unreadable> {
    Ok(item.optional("reversed", read_map)?.unwrap_or_default())
}

fn read_map(item: &Reader<'_>, name: &str) -> Result<Reversed, Unreadable> {
    let reversed = item.map(name)?;
    let amount = |name: &str| match reversed.optional(name, Reader::number)?.unwrap_or(0) {
        amount @ 0.. => Ok(amount),
        _ => Err(reversed.invalid(name)),
    };
    let returns = Returns {
        paid: reversed.number("paid")?,
        refunds: amount("refunds")?,
        refunds_failed: amount("refunds_failed")?,
        withdrawn: amount("withdrawn")?,
        reinstated: amount("reinstated")?,
    };
    Ok(Reversed { returns, taken: reversed.credits("taken")?, entries: reversed.number("entries")? })
}
