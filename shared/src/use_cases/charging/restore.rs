//! Giving a charge's credits back.

use super::find_charge::no_charge;
use super::limits_of;
use crate::domain::charging::{PendingCharge, RestoreRefusal, decide_restore};
use crate::domain::spending::Payer;
use crate::domain::{Account, AccountId, Cause, IdempotencyKey, Origin, SpenderLimits};
use crate::ports::{Accounts, Entries, LedgerError, PendingCharges, Spenders};
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
pub async fn restore<C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<Posted, RestoreError> {
    let charged = context.ledger.entry_get(account, &Origin::Charge(charge.clone())).await?;
    let Some(charged) = charged else {
        return Err(no_charge(context, account, charge).await?.into());
    };
    let (was_pending, spender) = match &charged.cause {
        Cause::Charge { expires_in, spender, .. } => (expires_in.is_some(), spender.as_ref()),
        _ => (false, None),
    };
    let read = |current| async move {
        let limits = limits_of(context, current, spender).await?;
        if !was_pending {
            return Ok::<_, RestoreError>((None, limits));
        }
        let pending = context.ledger.pending_charge_get(account, charge).await?;
        let missing = || StoreError::Missing(format!("the record of the pending charge {charge}"));
        let pending = pending.ok_or_else(|| RestoreError::from(missing()))?;
        Ok((Some(pending), limits))
    };
    let decide = |account: &Account, (pending, limits): &(Option<PendingCharge>, Vec<SpenderLimits>), now| {
        Ok::<_, RestoreError>(Some(decide_restore(Payer { account, limits }, &charged, pending.as_ref(), now)?))
    };
    Ok(Posted::try_from(context.update_with(account, read, decide).await?)?)
}

impl From<LedgerError> for RestoreError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
