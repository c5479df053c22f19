//! Ending a pending charge at the caller's request: what a capture and a void share.

use super::charge::{Charged, what_became_of};
use super::find_charge::no_charge;
use super::limits_of;
use crate::domain::charging::{ChargeStatus, EndRefusal, PendingCharge};
use crate::domain::spending::Payer;
use crate::domain::{Account, AccountId, Change, Credits, Entry, IdempotencyKey, Origin, SpenderLimits};
use crate::ports::{Accounts, Entries, LedgerError, PendingCharges, Spenders};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use jiff::Timestamp;

/// A pending charge that this request, or an earlier identical one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub charge: PendingCharge,
    /// The restore of a capture that is answered again.
    pub restore: Option<Entry>,
    pub is_replay: bool,
}

/// What became of a charge that cannot be ended any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeState {
    pub status: ChargeStatus,
    /// What it took.
    pub credits: Credits,
    /// What stays taken of it.
    pub credits_kept: Credits,
}

/// Why a charge was not ended, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// It was never pending, it ended in another way, or its time was up, in which case it expired with this request.
    #[error("the charge is {}", .0.status.name())]
    NotPending(ChargeState),
    #[error(transparent)]
    Refused(EndRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Ends a pending charge as `decide` says.
///
/// Capture, void and expiry exclude each other: each changes the charge's record, and a record changes only together
/// with its account's version.
pub(super) async fn end<C, D>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
    decide: D,
) -> Result<Ended, EndError>
where
    C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders>,
    D: Fn(Payer<'_>, &PendingCharge, Timestamp) -> Result<Option<Change>, EndRefusal>,
{
    let read = |current| async move {
        let pending = pending_charge(context, account, charge).await?;
        let limits = limits_of(context, current, pending.spender.as_ref()).await?;
        Ok::<_, EndError>((pending, limits))
    };
    let decide = |account: &Account, (pending, limits): &(PendingCharge, Vec<SpenderLimits>), now| {
        decide(Payer { account, limits }, pending, now).map_err(|refusal| refused(pending, refusal))
    };
    let mut updated = context.update_with(account, read, decide).await?;
    if matches!(updated, Updated::Duplicate(_)) {
        // Another request ended the charge after its record was read. The record now says how.
        updated = context.update_with(account, read, decide).await?;
    }
    match updated {
        Updated::Committed(change, _) => committed(&change),
        Updated::Unchanged(_, (pending, _)) => {
            let restore = context.ledger.entry_get(account, &Origin::Restore(charge.clone())).await?;
            Ok(Ended { charge: pending, restore, is_replay: true })
        }
        Updated::Duplicate(_) => Err(StoreError::Contended.into()),
    }
}

async fn pending_charge<C: Capabilities<Ledger: Accounts + Entries + PendingCharges>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<PendingCharge, EndError> {
    if let Some(pending) = context.ledger.pending_charge_get(account, charge).await? {
        return Ok(pending);
    }
    match context.ledger.entry_get(account, &Origin::Charge(charge.clone())).await? {
        Some(entry) => {
            let charged = what_became_of(context, account, charge, entry).await?;
            // It may have been charged between the two reads.
            charged.pending.clone().ok_or_else(|| EndError::NotPending(ChargeState::of(&charged)))
        }
        None => Err(no_charge(context, account, charge).await?.into()),
    }
}

fn committed(change: &Change) -> Result<Ended, EndError> {
    let pending = change.pending_charge().ok_or_else(|| StoreError::Missing("the ended charge".to_owned()))?;
    match pending.status() {
        ChargeStatus::Expired => Err(EndError::NotPending(ChargeState::of_pending(pending))),
        _ => Ok(Ended { charge: pending.clone(), restore: None, is_replay: false }),
    }
}

fn refused(pending: &PendingCharge, refusal: EndRefusal) -> EndError {
    match refusal {
        EndRefusal::NotPending(_) => EndError::NotPending(ChargeState::of_pending(pending)),
        refusal => EndError::Refused(refusal),
    }
}

impl ChargeState {
    fn of(charged: &Charged) -> Self {
        let credits = charged.posted.entry.credits.negated();
        let status = charged.status();
        let credits_kept = if status == ChargeStatus::Restored { Credits::ZERO } else { credits };
        Self { status, credits, credits_kept }
    }

    fn of_pending(pending: &PendingCharge) -> Self {
        let credits_kept = pending.end.map_or(pending.credits, |end| end.credits_kept);
        Self { status: pending.status(), credits: pending.credits, credits_kept }
    }
}

impl From<LedgerError> for EndError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
