//! Giving back money of a payment: what is given back is stored first, then the payment provider is asked, and then the
//! credits are taken back for it like for any other refund.

use super::Asked;
use crate::domain::payments::{Bought, PaidFor, Refund, RefundStatus, Returns, WantedRefund};
use crate::domain::support::{RefundDecision, RefundRefusal, decide_refund, decide_refund_ended};
use crate::domain::{Account, AccountId, Credits, Currency, IdempotencyKey, PaymentIntentId};
use crate::ports::{
    Accounts, Entries, IdGenerator, LedgerError, MadeRefund, PaymentRefunds, PaymentReturns, PaymentsError, Purchases,
    RefundError, RefundOrder, TopUps,
};
use crate::use_cases::payments::{ApplyReturnedError, BoughtError, apply_returned, stored_bought};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// A refund that was made, and what it did to the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    pub refund: Refund,
    pub made: MadeRefund,
    pub currency: Currency,
    /// The credits of this payment that are taken back at the moment, for all that went back of it.
    pub taken: Credits,
    pub balance: Credits,
    /// Whether the request was stored before.
    pub is_replay: bool,
}

/// Why no money is given back, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum MakeRefundError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] RefundRefusal),
    /// The payment provider refused it, now or when the same request came before.
    #[error("the payment provider refuses the refund")]
    RefusedByProvider { code: Option<String> },
    #[error(transparent)]
    Applied(#[from] ApplyReturnedError),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Gives back money of a purchase or an attempt, once for each key, and takes back the credits for it.
///
/// # Errors
/// [`MakeRefundError`]. After [`MakeRefundError::Outside`] and [`MakeRefundError::Applied`] the money may have been given
/// back; the same request finds out.
pub async fn refund<C>(
    context: &Context<C>,
    (account, paid_for): (&AccountId, &PaidFor),
    (key, wanted): (&IdempotencyKey, WantedRefund),
    asked: &Asked,
) -> Result<Refunded, MakeRefundError>
where
    C: Capabilities<
            Ledger: Accounts + Entries + Purchases + TopUps,
            Payments: PaymentReturns + PaymentRefunds,
            Ids: IdGenerator,
        >,
{
    context.account::<MakeRefundError>(account).await?;
    let returns = match stored_bought(context, account, paid_for).await?.payment_intent() {
        Some(payment) => context.payments.returned_payment_get(payment).await?.returned.returns,
        None => Returns::default(),
    };
    let mut decided = None;
    let read = |_: Arc<Account>| async { Ok::<_, MakeRefundError>(stored_bought(context, account, paid_for).await?) };
    let decide = |account: &Account, bought: &Bought, now| {
        let acting = asked.acting(context, now);
        let decision = decide_refund(account, (bought, returns), (key, wanted), acting, now)?;
        let payment = bought.payment_intent().cloned();
        Ok::<_, MakeRefundError>(match decision {
            RefundDecision::Known(refund) => {
                decided = Some((refund, payment, true));
                None
            }
            RefundDecision::New(change, refund) => {
                decided = Some((refund, payment, false));
                Some(*change)
            }
        })
    };
    if let Updated::Duplicate(_) = context.update_with(account, read, decide).await? {
        // A request for a refund makes no entry.
        return Err(OutsideError::from(StoreError::NoEntry).into());
    }
    let Some((refund, Some(payment), is_replay)) = decided else { return Err(RefundRefusal::PaidElsewhere.into()) };
    if refund.status == RefundStatus::Refused {
        return Err(MakeRefundError::RefusedByProvider { code: None });
    }
    let made = make(context, (account, paid_for), (&refund, &payment)).await?;
    // The credits first: as long as they are not taken back, no other refund of this payment may begin.
    apply_returned(context, &payment).await?;
    let status = RefundStatus::Made(made.id.clone());
    end(context, (account, paid_for), key, &status).await?;
    let (owner, bought) =
        (context.account::<MakeRefundError>(account).await?, stored_bought(context, account, paid_for).await?);
    Ok(Refunded {
        refund: Refund { status, ..refund },
        made,
        currency: bought.currency(),
        taken: bought.reversed().taken,
        balance: owner.balance,
        is_replay,
    })
}

async fn make<C>(
    context: &Context<C>,
    (account, paid_for): (&AccountId, &PaidFor),
    (refund, payment): (&Refund, &PaymentIntentId),
) -> Result<MadeRefund, MakeRefundError>
where
    C: Capabilities<Ledger: Accounts + Entries + Purchases + TopUps, Payments: PaymentRefunds>,
{
    let order = RefundOrder {
        account: account.clone(),
        paid_for: paid_for.clone(),
        payment: payment.clone(),
        key: refund.key.clone(),
        amount: refund.amount,
    };
    match context.payments.refund_make(&order).await {
        Ok(made) => Ok(made),
        Err(RefundError::Refused { code }) => {
            tracing::warn!(account.id = %account, paid_for = %paid_for, code, "the payment provider refuses a refund");
            end(context, (account, paid_for), &refund.key, &RefundStatus::Refused).await?;
            Err(MakeRefundError::RefusedByProvider { code })
        }
        Err(RefundError::Payments(error)) => Err(error.into()),
    }
}

/// Stores what became of the request.
async fn end<C: Capabilities<Ledger: Accounts + Entries + Purchases + TopUps>>(
    context: &Context<C>,
    (account, paid_for): (&AccountId, &PaidFor),
    key: &IdempotencyKey,
    status: &RefundStatus,
) -> Result<(), MakeRefundError> {
    let read = |_: Arc<Account>| async { Ok::<_, MakeRefundError>(stored_bought(context, account, paid_for).await?) };
    let decide = |account: &Account, bought: &Bought, now| {
        Ok::<_, MakeRefundError>(decide_refund_ended(account, bought, (key, status), now))
    };
    context.update_with(account, read, decide).await.map(drop)
}

impl From<LedgerError> for MakeRefundError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for MakeRefundError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for MakeRefundError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<BoughtError> for MakeRefundError {
    fn from(error: BoughtError) -> Self {
        match error {
            BoughtError::NotFound(missing) => missing.into(),
            BoughtError::Store(error) => error.into(),
        }
    }
}
