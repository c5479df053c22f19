use super::*;
use crate::domain::payments::{CheckoutOutcome, PayBy, Reversed, decide_open_purchase, decide_purchase_outcome};
use crate::domain::samples::{account, at, key, only_entry, payment};
use crate::domain::{NoticeId, PriceBook, Purchase, PurchaseId};

/// A purchase that [`payment`] has paid, its entry and its receipt, which was sent.
fn granted() -> (Purchase, Entry, Notice) {
    let book = PriceBook::reference();
    let by = (&book.packages[0], &PayBy::Page);
    let (opened, purchase) = decide_open_purchase(&account(), by, key("k"), PurchaseId::mint(1), at(1)).unwrap();
    let paid = CheckoutOutcome::Paid(payment());
    let change = decide_purchase_outcome(&opened.account, &purchase, &paid, None, NoticeId::mint(1), at(2)).unwrap();
    let change = change.expect("a paid purchase is granted");
    let receipt = Notice { sent_at: Some(at(3)), ..change.notices[0].clone() };
    (change.purchase().cloned().unwrap(), only_entry(&change), receipt)
}

fn amounts() -> Amounts {
    Amounts { asked: 595, received: 595, created_at: at(1) }
}

/// What breaks when one thing is as given, and nothing else.
fn gaps(change: impl Fn(&mut Evidence<'_>)) -> Vec<(LinkName, LinkStatus, Vec<&'static str>)> {
    let (purchase, entry, receipt) = granted();
    let (owner, paid) = (account(), payment());
    let paid_for = PaidFor::Purchase(purchase.id.clone());
    let bought = Bought::Purchase(purchase);
    let mut evidence = Evidence {
        account: &owner,
        paid_for: &paid_for,
        payment: paid.payment_intent.as_ref(),
        invoice: paid.invoice.as_ref(),
        told_by: Some("cs_1"),
        paid: Some(&paid),
        amounts: amounts(),
        returns: Returns { paid: 595, ..Returns::default() },
        bought: Some(&bought),
        entry: Some(&entry),
        receipt: Some(&receipt),
        reversals: &[],
        now: at(4),
    };
    change(&mut evidence);
    let proof = prove(&evidence);
    let broken = proof.links.iter().filter(|link| link.status != LinkStatus::Holds);
    let gaps: Vec<_> = broken.map(|link| (link.name, link.status, link.differences.clone())).collect();
    let is_whole = gaps.iter().all(|(_, status, _)| *status == LinkStatus::NotKept);
    assert_eq!(proof.holds(), is_whole);
    gaps
}

#[test]
fn a_chain_holds_only_if_each_link_follows_from_the_others() {
    use LinkName::{Asked, Bought, Entry, Payment, Receipt, Returns as Back};
    use LinkStatus::{Differs, Missing, NotKept};
    assert_eq!(gaps(|_| {}), []);
    let none = || vec![];
    let two = [(Bought, Missing, none()), (Entry, Missing, none())];
    assert_eq!(gaps(|evidence| evidence.bought = None), two);
    assert_eq!(gaps(|evidence| evidence.told_by = None), [(Asked, Missing, none())]);
    let unpaid = [(Payment, Missing, none()), (Entry, Differs, vec!["payment"])];
    assert_eq!(gaps(|evidence| evidence.paid = None), unpaid);
    assert_eq!(gaps(|evidence| evidence.receipt = None), [(Receipt, Missing, none())]);
    let late = |evidence: &mut Evidence<'_>| (evidence.receipt, evidence.now) = (None, at(2 + 30 * 86_400));
    assert_eq!(gaps(late), [(Receipt, NotKept, none())]);
    let refunded = Returns { paid: 595, refunds: 595, ..Returns::default() };
    assert_eq!(gaps(|evidence| evidence.returns = refunded), [(Back, Differs, vec!["credits_taken_back"])]);
    let failed = Returns { refunds_failed: 595, ..refunded };
    assert_eq!(gaps(|evidence| evidence.returns = failed), []);
    let no_entry = [(Entry, Missing, none()), (Receipt, Differs, vec!["credits"])];
    assert_eq!(gaps(|evidence| evidence.entry = None), no_entry);
}

#[test]
fn the_payment_must_be_the_one_of_the_row_its_price_its_currency_and_its_customer() {
    let other = PaymentIntentId::parse("pi_2").ok();
    let another = |evidence: &mut Evidence<'_>| evidence.invoice = None;
    assert_eq!(gaps(another), [], "a page names no invoice");
    let (purchase, entry, receipt) = granted();
    let paid_for = PaidFor::Purchase(purchase.id.clone());
    for (name, paid, payment, expected) in [
        ("the payment", payment(), &payment().payment_intent, vec![]),
        ("another one", payment(), &other, vec!["bought", "entry"]),
        ("less", Payment { amount: 499, ..payment() }, &payment().payment_intent, vec!["payment"]),
        ("in euros", Payment { currency: "eur".into(), ..payment() }, &payment().payment_intent, vec!["payment"]),
        (
            "by another customer",
            Payment { customer: crate::domain::CustomerId::parse("cus_2").unwrap(), ..payment() },
            &payment().payment_intent,
            vec!["payment"],
        ),
    ] {
        let proof = prove(&Evidence {
            account: &account(),
            paid_for: &paid_for,
            payment: payment.as_ref(),
            invoice: None,
            told_by: Some("cs_1"),
            paid: Some(&paid),
            amounts: amounts(),
            returns: Returns { paid: 595, ..Returns::default() },
            bought: Some(&Bought::Purchase(purchase.clone())),
            entry: Some(&entry),
            receipt: Some(&receipt),
            reversals: &[],
            now: at(4),
        });
        let broken: Vec<_> = proof.links.iter().filter(|link| link.status != LinkStatus::Holds).collect();
        assert_eq!(broken.iter().map(|link| link.name.name()).collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(proof.first_gap().map(|gap| gap.name.name()), expected.first().copied(), "{name}");
    }
}

/// A reversal that the row counts and nobody finds.
#[test]
fn a_reversal_that_is_missing_is_a_gap() {
    let (purchase, entry, receipt) = granted();
    let paid_for = PaidFor::Purchase(purchase.id.clone());
    let returns = Returns { paid: 595, refunds: 595, ..Returns::default() };
    let reversed = Reversed { returns, taken: purchase.credits, entries: 1 };
    let proof = prove(&Evidence {
        account: &account(),
        paid_for: &paid_for,
        payment: payment().payment_intent.as_ref(),
        invoice: None,
        told_by: Some("cs_1"),
        paid: Some(&payment()),
        amounts: amounts(),
        returns,
        bought: Some(&Bought::Purchase(Purchase { reversed, ..purchase })),
        entry: Some(&entry),
        receipt: Some(&receipt),
        reversals: &[],
        now: at(4),
    });
    let gap = proof.first_gap().map(|gap| (gap.name, gap.status));
    assert_eq!(gap, Some((LinkName::Returns, LinkStatus::Missing)));
}
