//! What a webhook tells, applied: fetch the object it names, then settle from that alone.
//!
//! Events come late, twice and in any order; since only the fetched object is believed, none of that matters.

use super::ports::{CommitError, Ledger, LedgerError, Payments, PaymentsError, Unique};
use super::purchase::save_card;
use super::settle::{SettleError, settle_purchase, settle_top_up};
use super::{OutsideError, StoreError, rounds};
use crate::clock::Clock;
use crate::domain::account::decide_payment_method;
use crate::domain::purchase::GrantRefusal;
use crate::domain::{CheckoutSessionId, CustomerId, EventId, InvoiceId};

/// The object an event is about, as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Invoice(InvoiceId),
    Checkout(CheckoutSessionId),
    Customer(CustomerId),
    Other,
}

/// What was done about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Now,
    Before,
    /// Nothing of ours.
    Ignored,
}

/// The event was not applied; Stripe should send it again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyEventError {
    /// The payment is not the one asked for. Somebody has to look.
    #[error("the payment is not the one asked for")]
    Mismatch(#[source] GrantRefusal),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Applies one event.
///
/// # Errors
/// [`ApplyEventError`]; the event is not marked as applied then, so that it is applied when it comes again.
pub async fn apply_event<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    unique: &impl Unique,
    clock: &impl Clock,
    event: &EventId,
    subject: &Subject,
) -> Result<Applied, ApplyEventError> {
    if *subject == Subject::Other {
        return Ok(Applied::Ignored);
    }
    if ledger.event_is_applied(event).await? {
        return Ok(Applied::Before);
    }
    let applied = match subject {
        Subject::Invoice(invoice) => apply_invoice(ledger, payments, unique, clock, invoice).await?,
        Subject::Checkout(session) => apply_checkout(ledger, payments, unique, clock, session).await?,
        Subject::Customer(customer) => apply_customer(ledger, payments, clock, customer).await?,
        Subject::Other => Applied::Ignored,
    };
    ledger.event_mark_applied(event, clock.now()).await?;
    Ok(applied)
}

async fn apply_invoice<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    unique: &impl Unique,
    clock: &impl Clock,
    invoice: &InvoiceId,
) -> Result<Applied, ApplyEventError> {
    let Some(report) = found(payments.invoice_get(invoice).await)? else { return Ok(Applied::Ignored) };
    let Some((account, top_up)) = report.top_up else { return Ok(Applied::Ignored) };
    let settled = settle_top_up(ledger, unique, clock, &account, &top_up, &report.outcome).await;
    applied(settled)
}

async fn apply_checkout<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    unique: &impl Unique,
    clock: &impl Clock,
    session: &CheckoutSessionId,
) -> Result<Applied, ApplyEventError> {
    let Some(report) = found(payments.checkout_get(session).await)? else { return Ok(Applied::Ignored) };
    let Some((account, purchase)) = report.purchase else { return Ok(Applied::Ignored) };
    let settled = settle_purchase(ledger, unique, clock, &account, &purchase, &report.outcome).await;
    let applied = applied(settled)?;
    save_card(ledger, payments, &account, &report.outcome).await?;
    Ok(applied)
}

/// Follows the customer's choice of a default card, made on Stripe's pages.
async fn apply_customer<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    clock: &impl Clock,
    customer: &CustomerId,
) -> Result<Applied, ApplyEventError> {
    let Some(account) = ledger.customer_account_get(customer).await? else { return Ok(Applied::Ignored) };
    for _ in rounds(clock) {
        let Some(current) = ledger.account_get(&account).await? else { return Ok(Applied::Ignored) };
        let card = found(payments.default_payment_method_get(customer).await)?;
        let Some(card) = card else { return Ok(Applied::Ignored) };
        // Written even where it is the same card: of two who asked Stripe one after the other the earlier may come to
        // write the later, and then has to find the account changed, and ask again.
        match ledger.commit(&decide_payment_method(&current, card, clock.now())).await {
            Ok(()) => return Ok(Applied::Now),
            Err(CommitError::Stale { .. } | CommitError::Duplicate { .. }) => {}
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

/// An object that is gone (a deleted draft, another mode's) concerns nobody.
fn found<T>(answer: Result<T, PaymentsError>) -> Result<Option<T>, ApplyEventError> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(PaymentsError::NotFound { .. }) => Ok(None),
        Err(error) => Err(ApplyEventError::Outside(error.into())),
    }
}

fn applied<T>(settled: Result<T, SettleError>) -> Result<Applied, ApplyEventError> {
    match settled {
        Ok(_) => Ok(Applied::Now),
        Err(SettleError::NotFound) => Ok(Applied::Ignored),
        Err(SettleError::Mismatch(refusal)) => Err(ApplyEventError::Mismatch(refusal)),
        Err(SettleError::Store(error)) => Err(error.into()),
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
