//! Charging an account for one operation.

use crate::domain::charging::{ChargeCommand, ChargeRefusal, check_charge_replay, decide_charge};
use crate::domain::{AccountId, Entry, KeyReused, Origin, PriceBook};
use crate::ports::{Accounts, CommitError, Entries, LedgerError};
use crate::use_cases::{Capabilities, Context, NotFound, Posted, StoreError};

/// Why no charge was posted, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ChargeError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error(transparent)]
    Refused(#[from] ChargeRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes what the operation costs, once for each key: one strongly consistent read and one transaction.
///
/// # Errors
/// [`ChargeError`]. After [`ChargeError::Store`] the charge may have been posted; asked again under the same key, it
/// answers as it would have.
pub async fn charge<C: Capabilities<Ledger: Accounts + Entries, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &ChargeCommand,
) -> Result<Posted, ChargeError> {
    let ledger = &context.ledger;
    let not_found = || NotFound::Account(account.clone());
    let mut current = ledger.account_get(account).await?.ok_or_else(not_found)?;
    for _ in context.rounds() {
        let change = match decide_charge(&current, &context.price_book, command, context.now()) {
            Ok(change) => change,
            // A key that took credits before is answered as it was then, whatever stands against a new charge.
            Err(refusal) => {
                return match ledger.entry_get(account, &Origin::Charge(command.key.clone())).await? {
                    Some(entry) => replay(entry, command),
                    None => Err(refusal.into()),
                };
            }
        };
        match ledger.commit(&change).await {
            Ok(()) => return Posted::new(change).map_err(ChargeError::from),
            Err(CommitError::Duplicate { entry }) => return replay(*entry, command),
            Err(CommitError::Stale { current: Some(fresh) }) => current = *fresh,
            Err(CommitError::Stale { current: None }) => return Err(not_found().into()),
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

fn replay(entry: Entry, command: &ChargeCommand) -> Result<Posted, ChargeError> {
    check_charge_replay(&entry, command)?;
    Ok(Posted { entry, is_replay: true })
}

impl From<LedgerError> for ChargeError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
