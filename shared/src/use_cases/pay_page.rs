//! The link in e-mails: where a customer can pay or confirm an attempt now.

use super::ports::{Ledger, LedgerError, Payments, PaymentsError, Unique};
use super::settle::{SettleError, settle_top_up};
use super::{OutsideError, StoreError};
use crate::clock::Clock;
use crate::domain::{AccountId, TopUpId, TopUpStatus};

/// Where the link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayPage {
    /// Stripe's page for the open invoice, fetched afresh since its address expires.
    Hosted(String),
    AlreadyPaid,
    /// There is nothing to pay any more.
    Closed,
}

/// Why the link leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum PayPageError {
    #[error("no such attempt")]
    NotFound,
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Finds the page, and settles the attempt from what Stripe says on the way.
///
/// # Errors
/// [`PayPageError`].
pub async fn pay_page<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
    top_up: &TopUpId,
) -> Result<PayPage, PayPageError> {
    let attempt = ledger.top_up_get(account, top_up).await?.ok_or(PayPageError::NotFound)?;
    let invoice = match (attempt.status, attempt.invoice) {
        (TopUpStatus::Paid, _) => return Ok(PayPage::AlreadyPaid),
        (TopUpStatus::Abandoned, _) | (_, None) => return Ok(PayPage::Closed),
        (TopUpStatus::Open | TopUpStatus::Declined(_) | TopUpStatus::ActionRequired, Some(invoice)) => invoice,
    };
    let report = payments.invoice_get(&invoice).await?;
    let settled = settle_top_up(ledger, unique, clock, account, top_up, &report.outcome).await;
    match settled {
        Ok(settled) if settled.status == TopUpStatus::Paid => Ok(PayPage::AlreadyPaid),
        Ok(_) => Ok(report.hosted_url.map_or(PayPage::Closed, PayPage::Hosted)),
        Err(SettleError::NotFound) => Err(PayPageError::NotFound),
        Err(SettleError::Store(error)) => Err(OutsideError::from(error).into()),
        Err(SettleError::Mismatch(refusal)) => {
            tracing::error!(account.id = %account, top_up.id = %top_up, %refusal, "a payment is not the one asked for");
            Ok(PayPage::AlreadyPaid)
        }
    }
}

impl From<LedgerError> for PayPageError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(StoreError::from(error).into())
    }
}

impl From<PaymentsError> for PayPageError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
