//! Setting the levels at which a customer is told that the balance runs low.

use crate::domain::alerts::{Alerts, ChosenLevels, decide_set_alerts};
use crate::domain::{AccountClosed, AccountId, Record};
use crate::ports::{Accounts, AlertRows};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};

/// Why the levels stay as they are, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SetAlertsError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Replaces the levels. They are evaluated within a minute.
///
/// # Errors
/// [`SetAlertsError`].
pub async fn set_alerts<C: Capabilities<Ledger: Accounts + AlertRows>>(
    context: &Context<C>,
    account: &AccountId,
    levels: &ChosenLevels,
) -> Result<Alerts, SetAlertsError> {
    let read = |_| async {
        let alerts = context.ledger.alerts_get(account).await.map_err(StoreError::from)?;
        Ok::<_, SetAlertsError>(alerts.unwrap_or_default())
    };
    let updated =
        context.update_with(account, read, |account, alerts, now| Ok(decide_set_alerts(account, alerts, levels, now)?));
    match updated.await? {
        Updated::Committed(change, before) => {
            let written = change.records.into_iter().find_map(|record| match record {
                Record::Alerts(alerts) => Some(alerts),
                _ => None,
            });
            Ok(written.unwrap_or(before))
        }
        Updated::Unchanged(_, alerts) => Ok(alerts),
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}
