//! A charge that was made pending, overwritten when it ends.

use super::entry;
use crate::domain::Spender;
use crate::domain::charging::{ChargeEnd, Ending, PendingCharge};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, number, text};
use crate::ledger::keys::{self, Due, Key};

pub(in crate::ledger) fn pending_charge_to_item(pending: &PendingCharge) -> Attributes {
    let due_at = pending.due_at();
    let item = Writer::item(keys::pending_charge(&pending.account, &pending.charge))
        .with("seq", number(pending.seq))
        .with("credits", credits(pending.credits))
        .with_optional("spender", pending.spender.as_ref().map(text))
        .with("created_at", instant(pending.created_at))
        // Not `expires_at`, by which DynamoDB deletes items.
        .with("expires_in_seconds", number(pending.expires_in.seconds()))
        .with("status", text(pending.status().name()))
        // Both attributes or neither: a charge that has ended must not be in the index.
        .with_optional("due_shard", due_at.map(|_| text(Due::Charge.shard_of(&pending.account))))
        .with_optional("due_at", due_at.map(instant));
    let item = entry::write_price(entry::write_operation(item, &pending.operation), &pending.price);
    pending.end.iter().fold(item, write_end).into_attributes()
}

pub(in crate::ledger) fn pending_charge_from_item(item: &Attributes) -> Result<PendingCharge, Unreadable> {
    let item = Reader::item(item)?;
    Ok(PendingCharge {
        account: item.id_in_key("PK", Key::account_id)?,
        charge: item.id_in_key("SK", Key::pending_charge)?,
        seq: item.number("seq")?,
        operation: entry::read_operation(&item)?,
        price: entry::read_price(&item, "price_book")?,
        credits: item.credits("credits")?,
        spender: item.optional("spender", |item, name| item.id(name, Spender::parse))?,
        created_at: item.instant("created_at")?,
        expires_in: entry::read_expires_in(&item, "expires_in_seconds")?,
        end: read_end(&item)?,
    })
}

fn write_end(item: Writer, end: &ChargeEnd) -> Writer {
    let captured = match end.ending {
        Ending::Captured { amount } => Some(amount),
        Ending::Voided | Ending::Expired => None,
    };
    item.with_optional("captured_amount", captured.map(number))
        .with("credits_kept", credits(end.credits_kept))
        .with("balance_after", credits(end.balance_after))
        .with("ended_at", instant(end.at))
}

fn read_end(item: &Reader<'_>) -> Result<Option<ChargeEnd>, Unreadable> {
    let ending = match item.text("status")? {
        "pending" => return Ok(None),
        "posted" => Ending::Captured { amount: item.number("captured_amount")? },
        "voided" => Ending::Voided,
        "expired" => Ending::Expired,
        _ => return Err(item.invalid("status")),
    };
    Ok(Some(ChargeEnd {
        ending,
        credits_kept: item.credits("credits_kept")?,
        balance_after: item.credits("balance_after")?,
        at: item.instant("ended_at")?,
    }))
}
