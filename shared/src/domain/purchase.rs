//! Credits bought by the customer on a payment page.

use super::account::KeyReused;
use super::change::BalanceOutOfRange;
use super::{
    Account, AccountId, Cause, Cents, Change, CheckoutSessionId, Credits, CustomerId, IdempotencyKey, InvoiceId,
    Notice, NoticeId, NoticeKind, Package, PackageId, PaymentIntentId, PaymentMethodId, PurchaseId, Record,
};
use jiff::Timestamp;

/// One purchase, from the choice of a package to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub id: PurchaseId,
    pub account: AccountId,
    /// Under which the customer's request opened it.
    pub key: IdempotencyKey,
    pub package: PackageId,
    /// Frozen when it was opened, whatever the price book says later.
    pub credits: Credits,
    /// Before tax, frozen likewise.
    pub price: Cents,
    pub status: PurchaseStatus,
    pub checkout: Option<Checkout>,
    pub payment_intent: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    pub opened_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PurchaseStatus {
    Open,
    Paid,
    Expired,
}

/// Stripe's page on which a purchase is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    pub session: CheckoutSessionId,
    pub url: String,
}

/// A payment as Stripe tells it, before anything of it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub customer: CustomerId,
    /// Before tax.
    pub amount: Cents,
    /// Lower-case ISO 4217.
    pub currency: String,
    pub invoice: Option<InvoiceId>,
    pub payment_intent: Option<PaymentIntentId>,
    /// The card it was paid with, if it may be used again.
    pub payment_method: Option<PaymentMethodId>,
}

/// What Stripe says of a purchase's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutOutcome {
    Paid(Payment),
    Open,
    Expired,
}

/// A payment that is not the one asked for. No credits are given; somebody has to look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    #[error("paid by {actual}, but the account belongs to {expected}")]
    OtherCustomer { expected: CustomerId, actual: CustomerId },
    #[error("paid in {actual}, but the price is in {CURRENCY}")]
    OtherCurrency { actual: String },
    #[error("paid {actual} before tax, but the price is {expected}")]
    OtherAmount { expected: Cents, actual: Cents },
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// The one currency of the price book, as Stripe writes it.
pub const CURRENCY: &str = "usd";

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
pub fn check_replay(purchase: &Purchase, package: &PackageId) -> Result<(), KeyReused> {
    if purchase.package == *package { Ok(()) } else { Err(KeyReused { key: purchase.key.clone() }) }
}

/// Remembers the page Stripe made for a purchase. `None` where it is known already.
pub fn decide_checkout_opened(
    account: &Account,
    purchase: &Purchase,
    checkout: Checkout,
    now: Timestamp,
) -> Option<Change> {
    purchase.checkout.is_none().then(|| {
        let mut change = Change::on(account, now);
        change.records.push(Record::Purchase(Purchase { checkout: Some(checkout), ..purchase.clone() }));
        change
    })
}

/// Carries a purchase to its end: grants what was paid, once, or closes what expired.
/// `None` where there is nothing to do.
///
/// Credits come from the package, never from the total paid, which may include tax.
///
/// # Errors
/// [`GrantRefusal`] when the payment is not the one asked for.
pub fn decide_settle_purchase(
    account: &Account,
    purchase: &Purchase,
    outcome: &CheckoutOutcome,
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
            grant_purchase(account, purchase, payment, notice, now).map(Some).map_err(GrantRefusal::from)
        }
    }
}

/// # Errors
/// [`GrantRefusal`] unless this customer paid this price in the price book's currency.
pub(super) fn check_payment(account: &Account, payment: &Payment, price: Cents) -> Result<(), GrantRefusal> {
    if payment.customer != account.customer {
        return Err(GrantRefusal::OtherCustomer {
            expected: account.customer.clone(),
            actual: payment.customer.clone(),
        });
    }
    if payment.currency != CURRENCY {
        return Err(GrantRefusal::OtherCurrency { actual: payment.currency.clone() });
    }
    if payment.amount != price {
        return Err(GrantRefusal::OtherAmount { expected: price, actual: payment.amount });
    }
    Ok(())
}

fn grant_purchase(
    account: &Account,
    purchase: &Purchase,
    payment: &Payment,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Change, BalanceOutOfRange> {
    let mut change = Change::on(account, now);
    let cause = Cause::Purchase { purchase: purchase.id.clone(), package: purchase.package.clone() };
    change.post(purchase.credits, cause, now)?;
    if payment.payment_method.is_some() {
        change.account.payment_method = payment.payment_method.clone();
    }
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
    use super::super::samples::*;
    use super::*;
    use crate::domain::{Origin, PriceBook};

    fn opened() -> Purchase {
        let package = &PriceBook::reference().packages[1];
        decide_open_purchase(&account(), package, key("buy-1"), PurchaseId::mint(1), at(0)).1
    }

    fn paid(amount: i64) -> Payment {
        Payment { amount: Cents::new(amount).unwrap(), ..payment() }
    }

    fn settle(purchase: &Purchase, outcome: &CheckoutOutcome) -> Result<Option<Change>, GrantRefusal> {
        decide_settle_purchase(&account(), purchase, outcome, NoticeId::mint(1), at(1))
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
        assert_eq!((change.account.balance, change.entry), (Credits::ZERO, None));
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
        let entry = change.entry.clone().unwrap();
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
        assert_eq!(change.entry, None);
        let [Record::Purchase(expired)] = &change.records[..] else { panic!("the purchase is written") };
        assert_eq!(expired.status, PurchaseStatus::Expired);
        let granted = settle(expired, &CheckoutOutcome::Paid(paid(5_000))).unwrap().unwrap();
        assert_eq!(granted.account.balance.get(), 5_000);
    }

    #[test]
    fn a_key_opens_one_package() {
        let packages = PriceBook::reference().packages;
        assert_eq!(check_replay(&opened(), &packages[1].id), Ok(()));
        assert_eq!(check_replay(&opened(), &packages[0].id), Err(KeyReused { key: key("buy-1") }));
    }
}
