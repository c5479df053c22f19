//! The one way credits are granted for money: called alike by Stripe's answer, the webhook, the sweep and a customer's
//! "check again", in whichever order and however often.

use super::ports::{CommitError, Ledger, LedgerError, Unique};
use super::{StoreError, rounds};
use crate::clock::Clock;
use crate::domain::purchase::{CheckoutOutcome, GrantRefusal, decide_settle_purchase};
use crate::domain::top_up::{TopUpOutcome, decide_settle_top_up};
use crate::domain::{AccountId, NoticeId, Purchase, PurchaseId, TopUp, TopUpId};

/// A round beyond the time for deciding: it finds what a commit has written that took all of that time.
const ONE_MORE: [u32; 1] = [u32::MAX];

/// Why nothing was settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// No account, purchase or attempt of these ids here: another deployment's, on the same Stripe account.
    #[error("no such account, purchase or attempt")]
    NotFound,
    /// The payment is not the one asked for. Somebody has to look.
    #[error("the payment is not the one asked for")]
    Mismatch(#[from] GrantRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Carries a purchase as far as Stripe's word goes; answers with the purchase as it stands then.
///
/// # Errors
/// [`SettleError`].
pub async fn settle_purchase<L: Ledger>(
    ledger: &L,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
    purchase: &PurchaseId,
    outcome: &CheckoutOutcome,
) -> Result<Purchase, SettleError> {
    for _ in rounds(clock).chain(ONE_MORE) {
        let current = ledger.account_get(account).await?.ok_or(SettleError::NotFound)?;
        let standing = ledger.purchase_get(account, purchase).await?.ok_or(SettleError::NotFound)?;
        let now = clock.now();
        let notice = NoticeId::mint(unique.unique(now));
        let Some(change) = decide_settle_purchase(&current, &standing, outcome, notice, now)? else {
            return Ok(standing);
        };
        match ledger.commit(&change).await {
            // Read again: the answer is what is stored, not what was meant.
            Ok(()) | Err(CommitError::Stale { .. } | CommitError::Duplicate { .. }) => {}
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

/// Carries an attempt as far as Stripe's word goes; answers with the attempt as it stands then.
///
/// # Errors
/// [`SettleError`].
pub async fn settle_top_up<L: Ledger>(
    ledger: &L,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
    top_up: &TopUpId,
    outcome: &TopUpOutcome,
) -> Result<TopUp, SettleError> {
    for _ in rounds(clock).chain(ONE_MORE) {
        let current = ledger.account_get(account).await?.ok_or(SettleError::NotFound)?;
        let standing = ledger.top_up_get(account, top_up).await?.ok_or(SettleError::NotFound)?;
        let now = clock.now();
        let notice = NoticeId::mint(unique.unique(now));
        let Some(change) = decide_settle_top_up(&current, &standing, outcome, notice, now)? else {
            return Ok(standing);
        };
        match ledger.commit(&change).await {
            // Read again: the answer is what is stored, not what was meant.
            Ok(()) | Err(CommitError::Stale { .. } | CommitError::Duplicate { .. }) => {}
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

impl From<LedgerError> for SettleError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
