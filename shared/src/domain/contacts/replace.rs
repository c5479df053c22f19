//! Choosing the contacts anew.

use super::{Contact, Contacts, OptionalNotice, Role};
use crate::domain::{
    Account, AccountClosed, Change, ContactId, ContactsChange, EmailAddress, Notice, NoticeId, NoticeKind,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How many contacts an account may have.
pub const CONTACTS_MAX: usize = 5;
/// How many confirmations are sent for one account within a day.
pub const ASKS_PER_DAY_MAX: usize = 10;
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// The same address is asked again at most once in this time, so a request that is repeated does not ask twice.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What the customer wants of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenContact {
    pub address: EmailAddress,
    pub roles: BTreeSet<Role>,
    pub opted_out: BTreeSet<OptionalNotice>,
}

/// Contacts that an account can have: one to [`CONTACTS_MAX`], each address once, and at least one for billing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactList(Vec<ChosenContact>);

/// Why a list of contacts is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContacts {
    #[error("there must be 1 to {CONTACTS_MAX} contacts")]
    Count,
    /// The address at this place was already listed. Capitals make no difference here.
    #[error("the address at place {place} is listed twice")]
    Repeated { place: usize },
    #[error("the contact at place {place} has no role")]
    WithoutRole { place: usize },
    #[error("no contact is for billing")]
    WithoutBilling,
}

impl ContactList {
    /// # Errors
    /// [`InvalidContacts`].
    pub fn new(contacts: Vec<ChosenContact>) -> Result<Self, InvalidContacts> {
        if contacts.is_empty() || contacts.len() > CONTACTS_MAX {
            return Err(InvalidContacts::Count);
        }
        let mut seen = BTreeSet::new();
        for (place, contact) in contacts.iter().enumerate() {
            if !seen.insert(contact.address.as_str().to_ascii_lowercase()) {
                return Err(InvalidContacts::Repeated { place });
            }
            if contact.roles.is_empty() {
                return Err(InvalidContacts::WithoutRole { place });
            }
        }
        if !contacts.iter().any(|contact| contact.roles.contains(&Role::Billing)) {
            return Err(InvalidContacts::WithoutBilling);
        }
        Ok(Self(contacts))
    }

    pub fn contacts(&self) -> &[ChosenContact] {
        &self.0
    }
}

/// Why the list is not replaced, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactsRefusal {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error(transparent)]
    TooManyAsked(#[from] TooManyAsked),
}

/// More confirmations than are sent for one account within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {ASKS_PER_DAY_MAX} confirmations would be sent within a day")]
pub struct TooManyAsked {
    pub now: Timestamp,
    pub possible_at: Timestamp,
}

/// Replaces the list. A new address, or one with a delivery problem, is sent a confirmation, and every deliverable billing
/// address of the list before is told. `None` if nothing changes and nobody is asked.
///
/// An account is never without a confirmed billing address: until the list has one, one of the list before is kept.
///
/// # Errors
/// [`ContactsRefusal`].
pub fn decide_replace(
    account: &Account,
    stored: Option<&Contacts>,
    list: &ContactList,
    mut unique: impl FnMut() -> u128,
    now: Timestamp,
) -> Result<Option<Change>, ContactsRefusal> {
    account.check_not_closed()?;
    let Some(before) = Contacts::of(account, stored) else { return Ok(None) };
    let mut after = before.clone();
    after.asks.retain(|asked_at| now < later(*asked_at, A_DAY));
    after.listed = list.0.iter().map(|chosen| listed(&before, chosen, &mut unique)).collect();
    let mut asked = vec![];
    for contact in after.listed.iter_mut().filter(|contact| needs_asking(contact, now)) {
        contact.asked_at = Some(now);
        after.asks.push(now);
        asked.push(contact.clone());
    }
    if let Some(surplus) = after.asks.len().checked_sub(ASKS_PER_DAY_MAX).filter(|surplus| *surplus > 0) {
        let last = after.asks.get(surplus.saturating_sub(1)).copied().unwrap_or(now);
        return Err(TooManyAsked { now, possible_at: later(last, A_DAY) }.into());
    }
    after.keep_one_of(&before);
    if (&after.listed, &after.kept) == (&before.listed, &before.kept) {
        return Ok(None);
    }
    let mut change = Change::on(account, now);
    for contact in asked {
        let kind = NoticeKind::ContactConfirmation { contact: contact.id };
        change.notices.extend(Notice::addressed(NoticeId::mint(unique()), account, (contact.address, kind), now));
    }
    let differences = differences(&before, &after);
    if differences != ContactsChange::default() {
        for address in before.to_be_told() {
            let kind = NoticeKind::ContactsChanged(differences.clone());
            change.notices.extend(Notice::addressed(NoticeId::mint(unique()), account, (address.clone(), kind), now));
        }
    }
    change.set_contacts(after);
    Ok(Some(change))
}

/// An address that is known keeps what is known about it.
fn listed(before: &Contacts, chosen: &ChosenContact, unique: &mut impl FnMut() -> u128) -> Contact {
    let ChosenContact { address, roles, opted_out } = chosen.clone();
    match before.all().find(|known| known.address == address) {
        Some(known) => Contact { roles, opted_out, ..known.clone() },
        None => Contact {
            id: ContactId::mint(unique()),
            address,
            roles,
            opted_out,
            confirmed_at: None,
            asked_at: None,
            problem: None,
        },
    }
}

fn needs_asking(contact: &Contact, now: Timestamp) -> bool {
    match contact.asked_at {
        _ if contact.is_deliverable() => false,
        None => true,
        Some(asked_at) => {
            let is_returned = contact.problem.is_some_and(|problem| problem.at >= asked_at);
            is_returned || now >= later(asked_at, ASK_AGAIN_AFTER)
        }
    }
}

/// What those who are told are told.
fn differences(before: &Contacts, after: &Contacts) -> ContactsChange {
    let addresses = |contacts: &[Contact]| contacts.iter().map(|contact| contact.address.clone()).collect::<Vec<_>>();
    let (old, new) = (addresses(&before.listed), addresses(&after.listed));
    let known = |contact: &Contact| before.listed.iter().find(|known| known.address == contact.address).cloned();
    let is_changed = |contact: &&Contact| {
        known(contact).is_some_and(|known| (&known.roles, &known.opted_out) != (&contact.roles, &contact.opted_out))
    };
    let mut change = ContactsChange {
        added: new.iter().filter(|address| !old.contains(address)).cloned().collect(),
        removed: old.iter().filter(|address| !new.contains(address)).cloned().collect(),
        changed: after.listed.iter().filter(is_changed).map(|contact| contact.address.clone()).collect(),
        confirmed: vec![],
    };
    // Another order changes who gets the e-mails.
    if change == ContactsChange::default() && old != new {
        change.changed = new;
    }
    change
}

fn later(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contacts::decide_confirm;
    use crate::domain::samples::*;

    fn chosen(address: &str, roles: &[Role]) -> ChosenContact {
        let address = EmailAddress::parse(address).unwrap();
        ChosenContact { address, roles: roles.iter().copied().collect(), opted_out: BTreeSet::new() }
    }

    fn billing(addresses: &[&str]) -> ContactList {
        ContactList::new(addresses.iter().map(|address| chosen(address, &[Role::Billing])).collect()).unwrap()
    }

    fn replace(account: &Account, stored: Option<&Contacts>, list: &ContactList, now: i64) -> Option<Change> {
        decide_replace(account, stored, list, numbers(now), at(now)).unwrap()
    }

    fn numbers(start: i64) -> impl FnMut() -> u128 {
        let mut next = u128::try_from(start).unwrap() * 1_000;
        move || {
            next += 1;
            next
        }
    }

    fn told(change: &Change) -> Vec<(&str, &str)> {
        change.notices.iter().map(|notice| (notice.to.as_str(), notice.kind.name())).collect()
    }

    const OWNER: &str = "owner@example.com";

    #[test]
    fn a_list_has_one_to_five_addresses_each_once_and_one_for_billing() {
        let five: Vec<_> = (0..5).map(|number| chosen(&format!("a{number}@b.de"), &[Role::Billing])).collect();
        assert!(ContactList::new(five.clone()).is_ok());
        let six = [five.clone(), vec![chosen("x@b.de", &[Role::Alerts])]].concat();
        let twice = [five[..1].to_vec(), vec![chosen("A0@B.de", &[Role::Alerts])]].concat();
        for (list, refused) in [
            (vec![], InvalidContacts::Count),
            (six, InvalidContacts::Count),
            (twice, InvalidContacts::Repeated { place: 1 }),
            (vec![chosen("a@b.de", &[])], InvalidContacts::WithoutRole { place: 0 }),
            (vec![chosen("a@b.de", &[Role::Alerts])], InvalidContacts::WithoutBilling),
        ] {
            assert_eq!(ContactList::new(list), Err(refused));
        }
    }

    #[test]
    fn a_closed_account_gets_no_contacts() {
        let closed = Account { email: None, closed_at: Some(at(2)), ..account() };
        let decided = decide_replace(&closed, Some(&starting_contacts()), &billing(&["a@b.de"]), numbers(3), at(3));
        assert_eq!(decided, Err(ContactsRefusal::Closed(AccountClosed { closed_at: at(2) })));
    }

    #[test]
    fn a_new_address_is_asked_and_the_old_one_is_told_and_kept_until_then() {
        let change = replace(&account(), None, &billing(&["new@example.com"]), 1).unwrap();
        assert_eq!(told(&change), [("new@example.com", "contact_confirmation"), (OWNER, "contacts_changed")]);
        assert!(change.notices.iter().all(|notice| notice.is_addressed));
        assert_eq!(change.account.email, account().email, "not confirmed yet");
        let contacts = change.contacts().unwrap().clone();
        assert_eq!(contacts.recipient(Role::Billing, None, &[]), Ok(&account().email.unwrap()));
        assert_eq!(contacts.kept.as_ref().unwrap().address, account().email.unwrap());

        let id = contacts.listed[0].id.clone();
        let confirmed = decide_confirm(&change.account, Some(&contacts), &id, numbers(2), at(2)).unwrap().unwrap();
        assert_eq!(confirmed.account.email.as_ref().unwrap().as_str(), "new@example.com");
        assert_eq!(confirmed.contacts().unwrap().kept, None);
        assert_eq!(told(&confirmed), [(OWNER, "contacts_changed")]);
    }

    #[test]
    fn a_list_that_changes_nothing_asks_nobody_until_ten_minutes_have_passed() {
        assert_eq!(replace(&account(), None, &ContactList::new(vec![chosen(OWNER, &Role::ALL)]).unwrap(), 1), None);
        let list = billing(&[OWNER, "new@example.com"]);
        let change = replace(&account(), None, &list, 1).unwrap();
        let contacts = change.contacts();
        assert_eq!(replace(&change.account, contacts, &list, 600), None);
        let again = replace(&change.account, contacts, &list, 601).unwrap();
        assert_eq!(told(&again), [("new@example.com", "contact_confirmation")], "asked again, and nothing to tell");
        assert_eq!(again.contacts().unwrap().listed[1].id, contacts.unwrap().listed[1].id, "the first link works too");
    }

    #[test]
    fn every_change_of_the_list_is_told_with_what_changed() {
        let (a, b) = (contact("a@b.de", &Role::ALL), contact("b@b.de", &[Role::Billing]));
        let stored = Contacts { listed: vec![a, b], ..starting_contacts() };
        let parse = |address: &str| EmailAddress::parse(address).unwrap();
        for (list, expected) in [
            (
                vec![chosen("a@b.de", &[Role::Billing]), chosen("b@b.de", &[Role::Billing])],
                ContactsChange { changed: vec![parse("a@b.de")], ..ContactsChange::default() },
            ),
            (
                vec![chosen("b@b.de", &[Role::Billing]), chosen("a@b.de", &Role::ALL)],
                ContactsChange { changed: vec![parse("b@b.de"), parse("a@b.de")], ..ContactsChange::default() },
            ),
            (
                vec![chosen("b@b.de", &[Role::Billing]), chosen("c@b.de", &[Role::Alerts])],
                ContactsChange {
                    added: vec![parse("c@b.de")],
                    removed: vec![parse("a@b.de")],
                    ..ContactsChange::default()
                },
            ),
        ] {
            let list = ContactList::new(list).unwrap();
            let change = replace(&account(), Some(&stored), &list, 1).unwrap();
            let of_change = |notice: &Notice| match &notice.kind {
                NoticeKind::ContactsChanged(change) => Some((notice.to.clone(), change.clone())),
                _ => None,
            };
            let told: Vec<_> = change.notices.iter().filter_map(of_change).collect();
            assert_eq!(told, ["a@b.de", "b@b.de"].map(|address| (parse(address), expected.clone())));
        }
    }

    #[test]
    fn an_address_with_a_problem_is_asked_again_and_another_one_is_kept_in_use() {
        let bounced = Contact { problem: Some(bounced_at(5)), ..contact(OWNER, &Role::ALL) };
        let other = contact("other@example.com", &[Role::Billing]);
        let stored = Contacts { listed: vec![bounced, other], ..starting_contacts() };
        let change = replace(&account(), Some(&stored), &billing(&[OWNER]), 9).unwrap();
        assert_eq!(told(&change)[0], (OWNER, "contact_confirmation"));
        let contacts = change.contacts().unwrap();
        assert_eq!(contacts.kept.as_ref().unwrap().address.as_str(), "other@example.com");
        assert_eq!(contacts.listed[0].problem, Some(bounced_at(5)), "until it is confirmed");
    }

    #[test]
    fn an_address_that_is_put_back_into_the_list_needs_no_confirmation() {
        let change = replace(&account(), None, &billing(&["new@example.com"]), 1).unwrap();
        let back = replace(&change.account, change.contacts(), &billing(&[OWNER]), 2).unwrap();
        assert_eq!(told(&back), [(OWNER, "contacts_changed")]);
        assert!(back.contacts().unwrap().listed[0].is_deliverable() && back.contacts().unwrap().kept.is_none());
    }

    #[test]
    fn at_most_ten_confirmations_are_sent_within_a_day() {
        let mut change =
            replace(&account(), None, &billing(&[OWNER, "a@b.de", "b@b.de", "c@b.de", "d@b.de"]), 1).unwrap();
        change =
            replace(&change.account, change.contacts(), &billing(&[OWNER, "e@b.de", "f@b.de", "g@b.de", "h@b.de"]), 2)
                .unwrap();
        change = replace(&change.account, change.contacts(), &billing(&[OWNER, "i@b.de", "j@b.de"]), 3).unwrap();
        let (account, contacts) = (change.account.clone(), change.contacts());
        let one_more = billing(&[OWNER, "k@b.de"]);
        let day = 24 * 3_600;
        let refused = |now| decide_replace(&account, contacts, &one_more, numbers(4), at(now)).err();
        assert_eq!(refused(day), Some(TooManyAsked { now: at(day), possible_at: at(day + 1) }.into()));
        assert_eq!(refused(day + 1), None);
        let fewer = replace(&account, contacts, &billing(&[OWNER]), 5);
        assert!(fewer.is_some(), "a list that asks nobody is never refused");
    }
}
