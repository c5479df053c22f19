//! Giving a charge's credits back.

use crate::domain::charging::{RestoreRefusal, decide_restore};
use crate::domain::{AccountId, IdempotencyKey, Origin};
use crate::ports::{Accounts, Entries, LedgerError};
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

/// Gives back what the charge took, at most once. A repeated call returns the first restore.
///
/// # Errors
/// [`RestoreError`]. After [`RestoreError::Store`] the credits may have been given back; a retry finds out.
pub async fn restore<C: Capabilities<Ledger: Accounts + Entries>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<Posted, RestoreError> {
    let charged = context.ledger.entry_get(account, &Origin::Charge(charge.clone())).await?;
    let Some(charged) = charged else {
        let owner = context.ledger.account_get(account).await?;
        return Err(owner.map_or(NotFound::Account(account.clone()), |_| NotFound::Charge(charge.clone())).into());
    };
    let updated: Result<_, RestoreError> =
        context.update(account, |account, now| Ok(Some(decide_restore(account, &charged, now)?))).await;
    Ok(Posted::try_from(updated?)?)
}

impl From<LedgerError> for RestoreError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
