//! Following the card that is asked, and telling its owner before it expires.
//!
//! What is known of it is kept beside the account, so that an e-mail is due without asking Stripe, and changes with it.

use super::asked_card::{Ahead, AskedCard, CardFace, KnownCard, Warning};
use super::saved_cards::SavedCard;
use crate::domain::{Account, Change, NoticeId, NoticeKind, Record};
use jiff::Timestamp;

impl Change {
    /// Keeps what is known of the asked card in step with the account: its e-mails are due only while automatic top-ups are
    /// on and ask it. `shown` is the card that is asked now, if Stripe has just shown it.
    ///
    /// A payment with another card may leave Stripe's default as it was, and the next one return to it without an event. So
    /// a card stays known until another one is shown or none is asked.
    pub(crate) fn with_asked_card(mut self, before: &Account, stored: &AskedCard, shown: Option<&SavedCard>) -> Self {
        let next = shown.map(known).or_else(|| stored.card.clone());
        let card = next.filter(|_| self.account.payment_method.is_some());
        let next = AskedCard { card, ..stored.clone() };
        if next != *stored || next.due_at(&self.account) != stored.due_at(before) {
            self.records.push(Record::AskedCard(next));
        }
        self
    }
}

/// Tells the customer that the card expires, once for each time ahead. A card that is saved late is told about once, and
/// one that has expired not at all: its decline says so. `None` if nothing is due yet.
///
/// What the index lists and is not due any more leaves the index.
pub fn decide_expiry_warning(
    account: &Account,
    stored: &AskedCard,
    notice: NoticeId,
    now: Timestamp,
) -> Option<Change> {
    let mut change = Change::on(account, now);
    let due = stored.due_at(account).zip(stored.expiring());
    let Some((due_at, (card, expiry))) = due else {
        let is_closed = account.closed_at.is_some();
        change.records.push(if is_closed { Record::AskedCardForgotten } else { Record::AskedCard(stored.clone()) });
        // The index lags behind an item that is gone.
        return (*stored != AskedCard::default()).then_some(change);
    };
    if now < due_at {
        return None;
    }
    let ahead = if now < Ahead::Week.before(expiry) { Ahead::Month } else { Ahead::Week };
    if !expiry.is_over_at(now) {
        let kind = NoticeKind::CardExpiring { card: card.face.clone(), expiry };
        change.notices.extend(account.owed(notice, kind, now));
    }
    let warning = Warning { card: card.number().to_owned(), expiry, ahead };
    change.records.push(Record::AskedCard(stored.clone().warned(warning)));
    Some(change)
}

fn known(card: &SavedCard) -> KnownCard {
    KnownCard {
        id: card.id.clone(),
        face: CardFace { brand: card.brand.clone(), last4: card.last4.clone() },
        expiry: card.expiry,
        fingerprint: card.fingerprint.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PaymentMethodId;
    use crate::domain::payments::{AutoTopUp, Expiry};
    use crate::domain::samples::*;

    fn id(name: &str) -> PaymentMethodId {
        PaymentMethodId::parse(format!("pm_{name}")).unwrap()
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn card(name: &str, number: Option<&str>, expiry: (i16, i8)) -> SavedCard {
        SavedCard {
            id: id(name),
            kind: "card".to_owned(),
            brand: Some("visa".to_owned()),
            last4: Some("4242".to_owned()),
            expiry: Expiry::new(expiry.0, expiry.1),
            wallet: None,
            fingerprint: number.map(str::to_owned),
            saved_at: at(1),
        }
    }

    /// An account whose top-ups ask this card, and what is known of it.
    struct World {
        account: Account,
        asked: AskedCard,
        told: Vec<(Timestamp, Expiry)>,
    }

    impl World {
        fn new() -> Self {
            let account = Account { auto_top_up: Some(settings(500, 1_500)), ..account() };
            Self { account, asked: AskedCard::default(), told: vec![] }
        }

        fn apply(&mut self, change: Change) {
            for record in change.records {
                let Record::AskedCard(asked) = record else { panic!("{record:?}") };
                self.asked = asked;
            }
            for notice in change.notices {
                let NoticeKind::CardExpiring { expiry, .. } = notice.kind else { panic!("{notice:?}") };
                self.told.push((notice.created_at, expiry));
            }
            self.account = change.account;
        }

        fn follow(&mut self, card: Option<&SavedCard>) {
            let mut change = Change::on(&self.account, at(1));
            change.account.payment_method = card.map(|card| card.id.clone());
            self.apply(change.with_asked_card(&self.account, &self.asked, card));
        }

        fn turn(&mut self, is_enabled: bool) {
            let mut change = Change::on(&self.account, at(1));
            change.account.auto_top_up = Some(AutoTopUp { is_enabled, ..settings(500, 1_500) });
            self.apply(change.with_asked_card(&self.account, &self.asked, None));
        }

        /// What a run that finds the card in the index does.
        fn run(&mut self, now: &str) {
            let is_due = self.asked.due_at(&self.account).is_some_and(|due_at| due_at <= instant(now));
            let decided = decide_expiry_warning(&self.account, &self.asked, NoticeId::mint(1), instant(now));
            if is_due {
                self.apply(decided.unwrap());
            }
        }

        fn told(&self) -> Vec<String> {
            self.told.iter().map(|(at, _)| at.to_string()).collect()
        }
    }

    #[test]
    fn a_card_is_told_to_expire_thirty_and_seven_days_before_and_once_each() {
        let mut world = World::new();
        world.follow(Some(&card("a", Some("1"), (2026, 12))));
        assert_eq!(world.asked.due_at(&world.account), Some(instant("2026-12-02T00:00:00Z")));
        for now in [
            "2026-12-01T23:59:59Z",
            "2026-12-02T00:00:00Z",
            "2026-12-02T00:01:00Z",
            "2026-12-24T23:59:59Z",
            "2026-12-25T00:00:00Z",
            "2026-12-25T00:01:00Z",
            "2027-01-02T00:00:00Z",
        ] {
            world.run(now);
        }
        assert_eq!(world.told(), ["2026-12-02T00:00:00Z", "2026-12-25T00:00:00Z"]);
        assert_eq!(world.asked.due_at(&world.account), None, "all is told");
    }

    #[test]
    fn what_is_late_is_told_once_and_what_is_over_not_at_all() {
        for (first, told) in [
            ("2026-12-20T00:00:00Z", vec!["2026-12-20T00:00:00Z", "2026-12-26T00:00:00Z"]),
            ("2026-12-26T00:00:00Z", vec!["2026-12-26T00:00:00Z"]),
            ("2026-12-31T23:59:59Z", vec!["2026-12-31T23:59:59Z"]),
            ("2027-01-01T00:00:00Z", vec![]),
        ] {
            let mut world = World::new();
            world.follow(Some(&card("a", Some("1"), (2026, 12))));
            for now in [first, "2026-12-26T00:00:00Z", "2027-01-01T00:00:00Z"] {
                if now >= first {
                    world.run(now);
                }
            }
            assert_eq!(world.told(), told);
            assert_eq!(world.asked.due_at(&world.account), None);
        }
    }

    #[test]
    fn nothing_is_due_while_top_ups_are_off_or_ask_another_card() {
        let mut world = World::new();
        let expiring = card("a", Some("1"), (2026, 12));
        world.follow(Some(&expiring));
        world.turn(false);
        assert_eq!(world.asked.due_at(&world.account), None, "off");
        world.turn(true);
        assert!(world.asked.due_at(&world.account).is_some(), "on again");
        let closed = Account { closed_at: Some(at(2)), ..world.account.clone() };
        assert_eq!(world.asked.due_at(&closed), None, "closed");
        let other = Account { payment_method: Some(id("b")), ..world.account.clone() };
        assert_eq!(world.asked.due_at(&other), None, "an earlier release followed another card");
        let left = decide_expiry_warning(&other, &world.asked, NoticeId::mint(1), instant("2026-12-02T00:00:00Z"));
        let left = left.unwrap();
        assert_eq!((left.records, left.notices), (vec![Record::AskedCard(world.asked.clone())], vec![]));
        let gone = decide_expiry_warning(&closed, &world.asked, NoticeId::mint(1), instant("2026-12-02T00:00:00Z"));
        assert_eq!(gone.unwrap().records, [Record::AskedCardForgotten]);
        assert_eq!(decide_expiry_warning(&closed, &AskedCard::default(), NoticeId::mint(1), at(1)), None);
        world.follow(Some(&card("b", Some("2"), (2030, 1))));
        assert_eq!(world.asked.due_at(&world.account), Some(instant("2030-01-02T00:00:00Z")), "replaced");
        world.follow(None);
        assert_eq!((world.asked.due_at(&world.account), &world.asked.card), (None, &None), "removed");

        // A payment with another card is reported without its details, and so is the next one with the first.
        world.follow(Some(&expiring));
        for (name, is_due) in [("b", false), ("a", true)] {
            let mut change = Change::on(&world.account, at(1));
            change.account.payment_method = Some(id(name));
            world.apply(change.with_asked_card(&world.account, &world.asked, None));
            assert_eq!(world.asked.due_at(&world.account).is_some(), is_due, "{name}");
        }
    }

    /// A purchase saves the same card under another id, the network replaces its number and its expiry under the same one,
    /// and a customer goes back to a card.
    #[test]
    fn the_same_card_is_told_about_once_for_each_expiry() {
        let mut world = World::new();
        let december = card("a", Some("1"), (2026, 12));
        world.follow(Some(&december));
        world.run("2026-12-02T00:00:00Z");
        world.follow(Some(&card("b", Some("1"), (2026, 12))));
        assert_eq!(world.asked.due_at(&world.account), Some(instant("2026-12-25T00:00:00Z")), "saved again");
        world.follow(Some(&card("c", Some("3"), (2028, 1))));
        world.follow(Some(&december));
        assert_eq!(world.asked.due_at(&world.account), Some(instant("2026-12-25T00:00:00Z")), "chosen again");
        world.follow(Some(&card("a", Some("9"), (2029, 12))));
        assert_eq!(
            world.asked.due_at(&world.account),
            Some(instant("2029-12-02T00:00:00Z")),
            "the network prolonged it"
        );
        world.follow(Some(&card("d", None, (2026, 12))));
        world.run("2026-12-02T00:00:00Z");
        assert_eq!(world.told().len(), 2, "another card, which has no fingerprint");
        world.follow(Some(&card("d", None, (2026, 12))));
        assert_eq!(world.asked.due_at(&world.account), Some(instant("2026-12-25T00:00:00Z")));
    }

    #[test]
    fn only_what_changed_is_written_and_few_e_mails_are_remembered() {
        let world = World::new();
        let unknown = Change::on(&world.account, at(1)).with_asked_card(&world.account, &world.asked, None);
        assert_eq!(unknown.records, [], "nothing is known of any card");
        let mut world = World::new();
        let expiring = card("a", Some("1"), (2026, 12));
        world.follow(Some(&expiring));
        let again = Change::on(&world.account, at(1));
        assert_eq!(again.with_asked_card(&world.account, &world.asked, Some(&expiring)).records, []);
        let warning = |card: usize| Warning {
            card: card.to_string(),
            expiry: Expiry::new(2026, 12).unwrap(),
            ahead: Ahead::Week,
        };
        let full = (0..15).fold(AskedCard::default(), |asked, number| asked.warned(warning(number)));
        assert_eq!(full.warnings, (5..15).map(warning).collect::<Vec<_>>());
    }
}
