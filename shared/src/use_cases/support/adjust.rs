//! Giving credits to an account, or taking them, by hand.

use super::Asked;
use crate::domain::support::{AdjustRefusal, Adjustment, check_adjustment_replay, decide_adjust};
use crate::domain::{AccountId, KeyReused, Origin};
use crate::ports::{Accounts, Entries, IdGenerator, LedgerError};
use crate::use_cases::{Capabilities, Context, NotFound, Posted, StoreError};

/// Why no credits were adjusted, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error(transparent)]
    Refused(#[from] AdjustRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves the credits and records the act, once for each key.
///
/// # Errors
/// [`AdjustError`]. After [`AdjustError::Store`] the credits may have moved; a retry under the same key finds out.
pub async fn adjust<C: Capabilities<Ledger: Accounts + Entries, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    adjustment: &Adjustment,
    asked: &Asked,
) -> Result<Posted, AdjustError> {
    let updated = context
        .update(account, |account, now| Ok(Some(decide_adjust(account, adjustment, asked.acting(context, now), now)?)))
        .await;
    let posted = match updated {
        Ok(updated) => Posted::try_from(updated)?,
        // A key that moved credits before gets its first answer again, even if it would be refused now.
        Err(AdjustError::Refused(refusal)) => {
            let origin = Origin::Adjustment(adjustment.key.clone());
            let entry = context.ledger.entry_get(account, &origin).await?;
            Posted { entry: entry.ok_or(refusal)?, is_replay: true }
        }
        Err(error) => return Err(error),
    };
    check_adjustment_replay(&posted.entry, adjustment, &asked.reason)?;
    Ok(posted)
}

impl From<LedgerError> for AdjustError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
