//! One account's automatic top-up: open an attempt or find the open one, ask Stripe, record what it says.

use super::record_outcome::{RecordOutcomeError, record_top_up_outcome};
use crate::domain::payments::{NextStep, NotDue, decide_open_top_up, next_step};
use crate::domain::{Account, AccountId, PriceBook, TopUp, TopUpId, TopUpStatus};
use crate::ports::{Accounts, CommitError, IdGenerator, Payments, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};

/// What a sweep did about one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToppedUp {
    /// There was nothing to do (any more).
    Skipped(NotDue),
    /// There is an attempt, and this is how it stands. [`TopUpStatus::Open`]: its outcome is unknown so far.
    Attempted(TopUpStatus),
}

/// Tops an account up if that is due, or carries its open attempt on.
///
/// Each call may be the last line this process executes: the attempt is stored before Stripe is asked, so the next
/// sweep asks again, under the same keys, and it is the same payment.
///
/// # Errors
/// [`RecordOutcomeError`].
pub async fn top_up<C>(context: &Context<C>, account: &AccountId) -> Result<ToppedUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + TopUps, Payments: Payments, Ids: IdGenerator, PriceBook = PriceBook>,
{
    let (owner, attempt) = match open_or_find(context, account).await? {
        Ok(found) => found,
        Err(not_due) => return Ok(ToppedUp::Skipped(not_due)),
    };
    let outcome = match next_step(&owner, &attempt, context.now()) {
        NextStep::Pay => context.payments.top_up_pay(&attempt).await,
        NextStep::LookUpAndClose => context.payments.top_up_close(&attempt).await,
    };
    let attempt = record_top_up_outcome(context, account, &attempt.id, &outcome).await?;
    Ok(ToppedUp::Attempted(attempt.status))
}

async fn open_or_find<C: Capabilities<Ledger: Accounts + TopUps, Ids: IdGenerator, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<Result<(Account, TopUp), NotDue>, RecordOutcomeError> {
    let ledger = &context.ledger;
    for _ in context.rounds() {
        let current = ledger.account_get(account).await?.ok_or_else(|| NotFound::Account(account.clone()))?;
        if let Some(open) = &current.open_top_up {
            let attempt = ledger.top_up_get(account, open).await?;
            let attempt = attempt.ok_or_else(|| StoreError::Missing(format!("top-up {open}")))?;
            if attempt.status == TopUpStatus::Open {
                return Ok(Ok((current, attempt)));
            }
            // It ended between the two reads: the account stands otherwise by now.
            continue;
        }
        let now = context.now();
        let id = context.mint(TopUpId::mint, now);
        let (change, attempt) = match decide_open_top_up(&current, &context.price_book, id, now) {
            Ok(opened) => opened,
            Err(not_due) => return Ok(Err(not_due)),
        };
        match ledger.commit(&change).await {
            Ok(()) => return Ok(Ok((change.account, attempt))),
            Err(CommitError::Stale { .. } | CommitError::Duplicate { .. }) => {}
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}
