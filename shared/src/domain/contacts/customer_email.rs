//! What the payment provider was told.

use super::Contacts;
use crate::domain::{Account, Change, EmailAddress};
use jiff::Timestamp;

/// Records the address that the payment provider was told. `None` if that is known, or if the account has another address
/// by now, which it has to be told again.
pub fn decide_customer_email(
    account: &Account,
    stored: Option<&Contacts>,
    told: &EmailAddress,
    now: Timestamp,
) -> Option<Change> {
    let contacts =
        stored.filter(|contacts| contacts.customer_email != *told && account.email.as_ref() == Some(told))?;
    let mut change = Change::on(account, now);
    change.set_contacts(Contacts { customer_email: told.clone(), ..contacts.clone() });
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;

    #[test]
    fn only_the_address_that_the_account_has_now_counts_as_told() {
        let other = EmailAddress::parse("new@example.com").unwrap();
        let moved = Account { email: Some(other.clone()), ..account() };
        let stored =
            Contacts { listed: vec![contact("new@example.com", &super::super::Role::ALL)], ..starting_contacts() };
        let change = decide_customer_email(&moved, Some(&stored), &other, at(1)).unwrap();
        assert_eq!(change.contacts().unwrap().customer_email, other);
        assert_eq!(decide_customer_email(&change.account, change.contacts(), &other, at(2)), None);
        assert_eq!(decide_customer_email(&moved, Some(&stored), &account().email.unwrap(), at(1)), None);
        let closed = Account { email: None, ..account() };
        assert_eq!(decide_customer_email(&closed, Some(&stored), &other, at(1)), None);
        assert_eq!(decide_customer_email(&moved, None, &other, at(1)), None);
    }
}
