//! Storing a customer's choice of automatic top-ups.

use super::ports::{CommitError, Ledger, LedgerError, Unique};
use super::{StoreError, rounds};
use crate::clock::Clock;
use crate::domain::auto_top_up::{AutoTopUpCommand, AutoTopUpRefusal, decide_auto_top_up};
use crate::domain::{Account, AccountId, ConsentId, PriceBook};

/// Why the settings stay as they were, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SetAutoTopUpError {
    #[error("no such account")]
    AccountNotFound,
    #[error(transparent)]
    Refused(#[from] AutoTopUpRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores the settings and, where they are switched on, the consent to them.
///
/// # Errors
/// [`SetAutoTopUpError`].
pub async fn set_auto_top_up<L: Ledger>(
    ledger: &L,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
    command: &AutoTopUpCommand,
) -> Result<Account, SetAutoTopUpError> {
    let mut current = ledger.account_get(account).await?.ok_or(SetAutoTopUpError::AccountNotFound)?;
    for _ in rounds(clock) {
        let now = clock.now();
        let consent = ConsentId::mint(unique.unique(now));
        let Some(change) = decide_auto_top_up(&current, price_book, command, consent, now)? else { return Ok(current) };
        match ledger.commit(&change).await {
            Ok(()) => return Ok(change.account),
            Err(CommitError::Stale { current: Some(fresh) }) => current = *fresh,
            Err(CommitError::Stale { current: None } | CommitError::Duplicate { .. }) => {
                return Err(SetAutoTopUpError::AccountNotFound);
            }
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

impl From<LedgerError> for SetAutoTopUpError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
