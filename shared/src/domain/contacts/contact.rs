//! The values: a contact, its roles, and the contacts of an account.

use crate::domain::{Account, ContactId, EmailAddress};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What a contact is told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Payments: receipts, payment issues, and changes of the contacts.
    Billing,
    /// Usage, such as a low balance.
    Alerts,
}

impl Role {
    pub const ALL: [Self; 2] = [Self::Billing, Self::Alerts];

    /// Its name in table and API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Billing => "billing",
            Self::Alerts => "alerts",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A kind of e-mail that a contact can turn off. Receipts and payment issues are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptionalNotice {
    LowBalance,
}

impl OptionalNotice {
    pub const ALL: [Self; 1] = [Self::LowBalance];

    /// Its name in table and API.
    pub fn name(self) -> &'static str {
        match self {
            Self::LowBalance => "low_balance",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One address of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub id: ContactId,
    pub address: EmailAddress,
    /// At least one.
    pub roles: BTreeSet<Role>,
    /// The kinds of e-mail that this contact does not get.
    pub opted_out: BTreeSet<OptionalNotice>,
    /// When the address was last confirmed. `None` if it never was; then it gets nothing but its confirmation.
    pub confirmed_at: Option<Timestamp>,
    /// When a confirmation was sent that is still to be answered.
    pub asked_at: Option<Timestamp>,
    /// Why no e-mails are sent to it until it is confirmed again.
    pub problem: Option<DeliveryProblem>,
}

/// The last time that an e-mail did not reach this address, or was not wanted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryProblem {
    pub kind: DeliveryProblemKind,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryProblemKind {
    /// The address does not exist, or takes no e-mail.
    Bounced,
    /// The reader reported the e-mail as spam.
    Complained,
}

impl DeliveryProblemKind {
    /// Its name in table and API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Bounced, Self::Complained].into_iter().find(|kind| kind.name() == name)
    }
}

impl Contact {
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether e-mails are sent to it.
    pub fn is_deliverable(&self) -> bool {
        self.confirmed_at.is_some() && self.problem.is_none()
    }

    /// Its state in the API.
    pub fn status(&self) -> &'static str {
        match (self.problem, self.confirmed_at) {
            (Some(problem), _) => problem.kind.name(),
            (None, Some(_)) => "confirmed",
            (None, None) => "pending",
        }
    }

    fn is_confirmed_for(&self, role: Role) -> bool {
        self.has(role) && self.confirmed_at.is_some()
    }
}

/// The contacts of an account, stored beside it once they are changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contacts {
    /// As the customer chose them. E-mails go to the first one that is deliverable.
    pub listed: Vec<Contact>,
    /// An address that is not in the list any more for billing, and gets these e-mails until one in the list can.
    pub kept: Option<Contact>,
    /// When confirmations were sent within the last day, oldest first.
    pub asks: Vec<Timestamp>,
    /// The address that the account was opened with.
    pub opened_with: EmailAddress,
    /// The address that the payment provider was last told.
    pub customer_email: EmailAddress,
}

/// Why an e-mail goes to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRecipient {
    /// Every contact with the role has turned this kind of e-mail off.
    #[error("every contact has turned this kind of e-mail off")]
    Unwanted,
    /// A person must find out how to reach the customer.
    #[error("no contact of the account is deliverable")]
    NoneDeliverable,
}

impl Contacts {
    /// The contacts of an account, which are its own address until they are changed. `None` once it is closed.
    pub fn of(account: &Account, stored: Option<&Self>) -> Option<Self> {
        let address = account.email.as_ref()?;
        Some(stored.cloned().unwrap_or_else(|| Self::starting(account, address)))
    }

    fn starting(account: &Account, address: &EmailAddress) -> Self {
        let own = Contact {
            id: ContactId::mint(0),
            address: address.clone(),
            roles: Role::ALL.into(),
            opted_out: BTreeSet::new(),
            confirmed_at: Some(account.created_at),
            asked_at: None,
            problem: None,
        };
        Self {
            listed: vec![own],
            kept: None,
            asks: vec![],
            opened_with: address.clone(),
            customer_email: address.clone(),
        }
    }

    /// The contacts in the order in which they are used.
    pub fn all(&self) -> impl Iterator<Item = &Contact> {
        self.listed.iter().chain(&self.kept)
    }

    /// Those that get e-mails of a role, in order.
    pub fn deliverable(&self, role: Role) -> impl Iterator<Item = &Contact> {
        self.all().filter(move |contact| contact.has(role) && contact.is_deliverable())
    }

    /// Where an e-mail of a role goes. A role without a deliverable contact falls back on billing. `optional` says that
    /// contacts may have turned it off, and `tried` where it was sent in vain.
    ///
    /// # Errors
    /// [`NoRecipient`].
    pub fn recipient(
        &self,
        role: Role,
        optional: Option<OptionalNotice>,
        tried: &[EmailAddress],
    ) -> Result<&EmailAddress, NoRecipient> {
        let is_wanted = |contact: &&Contact| optional.is_none_or(|kind| !contact.opted_out.contains(&kind));
        for role in [role, Role::Billing] {
            let mut deliverable = self.deliverable(role).filter(|contact| !tried.contains(&contact.address)).peekable();
            if deliverable.peek().is_some() {
                let wanted = deliverable.find(is_wanted).map(|contact| &contact.address);
                return wanted.ok_or(NoRecipient::Unwanted);
            }
        }
        Err(NoRecipient::NoneDeliverable)
    }

    /// The first confirmed billing address: the address of the account itself.
    pub(in crate::domain) fn first_confirmed(&self) -> Option<&EmailAddress> {
        self.all().find(|contact| contact.is_confirmed_for(Role::Billing)).map(|contact| &contact.address)
    }

    /// Forgets the address that was kept, once the list has a deliverable one for billing.
    pub(super) fn release_kept(&mut self) {
        if self.listed.iter().any(|contact| contact.has(Role::Billing) && contact.is_deliverable()) {
            self.kept = None;
        }
    }

    /// Keeps a billing address of the list before, if this one has none to use yet.
    pub(super) fn keep_one_of(&mut self, before: &Self) {
        let is_listed = |contact: &&Contact| {
            let of_list = |listed: &Contact| listed.address == contact.address && listed.has(Role::Billing);
            self.listed.iter().any(of_list)
        };
        let is_confirmed = self.listed.iter().any(|contact| contact.is_confirmed_for(Role::Billing));
        let confirmed = || before.all().find(|contact| contact.is_confirmed_for(Role::Billing) && !is_confirmed);
        let kept = before.deliverable(Role::Billing).next().or_else(confirmed);
        let kept = kept.filter(|contact| !is_listed(contact)).cloned();
        self.kept =
            kept.map(|contact| Contact { roles: [Role::Billing].into(), opted_out: BTreeSet::new(), ..contact });
        self.release_kept();
    }

    /// The deliverable billing addresses, each once: those that are told of a change.
    pub(super) fn to_be_told(&self) -> BTreeSet<&EmailAddress> {
        self.deliverable(Role::Billing).map(|contact| &contact.address).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use NoRecipient::{NoneDeliverable, Unwanted};

    const LOW: Option<OptionalNotice> = Some(OptionalNotice::LowBalance);

    #[test]
    fn an_account_without_stored_contacts_has_its_own_address_in_both_roles() {
        let (contacts, owner) = (starting_contacts(), account().email.unwrap());
        for role in Role::ALL {
            assert_eq!(contacts.recipient(role, None, &[]), Ok(&owner));
        }
        assert_eq!(contacts.first_confirmed(), Some(&owner));
        let closed = Account { email: None, ..account() };
        assert_eq!(Contacts::of(&closed, Some(&contacts)), None, "not even stored ones");
    }

    #[test]
    fn an_e_mail_goes_to_the_first_deliverable_contact_of_its_role_and_falls_back_on_billing() {
        let (a, b, c) = (
            contact("a@example.com", &[Role::Billing]),
            contact("b@example.com", &[Role::Billing, Role::Alerts]),
            contact("c@example.com", &[Role::Alerts]),
        );
        let pending = |contact: &Contact| Contact { confirmed_at: None, asked_at: Some(at(1)), ..contact.clone() };
        let bounced = |contact: &Contact| Contact { problem: Some(bounced_at(1)), ..contact.clone() };
        let off = |contact: &Contact| Contact { opted_out: OptionalNotice::ALL.into(), ..contact.clone() };
        for (listed, role, kind, tried, expected) in [
            (vec![a.clone(), b.clone(), c.clone()], Role::Billing, None, vec![], Ok(&a)),
            (vec![a.clone(), b.clone(), c.clone()], Role::Alerts, None, vec![], Ok(&b)),
            (vec![pending(&a), b.clone()], Role::Billing, None, vec![], Ok(&b)),
            (vec![bounced(&a), b.clone()], Role::Billing, None, vec![], Ok(&b)),
            (vec![a.clone(), b.clone()], Role::Billing, None, vec![&a], Ok(&b)),
            (vec![a.clone(), bounced(&c)], Role::Alerts, None, vec![], Ok(&a)),
            (vec![bounced(&a), c.clone()], Role::Billing, None, vec![], Err(NoneDeliverable)),
            (vec![a.clone(), b.clone()], Role::Billing, None, vec![&a, &b], Err(NoneDeliverable)),
            (vec![a.clone(), off(&b), c.clone()], Role::Alerts, LOW, vec![], Ok(&c)),
            (vec![a.clone(), off(&c)], Role::Alerts, LOW, vec![], Err(Unwanted)),
            (vec![off(&a)], Role::Alerts, LOW, vec![], Err(Unwanted)),
            (vec![off(&a)], Role::Billing, None, vec![], Ok(&a)),
        ] {
            let contacts = Contacts { listed, ..starting_contacts() };
            let tried: Vec<_> = tried.into_iter().map(|contact: &Contact| contact.address.clone()).collect();
            let found = contacts.recipient(role, kind, &tried);
            assert_eq!(found, expected.map(|contact| &contact.address), "{contacts:?} {role:?} {tried:?}");
        }
    }
}
