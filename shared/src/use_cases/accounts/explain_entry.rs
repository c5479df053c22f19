//! Explaining one entry of an account's history.

use crate::domain::charging::{ChargeStatus, PendingCharge};
use crate::domain::payments::PaidFor;
use crate::domain::{AccountId, Cause, Entry, IdempotencyKey, Origin};
use crate::ports::{Accounts, Entries, History, LedgerError, PendingCharges};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};

/// An entry, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedEntry {
    pub entry: Entry,
    /// Of a charge only.
    pub status: Option<ChargeStatus>,
    /// For a charge, the entries that gave its credits back; for one of those, the charge. For a reversal, what was bought.
    pub related: Vec<Entry>,
}

/// Why there is no entry to explain.
#[derive(Debug, thiserror::Error)]
pub enum ExplainEntryError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for ExplainEntryError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}

/// The entry with this `seq`, and the entries that belong to it.
///
/// # Errors
/// [`ExplainEntryError`]. The index may lack the newest entries for a moment, which [`StoreError::Behind`] says.
pub async fn explain_entry<C: Capabilities<Ledger: Accounts + Entries + History + PendingCharges>>(
    context: &Context<C>,
    account: &AccountId,
    seq: u64,
) -> Result<ExplainedEntry, ExplainEntryError> {
    let stored = context.account::<ExplainEntryError>(account).await?;
    if !(1..=stored.seq).contains(&seq) {
        return Err(NotFound::Entry(seq).into());
    }
    let listed = context.ledger.history_page(account, Some(seq.saturating_add(1)), 1).await?;
    let entry = listed.into_iter().find(|entry| entry.seq == seq).ok_or(StoreError::Behind)?;
    let (status, origins) = match &entry.cause {
        Cause::Charge { key, expires_in: None, .. } => (Some(ChargeStatus::Posted), vec![Origin::Restore(key.clone())]),
        Cause::Charge { key, .. } => {
            let pending = context.ledger.pending_charge_get(account, key).await?;
            let pending = pending.ok_or_else(|| StoreError::Missing(format!("the record of the charge {key}")))?;
            (Some(pending.status()), ends_of(&pending))
        }
        Cause::Capture { charge, .. }
        | Cause::Void { charge }
        | Cause::Expiry { charge }
        | Cause::Restore { charge } => (None, vec![Origin::Charge(charge.clone())]),
        Cause::Reversal { paid_for: PaidFor::Purchase(purchase), .. } => {
            (None, vec![Origin::Purchase(purchase.clone())])
        }
        Cause::Reversal { paid_for: PaidFor::TopUp(top_up), .. } => (None, vec![Origin::TopUp(top_up.clone())]),
        Cause::Purchase { .. } | Cause::TopUp { .. } | Cause::Adjustment { .. } | Cause::Import { .. } => {
            (None, vec![])
        }
    };
    let mut related = vec![];
    for origin in &origins {
        related.extend(context.ledger.entry_get(account, origin).await?);
    }
    let is_restored = status.is_some() && related.iter().any(|entry| matches!(entry.cause, Cause::Restore { .. }));
    Ok(ExplainedEntry { entry, status: if is_restored { Some(ChargeStatus::Restored) } else { status }, related })
}

/// The entries that may have given credits of a pending charge back. A capture of the whole charge makes none.
fn ends_of(pending: &PendingCharge) -> Vec<Origin> {
    let of = |origin: fn(IdempotencyKey) -> Origin| origin(pending.charge.clone());
    match pending.status() {
        ChargeStatus::Pending => vec![],
        ChargeStatus::Posted | ChargeStatus::Restored => vec![of(Origin::Capture), of(Origin::Restore)],
        ChargeStatus::Voided => vec![of(Origin::Void)],
        ChargeStatus::Expired => vec![of(Origin::Expiry)],
    }
}
