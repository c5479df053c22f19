//! Where an account's e-mails go: up to five contacts, each with its roles, and what is known about each address.
//!
//! An account without stored contacts has one: its own address, confirmed, in both roles.

mod confirm;
mod contact;
mod customer_email;
mod problem;
mod replace;

pub use confirm::{UnknownContact, decide_confirm};
pub use contact::{Contact, Contacts, DeliveryProblem, DeliveryProblemKind, NoRecipient, OptionalNotice, Role};
pub use customer_email::decide_customer_email;
pub use problem::{ReturnedMail, decide_returned};
pub use replace::{
    ASKS_PER_DAY_MAX, CONTACTS_MAX, ChosenContact, ContactList, ContactsRefusal, InvalidContacts, TooManyAsked,
    decide_replace,
};
