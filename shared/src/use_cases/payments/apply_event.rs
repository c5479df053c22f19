//! Applying a webhook event: fetch the object it names, then record the object's state.
//!
//! Events arrive late, twice and in any order. That does not matter, since only the fetched object is trusted. An event
//! about an invoice that the ledger has as paid is skipped: it could change nothing, and a sweep causes thousands.

use super::apply_returned::{AppliedReturn, ApplyReturnedError, apply_returned_object};
use super::disputes::follow_dispute;
use super::record_outcome::{RecordOutcomeError, record_purchase_outcome, record_top_up_outcome};
use super::saved_cards::consent_to_end;
use super::unknown_payment::{Named, Paid, flag_unknown};
use crate::domain::payments::{CheckoutOutcome, GrantRefusal, PaidFor, SeenCards, SetUpCard, decide_saved_cards};
use crate::domain::{
    Account, AccountId, BalanceOutOfRange, CheckoutSessionId, CustomerId, EventId, InvoiceId, PaymentMethodId, TopUpId,
    TopUpStatus,
};
use crate::ports::{
    Accounts, AskedCards, CardWallet, CheckoutReport, Consents, Customers, Disputes, Entries, Events, InvoiceReport,
    LedgerError, PaymentReturns, Payments, PaymentsError, Purchases, ReturnedObject, Subject, TopUps, UnknownPayments,
};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// What was done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Now,
    Before,
    /// The event does not concern us.
    Ignored,
    /// It is about a payment with our metadata of which no row knows. A flag tells support, from now on.
    Flagged,
}

/// The event was not applied; Stripe should send it again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyEventError {
    /// The payment does not match what was asked for. A person has to investigate.
    #[error("the payment does not match what was asked for")]
    Mismatch(#[source] GrantRefusal),
    /// A person has to investigate.
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

trait_alias! {
    /// The ports by which events are applied.
    pub trait ApplyingEvents:
        Capabilities<
            Ledger: Accounts + AskedCards + Consents + Customers + Disputes + Entries + Events + Purchases + TopUps
                + UnknownPayments,
            Payments: Payments + CardWallet + PaymentReturns,
        >
}

/// Applies one event.
///
/// # Errors
/// [`ApplyEventError`]. The event is not marked as applied then, so that it is applied when Stripe sends it again.
pub async fn apply_event<C: ApplyingEvents>(
    context: &Context<C>,
    event: &EventId,
    subject: &Subject,
) -> Result<Applied, ApplyEventError> {
    if *subject == Subject::Other {
        return Ok(Applied::Ignored);
    }
    if context.ledger.event_is_applied(event).await? {
        return Ok(Applied::Before);
    }
    let applied = match subject {
        Subject::Invoice { id, top_up } => {
            if is_paid(context, id, top_up.as_ref()).await? {
                return Ok(Applied::Before);
            }
            apply_invoice(context, id).await?
        }
        Subject::Checkout(session) => apply_checkout(context, session).await?,
        Subject::Customer(customer) => apply_customer(context, customer).await?,
        Subject::Card(card) => apply_card(context, card).await?,
        Subject::Returned(named) => apply_returned_to(context, named).await?,
        Subject::Other => Applied::Ignored,
    };
    context.ledger.event_mark_applied(event, context.now()).await?;
    Ok(applied)
}

/// Whether the ledger has a top-up as paid by this invoice. An invoice of a top-up that was paid by another one has to be
/// fetched, because then somebody paid twice.
async fn is_paid<C: Capabilities<Ledger: TopUps>>(
    context: &Context<C>,
    invoice: &InvoiceId,
    top_up: Option<&(AccountId, TopUpId)>,
) -> Result<bool, LedgerError> {
    let Some((account, top_up)) = top_up else { return Ok(false) };
    let stored = context.ledger.top_up_get(account, top_up).await?;
    Ok(stored.is_some_and(|stored| stored.status == TopUpStatus::Paid && stored.invoice.as_ref() == Some(invoice)))
}

async fn apply_invoice<C>(context: &Context<C>, invoice: &InvoiceId) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + Purchases + TopUps + UnknownPayments,
            Payments: Payments,
        >,
{
    match found(context.payments.invoice_get(invoice).await)? {
        Some(report) => apply_invoice_report(context, &report).await,
        None => Ok(Applied::Ignored),
    }
}

/// Records what an invoice says about its purchase or its attempt.
pub(super) async fn apply_invoice_report<C>(
    context: &Context<C>,
    report: &InvoiceReport,
) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + Purchases + TopUps + UnknownPayments,
            Payments: Payments,
        >,
{
    let is_of_other_deployment = report.is_of_other_deployment;
    if let Some((account, purchase, outcome)) = &report.purchase {
        let named = Named { account, paid_for: PaidFor::Purchase(purchase.clone()), is_of_other_deployment };
        let recorded = record_purchase_outcome(context, account, purchase, outcome).await;
        return applied(context, recorded, &named, Paid::of_purchase(outcome)).await;
    }
    let Some((account, top_up)) = &report.top_up else { return Ok(Applied::Ignored) };
    let named = Named { account, paid_for: PaidFor::TopUp(top_up.clone()), is_of_other_deployment };
    let recorded = record_top_up_outcome(context, account, top_up, &report.outcome).await;
    applied(context, recorded, &named, Paid::of_top_up(&report.outcome)).await
}

async fn apply_checkout<C>(context: &Context<C>, session: &CheckoutSessionId) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + Purchases + Customers + UnknownPayments,
            Payments: Payments + CardWallet,
        >,
{
    let Some(report) = found(context.payments.checkout_get(session).await)? else { return Ok(Applied::Ignored) };
    if let Some((customer, card)) = &report.set_up {
        return apply_set_up(context, customer, card).await;
    }
    apply_checkout_report(context, session, &report).await
}

/// Records what a page says about its purchase.
pub(super) async fn apply_checkout_report<C>(
    context: &Context<C>,
    session: &CheckoutSessionId,
    report: &CheckoutReport,
) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Purchases + UnknownPayments, Payments: Payments>,
{
    let Some((account, purchase)) = &report.purchase else { return Ok(Applied::Ignored) };
    if report.outcome == CheckoutOutcome::Expired {
        let stored = context.ledger.purchase_get(account, purchase).await?;
        let page = stored.and_then(|purchase| purchase.checkout);
        if page.is_some_and(|page| page.session != *session) {
            // This page was superseded. The page that the customer was sent to remains valid.
            return Ok(Applied::Ignored);
        }
    }
    let is_of_other_deployment = report.is_of_other_deployment;
    let named = Named { account, paid_for: PaidFor::Purchase(purchase.clone()), is_of_other_deployment };
    let recorded = record_purchase_outcome(context, account, purchase, &report.outcome).await;
    applied(context, recorded, &named, Paid::of_purchase(&report.outcome)).await
}

/// Makes a card that was saved on a page of ours the default, and follows that.
async fn apply_set_up<C>(
    context: &Context<C>,
    customer: &CustomerId,
    card: &SetUpCard,
) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + Customers, Payments: Payments + CardWallet>,
{
    match context.payments.set_up_card_offer(customer, card).await {
        // The card was removed, or the customer deleted, in the meantime.
        Ok(()) | Err(PaymentsError::NotFound { .. } | PaymentsError::CustomerDeleted { .. }) => {}
        Err(error) => return Err(OutsideError::from(error).into()),
    }
    apply_customer(context, customer).await
}

/// Takes back the credits for what went back of a payment.
async fn apply_returned_to<C>(context: &Context<C>, named: &ReturnedObject) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<
            Ledger: Accounts + Disputes + Entries + Purchases + TopUps + UnknownPayments,
            Payments: PaymentReturns,
        >,
{
    let applied = apply_returned_object(context, named).await?;
    // The credits first: they are what the customer could still spend.
    if let (ReturnedObject::Dispute(dispute), Some(owner)) = (named, applied.owner()) {
        follow_dispute(context, dispute, owner).await?;
    }
    Ok(match &applied {
        AppliedReturn::NotOurs => Applied::Ignored,
        AppliedReturn::Unknown { account, paid_for, paid, is_of_other_deployment } => {
            tracing::warn!(account.id = %account, paid_for = %paid_for, "money went back of a payment that is not known here");
            let is_of_other_deployment = *is_of_other_deployment;
            let named = Named { account, paid_for: paid_for.clone(), is_of_other_deployment };
            flagged(flag_unknown(context, &named, paid).await?)
        }
        AppliedReturn::OtherPayment { account, paid_for } | AppliedReturn::OtherCurrency { account, paid_for } => {
            tracing::info!(account.id = %account, paid_for = %paid_for, ?applied, "money went back of a payment that granted nothing");
            Applied::Now
        }
        AppliedReturn::NeverGranted { account, paid_for } => {
            tracing::warn!(account.id = %account, paid_for = %paid_for, "money went back before its credits were granted");
            Applied::Now
        }
        AppliedReturn::Known { .. } => Applied::Now,
        AppliedReturn::Recorded { account, paid_for, credits } => {
            tracing::info!(account.id = %account, paid_for = %paid_for, entry.credits = credits.get(), "money went back");
            Applied::Now
        }
    })
}

/// Follows what the network, or the customer, changed about a saved card, if it is the one that is asked. Its id stays, so
/// it is no other card: nothing else changes, and a pause stays.
async fn apply_card<C>(context: &Context<C>, card: &PaymentMethodId) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + Customers, Payments: Payments + CardWallet>,
{
    match found(context.payments.saved_card_owner_get(card).await)?.flatten() {
        Some(customer) => apply_customer(context, &customer).await,
        None => Ok(Applied::Ignored),
    }
}

/// Follows the customer's choice of a default card on Stripe's pages, and turns automatic top-ups off after the last card
/// was removed there.
async fn apply_customer<C>(context: &Context<C>, customer: &CustomerId) -> Result<Applied, ApplyEventError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + Customers, Payments: Payments + CardWallet>,
{
    let Some(account) = context.ledger.customer_account_get(customer).await? else { return Ok(Applied::Ignored) };
    let read = |owner: Arc<Account>| async move {
        let Some(shown) = found(context.payments.default_card_get(customer).await)? else {
            return Ok(None);
        };
        // Only a customer who had a card and has no default may have lost the last one.
        let has_one = shown.is_some() || owner.payment_method.is_none() || {
            let cards = found(context.payments.saved_cards_get(customer).await)?;
            cards.is_some_and(|cards| !cards.saved.is_empty())
        };
        let mut seen = SeenCards {
            default: shown.as_ref().map(|card| card.id.clone()),
            shown,
            stored: context.ledger.asked_card_get(&owner.id).await?,
            had_one: true,
            has_one,
            consent: None,
        };
        seen.consent = consent_to_end(context, &owner, &seen).await?;
        Ok(Some(seen))
    };
    // Written even if the card is the same. Of two handlers that asked Stripe one after the other, the earlier one may
    // write later. It then has to find the account changed, and ask Stripe again.
    let decide = |account: &Account, seen: &Option<SeenCards>, now| {
        Ok::<_, ApplyEventError>(seen.as_ref().and_then(|seen| decide_saved_cards(account, seen, now)))
    };
    match context.update_with(&account, read, decide).await? {
        Updated::Committed(..) => Ok(Applied::Now),
        Updated::Unchanged(..) | Updated::Duplicate(_) => Ok(Applied::Ignored),
    }
}

/// An object that is gone (a deleted draft, a deleted customer, another mode's object) does not concern us.
fn found<T>(answer: Result<T, PaymentsError>) -> Result<Option<T>, ApplyEventError> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(PaymentsError::NotFound { .. } | PaymentsError::CustomerDeleted { .. }) => Ok(None),
        Err(error) => Err(ApplyEventError::Outside(error.into())),
    }
}

async fn applied<C: Capabilities<Ledger: UnknownPayments>, T>(
    context: &Context<C>,
    recorded: Result<T, RecordOutcomeError>,
    named: &Named<'_>,
    paid: Option<Paid>,
) -> Result<Applied, ApplyEventError> {
    match recorded {
        Ok(_) => Ok(Applied::Now),
        Err(RecordOutcomeError::NotFound(_)) => match paid {
            Some(paid) => Ok(flagged(flag_unknown(context, named, &paid).await?)),
            None => Ok(Applied::Ignored),
        },
        Err(RecordOutcomeError::Mismatch(refusal)) => Err(ApplyEventError::Mismatch(refusal)),
        Err(RecordOutcomeError::Payments(error)) => Err(OutsideError::from(error).into()),
        Err(RecordOutcomeError::Store(error)) => Err(error.into()),
    }
}

fn flagged(is_new: bool) -> Applied {
    if is_new { Applied::Flagged } else { Applied::Ignored }
}

impl From<ApplyReturnedError> for ApplyEventError {
    fn from(error: ApplyReturnedError) -> Self {
        match error {
            ApplyReturnedError::BalanceOutOfRange(error) => Self::BalanceOutOfRange(error),
            ApplyReturnedError::Outside(error) => Self::Outside(error),
        }
    }
}

/// The account that a customer's record names must exist.
impl From<NotFound> for ApplyEventError {
    fn from(error: NotFound) -> Self {
        Self::Outside(StoreError::Missing(error.to_string()).into())
    }
}

impl From<LedgerError> for ApplyEventError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for ApplyEventError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}
