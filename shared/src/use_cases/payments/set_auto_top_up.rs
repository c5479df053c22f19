//! Storing a customer's choice of automatic top-ups.

use crate::domain::payments::{AutoTopUpCommand, AutoTopUpRefusal, decide_auto_top_up};
use crate::domain::{Account, AccountId, ConsentId, PriceBook};
use crate::ports::{Accounts, CommitError, IdGenerator, LedgerError};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};

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

/// Stores the settings and, where they are switched on, the consent to them.
///
/// # Errors
/// [`SetAutoTopUpError`].
pub async fn set_auto_top_up<C: Capabilities<Ledger: Accounts, Ids: IdGenerator, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &AutoTopUpCommand,
) -> Result<Account, SetAutoTopUpError> {
    let ledger = &context.ledger;
    let not_found = || NotFound::Account(account.clone());
    let mut current = ledger.account_get(account).await?.ok_or_else(not_found)?;
    for _ in context.rounds() {
        let now = context.now();
        let consent = context.mint(ConsentId::mint, now);
        let Some(change) = decide_auto_top_up(&current, &context.price_book, command, consent, now)? else {
            return Ok(current);
        };
        match ledger.commit(&change).await {
            Ok(()) => return Ok(change.account),
            Err(CommitError::Stale { current: Some(fresh) }) => current = *fresh,
            Err(CommitError::Stale { current: None } | CommitError::Duplicate { .. }) => {
                return Err(not_found().into());
            }
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

impl From<LedgerError> for SetAutoTopUpError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
