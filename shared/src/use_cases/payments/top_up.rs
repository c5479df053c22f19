//! One account's automatic top-up: open an attempt or find the open one, ask Stripe, record the outcome.

use super::record_outcome::{RecordOutcomeError, record_top_up_outcome};
use crate::domain::payments::{NextStep, NotDue, decide_open_top_up, next_step};
use crate::domain::{Account, AccountId, PriceBook, TopUp, TopUpId, TopUpStatus};
use crate::ports::{Accounts, Payments, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use std::sync::Arc;

/// What a sweep did with one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToppedUp {
    /// There was nothing to do, or no longer.
    Skipped(NotDue),
    /// There is an attempt with this status. [`TopUpStatus::Open`] means that its outcome is not known yet.
    Attempted(TopUpStatus),
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
    C: Capabilities<Ledger: Accounts + TopUps, Payments: Payments, PriceBook = PriceBook>,
{
    let (owner, attempt) = match open_or_find(context, account).await {
        Ok(found) => found,
        Err(NoAttempt::NotDue(not_due)) => return Ok(ToppedUp::Skipped(not_due)),
        Err(NoAttempt::NotFound(missing)) => return Err(missing.into()),
        Err(NoAttempt::Store(error)) => return Err(error.into()),
    };
    let outcome = match next_step(&owner, &attempt, context.now()) {
        NextStep::Pay => context.payments.top_up_pay(&attempt).await,
        NextStep::LookUpAndClose => context.payments.top_up_close(&attempt).await,
    };
    let attempt = record_top_up_outcome(context, account, &attempt.id, &outcome).await?;
    Ok(ToppedUp::Attempted(attempt.status))
}

/// Why there is no attempt to ask Stripe about.
enum NoAttempt {
    NotDue(NotDue),
    NotFound(NotFound),
    Store(StoreError),
}

/// The open attempt, or a new one if it is due.
async fn open_or_find<C: Capabilities<Ledger: Accounts + TopUps, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<(Account, TopUp), NoAttempt> {
    let read = |current: Arc<Account>| async move {
        let Some(open) = &current.open_top_up else { return Ok(None) };
        let attempt = context.ledger.top_up_get(account, open).await.map_err(StoreError::from)?;
        Ok::<_, NoAttempt>(Some(attempt.ok_or_else(|| StoreError::Missing(format!("top-up {open}")))?))
    };
    let decide = |account: &Account, attempt: &Option<TopUp>, now| match attempt {
        Some(attempt) if attempt.status.is_under_way() => Ok(None),
        // It ended between the two reads. The next sweep sees the current account.
        Some(attempt) => Err(NotDue::AttemptOpen(attempt.id.clone()).into()),
        None => {
            let id = context.mint(TopUpId::mint, now);
            Ok(Some(decide_open_top_up(account, &context.price_book, id, now)?.0))
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

impl From<NotDue> for NoAttempt {
    fn from(not_due: NotDue) -> Self {
        Self::NotDue(not_due)
    }
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
