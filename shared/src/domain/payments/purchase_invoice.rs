//! The decisions about a purchase that is paid by invoice, and when something is due of it.
//!
//! The instants are derived from the purchase alone, so its item is in the index `due` exactly while its invoice can be
//! paid: whatever ends the purchase writes it.

use super::by_invoice::{ByInvoice, DefaultBefore, InvoiceReminder, IssuedInvoice, NewInvoice};
use super::payment::CheckoutOutcome;
use super::records::{Purchase, PurchaseStatus};
use super::unpaid::later;
use crate::domain::{Account, Change, NoticeId, NoticeKind, PriceBook, Record};
use jiff::Timestamp;

impl Purchase {
    /// Whether it has an invoice, or gets one, that can still be paid.
    pub fn awaits_invoice(&self) -> bool {
        self.by_invoice.is_some() && matches!(self.status, PurchaseStatus::Open | PurchaseStatus::Processing)
    }

    /// What is known of its invoice, if it has one.
    pub fn issued(&self) -> Option<&IssuedInvoice> {
        self.by_invoice.as_ref()?.issued.as_ref()
    }

    /// When the next reminder of its invoice is due, or its end. An invoice that was not finalized is due soon: the process
    /// that should have done it died.
    pub fn invoice_due_at(&self) -> Option<Timestamp> {
        let by_invoice = self.by_invoice.as_ref().filter(|_| self.awaits_invoice())?;
        Some(match &by_invoice.issued {
            None => later(self.opened_at, PriceBook::INVOICE_ISSUED_WITHIN),
            Some(issued) => issued.reminder_at(usize::from(by_invoice.reminders)).unwrap_or_else(|| issued.voided_at()),
        })
    }

    /// Whether its invoice has been unpaid for so long that it is voided.
    pub fn is_invoice_given_up_at(&self, now: Timestamp) -> bool {
        self.awaits_invoice() && self.issued().is_some_and(|issued| issued.voided_at() <= now)
    }
}

/// Stores the invoice of a purchase and owes the e-mail with it. `None` if it is known, or if the purchase has ended.
pub fn decide_invoice_issued(
    account: &Account,
    purchase: &Purchase,
    (invoice, default): (&NewInvoice, &DefaultBefore),
    notice: NoticeId,
    now: Timestamp,
) -> Option<Change> {
    let by_invoice = purchase.by_invoice.as_ref().filter(|by_invoice| by_invoice.issued.is_none())?;
    if purchase.status != PurchaseStatus::Open {
        return None;
    }
    let NewInvoice { id, number, total, due_at } = invoice.clone();
    let issued = IssuedInvoice { number, total, due_at, amount_paid: 0, overpaid: 0 };
    let mut change = Change::on(account, now);
    let kind = NoticeKind::InvoiceIssued {
        purchase: purchase.id.clone(),
        credits: purchase.credits,
        price: purchase.price,
        invoice: Box::new(issued.clone()),
    };
    change.notices.extend(account.owed(notice, kind, now));
    let by_invoice = Some(ByInvoice { issued: Some(issued), ..by_invoice.clone() });
    let issued = Purchase {
        invoice: Some(id),
        by_invoice,
        default_card: default.card.clone(),
        checkout_opened_at: Some(default.read_at),
        ..purchase.clone()
    };
    change.replace_purchase(purchase, issued);
    Some(change)
}

/// Ends a purchase for which the payment provider will never make an invoice. `None` if it has one, or has ended.
pub fn decide_invoice_refused(account: &Account, purchase: &Purchase, now: Timestamp) -> Option<Change> {
    let is_waiting = purchase.status == PurchaseStatus::Open && purchase.issued().is_none();
    purchase.by_invoice.as_ref().filter(|_| is_waiting)?;
    let mut change = Change::on(account, now);
    let failed = Purchase { status: PurchaseStatus::Failed, ended_at: Some(now), ..purchase.clone() };
    change.replace_purchase(purchase, failed);
    Some(change)
}

/// Reminds the customer of an invoice that is still unpaid, if a reminder is due. A run that comes late sends one reminder,
/// not all that it missed. An invoice that was to be voided, but of which a part is paid, is reviewed by a person. `None` if
/// there is nothing to do.
pub fn decide_invoice_reminder(
    account: &Account,
    purchase: &Purchase,
    outcome: &CheckoutOutcome,
    notice: NoticeId,
    now: Timestamp,
) -> Option<Change> {
    let CheckoutOutcome::Waiting { amount_paid } = outcome else { return None };
    let (by_invoice, issued) = (purchase.by_invoice.as_ref()?, purchase.issued()?);
    if purchase.status != PurchaseStatus::Open || purchase.invoice_due_at()? > now {
        return None;
    }
    let mut change = Change::on(account, now);
    if purchase.is_invoice_given_up_at(now) {
        let reviewed = Purchase { status: PurchaseStatus::InReview, ..purchase.clone() };
        change.replace_purchase(purchase, reviewed);
        return (*amount_paid > 0).then_some(change);
    }
    let passed = (0..PriceBook::INVOICE_REMINDERS.len())
        .filter(|number| issued.reminder_at(*number).is_some_and(|at| at <= now))
        .count();
    let reminder = if issued.due_at <= now { InvoiceReminder::Overdue } else { InvoiceReminder::DueSoon };
    change.notices.extend(account.owed(notice, reminder_of(purchase, issued, reminder), now));
    let reminders = u8::try_from(passed).unwrap_or(u8::MAX);
    let by_invoice = Some(ByInvoice { reminders, ..by_invoice.clone() });
    change.replace_purchase(purchase, Purchase { by_invoice, ..purchase.clone() });
    Some(change)
}

pub(super) fn reminder_of(purchase: &Purchase, issued: &IssuedInvoice, reminder: InvoiceReminder) -> NoticeKind {
    NoticeKind::InvoiceReminder {
        purchase: purchase.id.clone(),
        credits: purchase.credits,
        price: purchase.price,
        invoice: Box::new(issued.clone()),
        reminder,
    }
}

impl Change {
    /// Writes a purchase in the place of itself, and counts the account's unpaid invoices: the count falls in the
    /// transaction that ends the purchase.
    pub(super) fn replace_purchase(&mut self, before: &Purchase, after: Purchase) {
        if before.awaits_invoice() && !after.awaits_invoice() {
            self.account.unpaid_invoices = self.account.unpaid_invoices.saturating_sub(1);
        }
        self.records.push(Record::Purchase(after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{
        InvoiceTerms, PaidByInvoice, PayBy, Payment, TooManyUnpaidInvoices, decide_open_purchase,
        decide_purchase_outcome,
    };
    use crate::domain::samples::*;
    use crate::domain::{InvoiceId, PurchaseId};

    const DAY: i64 = 86_400;

    fn ordered(account: &Account, number: u128) -> Result<(Change, Purchase), TooManyUnpaidInvoices> {
        let package = &PriceBook::reference().packages[0];
        let pay_by = PayBy::Invoice(InvoiceTerms { days_until_due: 14, po_number: None });
        decide_open_purchase(account, (package, &pay_by), key("buy-1"), PurchaseId::mint(number), at(0))
    }

    /// An account with a purchase whose invoice is due after 14 days.
    fn issued() -> (Account, Purchase) {
        let (opened, purchase) = ordered(&account(), 1).unwrap();
        let change = issue(&opened.account, &purchase).unwrap();
        assert!(matches!(change.notices[..], [ref one] if matches!(one.kind, NoticeKind::InvoiceIssued { .. })));
        (change.account.clone(), change.purchase().unwrap().clone())
    }

    fn issue(account: &Account, purchase: &Purchase) -> Option<Change> {
        let id = InvoiceId::parse("in_1").unwrap();
        let invoice = NewInvoice { id, number: Some("A-0001".into()), total: 535, due_at: at(14 * DAY) };
        let default = DefaultBefore { card: None, read_at: at(0) };
        decide_invoice_issued(account, purchase, (&invoice, &default), NoticeId::mint(1), at(1))
    }

    fn report(account: &Account, purchase: &Purchase, outcome: &CheckoutOutcome) -> Option<Change> {
        decide_purchase_outcome(account, purchase, outcome, None, NoticeId::mint(2), at(2)).unwrap()
    }

    fn remind(account: &Account, purchase: &Purchase, amount_paid: i64, now: i64) -> Option<Change> {
        let waiting = CheckoutOutcome::Waiting { amount_paid };
        decide_invoice_reminder(account, purchase, &waiting, NoticeId::mint(3), at(now))
    }

    fn paid(amount_paid: i64, is_out_of_band: bool) -> Payment {
        let overpaid = amount_paid - 535;
        Payment { by_invoice: Some(PaidByInvoice { amount_paid, overpaid, is_out_of_band }), ..payment() }
    }

    #[test]
    fn an_order_counts_as_unpaid_until_it_ends_whatever_ends_it() {
        let (account, purchase) = issued();
        assert_eq!(account.unpaid_invoices, 1);
        for (outcome, unpaid) in [
            (CheckoutOutcome::Paid(paid(535, false)), 0),
            (CheckoutOutcome::PaidInPart(paid(535, false)), 0),
            (CheckoutOutcome::Voided, 0),
            (CheckoutOutcome::Processing, 1),
            (CheckoutOutcome::Waiting { amount_paid: 100 }, 1),
        ] {
            let change = report(&account, &purchase, &outcome).unwrap();
            assert_eq!(change.account.unpaid_invoices, unpaid, "{outcome:?}");
            let late = report(&change.account, change.purchase().unwrap(), &CheckoutOutcome::Paid(paid(535, false)));
            assert!(late.is_none_or(|late| late.account.unpaid_invoices == 0), "{outcome:?}");
        }
        let (mut account, _) = ordered(&account, 2).map(|(change, purchase)| (change.account, purchase)).unwrap();
        account = ordered(&account, 3).unwrap().0.account;
        assert_eq!((account.unpaid_invoices, ordered(&account, 4)), (3, Err(TooManyUnpaidInvoices)));
    }

    #[test]
    fn an_invoice_is_told_once_and_never_after_the_end() {
        let (account, purchase) = issued();
        assert_eq!(issue(&account, &purchase), None);
        let (opened, purchase) = ordered(&account, 2).unwrap();
        let refused = decide_invoice_refused(&opened.account, &purchase, at(1)).unwrap();
        assert_eq!((refused.account.unpaid_invoices, refused.notices.len()), (1, 0));
        let failed = refused.purchase().unwrap();
        assert_eq!((failed.status, failed.invoice_due_at()), (PurchaseStatus::Failed, None));
        assert_eq!(
            (issue(&opened.account, failed), decide_invoice_refused(&opened.account, failed, at(2))),
            (None, None)
        );
    }

    #[test]
    fn a_part_grants_nothing_and_all_of_it_grants_the_package() {
        let (account, purchase) = issued();
        let part = report(&account, &purchase, &CheckoutOutcome::Waiting { amount_paid: 100 }).unwrap();
        assert_eq!((&part.entries, part.notices.len()), (&vec![], 0));
        let partly = part.purchase().unwrap();
        assert_eq!((partly.status, partly.issued().unwrap().remaining()), (PurchaseStatus::Open, 435));
        assert_eq!(report(&account, partly, &CheckoutOutcome::Waiting { amount_paid: 100 }), None, "said before");
        for (amount_paid, is_out_of_band) in [(535, false), (535, true), (900, false)] {
            let outcome = CheckoutOutcome::Paid(paid(amount_paid, is_out_of_band));
            let change = report(&account, partly, &outcome).unwrap();
            let by_invoice = change.purchase().unwrap().by_invoice.clone().unwrap();
            let issued = by_invoice.issued.unwrap();
            assert_eq!((change.account.balance.get(), issued.amount_paid), (500, amount_paid));
            assert_eq!((issued.overpaid, by_invoice.is_paid_out_of_band), (amount_paid - 535, is_out_of_band));
        }
        let credited = report(&account, partly, &CheckoutOutcome::PaidInPart(paid(535, false))).unwrap();
        assert_eq!((&credited.entries, credited.purchase().unwrap().status), (&vec![], PurchaseStatus::InReview));
    }

    #[test]
    fn a_debit_that_fails_leaves_the_invoice_open_and_is_told() {
        let (account, purchase) = issued();
        let processing = report(&account, &purchase, &CheckoutOutcome::Processing).unwrap();
        let (account, purchase) = (&processing.account, processing.purchase().unwrap());
        assert!(purchase.invoice_due_at().is_some() && processing.notices.is_empty());
        let failed = report(account, purchase, &CheckoutOutcome::Waiting { amount_paid: 0 }).unwrap();
        assert_eq!(failed.purchase().unwrap().status, PurchaseStatus::Open);
        let reminder = InvoiceReminder::PaymentFailed;
        assert!(
            matches!(&failed.notices[..], [one] if matches!(&one.kind, NoticeKind::InvoiceReminder { reminder: said, .. } if *said == reminder))
        );
    }

    /// The process that made the invoice died before it was stored, and somebody found its page at Stripe.
    #[test]
    fn a_debit_that_fails_before_the_invoice_was_told_leaves_it_to_be_told() {
        let (opened, purchase) = ordered(&account(), 1).unwrap();
        let processing = report(&opened.account, &purchase, &CheckoutOutcome::Processing).unwrap();
        let (account, purchase) = (&processing.account, processing.purchase().unwrap());
        assert_eq!(issue(account, purchase), None, "not while it is being paid");
        let failed = report(account, purchase, &CheckoutOutcome::Waiting { amount_paid: 0 }).unwrap();
        let purchase = failed.purchase().unwrap();
        assert_eq!(
            (purchase.status, failed.notices.len(), failed.account.unpaid_invoices),
            (PurchaseStatus::Open, 0, 1)
        );
        assert_eq!(report(&failed.account, purchase, &CheckoutOutcome::Waiting { amount_paid: 0 }), None);
        assert!(issue(&failed.account, purchase).is_some());
    }

    #[test]
    fn a_customer_is_reminded_three_times_and_once_each() {
        let (account, mut purchase) = issued();
        let mut reminded = vec![];
        for hour in 0..28 * 24 {
            let Some(change) = remind(&account, &purchase, 0, hour * 3_600) else { continue };
            assert_eq!((change.notices.len(), change.account.unpaid_invoices), (1, 1));
            purchase = change.purchase().unwrap().clone();
            reminded.push(hour / 24);
        }
        assert_eq!(reminded, [11, 15, 21]);
        assert_eq!(purchase.invoice_due_at(), Some(at(28 * DAY)));
        assert!(!purchase.is_invoice_given_up_at(at(28 * DAY - 1)) && purchase.is_invoice_given_up_at(at(28 * DAY)));
    }

    #[test]
    fn a_late_run_reminds_once_and_nobody_is_reminded_of_what_has_ended_or_is_unknown() {
        let (account, purchase) = issued();
        let late = remind(&account, &purchase, 0, 16 * DAY).unwrap();
        assert_eq!(late.purchase().unwrap().by_invoice.as_ref().unwrap().reminders, 2);
        assert_eq!(remind(&account, late.purchase().unwrap(), 0, 16 * DAY), None);
        let unknown =
            decide_invoice_reminder(&account, &purchase, &CheckoutOutcome::Open, NoticeId::mint(3), at(16 * DAY));
        assert_eq!(unknown, None);
        for outcome in [CheckoutOutcome::Paid(paid(535, false)), CheckoutOutcome::Voided, CheckoutOutcome::Processing] {
            let ended = report(&account, &purchase, &outcome).unwrap();
            assert_eq!(remind(&account, ended.purchase().unwrap(), 0, 16 * DAY), None, "{outcome:?}");
        }
    }

    #[test]
    fn an_overdue_invoice_of_which_a_part_is_paid_is_for_a_person() {
        let (account, purchase) = issued();
        assert_eq!(remind(&account, &purchase, 0, 28 * DAY), None, "it is voided, and nobody is reminded");
        let change = remind(&account, &purchase, 100, 28 * DAY).unwrap();
        let reviewed = change.purchase().unwrap();
        assert_eq!((reviewed.status, reviewed.invoice_due_at()), (PurchaseStatus::InReview, None));
        assert_eq!((change.notices.len(), change.account.unpaid_invoices), (0, 0));
    }
}
