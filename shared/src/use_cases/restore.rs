//! Giving a charge's credits back.

use super::ports::{CommitError, Ledger, LedgerError};
use super::{Posted, StoreError, rounds};
use crate::clock::Clock;
use crate::domain::restore::{RestoreRefusal, decide_restore};
use crate::domain::{AccountId, IdempotencyKey, Origin};

/// Why nothing was given back, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("no such account")]
    AccountNotFound,
    #[error("no such charge")]
    ChargeNotFound,
    #[error(transparent)]
    Refused(#[from] RestoreRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives back what the charge took, at most once: asked again, it answers with the first restore.
///
/// # Errors
/// [`RestoreError`]. After [`RestoreError::Store`] the credits may have been given back; asking again finds out.
pub async fn restore<L: Ledger>(
    ledger: &L,
    clock: &impl Clock,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<Posted, RestoreError> {
    let mut current = ledger.account_get(account).await?.ok_or(RestoreError::AccountNotFound)?;
    let charged =
        ledger.entry_get(account, &Origin::Charge(charge.clone())).await?.ok_or(RestoreError::ChargeNotFound)?;
    for _ in rounds(clock) {
        let change = decide_restore(&current, &charged, clock.now())?;
        match ledger.commit(&change).await {
            Ok(()) => return Posted::new(change).map_err(RestoreError::from),
            Err(CommitError::Duplicate { entry }) => return Ok(Posted { entry: *entry, is_replay: true }),
            Err(CommitError::Stale { current: Some(fresh) }) => current = *fresh,
            Err(CommitError::Stale { current: None }) => return Err(RestoreError::AccountNotFound),
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

impl From<LedgerError> for RestoreError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
