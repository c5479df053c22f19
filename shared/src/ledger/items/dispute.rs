//! A dispute, and its place in the index while it is open.

use crate::domain::payments::{Dispute, DisputeStatus, PaidFor, ShownDispute};
use crate::domain::{AccountId, DisputeId, PaymentIntentId};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, flag, instant, number, text};
use crate::ledger::keys::{self, Key};
use crate::ports::DisputePlace;

pub(in crate::ledger) fn dispute_to_item(dispute: &Dispute) -> Attributes {
    let ShownDispute { amount, currency, reason, status, opened_at, due_by, submissions, is_past_due } = &dispute.shown;
    let due_at = dispute.due_at();
    Writer::item(keys::dispute(&dispute.id))
        .with("account_id", text(&dispute.account))
        .with("paid_for", text(&dispute.paid_for))
        .with("payment_intent", text(&dispute.payment))
        .with("amount", number(*amount))
        .with("currency", text(currency))
        .with("reason", text(reason))
        .with("status", text(status.name()))
        .with("opened_at", instant(*opened_at))
        .with_optional("due_by", due_by.map(instant))
        .with("submissions", number(*submissions))
        .with_optional("past_due", is_past_due.then(|| flag(true)))
        .with_optional("warned_of", dispute.warned_of.map(instant))
        .with("revision", number(dispute.revision))
        .with_optional("due_shard", due_at.map(|_| text(keys::open_disputes())))
        .with_optional("due_at", due_at.map(instant))
        .into_attributes()
}

pub(in crate::ledger) fn dispute_from_item(item: &Attributes) -> Result<Dispute, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Dispute {
        id: item.id_in_key("PK", Key::dispute_id)?,
        account: item.id("account_id", AccountId::parse)?,
        paid_for: item.id("paid_for", PaidFor::parse)?,
        payment: item.id("payment_intent", PaymentIntentId::parse)?,
        shown: ShownDispute {
            amount: item.number("amount")?,
            currency: item.text("currency")?.to_owned(),
            reason: item.text("reason")?.to_owned(),
            status: item.word("status", DisputeStatus::of_name)?,
            opened_at: item.instant("opened_at")?,
            due_by: item.optional("due_by", Reader::instant)?,
            submissions: item.number("submissions")?,
            is_past_due: item.optional("past_due", Reader::flag)?.unwrap_or(false),
        },
        warned_of: item.optional("warned_of", Reader::instant)?,
        revision: item.number("revision")?,
    })
}

/// The place of a dispute whose key is in the index.
pub(in crate::ledger) fn dispute_place(item: &Attributes) -> Result<DisputePlace, Unreadable> {
    let item = Reader::item(item)?;
    let dispute: DisputeId = item.id_in_key("PK", Key::dispute_id)?;
    Ok(DisputePlace { due_at: item.instant("due_at")?, dispute })
}

/// The start of the next page, as DynamoDB's exclusive start key.
pub(in crate::ledger) fn dispute_place_to_key(place: &DisputePlace) -> Attributes {
    Writer::item(keys::dispute(&place.dispute))
        .with("due_shard", text(keys::open_disputes()))
        .with("due_at", instant(place.due_at))
        .into_attributes()
}
