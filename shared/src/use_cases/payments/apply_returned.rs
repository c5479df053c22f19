//! Applying what went back of a payment: ask what all its refunds and disputes return by now, then take back the credits
//! for that, or give them back.

use super::unknown_payment::Paid;
use crate::domain::payments::{Bought, PaidFor, ReturnOutcome, decide_returned};
use crate::domain::{Account, AccountId, BalanceOutOfRange, Credits, Origin, PaymentIntentId, TopUp, TopUpStatus};
use crate::ports::{Accounts, Entries, LedgerError, PaymentReturns, PaymentsError, Purchases, ReturnedObject, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// How often it is decided again because somebody else was faster.
const TRIES_MAX: u32 = 4;

/// What came of a report about money that went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppliedReturn {
    /// The payment was made for nothing of this system.
    NotOurs,
    /// It names a purchase or a top-up that does not exist here.
    Unknown { account: AccountId, paid_for: PaidFor, paid: Paid, is_of_other_deployment: bool },
    /// Credits were granted for another payment of the same purchase, and none for this one.
    OtherPayment { account: AccountId, paid_for: PaidFor },
    /// It was paid in another currency than the price, and granted nothing.
    OtherCurrency { account: AccountId, paid_for: PaidFor },
    /// No credits were granted yet. What went back is taken off when they are.
    NeverGranted { account: AccountId, paid_for: PaidFor },
    /// Everything was known.
    Known { account: AccountId, paid_for: PaidFor },
    /// It was recorded. The credits are negative if they were taken back, and zero if nothing moved.
    Recorded { account: AccountId, paid_for: PaidFor, credits: Credits },
}

impl AppliedReturn {
    /// Whose payment it is, and for what. `None` unless it is stored here.
    pub fn owner(&self) -> Option<(&AccountId, &PaidFor)> {
        match self {
            Self::NotOurs | Self::Unknown { .. } => None,
            Self::OtherPayment { account, paid_for }
            | Self::OtherCurrency { account, paid_for }
            | Self::NeverGranted { account, paid_for }
            | Self::Known { account, paid_for }
            | Self::Recorded { account, paid_for, .. } => Some((account, paid_for)),
        }
    }
}

/// Why it was not applied. The same call applies it later.
#[derive(Debug, thiserror::Error)]
pub enum ApplyReturnedError {
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Applies what went back of the payment that a refund or a dispute is about.
///
/// # Errors
/// As [`apply_returned`].
pub async fn apply_returned_object<C>(
    context: &Context<C>,
    named: &ReturnedObject,
) -> Result<AppliedReturn, ApplyReturnedError>
where
    C: Capabilities<Ledger: Accounts + Entries + Purchases + TopUps, Payments: PaymentReturns>,
{
    match context.payments.returned_payment_find(named).await {
        Ok(Some(payment)) => apply_returned(context, &payment).await,
        Ok(None) | Err(PaymentsError::NotFound { .. }) => Ok(AppliedReturn::NotOurs),
        Err(error) => Err(OutsideError::from(error).into()),
    }
}

/// Applies what went back of a payment by now, by whichever refunds and disputes.
///
/// Two calls may ask Stripe one after the other and commit in the other order: what is known only grows, so the later
/// commit does not undo what the newer report said.
///
/// # Errors
/// [`ApplyReturnedError`]. Nothing was applied, or it is not known whether it was; a repeated call finds out.
pub async fn apply_returned<C>(
    context: &Context<C>,
    payment: &PaymentIntentId,
) -> Result<AppliedReturn, ApplyReturnedError>
where
    C: Capabilities<Ledger: Accounts + Entries + Purchases + TopUps, Payments: PaymentReturns>,
{
    let report = match context.payments.returned_payment_get(payment).await {
        Ok(report) => report,
        Err(PaymentsError::NotFound { .. }) => return Ok(AppliedReturn::NotOurs),
        Err(error) => return Err(OutsideError::from(error).into()),
    };
    let Some((account, paid_for)) = report.paid_for else { return Ok(AppliedReturn::NotOurs) };
    let mut tries = 1;
    let (updated, outcome) = loop {
        let mut outcome = ReturnOutcome::Known;
        let updated: Result<_, Failure> = {
            let (account, paid_for) = (&account, &paid_for);
            let read = |_: Arc<Account>| async { Ok::<_, Failure>(stored_bought(context, account, paid_for).await?) };
            let decide = |account: &Account, bought: &Bought, now| {
                outcome = decide_returned(account, bought, &report.returned, now)?;
                Ok(match &outcome {
                    ReturnOutcome::NeverGranted(change) | ReturnOutcome::Recorded(change) => Some((**change).clone()),
                    ReturnOutcome::OtherPayment | ReturnOutcome::OtherCurrency | ReturnOutcome::Known => None,
                })
            };
            context.update_with(account, read, decide).await
        };
        // A reversal is numbered in the record that is read with the account, so an entry of the same number was made by
        // a change of the same account, such as that of the event about the same refund. This one is decided again.
        if matches!(updated, Ok(Updated::Duplicate(_))) && tries < TRIES_MAX {
            tries += 1;
        } else {
            break (updated, outcome);
        }
    };
    match updated {
        Ok(Updated::Duplicate(_)) => Err(OutsideError::from(StoreError::Contended).into()),
        Ok(Updated::Committed(..) | Updated::Unchanged(..)) => Ok(match outcome {
            ReturnOutcome::OtherPayment => AppliedReturn::OtherPayment { account, paid_for },
            ReturnOutcome::OtherCurrency => AppliedReturn::OtherCurrency { account, paid_for },
            ReturnOutcome::Known => AppliedReturn::Known { account, paid_for },
            ReturnOutcome::NeverGranted(_) => AppliedReturn::NeverGranted { account, paid_for },
            ReturnOutcome::Recorded(change) => {
                let credits = change.entries.first().map_or(Credits::ZERO, |entry| entry.credits);
                AppliedReturn::Recorded { account, paid_for, credits }
            }
        }),
        Err(Failure::Missing) => {
            let returned = report.returned;
            let (amount, currency) = (returned.returns.paid, returned.currency);
            let paid = Paid { payment_intent: Some(returned.payment), invoice: returned.invoice, amount, currency };
            let is_of_other_deployment = report.is_of_other_deployment;
            Ok(AppliedReturn::Unknown { account, paid_for, paid, is_of_other_deployment })
        }
        Err(Failure::BalanceOutOfRange(error)) => Err(error.into()),
        Err(Failure::Store(error)) => Err(OutsideError::from(error).into()),
    }
}

/// What a payment was made for, as it is stored.
///
/// # Errors
/// [`BoughtError`].
pub(in crate::use_cases) async fn stored_bought<C: Capabilities<Ledger: Entries + Purchases + TopUps>>(
    context: &Context<C>,
    account: &AccountId,
    paid_for: &PaidFor,
) -> Result<Bought, BoughtError> {
    known_bought(context, account, paid_for).await?.ok_or_else(|| {
        BoughtError::NotFound(match paid_for {
            PaidFor::Purchase(purchase) => NotFound::Purchase(purchase.clone()),
            PaidFor::TopUp(top_up) => NotFound::TopUp(top_up.clone()),
        })
    })
}

/// The same, and `None` if no row knows it.
pub(super) async fn known_bought<C: Capabilities<Ledger: Entries + Purchases + TopUps>>(
    context: &Context<C>,
    account: &AccountId,
    paid_for: &PaidFor,
) -> Result<Option<Bought>, LedgerError> {
    match paid_for {
        PaidFor::Purchase(purchase) => Ok(context.ledger.purchase_get(account, purchase).await?.map(Bought::Purchase)),
        PaidFor::TopUp(id) => match context.ledger.top_up_get(account, id).await? {
            Some(top_up) => Ok(Some(bought_top_up(context, top_up).await?)),
            None => Ok(None),
        },
    }
}

/// An attempt, with the credits of its entry if only a part was paid.
pub(super) async fn bought_top_up<C: Capabilities<Ledger: Entries>>(
    context: &Context<C>,
    top_up: TopUp,
) -> Result<Bought, LedgerError> {
    let entry = match top_up.status {
        TopUpStatus::PartlyPaid => context.ledger.entry_get(&top_up.account, &Origin::TopUp(top_up.id.clone())).await?,
        _ => None,
    };
    Ok(Bought::TopUp(top_up, entry.map(|entry| entry.credits)))
}

/// Why it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BoughtError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Store(#[from] LedgerError),
}

enum Failure {
    /// There is no such account, purchase or attempt.
    Missing,
    BalanceOutOfRange(BalanceOutOfRange),
    Store(StoreError),
}

impl From<NotFound> for Failure {
    fn from(_: NotFound) -> Self {
        Self::Missing
    }
}

impl From<BoughtError> for Failure {
    fn from(error: BoughtError) -> Self {
        match error {
            BoughtError::NotFound(_) => Self::Missing,
            BoughtError::Store(error) => Self::Store(error.into()),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BalanceOutOfRange> for Failure {
    fn from(error: BalanceOutOfRange) -> Self {
        Self::BalanceOutOfRange(error)
    }
}
