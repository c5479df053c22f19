//! Charging an account for one operation.

use crate::domain::charging::{ChargeCommand, ChargeRefusal, check_charge_replay, decide_charge};
use crate::domain::{AccountId, Entry, KeyReused, Origin, PriceBook};
use crate::ports::{Accounts, Entries, LedgerError};
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

/// A charge, and whether its credits were given back since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    pub posted: Posted,
    /// The restore of a charge that is answered again. A job that runs again under the same key is not paid for.
    pub restore: Option<Entry>,
}

/// Takes what the operation costs, once for each key, with one strongly consistent read and one transaction.
/// A replay needs another read, to tell whether the charge was restored.
///
/// # Errors
/// [`ChargeError`]. After [`ChargeError::Store`] the charge may have been posted; a retry under the same key returns
/// it.
pub async fn charge<C: Capabilities<Ledger: Accounts + Entries, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &ChargeCommand,
) -> Result<Charged, ChargeError> {
    let updated = context
        .update(account, |account, now| Ok(Some(decide_charge(account, &context.price_book, command, now)?)))
        .await;
    let posted = match updated {
        Ok(updated) => Posted::try_from(updated)?,
        // A key that took credits before gets its first answer again, even if a new charge would be refused.
        Err(ChargeError::Refused(refusal)) => {
            let charged = context.ledger.entry_get(account, &Origin::Charge(command.key.clone())).await?;
            let entry = charged.ok_or(ChargeError::Refused(refusal))?;
            Posted { entry, is_replay: true }
        }
        Err(error) => return Err(error),
    };
    if !posted.is_replay {
        return Ok(Charged { posted, restore: None });
    }
    check_charge_replay(&posted.entry, command)?;
    let restore = context.ledger.entry_get(account, &Origin::Restore(command.key.clone())).await?;
    Ok(Charged { posted, restore })
}

impl From<LedgerError> for ChargeError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
