//! Where an account's e-mails go.

use crate::Outside;
use lambda_http::Request;
use shared::domain::EmailAddress;
use shared::domain::contacts::{CONTACTS_MAX, ChosenContact, ContactList, InvalidContacts, OptionalNotice, Role};
use shared::http::bodies::ContactsBody;
use shared::http::{Fields, Problem, ReachedAccount, Reply, parse_body, text, words};
use shared::use_cases::Context;
use shared::use_cases::accounts::{read_contacts, set_contacts};
use std::collections::BTreeSet;

pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    Reply::ok(&ContactsBody::of(read_contacts(context, account.id()).await?.as_ref()))
}

/// Replaces the contacts. Those that are new get a confirmation.
pub async fn put<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let list = parse_body(request, list)?;
    Reply::ok(&ContactsBody::of(set_contacts(context, account.id(), &list).await?.as_ref()))
}

fn list(fields: &mut Fields<'_>) -> Option<ContactList> {
    let contacts = fields.objects("contacts", 1..=CONTACTS_MAX, contact)?;
    match ContactList::new(contacts) {
        Ok(list) => return Some(list),
        Err(InvalidContacts::Count) => fields.refuse("contacts", format!("must be a list of 1 to {CONTACTS_MAX}")),
        Err(InvalidContacts::Repeated { place }) => {
            fields.refuse(&format!("contacts[{place}].email"), "is listed twice");
        }
        Err(InvalidContacts::WithoutRole { place }) => {
            fields.refuse(&format!("contacts[{place}].roles"), format!("must be {ROLES}"));
        }
        Err(InvalidContacts::WithoutBilling) => {
            fields.refuse("contacts", "must have at least one contact with the role billing");
        }
    }
    None
}

const EMAIL: &str = "an e-mail address of at most 254 ASCII characters";
const ROLES: &str = "a list of billing, alerts or both, each once";

fn contact(fields: &mut Fields<'_>) -> Option<ChosenContact> {
    let kinds = "a list of kinds of e-mail that can be turned off, each once: low_balance";
    let address = fields.required("email", EMAIL, text(EmailAddress::parse));
    let is_some = |roles: BTreeSet<Role>| (!roles.is_empty()).then_some(roles);
    let roles = fields.required("roles", ROLES, |json| is_some(words(Role::of_name)(json)?));
    let opted_out = fields.optional_or("opted_out", kinds, (words(OptionalNotice::of_name), BTreeSet::new()));
    Some(ChosenContact { address: address?, roles: roles?, opted_out: opted_out? })
}
