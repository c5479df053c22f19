//! Stopping all spending of an account, and allowing it again.

use super::{SettingError, changed};
use crate::domain::spending::decide_spending;
use crate::domain::{Account, AccountId, Actor};
use crate::ports::Accounts;
use crate::use_cases::{Capabilities, Context};

/// Stops charges and automatic top-ups, or allows both again. A request that changes nothing keeps who asked first.
///
/// # Errors
/// [`SettingError`].
pub async fn set_spending<C: Capabilities<Ledger: Accounts>>(
    context: &Context<C>,
    account: &AccountId,
    is_stopped: bool,
    changed_by: &Actor,
) -> Result<Account, SettingError> {
    let updated: Result<_, SettingError> = context
        .update(account, |account, now| {
            account.check_not_closed()?;
            Ok(decide_spending(account, is_stopped, changed_by.clone(), now))
        })
        .await;
    changed(updated?)
}
