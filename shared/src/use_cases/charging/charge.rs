//! Charging an account for one operation.

use crate::domain::charging::{ChargeCommand, ChargeRefusal, ChargeRequest, check_charge_replay, decide_charge};
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

/// Takes what the operation costs, once for each key, with one strongly consistent read and one transaction, or with the
/// transaction alone.
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
            let charged = charge_again(context, account, &command.request).await?;
            return charged.ok_or(ChargeError::Refused(refusal));
        }
        Err(error) => return Err(error),
    };
    if posted.is_replay {
        return replay(context, account, &command.request, posted.entry).await;
    }
    Ok(Charged { posted, restore: None })
}

/// The charge that this request posted before, if it did. For a request that the price book does not allow any more.
///
/// # Errors
/// [`ChargeError::KeyReused`] if the key took credits for another request, and [`ChargeError::Store`].
pub async fn charge_again<C: Capabilities<Ledger: Entries>>(
    context: &Context<C>,
    account: &AccountId,
    request: &ChargeRequest,
) -> Result<Option<Charged>, ChargeError> {
    match context.ledger.entry_get(account, &Origin::Charge(request.key.clone())).await? {
        Some(entry) => replay(context, account, request, entry).await.map(Some),
        None => Ok(None),
    }
}

async fn replay<C: Capabilities<Ledger: Entries>>(
    context: &Context<C>,
    account: &AccountId,
    request: &ChargeRequest,
    entry: Entry,
) -> Result<Charged, ChargeError> {
    check_charge_replay(&entry, request)?;
    let restore = context.ledger.entry_get(account, &Origin::Restore(request.key.clone())).await?;
    Ok(Charged { posted: Posted { entry, is_replay: true }, restore })
}

impl From<LedgerError> for ChargeError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
