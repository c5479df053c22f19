//! The one way credits are granted for money: called alike by Stripe's answer, the webhook, the sweep and a customer's
//! "check again", in whichever order and however often.

use crate::domain::payments::{
    CheckoutOutcome, GrantRefusal, TopUpOutcome, decide_purchase_outcome, decide_top_up_outcome,
};
use crate::domain::{Account, AccountId, NoticeId, Purchase, PurchaseId, TopUp, TopUpId};
use crate::ports::{Accounts, IdGenerator, Purchases, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};

/// Why nothing was recorded.
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
    let read = || async {
        let stored = context.ledger.purchase_get(account, purchase).await.map_err(StoreError::from)?;
        stored.ok_or_else(|| RecordOutcomeError::from(NotFound::Purchase(purchase.clone())))
    };
    let decide = |account: &Account, purchase: &Purchase, now| {
        let notice = context.mint(NoticeId::mint, now);
        Ok(decide_purchase_outcome(account, purchase, outcome, notice, now)?)
    };
    match context.update_with(account, |_| read(), decide).await? {
        Updated::Committed(change, before) => Ok(change.purchase().cloned().unwrap_or(before)),
        Updated::Unchanged(_, purchase) => Ok(purchase),
        // Somebody else granted it a moment ago.
        Updated::Duplicate(_) => read().await,
    }
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
    let read = || async {
        let stored = context.ledger.top_up_get(account, top_up).await.map_err(StoreError::from)?;
        stored.ok_or_else(|| RecordOutcomeError::from(NotFound::TopUp(top_up.clone())))
    };
    let decide = |account: &Account, top_up: &TopUp, now| {
        let notice = context.mint(NoticeId::mint, now);
        Ok(decide_top_up_outcome(account, top_up, outcome, notice, now)?)
    };
    match context.update_with(account, |_| read(), decide).await? {
        Updated::Committed(change, before) => Ok(change.top_up().cloned().unwrap_or(before)),
        Updated::Unchanged(_, top_up) => Ok(top_up),
        // Somebody else granted it a moment ago.
        Updated::Duplicate(_) => read().await,
    }
}
