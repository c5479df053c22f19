//! Setting the limits of an account and of its spenders.

use super::{SettingError, changed};
use crate::domain::spending::{Bounds, decide_account_limits, decide_spender_limits};
use crate::domain::{Account, AccountId, Credits, Spender, SpenderLimits};
use crate::ports::{Accounts, Spenders};
use crate::use_cases::{Capabilities, Context, StoreError, Updated};
use std::sync::Arc;

/// Sets what the account as a whole may spend per day and per month.
///
/// # Errors
/// [`SettingError`].
pub async fn set_account_limits<C: Capabilities<Ledger: Accounts>>(
    context: &Context<C>,
    account: &AccountId,
    day: Option<Credits>,
    month: Option<Credits>,
) -> Result<Account, SettingError> {
    let updated: Result<_, SettingError> = context
        .update(account, |account, now| {
            account.check_not_closed()?;
            Ok(decide_account_limits(account, day, month, now))
        })
        .await;
    changed(updated?)
}

/// Sets what one spender may spend, and returns its limits with the account. Without any bound it has no limits.
///
/// # Errors
/// [`SettingError`].
pub async fn set_spender_limits<C: Capabilities<Ledger: Accounts + Spenders>>(
    context: &Context<C>,
    account: &AccountId,
    spender: &Spender,
    bounds: Bounds,
) -> Result<(Account, Option<SpenderLimits>), SettingError> {
    let read = |current: Arc<Account>| async move {
        let known = context.ledger.spender_limits_get(&current.id, spender).await.map_err(StoreError::from)?;
        Ok::<_, SettingError>(known)
    };
    let updated: Result<Updated<Option<SpenderLimits>>, SettingError> = context
        .update_with(account, read, |account, known, now| {
            account.check_not_closed()?;
            Ok(decide_spender_limits(account, (spender, known.as_ref()), bounds, now))
        })
        .await;
    let updated = updated?;
    let limits = match &updated {
        Updated::Committed(change, _) => change.spender_limits().cloned(),
        Updated::Unchanged(_, known) => known.clone(),
        Updated::Duplicate(_) => None,
    };
    Ok((changed(updated)?, limits))
}
