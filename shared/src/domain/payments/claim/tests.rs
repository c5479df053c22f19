use super::*;
use crate::domain::payments::{
    CheckoutOutcome, PayBy, Payment, Returns, Reversed, decide_open_purchase, decide_purchase_outcome,
};
use crate::domain::samples::*;
use crate::domain::{Change, NoticeId, PriceBook, Purchase, PurchaseId};

fn opened() -> (Change, Purchase) {
    let book = PriceBook::reference();
    let by = (&book.packages[0], &PayBy::Page);
    decide_open_purchase(&account(), by, key("k"), PurchaseId::mint(1), at(1)).unwrap()
}

/// A purchase that [`payment`] has paid, and its entry.
fn paid() -> (Bought, Entry) {
    let (opened, purchase) = opened();
    let outcome = CheckoutOutcome::Paid(Payment { amount: purchase.price.minor(), ..payment() });
    let granted =
        decide_purchase_outcome(&opened.account, &purchase, &outcome, None, NoticeId::mint(1), at(2)).unwrap();
    let granted = granted.expect("a paid purchase is granted");
    (Bought::Purchase(granted.purchase().cloned().unwrap()), only_entry(&granted))
}

fn returned(bought: &Bought, returns: Returns) -> Bought {
    let Bought::Purchase(purchase) = bought else { panic!("it is a purchase") };
    let reversed = Reversed { returns, ..purchase.reversed };
    Bought::Purchase(Purchase { reversed, ..purchase.clone() })
}

#[test]
fn what_was_found_is_named_in_order_of_precedence() {
    let (bought, entry) = paid();
    let open = Bought::Purchase(opened().1);
    let (this, other) = (payment().payment_intent, PaymentIntentId::parse("pi_2").ok());
    let disputed = returned(&bought, Returns { paid: 500, withdrawn: 500, refunds: 100, ..Returns::default() });
    let won = Returns { paid: 500, withdrawn: 500, reinstated: 500, ..Returns::default() };
    let refunded = returned(&bought, Returns { paid: 500, refunds: 1, ..Returns::default() });
    let failed = Returns { paid: 500, refunds: 500, refunds_failed: 500, ..Returns::default() };
    let refunded_first = returned(&open, Returns { paid: 500, refunds: 500, ..Returns::default() });
    let (yes, no) = (Some(&entry), None);
    for (name, bought, entry, was_granted, payment, progress, expected) in [
        ("nothing knows it", None, no, false, &this, Progress::Paid, "unknown_payment"),
        ("nothing knows what is not paid", None, no, false, &this, Progress::NotPaid, "not_paid"),
        ("nothing knows what is on its way", None, no, false, &this, Progress::Processing, "processing"),
        ("disputed", Some(&disputed), yes, true, &this, Progress::Paid, "disputed"),
        ("won", Some(&returned(&bought, won)), yes, true, &this, Progress::Paid, "already_granted"),
        ("a cent went back", Some(&refunded), yes, true, &this, Progress::Paid, "refunded"),
        ("refunded, and granted now", Some(&refunded), yes, false, &this, Progress::Paid, "refunded"),
        ("refunded, never granted", Some(&refunded_first), no, false, &this, Progress::Paid, "refunded"),
        ("a refund failed", Some(&returned(&bought, failed)), yes, true, &this, Progress::Paid, "already_granted"),
        ("granted now", Some(&bought), yes, false, &this, Progress::Paid, "granted"),
        ("granted before", Some(&bought), yes, true, &this, Progress::Paid, "already_granted"),
        ("granted for another payment", Some(&bought), yes, true, &other, Progress::Paid, "paid_twice"),
        ("another refunded payment", Some(&refunded), yes, true, &other, Progress::Paid, "paid_twice"),
        ("another page", Some(&bought), yes, true, &other, Progress::NotPaid, "not_paid"),
        ("paid, and nothing granted", Some(&open), no, false, &this, Progress::Paid, "in_review"),
        ("on its way", Some(&open), no, false, &this, Progress::Processing, "processing"),
        ("open", Some(&open), no, false, &this, Progress::NotPaid, "not_paid"),
    ] {
        let found =
            conclude(&AppliedClaim { payment: payment.as_ref(), invoice: None, progress, bought, entry, was_granted });
        assert_eq!(found.name(), expected, "{name}");
        let shows_entry = entry.is_some() && !matches!(expected, "paid_twice" | "not_paid");
        assert_eq!(found.entry(), entry.filter(|_| shows_entry), "{name}");
    }
}

#[test]
fn eleven_questions_within_an_hour_are_one_too_many() {
    let mut log = ClaimLog::default();
    for minute in 0..10 {
        log = log.noting(at(minute * 60)).unwrap();
    }
    assert_eq!((log.revision, log.asked_at.len(), log.expires_at()), (10, 10, at(9 * 60 + 3_600)));
    let refused = TooManyClaims { now: at(3_599), possible_at: at(3_600) };
    assert_eq!(log.noting(at(3_599)), Err(refused));
    let again = log.noting(at(3_600)).unwrap();
    assert_eq!((again.revision, again.asked_at.len()), (11, 10), "the first one is an hour ago");
    assert!(again.noting(at(3_601)).is_err());
    // Another function's clock may be ahead.
    assert!(log.noting(at(0)).is_err());
}

#[test]
fn a_statement_is_searched_for_on_its_day_and_the_days_beside_it() {
    let date = |text: &str| text.parse::<Date>().unwrap();
    let statement = CardStatement::new("4242", date("2026-03-01"), 5_950).unwrap();
    let between = ["2026-02-28T00:00:00Z", "2026-03-03T00:00:00Z"].map(|text| text.parse::<Timestamp>().unwrap());
    assert_eq!(statement.searched(), Some(between.into()));
    for (last4, amount) in [("424", 1), ("42424", 1), ("42x2", 1), ("٤٢٤٢", 1), ("4242", 0), ("4242", -1)] {
        assert_eq!(CardStatement::new(last4, date("2026-03-01"), amount), None, "{last4} {amount}");
    }
    let now = at(0);
    for (day, is_searchable) in [
        ("2025-10-02", false),
        ("2025-10-03", true),
        ("2026-01-01", true),
        ("2026-01-02", true),
        ("2026-01-03", false),
        ("0001-01-01", false),
        ("9999-12-31", false),
    ] {
        assert_eq!(CardStatement::is_searchable(date(day), now), is_searchable, "{day}");
    }
}
