//! Charging an account for one operation.

use super::ports::{CommitError, Ledger};
use super::{Posted, StoreError, rounds};
use crate::clock::Clock;
use crate::domain::account::KeyReused;
use crate::domain::charge::{ChargeCommand, ChargeRefusal, check_replay, decide_charge};
use crate::domain::{AccountId, Entry, Origin, PriceBook};

/// Why no charge was posted, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ChargeError {
    #[error("no such account")]
    AccountNotFound,
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
pub async fn charge<L: Ledger>(
    ledger: &L,
    price_book: &PriceBook,
    clock: &impl Clock,
    account: &AccountId,
    command: &ChargeCommand,
) -> Result<Posted, ChargeError> {
    let mut current = ledger.account_get(account).await?.ok_or(ChargeError::AccountNotFound)?;
    for _ in rounds(clock) {
        let change = match decide_charge(&current, price_book, command, clock.now()) {
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
            Err(CommitError::Stale { current: None }) => return Err(ChargeError::AccountNotFound),
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

fn replay(entry: Entry, command: &ChargeCommand) -> Result<Posted, ChargeError> {
    check_replay(&entry, command)?;
    Ok(Posted { entry, is_replay: true })
}

impl From<super::ports::LedgerError> for ChargeError {
    fn from(error: super::ports::LedgerError) -> Self {
        Self::Store(error.into())
    }
}
