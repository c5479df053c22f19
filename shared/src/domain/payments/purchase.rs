//! Credits bought by the customer on a payment page.

use super::default_card::OfferedCard;
use super::payment::{CheckoutOutcome, GrantRefusal, Payment, check_payment};
use super::records::{Checkout, Purchase, PurchaseStatus};
use crate::domain::{
    Account, BalanceOutOfRange, Cause, Change, IdempotencyKey, KeyReused, Notice, NoticeId, NoticeKind, Package,
    PackageId, PaymentMethodId, PurchaseId, Record,
};
use jiff::Timestamp;

/// Opens a purchase. It is stored before Stripe is asked for a page, so a crash leaves something to find.
pub fn decide_open_purchase(
    account: &Account,
    package: &Package,
    key: IdempotencyKey,
    id: PurchaseId,
    now: Timestamp,
) -> (Change, Purchase) {
    let purchase = Purchase {
        id: id.clone(),
        account: account.id.clone(),
        key: key.clone(),
        package: package.id.clone(),
        credits: package.credits,
        price: package.price,
        status: PurchaseStatus::Open,
        checkout: None,
        default_card: None,
        payment_intent: None,
        invoice: None,
        opened_at: now,
        settled_at: None,
    };
    let mut change = Change::on(account, now);
    change.records.push(Record::Purchase(purchase.clone()));
    change.records.push(Record::PurchaseKey { key, purchase: id });
    (change, purchase)
}

/// Whether a purchase opened under a key is the answer to a request for this package.
///
/// # Errors
/// [`KeyReused`] when the key opened a purchase of another package.
pub fn check_purchase_replay(purchase: &Purchase, package: &PackageId) -> Result<(), KeyReused> {
    if purchase.package == *package { Ok(()) } else { Err(KeyReused { key: purchase.key.clone() }) }
}

/// Remembers the page Stripe made for a purchase, and the default card of that moment. `None` where it is known already.
pub fn decide_checkout_opened(
    account: &Account,
    purchase: &Purchase,
    opened: (Checkout, Option<PaymentMethodId>),
    now: Timestamp,
) -> Option<Change> {
    let (checkout, default_card) = opened;
    purchase.checkout.is_none().then(|| {
        let mut change = Change::on(account, now);
        change.records.push(Record::Purchase(Purchase { checkout: Some(checkout), default_card, ..purchase.clone() }));
        change
    })
}

/// The card that a purchase was paid with, if it is to be offered as the default: once, when the purchase is granted.
pub fn card_to_offer(purchase: &Purchase, outcome: &CheckoutOutcome) -> Option<OfferedCard> {
    let (PurchaseStatus::Open | PurchaseStatus::Expired, CheckoutOutcome::Paid(payment)) = (purchase.status, outcome)
    else {
        return None;
    };
    Some(OfferedCard {
        card: payment.payment_method.clone()?,
        purchase: purchase.id.clone(),
        default_at_opening: purchase.default_card.clone(),
    })
}

/// Carries a purchase to its end: grants what was paid, once, or closes what expired.
/// `None` where there is nothing to do.
///
/// Credits come from the package, never from the total paid, which may include tax.
/// `default_card` is the one that top-ups are paid with from now on: the default after this purchase's card was offered.
///
/// # Errors
/// [`GrantRefusal`] when the payment is not the one asked for.
pub fn decide_purchase_outcome(
    account: &Account,
    purchase: &Purchase,
    outcome: &CheckoutOutcome,
    default_card: Option<PaymentMethodId>,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Option<Change>, GrantRefusal> {
    match (purchase.status, outcome) {
        (PurchaseStatus::Paid, _)
        | (_, CheckoutOutcome::Open)
        | (PurchaseStatus::Expired, CheckoutOutcome::Expired) => Ok(None),
        (PurchaseStatus::Open, CheckoutOutcome::Expired) => {
            let mut change = Change::on(account, now);
            let expired = Purchase { status: PurchaseStatus::Expired, settled_at: Some(now), ..purchase.clone() };
            change.records.push(Record::Purchase(expired));
            Ok(Some(change))
        }
        (PurchaseStatus::Open | PurchaseStatus::Expired, CheckoutOutcome::Paid(payment)) => {
            check_payment(account, payment, purchase.price)?;
            grant_purchase(account, purchase, payment, default_card, notice, now).map(Some).map_err(GrantRefusal::from)
        }
    }
}

fn grant_purchase(
    account: &Account,
    purchase: &Purchase,
    payment: &Payment,
    default_card: Option<PaymentMethodId>,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Change, BalanceOutOfRange> {
    let mut change = Change::on(account, now);
    let cause = Cause::Purchase { purchase: purchase.id.clone(), package: purchase.package.clone() };
    change.post(purchase.credits, cause, now)?;
    change.account.payment_method = default_card;
    change.records.push(Record::Purchase(Purchase {
        status: PurchaseStatus::Paid,
        payment_intent: payment.payment_intent.clone(),
        invoice: payment.invoice.clone(),
        settled_at: Some(now),
        ..purchase.clone()
    }));
    change.notices.push(Notice {
        id: notice,
        account: account.id.clone(),
        to: account.email.clone(),
        kind: NoticeKind::PurchasePaid {
            purchase: purchase.id.clone(),
            package: purchase.package.clone(),
            credits: purchase.credits,
            price: purchase.price,
            balance: change.account.balance,
        },
        created_at: now,
        sent_at: None,
    });
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::{Cents, Credits, CustomerId, Origin, PriceBook};

    fn opened() -> Purchase {
        let package = &PriceBook::reference().packages[1];
        decide_open_purchase(&account(), package, key("buy-1"), PurchaseId::mint(1), at(0)).1
    }

    fn paid(amount: i64) -> Payment {
        Payment { amount: Cents::new(amount).unwrap(), ..payment() }
    }

    fn settle(purchase: &Purchase, outcome: &CheckoutOutcome) -> Result<Option<Change>, GrantRefusal> {
        decide_purchase_outcome(&account(), purchase, outcome, payment().payment_method, NoticeId::mint(1), at(1))
    }

    #[test]
    fn opening_stores_the_purchase_and_its_key_and_moves_nothing() {
        let (change, purchase) = decide_open_purchase(
            &account(),
            &PriceBook::reference().packages[0],
            key("buy-1"),
            PurchaseId::mint(1),
            at(0),
        );
        assert_eq!((change.account.balance, change.entries), (Credits::ZERO, vec![]));
        assert_eq!((purchase.credits.get(), purchase.price.get()), (500, 500));
        assert_eq!(change.records.len(), 2);
    }

    #[test]
    fn a_payment_of_another_customer_currency_or_amount_grants_nothing() {
        let other_customer = Payment { customer: CustomerId::parse("cus_other").unwrap(), ..paid(5_000) };
        let other_currency = Payment { currency: "eur".into(), ..paid(5_000) };
        for (payment, is_expected) in [
            (other_customer, matches_other_customer as fn(&GrantRefusal) -> bool),
            (other_currency, |refusal| matches!(refusal, GrantRefusal::OtherCurrency { .. })),
            (paid(4_999), |refusal| matches!(refusal, GrantRefusal::OtherAmount { .. })),
            (paid(5_001), |refusal| matches!(refusal, GrantRefusal::OtherAmount { .. })),
        ] {
            let refusal = settle(&opened(), &CheckoutOutcome::Paid(payment)).unwrap_err();
            assert!(is_expected(&refusal), "{refusal}");
        }
    }

    fn matches_other_customer(refusal: &GrantRefusal) -> bool {
        matches!(refusal, GrantRefusal::OtherCustomer { .. })
    }

    #[test]
    fn a_paid_purchase_grants_its_package_remembers_the_card_and_owes_a_receipt() {
        let change = settle(&opened(), &CheckoutOutcome::Paid(paid(5_000))).unwrap().unwrap();
        let entry = only_entry(&change);
        assert_eq!((entry.origin(), entry.credits.get()), (Origin::Purchase(PurchaseId::mint(1)), 5_000));
        assert_eq!(change.account.payment_method, payment().payment_method);
        assert!(matches!(change.notices[..], [Notice { kind: NoticeKind::PurchasePaid { .. }, .. }]));
        let [Record::Purchase(purchase)] = &change.records[..] else { panic!("the purchase is written") };
        assert_eq!(purchase.status, PurchaseStatus::Paid);
        assert_eq!(settle(purchase, &CheckoutOutcome::Paid(paid(5_000))), Ok(None), "a second report changes nothing");
        assert_eq!(settle(purchase, &CheckoutOutcome::Expired), Ok(None), "nor does a late expiry");
    }

    #[test]
    fn money_that_arrives_after_the_page_expired_is_granted_all_the_same() {
        let change = settle(&opened(), &CheckoutOutcome::Expired).unwrap().unwrap();
        assert_eq!(change.entries, []);
        let [Record::Purchase(expired)] = &change.records[..] else { panic!("the purchase is written") };
        assert_eq!(expired.status, PurchaseStatus::Expired);
        let granted = settle(expired, &CheckoutOutcome::Paid(paid(5_000))).unwrap().unwrap();
        assert_eq!(granted.account.balance.get(), 5_000);
    }

    #[test]
    fn a_key_opens_one_package() {
        let packages = PriceBook::reference().packages;
        assert_eq!(check_purchase_replay(&opened(), &packages[1].id), Ok(()));
        assert_eq!(check_purchase_replay(&opened(), &packages[0].id), Err(KeyReused { key: key("buy-1") }));
    }
}
