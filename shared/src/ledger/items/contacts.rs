//! The contacts of an account, once they were changed.

use crate::domain::contacts::{Contact, Contacts, DeliveryProblem, DeliveryProblemKind, OptionalNotice, Role};
use crate::domain::{AccountId, ContactId, EmailAddress};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, instant, list, text};
use crate::ledger::keys;
use aws_sdk_dynamodb::types::AttributeValue;

pub(in crate::ledger) fn contacts_to_item(account: &AccountId, contacts: &Contacts) -> Attributes {
    let Contacts { listed, kept, asks, opened_with, customer_email } = contacts;
    Writer::item(keys::contacts(account))
        .with("contacts", list(listed.iter().map(write)))
        .with_optional("kept", kept.as_ref().map(write))
        .with_optional("asks", (!asks.is_empty()).then(|| list(asks.iter().copied().map(instant))))
        .with("opened_with", text(opened_with))
        .with("customer_email", text(customer_email))
        .into_attributes()
}

pub(in crate::ledger) fn contacts_from_item(item: &Attributes) -> Result<Contacts, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Contacts {
        listed: item.list("contacts", read)?,
        kept: item.optional("kept", read)?,
        asks: item.optional("asks", |item, name| item.list(name, |item, name| item.instant(name)))?.unwrap_or_default(),
        opened_with: item.id("opened_with", EmailAddress::parse)?,
        customer_email: item.id("customer_email", EmailAddress::parse)?,
    })
}

fn write(contact: &Contact) -> AttributeValue {
    let Contact { id, address, roles, opted_out, confirmed_at, asked_at, problem } = contact;
    Writer::map()
        .with("id", text(id))
        .with("email", text(address))
        .with("roles", list(roles.iter().map(|role| text(role.name()))))
        .with_optional(
            "opted_out",
            (!opted_out.is_empty()).then(|| list(opted_out.iter().map(|kind| text(kind.name())))),
        )
        .with_optional("confirmed_at", confirmed_at.map(instant))
        .with_optional("asked_at", asked_at.map(instant))
        .with_optional("problem", problem.map(write_problem))
        .into_value()
}

fn read(item: &Reader<'_>, name: &str) -> Result<Contact, Unreadable> {
    let contact = item.map(name)?;
    let opted_out = contact.optional("opted_out", |contact, name| {
        contact.list(name, |kind, name| kind.word(name, OptionalNotice::of_name))
    });
    Ok(Contact {
        id: contact.id("id", ContactId::parse)?,
        address: contact.id("email", EmailAddress::parse)?,
        roles: contact.list("roles", |role, name| role.word(name, Role::of_name))?.into_iter().collect(),
        opted_out: opted_out?.unwrap_or_default().into_iter().collect(),
        confirmed_at: contact.optional("confirmed_at", Reader::instant)?,
        asked_at: contact.optional("asked_at", Reader::instant)?,
        problem: contact.optional("problem", read_problem)?,
    })
}

fn write_problem(problem: DeliveryProblem) -> AttributeValue {
    Writer::map().with("kind", text(problem.kind.name())).with("at", instant(problem.at)).into_value()
}

fn read_problem(item: &Reader<'_>, name: &str) -> Result<DeliveryProblem, Unreadable> {
    let problem = item.map(name)?;
    Ok(DeliveryProblem { kind: problem.word("kind", DeliveryProblemKind::of_name)?, at: problem.instant("at")? })
}
