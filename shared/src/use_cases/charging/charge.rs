//! Charging an account for one operation.

use super::limits_of;
use crate::domain::charging::{
    ChargeCommand, ChargeRefusal, ChargeRequest, ChargeStatus, PendingCharge, RefusedBecause, check_charge_replay,
    decide_charge,
};
use crate::domain::spending::Payer;
use crate::domain::{AccountId, Cause, Entry, IdempotencyKey, KeyReused, LimitReached, Origin, PriceBook};
use crate::ports::{Accounts, Entries, LedgerError, PendingCharges, Spenders};
use crate::use_cases::{Capabilities, Context, NotFound, Posted, StoreError, Updated};

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

impl ChargeError {
    /// Why the charge was refused, if it was. Anything else was not an answer to it.
    pub fn refused_because(&self) -> Option<RefusedBecause> {
        match self {
            Self::KeyReused(_) => Some(RefusedBecause::IdempotencyKeyReused),
            Self::Refused(ChargeRefusal::Restricted { .. }) => Some(RefusedBecause::AccountRestricted),
            Self::Refused(ChargeRefusal::SpendingStopped { .. }) => Some(RefusedBecause::SpendingStopped),
            Self::Refused(ChargeRefusal::LimitReached(_)) => Some(RefusedBecause::LimitReached),
            Self::Refused(ChargeRefusal::InsufficientCredits { .. }) => Some(RefusedBecause::InsufficientCredits),
            // Nothing is kept about a closed account, because it was closed to erase what is kept.
            Self::Refused(ChargeRefusal::Closed(_)) => None,
            Self::NotFound(_) | Self::Refused(ChargeRefusal::BalanceOutOfRange(_)) | Self::Store(_) => None,
        }
    }

    /// The limit that refused the charge, if one did.
    pub fn limit_reached(&self) -> Option<LimitReached> {
        match self {
            Self::Refused(ChargeRefusal::LimitReached(reached)) => Some(*reached),
            _ => None,
        }
    }
}

/// A charge, and what became of it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    pub posted: Posted,
    /// The record of a charge that was made pending.
    pub pending: Option<PendingCharge>,
    /// The restore of a charge that is answered again. A job that runs again under the same key is not paid for.
    pub restore: Option<Entry>,
}

impl Charged {
    pub fn status(&self) -> ChargeStatus {
        match (&self.restore, &self.pending) {
            (Some(_), _) => ChargeStatus::Restored,
            (None, Some(pending)) => pending.status(),
            (None, None) => ChargeStatus::Posted,
        }
    }
}

/// Takes what the operation costs, once for each key, with one strongly consistent read and one transaction, or with the
/// transaction alone.
/// The limits of the charge's spender, if it may have any, need another read before each decision.
/// A replay needs other reads, to tell what became of the charge.
///
/// # Errors
/// [`ChargeError`]. After [`ChargeError::Store`] the charge may have been posted; a retry under the same key returns
/// it.
pub async fn charge<C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &ChargeCommand,
) -> Result<Charged, ChargeError> {
    let read = |current| async move {
        Ok::<_, ChargeError>(limits_of(context, current, command.request.spender.as_ref()).await?)
    };
    let updated = context
        .update_with(account, read, |account, limits, now| {
            Ok(Some(decide_charge(Payer { account, limits }, &context.price_book, command, now)?))
        })
        .await;
    match updated {
        Ok(Updated::Committed(change, limits)) => {
            let pending = change.pending_charge().cloned();
            let posted = Posted::try_from(Updated::Committed(change, limits))?;
            Ok(Charged { posted, pending, restore: None })
        }
        Ok(replayed) => replay(context, account, &command.request, Posted::try_from(replayed)?.entry).await,
        // A key that took credits before gets its first answer again, even if a new charge would be refused.
        Err(ChargeError::Refused(refusal)) => {
            let earlier = charge_again(context, account, &command.request).await;
            earlier_or_refused(earlier, refusal)
        }
        Err(error) => Err(error),
    }
}

/// The charge that this request posted before, if it did. For a request that the price book does not allow any more.
///
/// # Errors
/// [`ChargeError::KeyReused`] if the key took credits for another request, and [`ChargeError::Store`].
pub async fn charge_again<C: Capabilities<Ledger: Entries + PendingCharges>>(
    context: &Context<C>,
    account: &AccountId,
    request: &ChargeRequest,
) -> Result<Option<Charged>, ChargeError> {
    match context.ledger.entry_get(account, &Origin::Charge(request.key.clone())).await? {
        Some(entry) => replay(context, account, request, entry).await.map(Some),
        None => Ok(None),
    }
}

/// The charge that a refused request posted before, or its refusal.
///
/// A closed account refuses a request under another one's key like any new request, so that nothing is kept of it.
pub(super) fn earlier_or_refused(
    earlier: Result<Option<Charged>, ChargeError>,
    refusal: ChargeRefusal,
) -> Result<Charged, ChargeError> {
    match earlier {
        Err(ChargeError::KeyReused(_)) if matches!(refusal, ChargeRefusal::Closed(_)) => Err(refusal.into()),
        earlier => earlier?.ok_or(ChargeError::Refused(refusal)),
    }
}

/// The charge of this entry under the request's key, if it is this same request.
pub(super) async fn replay<C: Capabilities<Ledger: Entries + PendingCharges>>(
    context: &Context<C>,
    account: &AccountId,
    request: &ChargeRequest,
    entry: Entry,
) -> Result<Charged, ChargeError> {
    check_charge_replay(&entry, request)?;
    Ok(what_became_of(context, account, &request.key, entry).await?)
}

/// The charge of an entry, as it stands now.
pub(super) async fn what_became_of<C: Capabilities<Ledger: Entries + PendingCharges>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
    entry: Entry,
) -> Result<Charged, StoreError> {
    let pending = match entry.cause {
        Cause::Charge { expires_in: Some(_), .. } => {
            let pending = context.ledger.pending_charge_get(account, charge).await?;
            Some(pending.ok_or_else(|| StoreError::Missing(format!("the record of the pending charge {charge}")))?)
        }
        _ => None,
    };
    let restore = match pending.as_ref().map(PendingCharge::status) {
        None | Some(ChargeStatus::Posted) => {
            context.ledger.entry_get(account, &Origin::Restore(charge.clone())).await?
        }
        Some(_) => None,
    };
    Ok(Charged { posted: Posted { entry, is_replay: true }, pending, restore })
}

impl From<LedgerError> for ChargeError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
