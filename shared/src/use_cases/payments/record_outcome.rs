//! The one way credits are granted for money: called alike by Stripe's answer, the webhook, the sweep and a customer's
//! "check again", in whichever order and however often.

use crate::domain::payments::{
    CheckoutOutcome, GrantRefusal, TopUpOutcome, decide_purchase_outcome, decide_top_up_outcome,
};
use crate::domain::{AccountId, NoticeId, Purchase, PurchaseId, TopUp, TopUpId};
use crate::ports::{Accounts, CommitError, IdGenerator, LedgerError, Purchases, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};

/// A round beyond the time for deciding: it finds what a commit has written that took all of that time.
const ONE_MORE: [u32; 1] = [u32::MAX];

/// Why nothing was settled.
#[derive(Debug, thiserror::Error)]
pub enum RecordOutcomeError {
    /// No account, purchase or attempt of these ids here: another deployment's, on the same Stripe account.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The payment is not the one asked for. Somebody has to look.
    #[error("the payment is not the one asked for")]
    Mismatch(#[from] GrantRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Carries a purchase as far as Stripe's word goes; answers with the purchase as it stands then.
///
/// # Errors
/// [`RecordOutcomeError`].
pub async fn record_purchase_outcome<C: Capabilities<Ledger: Accounts + Purchases, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    purchase: &PurchaseId,
    outcome: &CheckoutOutcome,
) -> Result<Purchase, RecordOutcomeError> {
    let ledger = &context.ledger;
    for _ in context.rounds().chain(ONE_MORE) {
        let current = ledger.account_get(account).await?.ok_or_else(|| NotFound::Account(account.clone()))?;
        let standing = ledger.purchase_get(account, purchase).await?;
        let standing = standing.ok_or_else(|| NotFound::Purchase(purchase.clone()))?;
        let now = context.now();
        let notice = context.mint(NoticeId::mint, now);
        let Some(change) = decide_purchase_outcome(&current, &standing, outcome, notice, now)? else {
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
/// [`RecordOutcomeError`].
pub async fn record_top_up_outcome<C: Capabilities<Ledger: Accounts + TopUps, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
    outcome: &TopUpOutcome,
) -> Result<TopUp, RecordOutcomeError> {
    let ledger = &context.ledger;
    for _ in context.rounds().chain(ONE_MORE) {
        let current = ledger.account_get(account).await?.ok_or_else(|| NotFound::Account(account.clone()))?;
        let standing = ledger.top_up_get(account, top_up).await?;
        let standing = standing.ok_or_else(|| NotFound::TopUp(top_up.clone()))?;
        let now = context.now();
        let notice = context.mint(NoticeId::mint, now);
        let Some(change) = decide_top_up_outcome(&current, &standing, outcome, notice, now)? else {
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

impl From<LedgerError> for RecordOutcomeError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
