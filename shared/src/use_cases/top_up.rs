//! One account's automatic top-up: open an attempt or find the open one, ask Stripe, settle.

use super::ports::{CommitError, Ledger, Payments, Unique};
use super::settle::{SettleError, settle_top_up};
use super::{StoreError, rounds};
use crate::clock::Clock;
use crate::domain::top_up::{NextStep, NotDue, decide_open_top_up, next_step};
use crate::domain::{Account, AccountId, PriceBook, TopUp, TopUpId, TopUpStatus};

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
/// [`SettleError`].
pub async fn top_up<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
) -> Result<ToppedUp, SettleError> {
    let (owner, attempt) = match open_or_find(ledger, price_book, unique, clock, account).await? {
        Ok(found) => found,
        Err(not_due) => return Ok(ToppedUp::Skipped(not_due)),
    };
    let outcome = match next_step(&owner, &attempt, clock.now()) {
        NextStep::Pay => payments.top_up_pay(&attempt).await,
        NextStep::LookUpAndClose => payments.top_up_close(&attempt).await,
    };
    let settled = settle_top_up(ledger, unique, clock, account, &attempt.id, &outcome).await?;
    Ok(ToppedUp::Attempted(settled.status))
}

async fn open_or_find<L: Ledger>(
    ledger: &L,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
) -> Result<Result<(Account, TopUp), NotDue>, SettleError> {
    for _ in rounds(clock) {
        let current = ledger.account_get(account).await?.ok_or(SettleError::NotFound)?;
        if let Some(open) = &current.open_top_up {
            let attempt = ledger.top_up_get(account, open).await?;
            let attempt = attempt.ok_or_else(|| StoreError::Missing(format!("top-up {open}")))?;
            if attempt.status == TopUpStatus::Open {
                return Ok(Ok((current, attempt)));
            }
            // Settled between the two reads: the account stands otherwise by now.
            continue;
        }
        let now = clock.now();
        let id = TopUpId::mint(unique.unique(now));
        let (change, attempt) = match decide_open_top_up(&current, price_book, id, now) {
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
