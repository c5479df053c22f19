//! An automatic top-up attempt, overwritten at each change of its status, and the customer's requests to pay it now.

use super::{refunds, reversed};
use crate::domain::payments::{DeclineReason, RefusalReason};
use crate::domain::{CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId, TopUp, TopUpId, TopUpRetry, TopUpStatus};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, number, text};
use crate::ledger::keys::{self, Due, Key};

pub(in crate::ledger) fn top_up_to_item(top_up: &TopUp) -> Attributes {
    let due = top_up.unpaid_due_at().map(|due_at| (Due::Unpaid, due_at));
    let due = due.or_else(|| top_up.looked_at_since().map(|since| (Due::Look, since)));
    Writer::item(keys::top_up(&top_up.account, &top_up.id))
        .with("customer", text(&top_up.customer))
        .with_optional("payment_method", top_up.payment_method.as_ref().map(text))
        .with("credits", credits(top_up.credits))
        .with_amount("price", top_up.price)
        .with("status", text(top_up.status.name()))
        .with_optional("decline_reason", decline_reason(top_up.status).map(text))
        .with_optional("refusal_reason", refusal_reason(top_up.status).map(text))
        .with_optional("invoice", top_up.invoice.as_ref().map(text))
        .with_optional("payment_intent", top_up.payment_intent.as_ref().map(text))
        .with("opened_at", instant(top_up.opened_at))
        .with_optional("ended_at", top_up.ended_at.map(instant))
        .with_optional("retries", (top_up.retries > 0).then(|| number(top_up.retries)))
        .with_optional("reminders", (top_up.reminders > 0).then(|| number(top_up.reminders)))
        .with_optional("reversed", reversed::write(top_up.reversed))
        .with_optional("refunds", refunds::write(&top_up.refunds))
        // Both attributes or neither: an attempt of which nothing is due must not be in the index.
        .with_optional("due_shard", due.map(|(due, _)| text(due.shard_of(&top_up.account))))
        .with_optional("due_at", due.map(|(_, due_at)| instant(due_at)))
        .into_attributes()
}

pub(in crate::ledger) fn top_up_from_item(item: &Attributes) -> Result<TopUp, Unreadable> {
    let item = Reader::item(item)?;
    Ok(TopUp {
        id: item.id_in_key("SK", Key::top_up_id)?,
        account: item.id_in_key("PK", Key::account_id)?,
        customer: item.id("customer", CustomerId::parse)?,
        payment_method: item.optional("payment_method", |item, name| item.id(name, PaymentMethodId::parse))?,
        credits: item.credits("credits")?,
        price: item.amount("price")?,
        status: read_status(&item)?,
        invoice: item.optional("invoice", |item, name| item.id(name, InvoiceId::parse))?,
        payment_intent: item.optional("payment_intent", |item, name| item.id(name, PaymentIntentId::parse))?,
        opened_at: item.instant("opened_at")?,
        ended_at: item.optional("ended_at", Reader::instant)?,
        retries: item.optional("retries", Reader::number)?.unwrap_or(0),
        reminders: item.optional("reminders", Reader::number)?.unwrap_or(0),
        reversed: reversed::read(&item)?,
        refunds: refunds::read(&item)?,
    })
}

pub(in crate::ledger) fn top_up_retry_to_item(retry: &TopUpRetry) -> Attributes {
    Writer::item(keys::top_up_retry(&retry.account, &retry.key))
        .with("top_up", text(&retry.top_up))
        .with_optional("named", retry.named.as_ref().map(text))
        .with("payment_method", text(&retry.card))
        .with("asked_at", instant(retry.asked_at))
        .with("status", text(retry.status.name()))
        .with_optional("decline_reason", decline_reason(retry.status).map(text))
        .with_optional("refusal_reason", refusal_reason(retry.status).map(text))
        .into_attributes()
}

pub(in crate::ledger) fn top_up_retry_from_item(item: &Attributes) -> Result<TopUpRetry, Unreadable> {
    let item = Reader::item(item)?;
    Ok(TopUpRetry {
        key: item.id_in_key("SK", Key::top_up_retry)?,
        account: item.id_in_key("PK", Key::account_id)?,
        top_up: item.id("top_up", TopUpId::parse)?,
        named: item.optional("named", |item, name| item.id(name, PaymentMethodId::parse))?,
        card: item.id("payment_method", PaymentMethodId::parse)?,
        asked_at: item.instant("asked_at")?,
        status: read_status(&item)?,
    })
}

fn decline_reason(status: TopUpStatus) -> Option<&'static str> {
    match status {
        TopUpStatus::Declined(reason) => Some(reason.name()),
        TopUpStatus::Open
        | TopUpStatus::Processing
        | TopUpStatus::Paid
        | TopUpStatus::PartlyPaid
        | TopUpStatus::ActionRequired
        | TopUpStatus::Refused(_)
        | TopUpStatus::Abandoned => None,
    }
}

fn refusal_reason(status: TopUpStatus) -> Option<&'static str> {
    match status {
        TopUpStatus::Refused(reason) => Some(reason.name()),
        _ => None,
    }
}

fn read_status(item: &Reader<'_>) -> Result<TopUpStatus, Unreadable> {
    let status = match item.text("status")? {
        "open" => TopUpStatus::Open,
        "processing" => TopUpStatus::Processing,
        "paid" => TopUpStatus::Paid,
        "partly_paid" => TopUpStatus::PartlyPaid,
        "declined" => TopUpStatus::Declined(item.word("decline_reason", DeclineReason::of_name)?),
        "action_required" => TopUpStatus::ActionRequired,
        "refused" => TopUpStatus::Refused(item.word("refusal_reason", RefusalReason::of_name)?),
        "abandoned" => TopUpStatus::Abandoned,
        _ => return Err(item.invalid("status")),
    };
    Ok(status)
}
