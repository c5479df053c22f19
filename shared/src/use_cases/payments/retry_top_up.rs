//! Paying the open invoice of a pause now, because the customer asks for it.

use super::record_outcome::beside_outcome;
use super::saved_cards::cards_left;
use super::top_up::stored_top_up;
use crate::domain::payments::{
    BesideOutcome, CardFace, GrantRefusal, RetryCommand, RetryRefusal, RetryStep, TopUpOutcome, check_retry,
    check_retry_replay, decide_retry, decide_retry_outcome, next_retry_step,
};
use crate::domain::{Account, AccountId, CustomerId, NoticeId, PaymentMethodId, TopUp, TopUpRetry, TopUpStatus};
use crate::error::chain;
use crate::ports::{
    Accounts, AskedCards, CardWallet, Consents, LedgerError, Payments, PaymentsError, TopUpRetries, TopUps,
};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// A retry with its outcome, which is never [`TopUpStatus::Open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetriedTopUp {
    pub retry: TopUpRetry,
    pub account: Account,
    /// Where the customer can confirm the payment or pay with any card, while the invoice is open.
    pub hosted_url: Option<String>,
    /// The card that was asked. `None` if it is not saved any more, or cannot be shown now.
    pub card: Option<CardFace>,
    pub is_replay: bool,
}

/// Why a retry has no outcome, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] RetryRefusal),
    /// Stripe gave no definite answer. The same request asks again, and it is the same payment.
    #[error("the outcome of the payment is not known yet")]
    Unknown,
    /// The payment does not match what was asked for. A person has to investigate.
    #[error("the payment does not match what was asked for")]
    Mismatch(#[source] GrantRefusal),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Charges the default or the named card for the open invoice, once for each key.
///
/// The retry is stored with its card before Stripe is asked, and Stripe is asked under a key made of the customer's. So a
/// request that is repeated after a crash at any point is the same payment, and gets the first response.
///
/// # Errors
/// [`RetryError`].
pub async fn retry_top_up<C>(
    context: &Context<C>,
    account: &AccountId,
    command: &RetryCommand,
) -> Result<RetriedTopUp, RetryError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps + TopUpRetries, Payments: Payments + CardWallet>,
{
    let Claimed { retry, is_replay } = claim_key(context, account, command).await?;
    let attempt = stored_top_up(context, account, &retry.top_up).await?;
    let is_asked = retry.status == TopUpStatus::Open;
    let outcome = match next_retry_step(&retry, context.now()) {
        _ if !is_asked => TopUpOutcome::Unknown,
        RetryStep::Pay => context.payments.top_up_retry(&attempt, &retry).await,
        RetryStep::LookUp => look_up(context, &attempt).await?,
    };
    let (account, attempt, retry) = record(context, account, &retry, &outcome).await?;
    if retry.status == TopUpStatus::Open {
        return Err(RetryError::Unknown);
    }
    let is_open = matches!(attempt.status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired);
    let hosted_url = match &attempt.invoice {
        Some(invoice) if is_open => context.payments.invoice_get(invoice).await?.hosted_url,
        _ => None,
    };
    let card = face_of(context, &account.customer, &retry.card).await;
    Ok(RetriedTopUp { retry, account, hosted_url, card, is_replay })
}

/// The payment has its outcome, whether or not its card can be shown.
async fn face_of<C: Capabilities<Payments: CardWallet>>(
    context: &Context<C>,
    customer: &CustomerId,
    card: &PaymentMethodId,
) -> Option<CardFace> {
    match cards_left(context, customer).await {
        Ok(cards) => cards.find(card).map(|card| CardFace { brand: card.brand.clone(), last4: card.last4.clone() }),
        Err(error) => {
            tracing::warn!(customer.id = %customer, error = chain(&error), "the card of a retry cannot be shown now");
            None
        }
    }
}

struct Claimed {
    retry: TopUpRetry,
    is_replay: bool,
}

/// What is read with the account: the retry that an earlier request stored under this key, or what a new one needs.
enum Found {
    Stored(TopUpRetry),
    New(Option<TopUp>, Option<PaymentMethodId>),
}

async fn claim_key<C>(context: &Context<C>, account: &AccountId, command: &RetryCommand) -> Result<Claimed, RetryError>
where
    C: Capabilities<Ledger: Accounts + TopUps + TopUpRetries, Payments: Payments + CardWallet>,
{
    let read = |current: Arc<Account>| async move {
        if let Some(stored) = context.ledger.top_up_retry_get(account, &command.key).await? {
            return Ok(Found::Stored(stored));
        }
        let attempt = match &current.payment_issue {
            Some(issue) => Some(stored_top_up(context, account, &issue.top_up).await?),
            None => None,
        };
        check_retry(&current, attempt.as_ref())?;
        let card = card_of(context, &current.customer, command).await?;
        Ok::<_, RetryError>(Found::New(attempt, card))
    };
    let decide = |account: &Account, found: &Found, now| match found {
        Found::Stored(retry) => {
            check_retry_replay(retry, command).map_err(RetryRefusal::from)?;
            Ok(None)
        }
        Found::New(attempt, card) => Ok(Some(decide_retry(account, attempt.as_ref(), card.as_ref(), command, now)?)),
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => {
            let retry = change.top_up_retry().cloned().ok_or_else(missing)?;
            Ok(Claimed { retry, is_replay: false })
        }
        Updated::Unchanged(_, Found::Stored(retry)) => Ok(Claimed { retry, is_replay: true }),
        // A new retry is always stored, and it makes no entry.
        Updated::Unchanged(_, Found::New(..)) | Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

async fn card_of<C: Capabilities<Payments: CardWallet>>(
    context: &Context<C>,
    customer: &CustomerId,
    command: &RetryCommand,
) -> Result<Option<PaymentMethodId>, PaymentsError> {
    let cards = cards_left(context, customer).await?;
    Ok(match &command.card {
        Some(named) => cards.find(named).map(|card| card.id.clone()),
        None => cards.default,
    })
}

/// What the invoice says. After a day, that is all that Stripe remembers of a retry.
async fn look_up<C: Capabilities<Payments: Payments + CardWallet>>(
    context: &Context<C>,
    attempt: &TopUp,
) -> Result<TopUpOutcome, RetryError> {
    let Some(invoice) = &attempt.invoice else { return Ok(TopUpOutcome::Unknown) };
    let report = context.payments.invoice_get(invoice).await?;
    Ok(match (report.outcome, attempt.status) {
        // No card was ever tried. The retry did not reach the bank, and after a day it never will.
        (TopUpOutcome::Unknown, TopUpStatus::Declined(reason)) if report.is_waiting => {
            TopUpOutcome::Declined { reason, invoice: None }
        }
        (outcome, _) => outcome,
    })
}

async fn record<C>(
    context: &Context<C>,
    account: &AccountId,
    retry: &TopUpRetry,
    outcome: &TopUpOutcome,
) -> Result<(Account, TopUp, TopUpRetry), RetryError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps + TopUpRetries, Payments: Payments>,
{
    let read = |owner: Arc<Account>| async move {
        let attempt = stored_top_up(context, account, &retry.top_up).await?;
        let stored = context.ledger.top_up_retry_get(account, &retry.key).await?;
        let beside = beside_outcome(context, &owner, (&attempt, outcome)).await?;
        Ok::<_, RetryError>((attempt, stored.ok_or_else(missing)?, beside))
    };
    let decide = |account: &Account, (attempt, retry, beside): &(TopUp, TopUpRetry, BesideOutcome), now| {
        let notice = context.mint(NoticeId::mint, now);
        let change = decide_retry_outcome(account, (attempt, retry), outcome, notice, now)?;
        Ok(change.map(|change| change.with_beside(account, beside, now)))
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, (attempt, retry, _)) => {
            let attempt = change.top_up().cloned().unwrap_or(attempt);
            let retry = change.top_up_retry().cloned().unwrap_or(retry);
            Ok((change.account, attempt, retry))
        }
        Updated::Unchanged(account, (attempt, retry, _)) => Ok((Arc::unwrap_or_clone(account), attempt, retry)),
        // Another report granted it a moment ago. The retry is recorded when the request is repeated.
        Updated::Duplicate(_) => Err(RetryError::Unknown),
    }
}

fn missing() -> StoreError {
    StoreError::Missing("the stored retry".to_owned())
}

impl From<GrantRefusal> for RetryError {
    fn from(refusal: GrantRefusal) -> Self {
        Self::Mismatch(refusal)
    }
}

impl From<LedgerError> for RetryError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for RetryError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for RetryError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
