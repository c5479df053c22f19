//! Finding the credits of a payment that a customer names: ask the payment provider what became of it, apply that as its event
//! would have been applied, and say exactly what was found.
//!
//! It has no way of its own to grant anything, and nothing is looked at that belongs to another account.

use super::apply_event::{Applied, ApplyEventError, apply_checkout_report, apply_invoice_report};
use super::apply_returned::{ApplyReturnedError, apply_returned, known_bought};
use super::check_purchase::check_purchase;
use super::record_outcome::RecordOutcomeError;
use crate::domain::payments::{
    AppliedClaim, Bought, Claim, FoundResult, GrantRefusal, PaidFor, Progress, TooManyClaims, conclude,
};
use crate::domain::{AccountId, BalanceOutOfRange, InvoiceId, PaymentIntentId, PurchaseStatus};
use crate::error::chain;
use crate::ports::{
    Accounts, AskedCards, ClaimLogs, ClaimedPayment, ClaimedPayments, Consents, Entries, LedgerError, PaymentReturns,
    Payments, PaymentsError, Purchases, ToldBy, TopUps, UnknownPayments,
};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError};
use jiff::Timestamp;

/// How often the question is counted again because another one was counted at the same time.
const TRIES_MAX: u32 = 5;

/// What was found of a claim. Of another account's payment, and of one that is not ours, nothing but the result is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPayment {
    pub result: FoundResult,
    /// What is known of a payment of the account.
    pub own: Option<OwnPayment>,
}

/// A payment of the account that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPayment {
    pub paid_for: PaidFor,
    pub payment: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    /// In the minor unit of `currency`, with tax.
    pub amount: i64,
    /// What went back of it by now.
    pub returned: i64,
    /// ISO 4217 as the payment provider spells it.
    pub currency: String,
    /// What is stored of what it was made for. `None` if no row knows it.
    pub bought: Option<Bought>,
    /// Where it can be paid, while paying it still brings credits.
    pub hosted_url: Option<String>,
    pub created_at: Timestamp,
}

/// Why it is not known what became of a payment, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum FindPaymentsError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    TooMany(#[from] TooManyClaims),
    /// A person has to investigate.
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Finds what became of the payments that a claim may be about; at least one result. What was paid is granted.
///
/// # Errors
/// [`FindPaymentsError`]. The same question may be asked again, and counts again.
pub async fn find_payments<C>(
    context: &Context<C>,
    account: &AccountId,
    claim: &Claim,
) -> Result<Vec<FoundPayment>, FindPaymentsError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + ClaimLogs + Consents + Entries + Purchases + TopUps + UnknownPayments,
            Payments: Payments + PaymentReturns + ClaimedPayments,
        >,
{
    let owner = context.account::<FindPaymentsError>(account).await?;
    count_question(context, account).await?;
    let claimed = context.payments.claimed_payments(Some(&owner.customer), claim).await?;
    let mut found = vec![];
    for payment in &claimed {
        found.push(find_one(context, account, payment).await?);
    }
    if found.is_empty() {
        found.push(FoundResult::NotFound.alone());
    }
    for FoundPayment { result, own } in &found {
        let paid_for = own.as_ref().map(|own| own.paid_for.as_str());
        tracing::info!(account.id = %account, paid_for, result = result.name(), "a customer asked for a payment");
    }
    Ok(found)
}

/// Counts a question before it is asked.
async fn count_question<C: Capabilities<Ledger: ClaimLogs>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<(), FindPaymentsError> {
    for _ in 0..TRIES_MAX {
        let log = context.ledger.claim_log_get(account).await?;
        if context.ledger.claim_log_put(account, &log.noting(context.now())?).await? {
            return Ok(());
        }
    }
    Err(OutsideError::from(StoreError::Contended).into())
}

async fn find_one<C>(
    context: &Context<C>,
    account: &AccountId,
    claimed: &ClaimedPayment,
) -> Result<FoundPayment, FindPaymentsError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + Entries + Purchases + TopUps + UnknownPayments,
            Payments: Payments + PaymentReturns,
        >,
{
    let paid_for = match &claimed.paid_for {
        None => return Ok(FoundResult::NotOurs.alone()),
        Some(_) if claimed.is_of_other_deployment => return Ok(FoundResult::NotOurs.alone()),
        Some((named, _)) if named != account => return Ok(FoundResult::OfAnotherAccount.alone()),
        Some((_, paid_for)) => paid_for,
    };
    let before = context.ledger.entry_get(account, &paid_for.origin()).await?;
    // What went back is known first, so that a payment that was refunded in the meantime is not granted to be spent.
    if let Some(payment) = &claimed.payment {
        apply_returned(context, payment).await?;
    }
    let (progress, hosted_url) = apply(context, account, (claimed, paid_for)).await?;
    let entry = context.ledger.entry_get(account, &paid_for.origin()).await?;
    let bought = known_bought(context, account, paid_for).await?;
    let result = conclude(&AppliedClaim {
        payment: claimed.payment.as_ref(),
        invoice: claimed.invoice.as_ref(),
        progress,
        bought: bought.as_ref(),
        entry: entry.as_ref(),
        was_granted: before.is_some(),
    });
    Ok(found(claimed, paid_for, (result, bought, hosted_url)))
}

fn found(
    claimed: &ClaimedPayment,
    paid_for: &PaidFor,
    (result, bought, hosted_url): (FoundResult, Option<Bought>, Option<String>),
) -> FoundPayment {
    let is_payable = result == FoundResult::NotPaid && bought.as_ref().is_some_and(Bought::is_payable);
    let is_of_this = !matches!(result, FoundResult::PaidTwice | FoundResult::NotPaid);
    let returned = bought.as_ref().filter(|_| is_of_this).map_or(0, |bought| bought.reversed().returns.returned());
    let own = OwnPayment {
        paid_for: paid_for.clone(),
        payment: claimed.payment.clone(),
        invoice: claimed.invoice.clone(),
        amount: claimed.amount,
        returned,
        currency: claimed.currency.clone(),
        bought,
        hosted_url: hosted_url.filter(|_| is_payable),
        created_at: claimed.created_at,
    };
    FoundPayment { result, own: Some(own) }
}

/// Applies what the payment's object says, as its event would have been applied. Returns how far it has come, and where it
/// can be paid.
async fn apply<C>(
    context: &Context<C>,
    account: &AccountId,
    (claimed, paid_for): (&ClaimedPayment, &PaidFor),
) -> Result<(Progress, Option<String>), FindPaymentsError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + Purchases + TopUps + UnknownPayments,
            Payments: Payments,
        >,
{
    let (applied, progress, hosted_url) = match &claimed.told_by {
        Some(ToldBy::Checkout(session)) => {
            let report = context.payments.checkout_get(session).await?;
            let applied = apply_checkout_report(context, session, &report).await;
            (applied, Progress::of_purchase(&report.outcome), report.hosted_url)
        }
        Some(ToldBy::Invoice(invoice)) => {
            let report = context.payments.invoice_get(invoice).await?;
            let applied = apply_invoice_report(context, &report).await;
            let progress = match &report.purchase {
                Some((.., outcome)) => Progress::of_purchase(outcome),
                None => Progress::of_top_up(&report.outcome, claimed.received),
            };
            (applied, progress, report.hosted_url)
        }
        None => return check(context, account, paid_for).await.map(|progress| (progress, None)),
    };
    match applied {
        Ok(Applied::Now | Applied::Before | Applied::Ignored | Applied::Flagged) => Ok((progress, hosted_url)),
        Err(
            ApplyEventError::Mismatch(GrantRefusal::BalanceOutOfRange(error))
            | ApplyEventError::BalanceOutOfRange(error),
        ) => Err(error.into()),
        // The payment grants nothing, which the customer is told.
        Err(ApplyEventError::Mismatch(refusal)) => {
            tracing::error!(account.id = %account, paid_for = %paid_for, error = %chain(&refusal), "a claimed payment does not match what was asked for");
            Ok((progress, hosted_url))
        }
        Err(ApplyEventError::Outside(error)) => Err(error.into()),
    }
}

/// No object tells of the payment, such as that of a page that the payment provider does not list any more. The row of the
/// purchase names its own page.
async fn check<C: Capabilities<Ledger: Accounts + AskedCards + Purchases, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
    paid_for: &PaidFor,
) -> Result<Progress, FindPaymentsError> {
    let PaidFor::Purchase(purchase) = paid_for else { return Ok(Progress::NotPaid) };
    match check_purchase(context, account, purchase).await {
        Ok(purchase) => Ok(match purchase.status {
            PurchaseStatus::Paid | PurchaseStatus::InReview => Progress::Paid,
            PurchaseStatus::Processing => Progress::Processing,
            PurchaseStatus::Open | PurchaseStatus::Failed | PurchaseStatus::Expired | PurchaseStatus::Voided => {
                Progress::NotPaid
            }
        }),
        Err(RecordOutcomeError::NotFound(_)) => Ok(Progress::NotPaid),
        Err(RecordOutcomeError::Mismatch(GrantRefusal::BalanceOutOfRange(error))) => Err(error.into()),
        Err(RecordOutcomeError::Mismatch(_)) => Ok(Progress::Paid),
        Err(RecordOutcomeError::Payments(error)) => Err(OutsideError::from(error).into()),
        Err(RecordOutcomeError::Store(error)) => Err(OutsideError::from(error).into()),
    }
}

impl FoundResult {
    /// The result, and nothing besides.
    fn alone(self) -> FoundPayment {
        FoundPayment { result: self, own: None }
    }
}

impl From<ApplyReturnedError> for FindPaymentsError {
    fn from(error: ApplyReturnedError) -> Self {
        match error {
            ApplyReturnedError::BalanceOutOfRange(error) => Self::BalanceOutOfRange(error),
            ApplyReturnedError::Outside(error) => Self::Outside(error),
        }
    }
}

impl From<LedgerError> for FindPaymentsError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for FindPaymentsError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for FindPaymentsError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
