//! How far the reconciliation got, the events that could not be applied, and the marks of unknown payments.

use crate::domain::payments::{Invoiced, PaidFor, UnknownPayment};
use crate::domain::{
    AccountId, CardPaymentId, CheckoutSessionId, CustomerId, DisputeId, EventId, InvoiceId, PaymentMethodId, RefundId,
    TopUpId,
};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, expiry, instant, number, text};
use crate::ledger::items::flag::FLAG_KEPT;
use crate::ledger::keys::{self, Due, Key};
use crate::ports::{
    EventsPass, EventsPlace, FailedEvent, ListedEvent, LooksRest, Reconciled, ReturnedObject, Shard, Subject, Unpaid,
};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

pub(in crate::ledger) fn reconciled_to_item(reconciled: &Reconciled) -> Attributes {
    Writer::item(keys::reconciled())
        .with("revision", number(reconciled.revision))
        .with_optional("events_through", reconciled.events_through.map(instant))
        .with_optional("events_rest", reconciled.events_rest.as_ref().map(write_pass))
        .with_optional("looks_through", reconciled.looks_through.map(instant))
        .with_optional("looks_rest", reconciled.looks_rest.as_ref().map(write_round))
        .into_attributes()
}

pub(in crate::ledger) fn reconciled_from_item(item: &Attributes) -> Result<Reconciled, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Reconciled {
        revision: item.number("revision")?,
        events_through: item.optional("events_through", Reader::instant)?,
        events_rest: item.optional("events_rest", read_pass)?,
        looks_through: item.optional("looks_through", Reader::instant)?,
        looks_rest: item.optional("looks_rest", read_round)?,
    })
}

fn write_pass(pass: &EventsPass) -> AttributeValue {
    Writer::map()
        .with("from", instant(pass.from))
        .with("until", instant(pass.until))
        .with("part", number(pass.place.part))
        .with_optional("after", pass.place.after.as_ref().map(text))
        .into_value()
}

fn read_pass(item: &Reader<'_>, name: &str) -> Result<EventsPass, Unreadable> {
    let map = item.map(name)?;
    let after = map.optional("after", |map, name| map.id(name, EventId::parse))?;
    let place = EventsPlace { part: map.number("part")?, after };
    Ok(EventsPass { from: map.instant("from")?, until: map.instant("until")?, place })
}

fn write_round(round: &LooksRest) -> AttributeValue {
    Writer::map()
        .with("until", instant(round.until))
        .with("part", number(round.part))
        .with_optional("after", round.after.as_ref().map(write_place))
        .into_value()
}

fn read_round(item: &Reader<'_>, name: &str) -> Result<LooksRest, Unreadable> {
    let map = item.map(name)?;
    let after = map.optional("after", read_place)?;
    Ok(LooksRest { until: map.instant("until")?, part: map.number("part")?, after })
}

fn write_place(place: &Unpaid) -> AttributeValue {
    Writer::map()
        .with("account_id", text(&place.account))
        .with("open", text(place.what.id()))
        .with("due_at", instant(place.due_at))
        .into_value()
}

fn read_place(item: &Reader<'_>, name: &str) -> Result<Unpaid, Unreadable> {
    let map = item.map(name)?;
    let what = match map.id("open", PaidFor::parse)? {
        PaidFor::Purchase(purchase) => Invoiced::Purchase(purchase),
        PaidFor::TopUp(top_up) => Invoiced::TopUp(top_up),
    };
    Ok(Unpaid { account: map.id("account_id", AccountId::parse)?, what, due_at: map.instant("due_at")? })
}

/// An event that is kept is in the index, from its first failure until it is applied.
pub(in crate::ledger) fn failed_event_to_item(failed: &FailedEvent) -> Attributes {
    let ListedEvent { id, subject, created_at } = &failed.event;
    let (about, object, top_up) = write_subject(subject);
    Writer::item(keys::failed_event(id))
        .with("about", text(about))
        .with("object", text(object))
        .with_optional("account_id", top_up.map(|(account, _)| text(account)))
        .with_optional("top_up", top_up.map(|(_, top_up)| text(top_up)))
        .with("created_at", instant(*created_at))
        .with("tries", number(failed.tries))
        .with("due_shard", text(Due::FailedEvent.shard(Shard::of(0))))
        .with("due_at", instant(failed.due_at))
        .into_attributes()
}

pub(in crate::ledger) fn failed_event_from_item(item: &Attributes) -> Result<FailedEvent, Unreadable> {
    let item = Reader::item(item)?;
    let event = ListedEvent {
        id: item.id_in_key("PK", Key::event_id)?,
        subject: read_subject(&item)?,
        created_at: item.instant("created_at")?,
    };
    Ok(FailedEvent { event, tries: item.number("tries")?, due_at: item.instant("due_at")? })
}

/// The id of an event whose key is in the index.
pub(in crate::ledger) fn failed_event_id(item: &Attributes) -> Result<EventId, Unreadable> {
    Reader::item(item)?.id_in_key("PK", Key::event_id)
}

fn write_subject(subject: &Subject) -> (&'static str, &str, Option<&(AccountId, TopUpId)>) {
    match subject {
        Subject::Invoice { id, top_up } => ("invoice", id.as_str(), top_up.as_ref()),
        Subject::Checkout(session) => ("checkout", session.as_str(), None),
        Subject::Customer(customer) => ("customer", customer.as_str(), None),
        Subject::Card(card) => ("card", card.as_str(), None),
        Subject::Returned(ReturnedObject::CardPayment(id)) => ("card_payment", id.as_str(), None),
        Subject::Returned(ReturnedObject::Refund(id)) => ("refund", id.as_str(), None),
        Subject::Returned(ReturnedObject::Dispute(id)) => ("dispute", id.as_str(), None),
        Subject::Other => ("other", "", None),
    }
}

fn read_subject(item: &Reader<'_>) -> Result<Subject, Unreadable> {
    const OBJECT: &str = "object";
    Ok(match item.text("about")? {
        "invoice" => {
            let account = item.optional("account_id", |item, name| item.id(name, AccountId::parse))?;
            let top_up = item.optional("top_up", |item, name| item.id(name, TopUpId::parse))?;
            Subject::Invoice { id: item.id(OBJECT, InvoiceId::parse)?, top_up: account.zip(top_up) }
        }
        "checkout" => Subject::Checkout(item.id(OBJECT, CheckoutSessionId::parse)?),
        "customer" => Subject::Customer(item.id(OBJECT, CustomerId::parse)?),
        "card" => Subject::Card(item.id(OBJECT, PaymentMethodId::parse)?),
        "card_payment" => Subject::Returned(ReturnedObject::CardPayment(item.id(OBJECT, CardPaymentId::parse)?)),
        "refund" => Subject::Returned(ReturnedObject::Refund(item.id(OBJECT, RefundId::parse)?)),
        "dispute" => Subject::Returned(ReturnedObject::Dispute(item.id(OBJECT, DisputeId::parse)?)),
        "other" => Subject::Other,
        _ => return Err(item.invalid("about")),
    })
}

/// It is kept as long as the flag that it belongs to.
pub(in crate::ledger) fn unknown_payment_to_item(payment: &UnknownPayment) -> Attributes {
    let expires_at = payment.found_at.saturating_add(FLAG_KEPT).unwrap_or(Timestamp::MAX);
    Writer::item(keys::unknown_payment(&payment.paid_for))
        .with("account_id", text(&payment.account))
        .with("flagged_at", instant(payment.found_at))
        .with("expires_at", expiry(expires_at))
        .into_attributes()
}
