//! An e-mail that came back, or that its reader reported as spam.

use super::{Contact, Contacts, DeliveryProblem};
use crate::domain::{Account, Change, EmailAddress, Notice, NoticeId};
use jiff::Timestamp;

/// What the mail service reports about one e-mail and one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnedMail {
    pub address: EmailAddress,
    pub problem: DeliveryProblem,
}

/// Marks the contact, so that no more e-mails are sent to it, and owes this e-mail to the next contact of its role. `None`
/// if both are done already, because reports are repeated and come in any order, or if the account is closed.
///
/// A report from before the address was last confirmed does not count against it. `notice` is the e-mail, if it is still
/// stored, and `renewed` the id under which it is owed again.
pub fn decide_returned(
    account: &Account,
    stored: Option<&Contacts>,
    notice: Option<&Notice>,
    (returned, renewed): (&ReturnedMail, NoticeId),
    now: Timestamp,
) -> Option<Change> {
    let before = Contacts::of(account, stored)?;
    let mut contacts = before.clone();
    contacts.listed.iter_mut().chain(&mut contacts.kept).for_each(|contact| mark(contact, returned));
    let mut change = Change::on(account, now);
    if let Some(notice) = notice.filter(|notice| is_about(notice, returned)) {
        let at = returned.problem.at;
        let sent_to = notice.sent_to.clone().unwrap_or_else(|| returned.address.clone());
        // Whatever came back was sent, even if that is not recorded yet.
        change.notices.push(Notice {
            sent_at: notice.sent_at.or(Some(at)),
            sent_to: Some(sent_to.clone()),
            returned_at: Some(at),
            ..notice.clone()
        });
        change.notices.extend(owed_again(&contacts, notice, sent_to, (renewed, now)));
    }
    if contacts != before {
        change.set_contacts(contacts);
    }
    (!change.notices.is_empty() || !change.records.is_empty()).then_some(change)
}

fn is_same(one: &EmailAddress, other: &EmailAddress) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

fn mark(contact: &mut Contact, ReturnedMail { address, problem }: &ReturnedMail) {
    let is_older = contact.confirmed_at.is_some_and(|confirmed_at| problem.at < confirmed_at);
    let is_known = contact.problem.is_some_and(|known| problem.at <= known.at);
    if is_same(&contact.address, address) && !is_older && !is_known {
        contact.problem = Some(*problem);
    }
}

/// Whether the report is the first one about this e-mail, which may have been sent to somebody else since.
fn is_about(notice: &Notice, returned: &ReturnedMail) -> bool {
    let is_of_recipient = match (&notice.sent_to, notice.is_addressed) {
        (Some(sent_to), _) => is_same(sent_to, &returned.address),
        (None, true) => is_same(&notice.to, &returned.address),
        (None, false) => true,
    };
    notice.returned_at.is_none() && is_of_recipient
}

/// The same e-mail for the next contact, unless it has an address of its own or there is no other contact.
fn owed_again(
    contacts: &Contacts,
    notice: &Notice,
    sent_to: EmailAddress,
    (id, now): (NoticeId, Timestamp),
) -> Option<Notice> {
    if notice.is_addressed {
        return None;
    }
    let tried = [notice.tried.clone(), vec![sent_to]].concat();
    contacts.recipient(notice.kind.role(), notice.kind.optional(), &tried).ok()?;
    Some(Notice { id, tried, created_at: now, sent_at: None, sent_to: None, returned_at: None, ..notice.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contacts::Role;
    use crate::domain::samples::*;
    use crate::domain::{NoticeKind, TopUpId};

    fn parse(address: &str) -> EmailAddress {
        EmailAddress::parse(address).unwrap()
    }

    fn sent(to: &str) -> Notice {
        let price = settings(500, 1_500).consent.price_max;
        let kind = NoticeKind::TopUpActionRequired {
            top_up: TopUpId::mint(1),
            credits: crate::domain::Credits::ZERO,
            price,
            card: Default::default(),
        };
        let notice = account().owed(NoticeId::mint(1), kind, at(1)).unwrap();
        Notice { sent_at: Some(at(2)), sent_to: Some(parse(to)), ..notice }
    }

    fn bounce(address: &str, seconds: i64) -> ReturnedMail {
        ReturnedMail { address: parse(address), problem: bounced_at(seconds) }
    }

    fn two() -> Contacts {
        let listed = vec![contact("a@b.de", &Role::ALL), contact("b@b.de", &Role::ALL)];
        Contacts { listed, ..starting_contacts() }
    }

    fn decide(stored: Option<&Contacts>, notice: &Notice, returned: &ReturnedMail) -> Option<Change> {
        decide_returned(&account(), stored, Some(notice), (returned, NoticeId::mint(9)), at(100))
    }

    #[test]
    fn a_bounce_marks_the_contact_and_owes_the_e_mail_to_the_next_one() {
        let change = decide(Some(&two()), &sent("a@b.de"), &bounce("A@b.de", 3)).unwrap();
        assert_eq!(change.contacts().unwrap().listed[0].problem, Some(bounced_at(3)));
        let [original, renewed] = &change.notices[..] else { panic!("{:?}", change.notices) };
        assert_eq!((original.returned_at, original.sent_at), (Some(at(3)), Some(at(2))));
        assert_eq!((&renewed.id, &renewed.tried, renewed.sent_at), (&NoticeId::mint(9), &vec![parse("a@b.de")], None));
        assert_eq!(change.account.email.as_ref().unwrap().as_str(), "a@b.de", "it is still confirmed");

        let again = decide(change.contacts(), original, &bounce("a@b.de", 3));
        assert_eq!(again, None, "a repeated report");
        let second = decide(
            change.contacts(),
            &Notice { sent_to: Some(parse("b@b.de")), ..renewed.clone() },
            &bounce("b@b.de", 5),
        );
        assert_eq!(second.unwrap().notices.len(), 1, "there is no third contact");
    }

    #[test]
    fn every_e_mail_that_bounced_is_owed_again_though_the_contact_is_marked_already() {
        let first = decide(Some(&two()), &sent("a@b.de"), &bounce("a@b.de", 3)).unwrap();
        let other = Notice { id: NoticeId::mint(2), ..sent("a@b.de") };
        let second = decide(first.contacts(), &other, &bounce("a@b.de", 3)).unwrap();
        assert_eq!((second.notices.len(), second.contacts()), (2, None));
    }

    #[test]
    fn a_report_from_before_the_last_confirmation_does_not_count() {
        let mut contacts = two();
        contacts.listed[0].confirmed_at = Some(at(10));
        let change = decide(Some(&contacts), &sent("a@b.de"), &bounce("a@b.de", 9)).unwrap();
        assert_eq!(change.contacts(), None, "not marked");
        assert_eq!(change.notices.len(), 2, "but this e-mail never arrived");
        let later = decide(Some(&contacts), &sent("a@b.de"), &bounce("a@b.de", 10)).unwrap();
        assert!(later.contacts().is_some());
    }

    #[test]
    fn an_older_report_that_comes_later_changes_nothing() {
        let mut contacts = two();
        contacts.listed[0].problem = Some(bounced_at(9));
        let returned = Notice { returned_at: Some(at(9)), ..sent("a@b.de") };
        assert_eq!(decide(Some(&contacts), &returned, &bounce("a@b.de", 8)), None);
    }

    #[test]
    fn an_e_mail_that_went_to_another_contact_since_is_not_owed_again() {
        let change = decide(Some(&two()), &sent("b@b.de"), &bounce("a@b.de", 3)).unwrap();
        assert!(change.notices.is_empty() && change.contacts().is_some());
    }

    #[test]
    fn an_e_mail_with_an_address_of_its_own_is_never_sent_to_somebody_else() {
        let notice = Notice { is_addressed: true, ..sent("a@b.de") };
        let change = decide(Some(&two()), &notice, &bounce("a@b.de", 3)).unwrap();
        assert_eq!(change.notices.len(), 1);
    }

    #[test]
    fn nothing_is_written_of_an_account_that_is_closed() {
        let closed = Account { email: None, closed_at: Some(at(2)), ..account() };
        let (notice, returned) = (sent("a@b.de"), bounce("a@b.de", 3));
        let decided = decide_returned(&closed, Some(&two()), Some(&notice), (&returned, NoticeId::mint(9)), at(4));
        assert_eq!(decided, None);
    }

    #[test]
    fn the_only_address_is_marked_and_stays_the_accounts() {
        let change = decide(None, &sent("owner@example.com"), &bounce("owner@example.com", 3)).unwrap();
        assert_eq!((change.account.email.clone(), change.notices.len()), (account().email, 1));
        assert_eq!(decide_returned(&account(), None, None, (&bounce("x@y.de", 3), NoticeId::mint(9)), at(4)), None);
    }
}
