//! Giving all credits of a pending charge back.

use super::ending::{EndError, Ended, end};
use crate::domain::charging::decide_void;
use crate::domain::{AccountId, IdempotencyKey};
use crate::ports::{Accounts, Entries, PendingCharges, Spenders};
use crate::use_cases::{Capabilities, Context};

/// Gives all credits of a pending charge back. A repeated call returns the first void.
///
/// # Errors
/// [`EndError`]. After [`EndError::Store`] the charge may have been voided; a retry finds out.
pub async fn void<C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders>>(
    context: &Context<C>,
    account: &AccountId,
    charge: &IdempotencyKey,
) -> Result<Ended, EndError> {
    end(context, account, charge, |payer, pending, now| decide_void(payer, pending, now)).await
}
