//! Storing a customer's choice of automatic top-ups.

use crate::domain::payments::{AutoTopUpCommand, AutoTopUpRefusal, decide_auto_top_up};
use crate::domain::{Account, AccountId, ConsentId, PriceBook};
use crate::ports::Accounts;
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use std::sync::Arc;

/// Why the settings stay as they were, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SetAutoTopUpError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] AutoTopUpRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores the settings and, if they turn automatic top-ups on, the consent to them.
///
/// # Errors
/// [`SetAutoTopUpError`].
pub async fn set_auto_top_up<C: Capabilities<Ledger: Accounts, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &AutoTopUpCommand,
) -> Result<Account, SetAutoTopUpError> {
    let decide = |account: &Account, now| {
        let consent = context.mint(ConsentId::mint, now);
        Ok::<_, SetAutoTopUpError>(decide_auto_top_up(account, &context.price_book, command, consent, now)?)
    };
    match context.update(account, decide).await? {
        Updated::Committed(change, ()) => Ok(change.account),
        Updated::Unchanged(account, ()) => Ok(Arc::unwrap_or_clone(account)),
        // Settings make no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}
