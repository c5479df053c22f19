//! Giving a charge's credits back.

use crate::domain::charging::{RestoreRefusal, decide_restore};
use crate::domain::{AccountId, IdempotencyKey, Origin};
use crate::ports::{Accounts, CommitError, Entries, LedgerError};
use crate::use_cases::{Capabilities, Context, NotFound, Posted, StoreError};

/// Why nothing was given back, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] RestoreRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives back what the charge took, at most once: asked again, it answers with the first restore.
///
/// # Errors
/// [`RestoreError`]. After [`RestoreError::Store`] the credits may have been given back; asking again finds out.
pub async fn restore<C: Capabilities<Ledger: Accounts + Entries>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<Posted, RestoreError> {
    let ledger = &context.ledger;
    let no_account = || NotFound::Account(account.clone());
    let mut current = ledger.account_get(account).await?.ok_or_else(no_account)?;
    let charged = ledger.entry_get(account, &Origin::Charge(charge.clone())).await?;
    let charged = charged.ok_or_else(|| NotFound::Charge(charge.clone()))?;
    for _ in context.rounds() {
        let change = decide_restore(&current, &charged, context.now())?;
        match ledger.commit(&change).await {
            Ok(()) => return Posted::new(change).map_err(RestoreError::from),
            Err(CommitError::Duplicate { entry }) => return Ok(Posted { entry: *entry, is_replay: true }),
            Err(CommitError::Stale { current: Some(fresh) }) => current = *fresh,
            Err(CommitError::Stale { current: None }) => return Err(no_account().into()),
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
