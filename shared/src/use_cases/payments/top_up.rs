//! One account's automatic top-up: open an attempt or find the open one, ask Stripe, record the outcome.

use super::record_outcome::{RecordOutcomeError, record_top_up_outcome};
use crate::domain::payments::{NextStep, NotDue, SweepSkip, decide_open_top_up, next_step};
use crate::domain::{Account, AccountId, Credits, PriceBook, TopUp, TopUpId};
use crate::error::chain;
use crate::ports::{Accounts, AskedCards, Consents, LedgerError, Payments, SweepLogs, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use jiff::Timestamp;
use std::sync::Arc;

/// What a sweep did with one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToppedUp {
    /// There was nothing to do, or no longer.
    Skipped(NotDue),
    /// There is this attempt. [`TopUpStatus::Open`] means that its outcome is not known yet.
    Attempted(Box<TopUp>),
}

/// Tops an account up if that is due, or continues its open attempt.
///
/// The process may stop after any of these calls. The attempt is stored before Stripe is asked, so the next sweep asks
/// again under the same keys, and it is the same payment.
///
/// # Errors
/// [`RecordOutcomeError`].
pub async fn top_up<C>(context: &Context<C>, account: &AccountId) -> Result<ToppedUp, RecordOutcomeError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + TopUps + SweepLogs,
            Payments: Payments,
            PriceBook = PriceBook,
        >,
{
    let (owner, attempt) = match open_or_find(context, account).await {
        Ok(found) => found,
        Err(NoAttempt::NotDue(not_due, seen)) => {
            keep_decision(context, account, (&not_due, seen)).await;
            return Ok(ToppedUp::Skipped(not_due));
        }
        Err(NoAttempt::NotFound(missing)) => return Err(missing.into()),
        Err(NoAttempt::Store(error)) => return Err(error.into()),
    };
    let attempt = ask(context, &owner, &attempt).await?;
    Ok(ToppedUp::Attempted(Box::new(attempt)))
}

/// Continues an attempt, and opens no other one. `None` if it has ended.
///
/// # Errors
/// [`RecordOutcomeError`].
pub async fn continue_top_up<C>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
) -> Result<Option<TopUp>, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps, Payments: Payments>,
{
    let owner = context.ledger.account_get(account).await.map_err(StoreError::from)?;
    let owner = owner.ok_or_else(|| NotFound::Account(account.clone()))?;
    let attempt = stored_top_up(context, account, top_up).await?;
    if !attempt.status.is_under_way() {
        return Ok(None);
    }
    ask(context, &owner, &attempt).await.map(Some)
}

/// Asks for an attempt that is under way, and records the outcome.
async fn ask<C>(context: &Context<C>, owner: &Account, attempt: &TopUp) -> Result<TopUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps, Payments: Payments>,
{
    let outcome = match next_step(owner, attempt, context.now()) {
        NextStep::Pay => context.payments.top_up_pay(attempt).await,
        NextStep::LookUpAndClose => context.payments.top_up_close(attempt).await,
    };
    record_top_up_outcome(context, &owner.id, &attempt.id, &outcome).await
}

/// What the decision was made on.
#[derive(Clone, Copy)]
struct Seen {
    balance: Credits,
    last_top_up_at: Option<Timestamp>,
    at: Timestamp,
}

/// Keeps why no attempt was opened, for the diagnosis. If that fails, only the diagnosis knows less.
async fn keep_decision<C: Capabilities<Ledger: SweepLogs>>(
    context: &Context<C>,
    account: &AccountId,
    (not_due, seen): (&NotDue, Seen),
) {
    if let Err(error) = note(context, account, SweepSkip::of(not_due, seen.balance, seen.at), seen).await {
        tracing::warn!(account.id = %account, error = %chain(&error), "the decision is not kept");
    }
}

/// Writes nothing if the decision is that of the sweep before, or if another sweep writes at the same moment.
async fn note<C: Capabilities<Ledger: SweepLogs>>(
    context: &Context<C>,
    account: &AccountId,
    skip: SweepSkip,
    seen: Seen,
) -> Result<(), LedgerError> {
    let log = context.ledger.sweep_log_get(account).await?;
    if let Some(noted) = log.noting(skip, seen.last_top_up_at) {
        context.ledger.sweep_log_put(account, &noted).await?;
    }
    Ok(())
}

/// Why there is no attempt to ask Stripe about.
enum NoAttempt {
    NotDue(NotDue, Seen),
    NotFound(NotFound),
    Store(StoreError),
}

/// An attempt that the account names, so that it must exist.
pub(super) async fn stored_top_up<C: Capabilities<Ledger: TopUps>>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
) -> Result<TopUp, StoreError> {
    let stored = context.ledger.top_up_get(account, top_up).await?;
    stored.ok_or_else(|| StoreError::Missing(format!("top-up {top_up}")))
}

/// The open attempt, or a new one if it is due.
async fn open_or_find<C: Capabilities<Ledger: Accounts + TopUps, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<(Account, TopUp), NoAttempt> {
    let read = |current: Arc<Account>| async move {
        let Some(open) = &current.open_top_up else { return Ok(None) };
        Ok::<_, NoAttempt>(Some(stored_top_up(context, account, open).await?))
    };
    let decide = |account: &Account, attempt: &Option<TopUp>, now| {
        let seen = Seen { balance: account.balance, last_top_up_at: account.last_top_up_at, at: now };
        let not_due = |not_due| NoAttempt::NotDue(not_due, seen);
        match attempt {
            Some(attempt) if attempt.status.is_under_way() => Ok(None),
            // It ended between the two reads. The next sweep sees the current account.
            Some(attempt) => Err(not_due(NotDue::AttemptOpen(attempt.id.clone()))),
            None => {
                let id = context.mint(TopUpId::mint, now);
                let opened = decide_open_top_up(account, &context.price_book, id, now).map_err(not_due)?;
                Ok(Some(opened.0))
            }
        }
    };
    let (account, attempt) = match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => (change.account.clone(), change.top_up().cloned()),
        Updated::Unchanged(account, attempt) => (Arc::unwrap_or_clone(account), attempt),
        // Opening an attempt makes no entry.
        Updated::Duplicate(_) => return Err(StoreError::NoEntry.into()),
    };
    let attempt = attempt.ok_or_else(|| StoreError::Missing("the open attempt".to_owned()))?;
    Ok((account, attempt))
}

impl From<NotFound> for NoAttempt {
    fn from(error: NotFound) -> Self {
        Self::NotFound(error)
    }
}

impl From<StoreError> for NoAttempt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
