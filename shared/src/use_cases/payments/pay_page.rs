//! The link in e-mails, where a customer can pay or confirm an attempt.

use super::record_outcome::{RecordOutcomeError, record_top_up_outcome};
use crate::domain::{AccountId, TopUpId, TopUpStatus};
use crate::error::chain;
use crate::ports::{Accounts, AskedCards, LedgerError, Payments, PaymentsError, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError};

/// Where the link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayPage {
    /// Stripe's page for the open invoice. Its URL expires, so it is fetched again each time.
    Hosted(String),
    AlreadyPaid,
    /// There is nothing left to pay.
    Closed,
}

/// Why the link leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum PayPageError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Finds the page, and records the outcome that Stripe reports for the attempt.
///
/// # Errors
/// [`PayPageError`].
pub async fn pay_page<C: Capabilities<Ledger: Accounts + AskedCards + TopUps, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
) -> Result<PayPage, PayPageError> {
    let attempt = context.ledger.top_up_get(account, top_up).await?;
    let attempt = attempt.ok_or_else(|| NotFound::TopUp(top_up.clone()))?;
    let invoice = match (attempt.status, attempt.invoice) {
        (TopUpStatus::Paid | TopUpStatus::PartlyPaid, _) => return Ok(PayPage::AlreadyPaid),
        (TopUpStatus::Refused(_) | TopUpStatus::Abandoned, _) | (_, None) => return Ok(PayPage::Closed),
        (
            TopUpStatus::Open | TopUpStatus::Processing | TopUpStatus::Declined(_) | TopUpStatus::ActionRequired,
            Some(invoice),
        ) => invoice,
    };
    let report = context.payments.invoice_get(&invoice).await?;
    match record_top_up_outcome(context, account, top_up, &report.outcome).await {
        Ok(attempt) if matches!(attempt.status, TopUpStatus::Paid | TopUpStatus::PartlyPaid) => {
            Ok(PayPage::AlreadyPaid)
        }
        Ok(_) => Ok(report.hosted_url.map_or(PayPage::Closed, PayPage::Hosted)),
        Err(RecordOutcomeError::NotFound(missing)) => Err(missing.into()),
        Err(RecordOutcomeError::Payments(error)) => Err(OutsideError::from(error).into()),
        Err(RecordOutcomeError::Store(error)) => Err(OutsideError::from(error).into()),
        Err(RecordOutcomeError::Mismatch(refusal)) => {
            let error = chain(&refusal);
            tracing::error!(account.id = %account, top_up.id = %top_up, error, "a payment does not match what was asked for");
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
