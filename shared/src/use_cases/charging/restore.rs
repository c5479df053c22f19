//! Giving a charge's credits back.

use super::find_charge::no_charge;
use crate::domain::charging::{PendingCharge, RestoreRefusal, decide_restore};
use crate::domain::{Account, AccountId, Cause, IdempotencyKey, Origin};
use crate::ports::{Accounts, Entries, LedgerError, PendingCharges};
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

/// Gives back what the charge took, or what its capture kept, at most once. A repeated call returns the first restore.
///
/// # Errors
/// [`RestoreError`]. After [`RestoreError::Store`] the credits may have been given back; a retry finds out.
pub async fn restore<C: Capabilities<Ledger: Accounts + Entries + PendingCharges>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<Posted, RestoreError> {
    let charged = context.ledger.entry_get(account, &Origin::Charge(charge.clone())).await?;
    let Some(charged) = charged else {
        return Err(no_charge(context, account, charge).await?.into());
    };
    let was_pending = matches!(charged.cause, Cause::Charge { expires_in: Some(_), .. });
    let read = |_| async move {
        if !was_pending {
            return Ok(None);
        }
        let pending = context.ledger.pending_charge_get(account, charge).await?;
        let missing = || StoreError::Missing(format!("the record of the pending charge {charge}"));
        pending.map(Some).ok_or_else(|| RestoreError::from(missing()))
    };
    let decide = |account: &Account, pending: &Option<PendingCharge>, now| {
        Ok(Some(decide_restore(account, &charged, pending.as_ref(), now)?))
    };
    Ok(Posted::try_from(context.update_with(account, read, decide).await?)?)
}

impl From<LedgerError> for RestoreError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
