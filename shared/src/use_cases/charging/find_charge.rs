//! Looking at a charge.

use super::charge::{Charged, what_became_of};
use crate::domain::{AccountId, IdempotencyKey, Origin};
use crate::ports::{Accounts, Entries, PendingCharges};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};

/// Why there is no charge to show.
#[derive(Debug, thiserror::Error)]
pub enum FindChargeError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The charge as it stands now.
///
/// # Errors
/// [`FindChargeError`].
pub async fn find_charge<C: Capabilities<Ledger: Accounts + Entries + PendingCharges>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<Charged, FindChargeError> {
    let entry = context.ledger.entry_get(account, &Origin::Charge(charge.clone())).await.map_err(StoreError::from)?;
    match entry {
        Some(entry) => Ok(what_became_of(context, account, charge, entry).await?),
        None => Err(no_charge(context, account, charge).await?.into()),
    }
}

/// What is missing where there is no charge: the charge, or even its account.
pub(super) async fn no_charge<C: Capabilities<Ledger: Accounts>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<NotFound, StoreError> {
    let owner = context.ledger.account_get(account).await?;
    Ok(owner.map_or_else(|| NotFound::Account(account.clone()), |_| NotFound::Charge(charge.clone())))
}
