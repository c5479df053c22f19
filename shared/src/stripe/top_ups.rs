//! Charging an attempt by an invoice on the saved card, and closing an attempt permanently.
//!
//! This takes four calls, each under a key made of the attempt's id. So all of it can be repeated from the start at any
//! point, and there is still one invoice and one payment. A declined card is never sent a second time. A late call
//! cannot pay a closed attempt, because its invoice is void or deleted.

use super::client::Client;
use super::customers::{self, DefaultError};
use super::error::{StripeError, existing};
use super::invoices::Sale;
use super::outcome::{CardAnswer, Classification, classify_definite, classify_invoice, classify_pay};
use super::responses::{CreatedInvoice, Deleted, Invoice, InvoiceStatus, PaymentMethod};
use super::{Charging, invoices, keyed, metadata, spelled};
use crate::domain::payments::{DeclineReason, Demand, Payment, RefusalReason, TopUpOutcome, check_demand};
use crate::domain::{InvalidId, InvoiceId, TopUp, TopUpRetry};
use crate::error::chain;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use stripe_billing::invoice::{
    CreateInvoice, CreateInvoiceAutomaticTax, CreateInvoicePendingInvoiceItemsBehavior, DeleteInvoice, PayInvoice,
    VoidInvoiceInvoice,
};
use stripe_client_core::{RequestStrategy, StripeRequest};
use stripe_shared::InvoiceCollectionMethod;

pub(super) async fn pay(client: &Client, charging: &Charging, top_up: &TopUp) -> TopUpOutcome {
    let Made { invoice, card } = match finalized(client, charging, top_up).await {
        Ok(made) => made,
        Err(stuck) => return stuck.outcome(client, charging, top_up).await,
    };
    match &card {
        Some(card) => take(client, charging, top_up, (invoice, card)).await,
        None => TopUpOutcome::Declined { reason: DeclineReason::NoCard, invoice: Some(invoice) },
    }
}

/// An attempt's invoice, and the customer's default card when it was created. The table may not know yet about a card
/// that the customer has just chosen.
struct Made {
    invoice: InvoiceId,
    card: Option<PaymentMethod>,
}

/// An attempt that failed before the card was charged, and where it failed.
struct Stuck {
    step: &'static str,
    invoice: Option<InvoiceId>,
    error: StripeError,
    /// What is wrong with the invoice itself, if that is the problem.
    reason: Option<RefusalReason>,
}

impl Stuck {
    async fn outcome(self, client: &Client, charging: &Charging, top_up: &TopUp) -> TopUpOutcome {
        if let Some(reason) = self.definite(client, top_up).await {
            return refused(client, charging, top_up, reason).await;
        }
        let classification =
            if self.error.is_transient() { Classification::Unclear } else { Classification::Unexpected };
        paid_or_unknown(client, top_up, self.invoice.as_ref(), self.step, classification, &self.error).await
    }

    async fn definite(&self, client: &Client, top_up: &TopUp) -> Option<RefusalReason> {
        match self.reason {
            Some(reason) => Some(reason),
            None => definite(client, top_up, &self.error).await,
        }
    }
}

/// Why this customer is refused permanently. A customer that Stripe does not know at all is not such a case: with the API
/// key of another Stripe account, that would be true of every customer.
async fn definite(client: &Client, top_up: &TopUp, error: &StripeError) -> Option<RefusalReason> {
    match classify_definite(error)? {
        RefusalReason::CustomerDeleted => {
            let looked_up = customers::default_card(client, &top_up.customer).await;
            matches!(looked_up, Err(DefaultError::Deleted)).then_some(RefusalReason::CustomerDeleted)
        }
        reason => Some(reason),
    }
}

/// Ends an attempt that Stripe refuses permanently, so that nothing is left that could be paid.
async fn refused(client: &Client, charging: &Charging, top_up: &TopUp, reason: RefusalReason) -> TopUpOutcome {
    let closed = close(client, charging, top_up).await;
    if closed == TopUpOutcome::Abandoned {
        tracing::error!(account.id = %top_up.account, top_up.id = %top_up.id, ?reason, "Stripe does not accept automatic payments from this customer; a person has to investigate");
        return TopUpOutcome::Refused { reason };
    }
    closed
}

/// The attempt's invoice, ready to be paid, for exactly the frozen price.
async fn finalized(client: &Client, charging: &Charging, top_up: &TopUp) -> Result<Made, Stuck> {
    let stuck = |step, invoice: Option<&InvoiceId>| {
        let invoice = invoice.or(top_up.invoice.as_ref()).cloned();
        move |error| Stuck { step, invoice, error, reason: None }
    };
    let found = || async {
        let Some(first) = invoices::of_top_up(client, top_up).await?.pop() else { return Ok(None) };
        let customer = customers::paying(client, &top_up.customer).await?;
        Ok(Some(CreatedInvoice { id: first.to_string(), customer }))
    };
    let made = create(client, charging, top_up, found).await.map_err(stuck("invoice", None))?;
    let invoice = &made.invoice;
    let sale = Sale { customer: &top_up.customer, price: top_up.price, credits: top_up.credits };
    let added = invoices::add_item(client, &key(top_up, "item"), &sale, invoice).await;
    added.map_err(stuck("item", Some(invoice)))?;
    let finalized = invoices::finalize(client, &key(top_up, "finalize"), invoice).await;
    let finalized = finalized.map_err(stuck("finalize", Some(invoice)))?;
    let Some(reason) = why_not_paid(&finalized, top_up) else { return Ok(made) };
    let invoice = made.invoice;
    if let Err(error) = void(client, top_up, &invoice).await {
        tracing::error!(top_up.id = %top_up.id, invoice.id = %invoice, error = chain(&error), "a wrong invoice could not be voided");
    }
    let error = StripeError::NotSent("the invoice does not match the frozen attempt");
    Err(Stuck { step: "total", invoice: Some(invoice), error, reason: reason.err() })
}

/// An invoice that does not match the frozen attempt, or that belongs to another customer.
struct NotOurs;

/// Why the invoice may not be paid: a reason that the customer is told, or an invoice that is not ours.
fn why_not_paid(invoice: &Invoice, top_up: &TopUp) -> Option<Result<NotOurs, RefusalReason>> {
    let price = top_up.price.minor();
    let in_all = invoice.total.max(invoice.amount_due);
    let demand = Demand { subtotal: invoice.subtotal, before_tax: invoice.before_tax(), in_all };
    let checked = check_demand(top_up, demand);
    let is_ours = top_up.price.currency().is_named(&invoice.currency)
        && invoice.customer.as_deref() == Some(top_up.customer.as_str());
    if checked.is_err() || !is_ours {
        tracing::error!(
            top_up.id = %top_up.id,
            top_up.price_minor = price,
            top_up.currency = %top_up.price.currency(),
            invoice.id = invoice.id,
            invoice.subtotal_minor = invoice.subtotal,
            invoice.before_tax_minor = invoice.before_tax(),
            invoice.in_all_minor = in_all,
            invoice.currency = invoice.currency,
            "voiding an invoice that does not match the frozen price"
        );
    }
    match checked {
        _ if !is_ours => Some(Ok(NotOurs)),
        Ok(()) => None,
        Err(reason) => Some(Err(reason)),
    }
}

/// The customer's own drafts are not included, and Stripe neither finalizes nor collects the invoice by itself.
/// <https://docs.stripe.com/api/invoices/create>
async fn create<Effect>(
    client: &Client,
    charging: &Charging,
    top_up: &TopUp,
    effect: impl Fn() -> Effect,
) -> Result<Made, StripeError>
where
    Effect: Future<Output = Result<Option<CreatedInvoice>, StripeError>>,
{
    let request = CreateInvoice::new()
        .customer(top_up.customer.as_str())
        .currency(spelled(top_up.price.currency()))
        .auto_advance(false)
        .collection_method(InvoiceCollectionMethod::ChargeAutomatically)
        .pending_invoice_items_behavior(CreateInvoicePendingInvoiceItemsBehavior::Exclude)
        .automatic_tax(CreateInvoiceAutomaticTax::new(charging.automatic_tax))
        .metadata(metadata::of_top_up(top_up, charging.deployment.as_deref()))
        .expand([format!("customer.{}", customers::DEFAULT_CARD)]);
    let created: CreatedInvoice = keyed::send(client, &key(top_up, "invoice"), None, &request, effect).await?;
    let unreadable = |error: InvalidId| StripeError::Unreadable(error.to_string());
    Ok(Made { invoice: InvoiceId::parse(created.id).map_err(unreadable)?, card: created.customer.default_card() })
}

/// Charges the card. <https://docs.stripe.com/api/invoices/pay>
async fn take(
    client: &Client,
    charging: &Charging,
    top_up: &TopUp,
    (invoice, card): (InvoiceId, &PaymentMethod),
) -> TopUpOutcome {
    let request = PayInvoice::new(invoice.as_str())
        .payment_method(card.id.as_str())
        .off_session(true)
        .expand([invoices::PAYMENTS.to_owned()]);
    // What a failed call left behind: a payment, the bank's refusal, or nothing.
    let is_looked_up = AtomicBool::new(false);
    let effect = || async {
        is_looked_up.store(true, Ordering::Relaxed);
        let invoice = invoices::retrieve(client, &invoice).await?;
        let is_untouched = invoice.status() == InvoiceStatus::Open
            && invoices::outcome(client, &invoice).await? == TopUpOutcome::Unknown;
        Ok((!is_untouched).then_some(invoice))
    };
    let answer = keyed::send(client, &key(top_up, "pay:0"), Some(charging.pay_timeout), &request, effect).await;
    let answered = match answer {
        // This very call paid it with the card that it named, so the intent would add nothing.
        Ok(invoice) if invoice.status() == InvoiceStatus::Paid && !is_looked_up.load(Ordering::Relaxed) => {
            Ok(paid_with(classify_invoice(&invoice, None), card))
        }
        Ok(invoice) => invoices::outcome(client, &invoice).await,
        Err(error) => Err(error),
    };
    let error = match answered {
        Ok(TopUpOutcome::Unknown) => StripeError::Unreadable("the invoice is neither paid nor declined".to_owned()),
        Ok(outcome) => return outcome,
        Err(error) => error,
    };
    match classify_pay(&error) {
        Classification::Card(answer) => {
            tracing::info!(top_up.id = %top_up.id, invoice.id = %invoice, error = chain(&error), "the card was not charged");
            match answer {
                CardAnswer::ActionRequired => TopUpOutcome::ActionRequired { invoice: Some(invoice) },
                CardAnswer::Declined(reason) => TopUpOutcome::Declined { reason, invoice: Some(invoice) },
            }
        }
        classification => match definite(client, top_up, &error).await {
            Some(reason) => refused(client, charging, top_up, reason).await,
            None => paid_or_unknown(client, top_up, Some(&invoice), "pay", classification, &error).await,
        },
    }
}

/// The outcome with the card on its receipt.
fn paid_with(outcome: TopUpOutcome, card: &PaymentMethod) -> TopUpOutcome {
    let with =
        |payment: Payment| Payment { receipt: payment.receipt.map(|receipt| card.on(*receipt).into()), ..payment };
    match outcome {
        TopUpOutcome::Paid(payment) => TopUpOutcome::Paid(with(payment)),
        TopUpOutcome::PartlyPaid { payment, received } => TopUpOutcome::PartlyPaid { payment: with(payment), received },
        other => other,
    }
}

/// After an answer that concludes nothing, the invoice may be paid anyway. If it is unpaid, a payment may still be in
/// progress.
async fn paid_or_unknown(
    client: &Client,
    top_up: &TopUp,
    invoice: Option<&InvoiceId>,
    step: &'static str,
    classification: Classification,
    error: &StripeError,
) -> TopUpOutcome {
    let invoice_id = invoice.map(InvoiceId::as_str);
    if let Some(invoice) = invoice
        && let Ok(invoice) = invoices::retrieve(client, invoice).await
        && invoice.status() == InvoiceStatus::Paid
        && let Ok(outcome) = invoices::outcome(client, &invoice).await
        && outcome != TopUpOutcome::Unknown
    {
        tracing::info!(top_up.id = %top_up.id, invoice.id = invoice_id, step, error = chain(error), "the invoice was paid or credited despite the error");
        return outcome;
    }
    if classification == Classification::Unclear {
        tracing::warn!(top_up.id = %top_up.id, invoice.id = invoice_id, step, error = chain(error), "the outcome is not known yet");
    } else {
        tracing::error!(top_up.id = %top_up.id, invoice.id = invoice_id, step, error = chain(error), "Stripe rejects the attempt");
    }
    TopUpOutcome::Unknown
}

/// Charges a card for the invoice of an attempt whose first payment was refused.
///
/// The key is made of the customer's own. Stripe refuses to pay an invoice that is paid or void, so of this call, the
/// hosted page and a void exactly one wins.
pub(super) async fn retry(client: &Client, charging: &Charging, retried: (&TopUp, &TopUpRetry)) -> TopUpOutcome {
    let (top_up, retry) = retried;
    let invoice = match invoice_of(client, top_up).await {
        Ok(Some(invoice)) => invoice,
        Ok(None) => return TopUpOutcome::Abandoned,
        Err(error) => {
            tracing::warn!(top_up.id = %top_up.id, error = chain(&error), "the invoice to retry cannot be found now");
            return TopUpOutcome::Unknown;
        }
    };
    let request = PayInvoice::new(invoice.as_str())
        .payment_method(retry.card.as_str())
        .off_session(false)
        .expand([invoices::PAYMENTS.to_owned()]);
    // The bank's last answer may be that to an earlier call, so it says nothing about this one.
    let effect = || async {
        let invoice = invoices::retrieve(client, &invoice).await?;
        Ok((!matches!(invoice.status(), InvoiceStatus::Open | InvoiceStatus::Uncollectible)).then_some(invoice))
    };
    let key = key(top_up, &format!("retry:{}", retry.key));
    let answer = keyed::send(client, &key, Some(charging.pay_timeout), &request, effect).await;
    let error = match answer {
        Ok(paid) => match invoices::outcome(client, &paid).await {
            Ok(outcome) => return outcome,
            Err(error) => error,
        },
        Err(error) => error,
    };
    match classify_pay(&error) {
        Classification::Card(CardAnswer::ActionRequired) => TopUpOutcome::ActionRequired { invoice: Some(invoice) },
        Classification::Card(CardAnswer::Declined(reason)) => TopUpOutcome::Declined { reason, invoice: Some(invoice) },
        classification => ended_or_unknown(client, top_up, &invoice, classification, &error).await,
    }
}

/// After an answer that concludes nothing, the invoice may be paid or void, or a payment may be in progress.
async fn ended_or_unknown(
    client: &Client,
    top_up: &TopUp,
    invoice: &InvoiceId,
    classification: Classification,
    error: &StripeError,
) -> TopUpOutcome {
    if let Ok(found) = invoices::retrieve(client, invoice).await
        && let Ok(outcome) = invoices::outcome(client, &found).await
        && matches!(
            outcome,
            TopUpOutcome::Paid(_)
                | TopUpOutcome::PartlyPaid { .. }
                | TopUpOutcome::Processing { .. }
                | TopUpOutcome::Abandoned
        )
    {
        return outcome;
    }
    paid_or_unknown(client, top_up, Some(invoice), "retry", classification, error).await
}

/// The invoice of an attempt, if there is one.
async fn invoice_of(client: &Client, top_up: &TopUp) -> Result<Option<InvoiceId>, StripeError> {
    match &top_up.invoice {
        Some(invoice) => Ok(Some(invoice.clone())),
        None => Ok(invoices::of_top_up(client, top_up).await?.pop()),
    }
}

/// Voids the attempt's invoice, whatever a bank has answered.
pub(super) async fn void_open(client: &Client, top_up: &TopUp) -> TopUpOutcome {
    let voided = async {
        let Some(id) = invoice_of(client, top_up).await? else { return Ok(TopUpOutcome::Abandoned) };
        let found = existing(invoices::retrieve(client, &id).await)?;
        let Some(invoice) = found else { return Ok(TopUpOutcome::Abandoned) };
        let outcome = invoices::outcome(client, &invoice).await?;
        match (invoice.status(), &outcome) {
            (InvoiceStatus::Open | InvoiceStatus::Uncollectible, TopUpOutcome::Processing { .. }) => Ok(outcome),
            (InvoiceStatus::Open | InvoiceStatus::Uncollectible, _) => void_again(client, top_up, &id).await,
            (InvoiceStatus::Draft, _) => Ok(delete(client, &id).await?.unwrap_or(TopUpOutcome::Abandoned)),
            (InvoiceStatus::Paid | InvoiceStatus::Void | InvoiceStatus::Other, _) => Ok(outcome),
        }
    };
    voided.await.unwrap_or_else(|error: StripeError| {
        tracing::warn!(top_up.id = %top_up.id, error = chain(&error), "the invoice could not be voided yet");
        TopUpOutcome::Unknown
    })
}

/// Voids an invoice that a bank has refused. A payment or another void may come first.
///
/// Stripe keeps a refusal under its key as well, and a debit that made it refuse may have failed since. So the request is
/// sent without a key: voiding twice does no harm.
async fn void_again(client: &Client, top_up: &TopUp, id: &InvoiceId) -> Result<TopUpOutcome, StripeError> {
    let request = VoidInvoiceInvoice::new(id.as_str()).build().customize::<Invoice>();
    match request.request_strategy(RequestStrategy::Once).send(client).await {
        Ok(voided) if voided.status() == InvoiceStatus::Void => return Ok(TopUpOutcome::Abandoned),
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => {
            tracing::info!(top_up.id = %top_up.id, invoice.id = %id, error = chain(&error), "Stripe does not void the invoice");
        }
        Ok(_) => {}
    }
    invoices::outcome(client, &invoices::retrieve(client, id).await?).await
}

/// Looks up the outcome of an attempt. If it is unpaid, makes sure that it cannot be paid later.
pub(super) async fn close(client: &Client, charging: &Charging, top_up: &TopUp) -> TopUpOutcome {
    close_all(client, charging, top_up).await.unwrap_or_else(|error| {
        if error.is_transient() {
            tracing::warn!(top_up.id = %top_up.id, error = chain(&error), "the attempt could not be closed yet");
        } else {
            tracing::error!(top_up.id = %top_up.id, error = chain(&error), "the attempt cannot be closed");
        }
        TopUpOutcome::Unknown
    })
}

/// Closes the attempt's invoices. If none of them is left, also prevents the creation of another one.
///
/// A void invoice stays at Stripe, so a late call finds it and stops. A deleted draft leaves nothing to find.
async fn close_all(client: &Client, charging: &Charging, top_up: &TopUp) -> Result<TopUpOutcome, StripeError> {
    let known = match &top_up.invoice {
        Some(invoice) => vec![invoice.clone()],
        None => invoices::of_top_up(client, top_up).await?,
    };
    if let Some(outcome) = close_each(client, top_up, &known).await? {
        return Ok(outcome);
    }
    let Some(fence) = fence(client, charging, top_up).await? else { return Ok(TopUpOutcome::Abandoned) };
    let mut made = invoices::of_top_up(client, top_up).await?;
    if !made.contains(&fence) {
        made.push(fence);
    }
    Ok(close_each(client, top_up, &made).await?.unwrap_or(TopUpOutcome::Abandoned))
}

/// `None` if nothing is left of any of them.
async fn close_each(client: &Client, top_up: &TopUp, found: &[InvoiceId]) -> Result<Option<TopUpOutcome>, StripeError> {
    let mut outcome = None;
    for invoice in found {
        match close_invoice(client, top_up, invoice).await? {
            None => {}
            Some(TopUpOutcome::Abandoned) => outcome = outcome.or(Some(TopUpOutcome::Abandoned)),
            paid @ Some(TopUpOutcome::Paid(_) | TopUpOutcome::PartlyPaid { .. }) => return Ok(paid),
            unpaid => outcome = unpaid,
        }
    }
    Ok(outcome)
}

/// Creates the attempt's invoice under the first key that Stripe answers with one. From then on, every late call that
/// tries the same keys gets this invoice. `None` if Stripe refuses to create it, for example because the customer was
/// deleted.
///
/// An invoice that Stripe created although it answered 500 cannot be used for this: once it is deleted, a late call no
/// longer finds it and creates another one under the next key.
async fn fence(client: &Client, charging: &Charging, top_up: &TopUp) -> Result<Option<InvoiceId>, StripeError> {
    match create(client, charging, top_up, || async { Ok(None) }).await {
        Ok(made) => Ok(Some(made.invoice)),
        Err(StripeError::Refused(refusal)) if refusal.is_about_request() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` if nothing is left of the invoice, because it was a draft.
async fn close_invoice(client: &Client, top_up: &TopUp, id: &InvoiceId) -> Result<Option<TopUpOutcome>, StripeError> {
    let Some(invoice) = existing(invoices::retrieve(client, id).await)? else { return Ok(None) };
    let outcome = match invoice.status() {
        InvoiceStatus::Paid => invoices::outcome(client, &invoice).await?,
        InvoiceStatus::Void => TopUpOutcome::Abandoned,
        InvoiceStatus::Draft => return delete(client, id).await,
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => match invoices::outcome(client, &invoice).await? {
            TopUpOutcome::Unknown => void_untouched(client, top_up, id).await?,
            // The bank has answered, so its answer is the outcome and the invoice is not voided.
            said => said,
        },
        InvoiceStatus::Other => TopUpOutcome::Unknown,
    };
    Ok(Some(outcome))
}

/// Voids an invoice that no bank has answered. A payment or another void may come first.
async fn void_untouched(client: &Client, top_up: &TopUp, id: &InvoiceId) -> Result<TopUpOutcome, StripeError> {
    match void(client, top_up, id).await {
        Ok(voided) if voided.status() == InvoiceStatus::Void => Ok(TopUpOutcome::Abandoned),
        Err(error) if error.is_transient() => Err(error),
        Ok(_) | Err(_) => invoices::outcome(client, &invoices::retrieve(client, id).await?).await,
    }
}

/// <https://docs.stripe.com/api/invoices/void>
async fn void(client: &Client, top_up: &TopUp, invoice: &InvoiceId) -> Result<Invoice, StripeError> {
    let request = VoidInvoiceInvoice::new(invoice.as_str());
    let effect = || async {
        let invoice = invoices::retrieve(client, invoice).await?;
        Ok(matches!(invoice.status(), InvoiceStatus::Void | InvoiceStatus::Paid).then_some(invoice))
    };
    keyed::send(client, &key(top_up, "void"), None, &request, effect).await
}

/// Only a draft can be deleted; one that is gone was deleted before.
/// <https://docs.stripe.com/api/invoices/delete>
async fn delete(client: &Client, invoice: &InvoiceId) -> Result<Option<TopUpOutcome>, StripeError> {
    match DeleteInvoice::new(invoice.as_str()).build().customize::<Deleted>().send(client).await {
        Ok(Deleted { deleted: true }) => Ok(None),
        Ok(Deleted { deleted: false }) => Ok(Some(TopUpOutcome::Unknown)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every key names the attempt and not its invoice. A request for another invoice of the same attempt then has a
/// different body under the same key, which Stripe refuses.
fn key(top_up: &TopUp, step: &str) -> String {
    format!("top_up:{}:{step}", top_up.id)
}
