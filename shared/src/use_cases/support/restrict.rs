//! Blocking an account's charges for a time, and lifting the block.

use super::Asked;
use crate::domain::support::{UntilOutOfRange, decide_lift, decide_restrict};
use crate::domain::{Account, AccountClosed, AccountId, Restriction};
use crate::ports::{Accounts, IdGenerator};
use crate::use_cases::accounts::{SettingError, changed};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};

/// Why an account is not restricted, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum RestrictError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error(transparent)]
    UntilOutOfRange(#[from] UntilOutOfRange),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Blocks charges until the restriction ends. A request that changes nothing keeps who asked first.
///
/// # Errors
/// [`RestrictError`].
pub async fn restrict<C: Capabilities<Ledger: Accounts, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    restriction: &Restriction,
    asked: &Asked,
) -> Result<Account, RestrictError> {
    let updated: Result<Updated, RestrictError> = context
        .update(account, |account, now| {
            account.check_not_closed()?;
            Ok(decide_restrict(account, restriction.clone(), asked.acting(context, now), now)?)
        })
        .await;
    Ok(changed(updated?)?)
}

/// Lifts the restriction, if one is in force.
///
/// # Errors
/// [`SettingError`].
pub async fn lift_restriction<C: Capabilities<Ledger: Accounts, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    asked: &Asked,
) -> Result<Account, SettingError> {
    let updated: Result<Updated, SettingError> =
        context.update(account, |account, now| Ok(decide_lift(account, asked.acting(context, now), now))).await;
    changed(updated?)
}

impl From<SettingError> for RestrictError {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::NotFound(error) => Self::NotFound(error),
            SettingError::Closed(closed) => Self::Closed(closed),
            SettingError::Store(error) => Self::Store(error),
        }
    }
}
