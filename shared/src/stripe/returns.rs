//! What went back of a payment: its refunds and its disputes, read from the objects themselves. Nothing is changed.

use super::Charging;
use super::client::Client;
use super::error::StripeError;
use super::metadata::{self, Metadata};
use super::responses::List;
use crate::domain::payments::{PaidFor, PaidInvoice, ReturnedPayment, Returns};
use crate::domain::{AccountId, InvoiceId, PaymentIntentId};
use crate::ports::{ReturnedObject, ReturnsReport};
use miniserde::Deserialize;
use stripe_billing::invoice_payment::{
    ListInvoicePayment, ListInvoicePaymentPayment, ListInvoicePaymentPaymentType as PaymentType,
};
use stripe_client_core::{CustomizableStripeRequest, StripeRequest};
use stripe_core::charge::RetrieveCharge;
use stripe_core::dispute::{ListDispute, RetrieveDispute};
use stripe_core::payment_intent::RetrievePaymentIntent;
use stripe_core::refund::{ListRefund, RetrieveRefund};

const PAGE_LIMIT: i64 = 100;
/// More pages of refunds or disputes of one payment are not read: what they say is unknown then.
const PAGES_MAX: usize = 10;

/// An object of which only its payment matters.
#[derive(Deserialize)]
struct OfPayment {
    payment_intent: Option<String>,
}

/// <https://docs.stripe.com/api/payment_intents/object>
#[derive(Deserialize)]
struct PaidIntent {
    /// In the minor unit, with tax.
    amount_received: i64,
    currency: String,
    metadata: Option<Metadata>,
}

/// <https://docs.stripe.com/api/refunds/object>
#[derive(Deserialize)]
struct Refund {
    id: String,
    amount: i64,
    status: Option<String>,
}

/// <https://docs.stripe.com/api/disputes/object>
#[derive(Deserialize)]
struct Dispute {
    id: String,
    amount: i64,
    currency: String,
    status: String,
    /// What it moved of the company's balance: less for each withdrawal, more for each reinstatement. An inquiry has none.
    balance_transactions: Vec<BalanceTransaction>,
}

/// In the currency in which the company is paid out.
#[derive(Deserialize)]
struct BalanceTransaction {
    amount: i64,
    currency: String,
}

#[derive(Deserialize)]
struct PaymentOfInvoice {
    invoice: PaidInvoiceObject,
}

/// One of the payments of an invoice.
#[derive(Deserialize)]
struct InvoicePayment {
    payment: OfPayment,
}

#[derive(Deserialize)]
struct PaidInvoiceObject {
    id: String,
    total: i64,
    amount_paid: i64,
    starting_balance: i64,
    ending_balance: Option<i64>,
    metadata: Option<Metadata>,
}

pub(super) async fn find(client: &Client, named: &ReturnedObject) -> Result<Option<PaymentIntentId>, StripeError> {
    let object: OfPayment = match named {
        ReturnedObject::CardPayment(id) => read(client, &RetrieveCharge::new(id.as_str())).await?,
        ReturnedObject::Refund(id) => read(client, &RetrieveRefund::new(id.as_str())).await?,
        ReturnedObject::Dispute(id) => read(client, &RetrieveDispute::new(id.as_str())).await?,
    };
    Ok(object.payment_intent.and_then(|id| PaymentIntentId::parse(id).ok()))
}

/// Refunds and disputes name only the payment intent. That of a top-up says nothing of us, but its invoice does:
/// <https://docs.stripe.com/api/invoice-payment>.
pub(super) async fn report(
    client: &Client,
    charging: &Charging,
    payment: &PaymentIntentId,
) -> Result<ReturnsReport, StripeError> {
    let intent: PaidIntent = read(client, &RetrievePaymentIntent::new(payment.as_str())).await?;
    let of_intent = intent.metadata.as_ref().and_then(paid_for);
    let invoice = match &of_intent {
        Some(_) => None,
        None => invoice_of(client, payment).await?,
    };
    let naming = match &of_intent {
        Some(_) => intent.metadata.as_ref(),
        None => invoice.as_ref().and_then(|invoice| invoice.metadata.as_ref()),
    };
    let is_of_other_deployment = charging.is_of_other_deployment(naming);
    let paid_for = of_intent.or_else(|| paid_for(invoice.as_ref()?.metadata.as_ref()?));
    let mut returns = match (&paid_for, &invoice) {
        (Some(_), Some(invoice)) => returns_of_invoice(client, &invoice.id).await?,
        (Some(_), None) => returns_of(client, payment).await?,
        // It is not ours, and there is nothing to take back.
        (None, _) => Returns::default(),
    };
    let (by_invoice, own_credit) = invoice.as_ref().map_or((0, 0), |paid| (paid.amount_paid, own_credit(paid)));
    returns.paid = intent.amount_received.max(by_invoice).saturating_add(own_credit);
    let invoice = invoice.and_then(|invoice| InvoiceId::parse(invoice.id).ok());
    let returned = ReturnedPayment { payment: payment.clone(), invoice, currency: intent.currency, returns };
    Ok(ReturnsReport { paid_for, is_of_other_deployment, returned })
}

/// The account, and the purchase or top-up, that the metadata names.
pub(super) fn paid_for(metadata: &Metadata) -> Option<(AccountId, PaidFor)> {
    let purchase = metadata::purchase(metadata).map(|(account, purchase)| (account, PaidFor::Purchase(purchase)));
    purchase.or_else(|| metadata::top_up(metadata).map(|(account, top_up)| (account, PaidFor::TopUp(top_up))))
}

/// What the customer's own credit paid besides: credits were granted for it too.
fn own_credit(invoice: &PaidInvoiceObject) -> i64 {
    let ending_balance = invoice.ending_balance.unwrap_or(invoice.starting_balance);
    let PaidInvoiceObject { total, amount_paid, starting_balance, .. } = *invoice;
    PaidInvoice { total, amount_paid, starting_balance, ending_balance }.own_credit()
}

async fn invoice_of(client: &Client, payment: &PaymentIntentId) -> Result<Option<PaidInvoiceObject>, StripeError> {
    let mut of_payment = ListInvoicePaymentPayment::new(PaymentType::PaymentIntent);
    of_payment.payment_intent = Some(payment.to_string());
    let request = ListInvoicePayment::new().payment(of_payment).expand(["data.invoice".to_owned()]).limit(1);
    let page: List<PaymentOfInvoice> = request.build().customize().send(client).await?;
    Ok(page.data.into_iter().next().map(|payment| payment.invoice))
}

/// An invoice may be paid by several payments, such as bank transfers of a part each.
async fn returns_of_invoice(client: &Client, invoice: &str) -> Result<Returns, StripeError> {
    let request = ListInvoicePayment::new().invoice(invoice).limit(PAGE_LIMIT);
    let page: List<InvoicePayment> = request.build().customize().send(client).await?;
    if page.has_more {
        return Err(StripeError::Unreadable("an invoice has more than a page of payments".to_owned()));
    }
    let mut all = Returns::default();
    for intent in page.data.into_iter().filter_map(|paid| paid.payment.payment_intent) {
        let intent = PaymentIntentId::parse(intent).map_err(|error| StripeError::Unreadable(error.to_string()))?;
        all = all.plus(returns_of(client, &intent).await?);
    }
    Ok(all)
}

async fn returns_of(client: &Client, payment: &PaymentIntentId) -> Result<Returns, StripeError> {
    let mut returns = Returns::default();
    for refund in refunds_of(client, payment).await? {
        returns.refunds = returns.refunds.saturating_add(refund.amount);
        if matches!(refund.status.as_deref(), Some("failed" | "canceled")) {
            returns.refunds_failed = returns.refunds_failed.saturating_add(refund.amount);
        }
    }
    for dispute in disputes_of(client, payment).await? {
        let (withdrawn, reinstated) = moved_by(&dispute);
        returns.withdrawn = returns.withdrawn.saturating_add(withdrawn);
        returns.reinstated = returns.reinstated.saturating_add(reinstated);
    }
    Ok(returns)
}

async fn refunds_of(client: &Client, payment: &PaymentIntentId) -> Result<Vec<Refund>, StripeError> {
    let of_payment = || ListRefund::new().payment_intent(payment.as_str()).limit(PAGE_LIMIT);
    let page = |after: Option<&Refund>| match after {
        Some(last) => of_payment().starting_after(last.id.as_str()).build(),
        None => of_payment().build(),
    };
    all_pages(client, |after| page(after).customize()).await
}

async fn disputes_of(client: &Client, payment: &PaymentIntentId) -> Result<Vec<Dispute>, StripeError> {
    let of_payment = || ListDispute::new().payment_intent(payment.as_str()).limit(PAGE_LIMIT);
    let page = |after: Option<&Dispute>| match after {
        Some(last) => of_payment().starting_after(last.id.as_str()).build(),
        None => of_payment().build(),
    };
    all_pages(client, |after| page(after).customize()).await
}

/// Every object of a list. `page` requests those after one of them.
pub(super) async fn all_pages<T: Deserialize + Send>(
    client: &Client,
    page: impl Fn(Option<&T>) -> CustomizableStripeRequest<List<T>>,
) -> Result<Vec<T>, StripeError> {
    let mut found = vec![];
    for _ in 0..PAGES_MAX {
        let request = page(found.last());
        let page = request.send(client).await?;
        found.extend(page.data);
        if !page.has_more {
            return Ok(found);
        }
    }
    Err(StripeError::Unreadable(format!("a payment has more than {PAGES_MAX} pages of refunds or disputes")))
}

/// What a dispute withdrew and what came back of that, in the payment's currency.
///
/// The balance is moved in the currency of the company's payouts. If that is another one, the amounts differ by the rate
/// of each day: a dispute that is won brings everything back, and another one the same part as in that currency.
/// <https://docs.stripe.com/disputes/how-disputes-work>
fn moved_by(dispute: &Dispute) -> (i64, i64) {
    let moves = &dispute.balance_transactions;
    let sum = |moved: fn(i64) -> i64| moves.iter().fold(0_i64, |sum, each| sum.saturating_add(moved(each.amount)));
    let (withdrawn, reinstated) = (sum(|amount| amount.min(0).saturating_neg()), sum(|amount| amount.max(0)));
    if withdrawn == 0 || moves.iter().all(|each| each.currency.eq_ignore_ascii_case(&dispute.currency)) {
        return (withdrawn, reinstated);
    }
    let withdrawals = moves.iter().filter(|each| each.amount < 0).count();
    let whole = dispute.amount.saturating_mul(i64::try_from(withdrawals).unwrap_or(i64::MAX));
    if reinstated >= withdrawn || (reinstated > 0 && dispute.status == "won") {
        return (whole, whole);
    }
    let part = i128::from(whole).saturating_mul(reinstated.into()).div_euclid(withdrawn.into());
    (whole, i64::try_from(part).unwrap_or(whole))
}

/// Sends a request that reads one object.
async fn read<T: Deserialize>(client: &Client, request: &(impl StripeRequest + Sync)) -> Result<T, StripeError> {
    request.build().customize().send(client).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_moves_what_its_balance_transactions_say_and_an_inquiry_nothing() {
        for (name, status, moves, expected) in [
            ("an inquiry", "warning_needs_response", "", (0, 0)),
            ("withdrawn", "needs_response", r#"{"amount":-500,"currency":"usd"}"#, (500, 0)),
            ("lost", "lost", r#"{"amount":-500,"currency":"usd"}"#, (500, 0)),
            ("won", "won", r#"{"amount":-500,"currency":"usd"},{"amount":500,"currency":"usd"}"#, (500, 500)),
            ("won in part", "lost", r#"{"amount":-500,"currency":"usd"},{"amount":200,"currency":"usd"}"#, (500, 200)),
            ("settled in another currency", "lost", r#"{"amount":-460,"currency":"eur"}"#, (500, 0)),
            (
                "won at another rate",
                "won",
                r#"{"amount":-460,"currency":"eur"},{"amount":450,"currency":"eur"}"#,
                (500, 500),
            ),
            (
                "won in part in another currency",
                "lost",
                r#"{"amount":-460,"currency":"eur"},{"amount":230,"currency":"eur"}"#,
                (500, 250),
            ),
        ] {
            let json = format!(
                r#"{{"id":"du_1","amount":500,"currency":"usd","status":"{status}","balance_transactions":[{moves}]}}"#
            );
            let dispute: Dispute = miniserde::json::from_str(&json).unwrap();
            assert_eq!(moved_by(&dispute), expected, "{name}");
        }
    }
}
