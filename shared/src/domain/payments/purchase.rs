//! Credits that the customer buys on a payment page or by invoice.

use super::by_invoice::{ByInvoice, InvoiceReminder, InvoiceTerms, IssuedInvoice};
use super::default_card::{BoughtWith, OfferedCard};
use super::invoice::Invoiced;
use super::payment::{CheckoutOutcome, Payment, check_payment};
use super::purchase_invoice::reminder_of;
use super::records::{Checkout, Purchase, PurchaseStatus};
use super::returned::{PaidFor, Reversed};
use super::reversal::{Granted, end_pause, take_back_known};
use crate::domain::{
    Account, BalanceOutOfRange, Cause, Change, IdempotencyKey, KeyReused, NoticeId, NoticeKind, OutboundEventKind,
    Package, PackageId, PaymentMethodId, PriceBook, PurchaseId, Record,
};
use jiff::Timestamp;

/// How a purchase is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayBy {
    /// On a page of the payment provider.
    Page,
    Invoice(InvoiceTerms),
}

impl Purchase {
    /// Whether it is open, and the payment provider has a page on which it can be paid.
    pub fn has_page(&self) -> bool {
        self.status == PurchaseStatus::Open && (self.checkout.is_some() || self.issued().is_some())
    }
}

/// The account has as many unpaid purchases by invoice as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} purchases by invoice are unpaid", PriceBook::UNPAID_INVOICES_MAX)]
pub struct TooManyUnpaidInvoices;

/// Opens a purchase. It is stored before Stripe is asked for a page or an invoice, so a crash leaves something to find.
///
/// # Errors
/// [`TooManyUnpaidInvoices`].
pub fn decide_open_purchase(
    account: &Account,
    (package, pay_by): (&Package, &PayBy),
    key: IdempotencyKey,
    id: PurchaseId,
    now: Timestamp,
) -> Result<(Change, Purchase), TooManyUnpaidInvoices> {
    let by_invoice = match pay_by {
        PayBy::Page => None,
        PayBy::Invoice(_) if account.unpaid_invoices >= PriceBook::UNPAID_INVOICES_MAX => {
            return Err(TooManyUnpaidInvoices);
        }
        PayBy::Invoice(terms) => Some(ByInvoice::new(terms.clone())),
    };
    let purchase = Purchase {
        id: id.clone(),
        account: account.id.clone(),
        key: key.clone(),
        package: package.id.clone(),
        credits: package.credits,
        price: package.price,
        status: PurchaseStatus::Open,
        checkout: None,
        checkout_opened_at: None,
        default_card: None,
        payment_intent: None,
        invoice: None,
        by_invoice,
        opened_at: now,
        ended_at: None,
        reversed: Reversed::default(),
        refunds: vec![],
    };
    let mut change = Change::on(account, now);
    if purchase.awaits_invoice() {
        change.account.unpaid_invoices = change.account.unpaid_invoices.saturating_add(1);
    }
    change.records.push(Record::Purchase(purchase.clone()));
    change.records.push(Record::PurchaseKey { key, purchase: id });
    Ok((change, purchase))
}

/// Whether a purchase opened under a key answers a request for this package, paid in this way.
///
/// # Errors
/// [`KeyReused`] when the key opened another purchase.
pub fn check_purchase_replay(purchase: &Purchase, package: &PackageId, pay_by: &PayBy) -> Result<(), KeyReused> {
    let is_paid_so = match (&purchase.by_invoice, pay_by) {
        (None, PayBy::Page) => true,
        (Some(by_invoice), PayBy::Invoice(terms)) => by_invoice.terms == *terms,
        (None, PayBy::Invoice(_)) | (Some(_), PayBy::Page) => false,
    };
    if purchase.package == *package && is_paid_so { Ok(()) } else { Err(KeyReused { key: purchase.key.clone() }) }
}

/// A payment page, and the customer's default card when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCheckout {
    pub checkout: Checkout,
    /// A time before the default card was read, so that every later choice counts as newer.
    pub opened_at: Timestamp,
    pub default_card: Option<PaymentMethodId>,
}

/// Stores the page of a purchase. `None` if its page is already known.
pub fn decide_checkout_opened(
    account: &Account,
    purchase: &Purchase,
    opened: OpenedCheckout,
    now: Timestamp,
) -> Option<Change> {
    let OpenedCheckout { checkout, opened_at, default_card } = opened;
    purchase.checkout.is_none().then(|| {
        let mut change = Change::on(account, now);
        change.records.push(Record::Purchase(Purchase {
            checkout: Some(checkout),
            checkout_opened_at: Some(opened_at),
            default_card,
            ..purchase.clone()
        }));
        change
    })
}

/// The card that paid a purchase, if it has to be offered as the default. This happens once, when the purchase is
/// granted.
pub fn card_to_offer(account: &Account, purchase: &Purchase, outcome: &CheckoutOutcome) -> Option<OfferedCard> {
    let CheckoutOutcome::Paid(payment) = outcome else { return None };
    account.check_not_closed().ok()?;
    if purchase.status == PurchaseStatus::Paid || check_payment(account, payment, purchase.price).is_err() {
        return None;
    }
    let bought_with = BoughtWith {
        card: payment.payment_method.clone()?,
        paid_for: Invoiced::Purchase(purchase.id.clone()),
        opened_at: purchase.checkout_opened_at.unwrap_or(purchase.opened_at),
    };
    Some(OfferedCard { bought_with, default_at_opening: purchase.default_card.clone() })
}

/// Ends a purchase: grants what was paid, once, or closes what expired.
/// `None` if there is nothing to do.
///
/// Credits come from the package, never from the total paid, which may include tax.
/// `default_card` pays for top-ups from now on: it is the default after this purchase's card was offered.
///
/// A payment that does not match the purchase grants nothing and puts the purchase into review.
///
/// # Errors
/// [`BalanceOutOfRange`]; nothing must be written then.
pub fn decide_purchase_outcome(
    account: &Account,
    purchase: &Purchase,
    outcome: &CheckoutOutcome,
    default_card: Option<PaymentMethodId>,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Option<Change>, BalanceOutOfRange> {
    use PurchaseStatus::{Expired, Failed, InReview, Open, Paid, Processing, Voided};
    match (purchase.status, outcome) {
        (Paid, _) | (_, CheckoutOutcome::Open) => Ok(None),
        (status, CheckoutOutcome::Paid(payment)) => match check_payment(account, payment, purchase.price) {
            Ok(()) => Ok(Some(grant_purchase(account, purchase, payment, default_card, notice, now)?)),
            Err(_) => Ok((status != InReview).then(|| review(account, purchase, payment, now))),
        },
        // Only a person knows what the company meant to give for it.
        (status, CheckoutOutcome::PaidInPart(payment)) => {
            Ok((status != InReview).then(|| review(account, purchase, payment, now)))
        }
        (Open | Processing, CheckoutOutcome::Waiting { amount_paid }) => {
            Ok(wait(account, purchase, *amount_paid, notice, now))
        }
        (Open | Processing, CheckoutOutcome::Voided) => Ok(Some(void(account, purchase, notice, now))),
        // If there were several pages, one may have expired before the customer completed another.
        (Open | Expired, CheckoutOutcome::Processing) => Ok(Some(move_on(account, purchase, Processing, now))),
        (Open | Processing | Expired, CheckoutOutcome::Failed) => Ok(Some(fail(account, purchase, notice, now))),
        (Open, CheckoutOutcome::Expired) => Ok(Some(move_on(account, purchase, Expired, now))),
        // A report from an earlier lookup arrives late.
        (Processing | Failed | InReview, CheckoutOutcome::Processing)
        | (Failed | InReview, CheckoutOutcome::Failed)
        | (Processing | Failed | Expired | InReview, CheckoutOutcome::Expired)
        | (Failed | Expired | InReview, CheckoutOutcome::Waiting { .. } | CheckoutOutcome::Voided)
        | (
            Voided,
            CheckoutOutcome::Processing
            | CheckoutOutcome::Failed
            | CheckoutOutcome::Expired
            | CheckoutOutcome::Waiting { .. }
            | CheckoutOutcome::Voided,
        ) => Ok(None),
    }
}

/// The purchase with its new status; nothing is granted.
fn move_on(account: &Account, purchase: &Purchase, status: PurchaseStatus, now: Timestamp) -> Change {
    let mut change = Change::on(account, now);
    let ended_at = (status != PurchaseStatus::Processing).then_some(now);
    change.replace_purchase(purchase, Purchase { status, ended_at, ..purchase.clone() });
    change
}

/// The invoice is open. If a debit failed that should have paid it, the customer has to know; of an invoice that was not told
/// yet, the customer hears as soon as it is.
fn wait(account: &Account, purchase: &Purchase, amount_paid: i64, notice: NoticeId, now: Timestamp) -> Option<Change> {
    let by_invoice = purchase.by_invoice.as_ref()?;
    let has_failed = purchase.status == PurchaseStatus::Processing;
    let Some(issued) = &by_invoice.issued else {
        return has_failed.then(|| {
            let mut change = Change::on(account, now);
            change.replace_purchase(purchase, Purchase { status: PurchaseStatus::Open, ..purchase.clone() });
            change
        });
    };
    if issued.amount_paid == amount_paid && !has_failed {
        return None;
    }
    let issued = IssuedInvoice { amount_paid, ..issued.clone() };
    let mut change = Change::on(account, now);
    if has_failed {
        let kind = reminder_of(purchase, &issued, InvoiceReminder::PaymentFailed);
        change.notices.extend(account.owed(notice, kind, now));
    }
    let by_invoice = Some(ByInvoice { issued: Some(issued), ..by_invoice.clone() });
    change.replace_purchase(purchase, Purchase { status: PurchaseStatus::Open, by_invoice, ..purchase.clone() });
    Some(change)
}

/// Tells the customer, unless the invoice was never told.
fn void(account: &Account, purchase: &Purchase, notice: NoticeId, now: Timestamp) -> Change {
    let mut change = move_on(account, purchase, PurchaseStatus::Voided, now);
    if let Some(issued) = purchase.issued() {
        let kind = NoticeKind::InvoiceVoided {
            purchase: purchase.id.clone(),
            credits: purchase.credits,
            price: purchase.price,
            invoice: Box::new(issued.clone()),
        };
        change.notices.extend(account.owed(notice, kind, now));
    }
    change
}

/// Records the payment, for the person who investigates.
fn review(account: &Account, purchase: &Purchase, payment: &Payment, now: Timestamp) -> Change {
    let mut change = Change::on(account, now);
    let reviewed = Purchase {
        status: PurchaseStatus::InReview,
        payment_intent: payment.payment_intent.clone(),
        invoice: payment.invoice.clone(),
        by_invoice: paid_by_invoice(purchase, payment),
        ended_at: None,
        // What went back of another payment is no part of this one.
        reversed: if purchase.payment_intent == payment.payment_intent {
            purchase.reversed
        } else {
            Reversed::default()
        },
        ..purchase.clone()
    };
    change.replace_purchase(purchase, reviewed);
    change
}

/// Tells the customer, who left the page believing that the payment was done.
fn fail(account: &Account, purchase: &Purchase, notice: NoticeId, now: Timestamp) -> Change {
    let mut change = move_on(account, purchase, PurchaseStatus::Failed, now);
    let kind = NoticeKind::PurchaseFailed {
        purchase: purchase.id.clone(),
        package: purchase.package.clone(),
        credits: purchase.credits,
        price: purchase.price,
    };
    change.notices.extend(account.owed(notice, kind, now));
    change
}

/// What is known of its invoice after the payment.
fn paid_by_invoice(purchase: &Purchase, payment: &Payment) -> Option<ByInvoice> {
    let by_invoice = purchase.by_invoice.clone()?;
    let Some(paid) = payment.by_invoice else { return Some(by_invoice) };
    let (amount_paid, overpaid) = (paid.amount_paid, paid.overpaid);
    let issued = by_invoice.issued.map(|issued| IssuedInvoice { amount_paid, overpaid, ..issued });
    Some(ByInvoice { issued, is_paid_out_of_band: paid.is_out_of_band, ..by_invoice })
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
    change.account.payment_method = default_card.filter(|_| account.closed_at.is_none());
    end_pause(&mut change.account);
    let is_same_payment = payment.payment_intent.is_none()
        || purchase.payment_intent == payment.payment_intent
        || (purchase.invoice.is_some() && purchase.invoice == payment.invoice);
    let known = (purchase.reversed, is_same_payment);
    let paid_for = PaidFor::Purchase(purchase.id.clone());
    let granted = Granted { paid_for, credits: purchase.credits, currency: purchase.price.currency() };
    let reversed = take_back_known(&mut change, granted, known, now)?;
    let paid = Purchase {
        status: PurchaseStatus::Paid,
        reversed,
        payment_intent: payment.payment_intent.clone().or(purchase.payment_intent.clone()),
        invoice: payment.invoice.clone(),
        by_invoice: paid_by_invoice(purchase, payment),
        ended_at: Some(now),
        ..purchase.clone()
    };
    change.replace_purchase(purchase, paid);
    let kind = NoticeKind::PurchasePaid {
        purchase: purchase.id.clone(),
        package: purchase.package.clone(),
        credits: purchase.credits,
        price: purchase.price,
        balance: change.account.balance,
        receipt: payment.receipt.clone(),
    };
    change.notices.extend(account.owed(notice, kind, now));
    let paid = OutboundEventKind::PurchasePaid {
        purchase: purchase.id.clone(),
        package: purchase.package.clone(),
        credits: purchase.credits,
        price: purchase.price,
        balance: change.account.balance,
    };
    change.tell(paid, now);
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;
    use crate::domain::{Credits, CustomerId, Notice, Origin, PriceBook};

    fn opened() -> Purchase {
        let package = &PriceBook::reference().packages[1];
        decide_open_purchase(&account(), (package, &PayBy::Page), key("buy-1"), PurchaseId::mint(1), at(0)).unwrap().1
    }

    fn paid(amount: i64) -> Payment {
        Payment { amount, ..payment() }
    }

    fn settle(purchase: &Purchase, outcome: &CheckoutOutcome) -> Result<Option<Change>, BalanceOutOfRange> {
        decide_purchase_outcome(&account(), purchase, outcome, payment().payment_method, NoticeId::mint(1), at(1))
    }

    #[test]
    fn opening_stores_the_purchase_and_its_key_and_moves_nothing() {
        let package = &PriceBook::reference().packages[0];
        let opened =
            decide_open_purchase(&account(), (package, &PayBy::Page), key("buy-1"), PurchaseId::mint(1), at(0));
        let (change, purchase) = opened.unwrap();
        assert_eq!((change.account.balance, change.entries), (Credits::ZERO, vec![]));
        assert_eq!((purchase.credits.get(), purchase.price.minor()), (500, 500));
        assert_eq!(change.records.len(), 2);
    }

    /// R10: the customer sees a named state, and a person investigates.
    #[test]
    fn a_payment_of_another_customer_currency_or_amount_is_reviewed_and_grants_nothing() {
        let other_customer = Payment { customer: CustomerId::parse("cus_other").unwrap(), ..paid(5_000) };
        let other_currency = Payment { currency: "eur".into(), ..paid(5_000) };
        for payment in [other_customer, other_currency, paid(4_999), paid(5_001)] {
            let change = settle(&opened(), &CheckoutOutcome::Paid(payment.clone())).unwrap().unwrap();
            assert_eq!((&change.entries, &change.notices), (&vec![], &vec![]), "{payment:?}");
            assert_eq!(card_to_offer(&account(), &opened(), &CheckoutOutcome::Paid(payment.clone())), None);
            let reviewed = only_purchase(&change);
            assert_eq!(reviewed.status, PurchaseStatus::InReview, "{payment:?}");
            assert_eq!((reviewed.payment_intent.clone(), reviewed.ended_at), (payment.payment_intent.clone(), None));
            for again in [CheckoutOutcome::Paid(payment), CheckoutOutcome::Failed, CheckoutOutcome::Expired] {
                assert_eq!(settle(&reviewed, &again), Ok(None), "{again:?}");
            }
            let put_right = settle(&reviewed, &CheckoutOutcome::Paid(paid(5_000))).unwrap().unwrap();
            assert_eq!(put_right.account.balance.get(), 5_000);
        }
    }

    /// R18: the card is offered once, when the purchase is granted.
    #[test]
    fn a_paid_purchase_grants_its_package_remembers_the_card_and_owes_a_receipt() {
        let change = settle(&opened(), &CheckoutOutcome::Paid(paid(5_000))).unwrap().unwrap();
        let entry = only_entry(&change);
        assert_eq!((entry.origin(), entry.credits.get()), (Origin::Purchase(PurchaseId::mint(1)), 5_000));
        assert_eq!(change.account.payment_method, payment().payment_method);
        assert!(matches!(change.notices[..], [Notice { kind: NoticeKind::PurchasePaid { .. }, .. }]));
        let [Record::Purchase(purchase)] = &change.records[..] else { panic!("the purchase is written") };
        assert_eq!(purchase.status, PurchaseStatus::Paid);
        let outcome = CheckoutOutcome::Paid(paid(5_000));
        let offered = card_to_offer(&account(), &opened(), &outcome).unwrap();
        assert_eq!(Some(offered.bought_with.card), payment().payment_method);
        assert_eq!(card_to_offer(&account(), purchase, &outcome), None, "a second report offers no card");
        assert_eq!(settle(purchase, &outcome), Ok(None), "a second report changes nothing");
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

    fn only_purchase(change: &Change) -> Purchase {
        let [Record::Purchase(purchase)] = &change.records[..] else { panic!("the purchase is written") };
        purchase.clone()
    }

    /// R7: a bank debit takes days, and then it is paid or fails.
    #[test]
    fn a_debit_is_processing_until_it_is_paid_or_fails_with_an_e_mail() {
        let processing = settle(&opened(), &CheckoutOutcome::Processing).unwrap().unwrap();
        assert_eq!((&processing.entries, &processing.notices), (&vec![], &vec![]));
        let processing = only_purchase(&processing);
        assert_eq!((processing.status, processing.ended_at), (PurchaseStatus::Processing, None));
        let failed = settle(&processing, &CheckoutOutcome::Failed).unwrap().unwrap();
        assert_eq!(failed.entries, []);
        assert!(matches!(failed.notices[..], [Notice { kind: NoticeKind::PurchaseFailed { .. }, .. }]));
        let failed = only_purchase(&failed);
        assert_eq!((failed.status, failed.ended_at), (PurchaseStatus::Failed, Some(at(1))));
        let unheard = settle(&opened(), &CheckoutOutcome::Failed).unwrap().unwrap();
        assert_eq!(only_purchase(&unheard), failed, "even if `processing` was never reported");
        for purchase in [&processing, &failed] {
            for late in [CheckoutOutcome::Open, CheckoutOutcome::Processing, CheckoutOutcome::Expired] {
                assert_eq!(settle(purchase, &late), Ok(None), "{:?} {late:?}", purchase.status);
            }
            let paid = settle(purchase, &CheckoutOutcome::Paid(paid(5_000))).unwrap().unwrap();
            assert_eq!(paid.account.balance.get(), 5_000);
        }
        assert_eq!(settle(&failed, &CheckoutOutcome::Failed), Ok(None), "one e-mail");
    }

    #[test]
    fn a_key_opens_one_package() {
        let packages = PriceBook::reference().packages;
        let reused = Err(KeyReused { key: key("buy-1") });
        let by_invoice = PayBy::Invoice(InvoiceTerms { days_until_due: 30, po_number: None });
        assert_eq!(check_purchase_replay(&opened(), &packages[1].id, &PayBy::Page), Ok(()));
        assert_eq!(check_purchase_replay(&opened(), &packages[0].id, &PayBy::Page), reused);
        assert_eq!(check_purchase_replay(&opened(), &packages[1].id, &by_invoice), reused);
    }
}
