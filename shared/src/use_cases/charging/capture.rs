//! Keeping the credits of a pending charge, or fewer.

use super::ending::{EndError, Ended, end};
use crate::domain::charging::decide_capture;
use crate::domain::{AccountId, IdempotencyKey, Measure};
use crate::ports::{Accounts, Entries, PendingCharges, Spenders};
use crate::use_cases::{Capabilities, Context};

/// Keeps what the operation really cost and gives the rest back; without a measure, keeps all. A repeated call returns
/// the first capture.
///
/// # Errors
/// [`EndError`]. After [`EndError::Store`] the charge may have been captured; a retry finds out.
pub async fn capture<C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
    measured: Option<(Measure, i64)>,
) -> Result<Ended, EndError> {
    end(context, account, charge, |payer, pending, now| decide_capture(payer, pending, measured, now)).await
}
