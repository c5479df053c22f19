//! Confirming an address.

use super::{Contact, Contacts};
use crate::domain::{Account, Change, ContactId, ContactsChange, Notice, NoticeId, NoticeKind};
use jiff::Timestamp;

/// The account has no such contact (any more).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account has no contact {0}")]
pub struct UnknownContact(pub ContactId);

/// Confirms an address: from now on it gets the e-mails of its roles, and the other deliverable billing addresses are told.
/// `None` if it was confirmed already.
///
/// # Errors
/// [`UnknownContact`] if it was removed from the list, or with the account.
pub fn decide_confirm(
    account: &Account,
    stored: Option<&Contacts>,
    contact: &ContactId,
    mut unique: impl FnMut() -> u128,
    now: Timestamp,
) -> Result<Option<Change>, UnknownContact> {
    let unknown = || UnknownContact(contact.clone());
    let mut contacts = Contacts::of(account, stored).ok_or_else(unknown)?;
    let before = contacts.clone();
    let known = contacts.listed.iter().find(|known| known.id == *contact).ok_or_else(unknown)?;
    if known.asked_at.is_none() {
        return Ok(None);
    }
    let address = known.address.clone();
    // An address that is listed for alerts may be kept for billing as well.
    for known in contacts.listed.iter_mut().chain(&mut contacts.kept).filter(|known| known.id == *contact) {
        *known = Contact { confirmed_at: Some(now), asked_at: None, problem: None, ..known.clone() };
    }
    contacts.release_kept();
    let mut change = Change::on(account, now);
    for other in before.to_be_told().into_iter().filter(|other| **other != address) {
        let kind = NoticeKind::ContactsChanged(ContactsChange {
            confirmed: vec![address.clone()],
            ..ContactsChange::default()
        });
        change.notices.extend(Notice::addressed(NoticeId::mint(unique()), account, (other.clone(), kind), now));
    }
    change.set_contacts(contacts);
    Ok(Some(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contacts::Role;
    use crate::domain::samples::*;

    fn pending(address: &str, number: u128) -> Contact {
        let contact = contact(address, &[Role::Billing]);
        Contact { id: ContactId::mint(number), confirmed_at: None, asked_at: Some(at(1)), ..contact }
    }

    #[test]
    fn a_link_confirms_its_own_contact_once_and_none_that_was_removed() {
        let listed = vec![contact("owner@example.com", &Role::ALL), pending("a@b.de", 7), pending("b@b.de", 8)];
        let stored = Contacts { listed, ..starting_contacts() };
        let confirm = |account: &Account, stored: &Contacts, number| {
            decide_confirm(account, Some(stored), &ContactId::mint(number), || 99, at(2))
        };
        let change = confirm(&account(), &stored, 7).unwrap().unwrap();
        let after = change.contacts().unwrap();
        assert!(after.listed[1].is_deliverable() && !after.listed[2].is_deliverable());
        assert_eq!(confirm(&change.account, after, 7), Ok(None), "a second use");
        assert_eq!(confirm(&change.account, after, 9), Err(UnknownContact(ContactId::mint(9))));
        let closed = Account { email: None, closed_at: Some(at(2)), ..account() };
        assert_eq!(confirm(&closed, &stored, 7), Err(UnknownContact(ContactId::mint(7))), "closed");
        let [told] = &change.notices[..] else { panic!("{:?}", change.notices) };
        assert_eq!(told.to.as_str(), "owner@example.com");
    }

    #[test]
    fn a_confirmation_ends_a_delivery_problem_and_moves_the_accounts_address() {
        let again = Contact { problem: Some(bounced_at(2)), ..pending("a@b.de", 7) };
        let listed = vec![again, contact("owner@example.com", &[Role::Billing])];
        let stored = Contacts { listed, ..starting_contacts() };
        let change = decide_confirm(&account(), Some(&stored), &ContactId::mint(7), || 99, at(3)).unwrap().unwrap();
        assert!(change.contacts().unwrap().listed[0].is_deliverable());
        assert_eq!(change.account.email.unwrap().as_str(), "a@b.de");
    }
}
