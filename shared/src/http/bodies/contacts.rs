//! The contacts of an account as responses show them, to the customer and to support.

use crate::domain::contacts::{Contact, Contacts, Role};
use crate::http::time;
use serde::Serialize;

/// Every contact, and who gets the e-mails of each role now. A closed account has none.
#[derive(Debug, Serialize)]
pub struct ContactsBody<'a> {
    contacts: Vec<ContactBody<'a>>,
    /// Not in the list any more, but used until a billing contact of the list can be.
    kept: Option<ContactBody<'a>>,
    recipients: RecipientsBody<'a>,
}

#[derive(Debug, Serialize)]
struct ContactBody<'a> {
    email: &'a str,
    roles: Vec<&'static str>,
    opted_out: Vec<&'static str>,
    status: &'static str,
    confirmed_at: Option<String>,
    asked_at: Option<String>,
    problem_at: Option<String>,
}

/// `null` if no e-mail of the role reaches anybody.
#[derive(Debug, Serialize)]
struct RecipientsBody<'a> {
    billing: Option<&'a str>,
    alerts: Option<&'a str>,
}

impl<'a> ContactsBody<'a> {
    pub fn of(contacts: Option<&'a Contacts>) -> Self {
        let recipient = |role| contacts?.recipient(role, None, &[]).ok().map(|address| address.as_str());
        Self {
            contacts: contacts.iter().flat_map(|contacts| &contacts.listed).map(ContactBody::of).collect(),
            kept: contacts.and_then(|contacts| contacts.kept.as_ref()).map(ContactBody::of),
            recipients: RecipientsBody { billing: recipient(Role::Billing), alerts: recipient(Role::Alerts) },
        }
    }
}

impl<'a> ContactBody<'a> {
    fn of(contact: &'a Contact) -> Self {
        Self {
            email: contact.address.as_str(),
            roles: contact.roles.iter().map(|role| role.name()).collect(),
            opted_out: contact.opted_out.iter().map(|kind| kind.name()).collect(),
            status: contact.status(),
            confirmed_at: contact.confirmed_at.map(time),
            asked_at: contact.asked_at.map(time),
            problem_at: contact.problem.map(|problem| time(problem.at)),
        }
    }
}
