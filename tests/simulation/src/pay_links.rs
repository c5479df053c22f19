//! The links to what can be paid: whoever follows one, and what its answer must say.

use crate::invoices::BillStatus;
use crate::names;
use crate::outside::Outside;
use crate::request::{Ended, Request, other};
use crate::run::Run;
use crate::stripe::{InvoiceStatus, SessionStatus};
use fastrand::Rng;
use shared::domain::payments::Invoiced;
use shared::domain::{AccountId, Purchase, PurchaseStatus, TopUpStatus};
use shared::use_cases::payments::{PayPage, PayPageError, pay_page};

/// What was known of it at a moment.
struct Standing {
    is_stored: bool,
    /// Whether the provider's page takes a payment.
    is_payable: bool,
    /// Whether a part of it was paid, or a payment is under way.
    has_money: bool,
    status: Option<Status>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Purchase(PurchaseStatus),
    TopUp(TopUpStatus),
}

impl Standing {
    fn of(outside: &Outside, account: &AccountId, paid_for: &Invoiced) -> Self {
        let tables = outside.0.ledger.tables();
        let partition = tables.partitions.get(account);
        let status = partition.and_then(|partition| match paid_for {
            Invoiced::Purchase(id) => partition.purchases.get(id).map(|purchase| Status::Purchase(purchase.status)),
            Invoiced::TopUp(id) => partition.top_ups.get(id).map(|top_up| Status::TopUp(top_up.status)),
        });
        let stripe = outside.0.stripe();
        let (is_payable, has_money) = match paid_for {
            Invoiced::Purchase(id) => {
                let pages: Vec<_> = stripe.sessions.iter().filter(|page| page.purchase == *id).collect();
                let bills: Vec<_> = stripe.bills.iter().filter(|bill| bill.purchase == *id).collect();
                let has_open_page = pages.iter().any(|page| page.status == SessionStatus::Open);
                let has_paid_page =
                    pages.iter().any(|page| matches!(page.status, SessionStatus::Paid | SessionStatus::Processing));
                let has_paid_bill = bills.iter().any(|bill| bill.status == BillStatus::Paid || bill.has_money());
                let has_open_bill = bills.iter().any(|bill| bill.status == BillStatus::Open);
                (has_open_page || has_open_bill, has_paid_page || has_paid_bill)
            }
            Invoiced::TopUp(id) => {
                let mut invoices = stripe.invoices.iter().filter(|invoice| invoice.top_up == *id);
                (invoices.any(|invoice| invoice.status == InvoiceStatus::Open), stripe.has_received_for(id))
            }
        };
        Self { is_stored: status.is_some(), is_payable, has_money, status }
    }
}

/// A link leads to a page that takes a payment, or says truly why there is none.
pub async fn run_pay_page(outside: &Outside, account: &AccountId, paid_for: &Invoiced) -> Ended {
    let before = Standing::of(outside, account, paid_for);
    let answer = pay_page(&outside.context(), account, paid_for).await;
    let after = Standing::of(outside, account, paid_for);
    let id = paid_for.id();
    let is_purchase = matches!(paid_for, Invoiced::Purchase(_));
    let wrong = match &answer {
        // If something happened to it meanwhile, its page may have opened and closed.
        Ok(PayPage::Hosted(_)) if !before.is_payable && !after.is_payable && before.status == after.status => {
            format!("the link of {id} leads to a page on which nothing can be paid")
        }
        Ok(PayPage::AlreadyPaid) if !is_granted(after.status) => {
            format!("the link of {id} says that it is paid, and nothing is granted")
        }
        Ok(PayPage::Closed) if is_granted(before.status) => {
            format!("the link of {id} says that it was closed, and it is paid")
        }
        // A request that comes after the page expired may open another one, which nobody is told of.
        Ok(PayPage::Closed) if before.status == Some(Status::Purchase(PurchaseStatus::Expired)) => {
            return outside.answered(format_args!("{answer:?}"));
        }
        Ok(PayPage::Closed) if is_purchase && before.has_money => {
            format!("the link of {id} says that it was closed, and a payment was made")
        }
        Ok(PayPage::Closed) if is_purchase && before.is_payable && after.is_payable => {
            format!("the link of {id} says that it was closed, and its page is open")
        }
        Ok(PayPage::UnderWay) if before.is_payable && after.is_payable && !before.has_money => {
            format!("the link of {id} says that a payment was made, and nobody paid")
        }
        Err(PayPageError::NotFound(_)) if before.is_stored && after.is_stored => {
            format!("{id} is stored and not found")
        }
        Err(PayPageError::Outside(error)) => return other(outside, error),
        answer => return outside.answered(format_args!("{answer:?}")),
    };
    Ended::Wrong(wrong)
}

fn is_granted(status: Option<Status>) -> bool {
    let paid = [Status::Purchase(PurchaseStatus::Paid), Status::TopUp(TopUpStatus::Paid)];
    status.is_some_and(|status| paid.contains(&status) || status == Status::TopUp(TopUpStatus::PartlyPaid))
}

/// Whether the customer was given a link: only once its page or its invoice is stored.
fn has_link(purchase: &Purchase) -> bool {
    purchase.checkout.is_some() || purchase.issued().is_some()
}

/// The last purchase of an account that has a link, if there is one.
fn last_purchase(run: &Run, account: &AccountId) -> Option<Invoiced> {
    let tables = run.world().ledger.tables();
    let purchases = &tables.partitions.get(account)?.purchases;
    purchases.values().rfind(|purchase| has_link(purchase)).map(|purchase| Invoiced::Purchase(purchase.id.clone()))
}

/// Somebody follows the link of any purchase, perhaps while something else about it is under way.
pub fn follow_any(run: &mut Run, rng: &mut Rng, name: &str) -> bool {
    let account = names::account(name);
    let chosen = {
        let tables = run.world().ledger.tables();
        let partition = tables.partitions.get(&account);
        let purchases = partition.into_iter().flat_map(|partition| partition.purchases.values());
        let linked: Vec<_> = purchases.filter(|known| has_link(known)).map(|known| known.id.clone()).collect();
        rng.choice(linked)
    };
    let Some(purchase) = chosen else { return false };
    let request = Request::PayPage(account, Invoiced::Purchase(purchase));
    if rng.bool() {
        run.run_now(request);
    } else {
        run.start(request);
    }
    true
}

/// Somebody follows the link of the last purchase. Without one there is no link, and a sweep does no harm.
pub fn follow(run: &Run) -> Request {
    let account = names::account("acme");
    last_purchase(run, &account).map_or(Request::Sweep(None), |purchase| Request::PayPage(account, purchase))
}
