//! The links to what can be paid: an attempt, which a customer pays or confirms, and a purchase, whose link a customer may
//! hand on to the person who pays for the company.

use super::check_purchase::reported_page;
use super::record_outcome::{RecordOutcomeError, record_purchase_outcome, record_top_up_outcome};
use crate::domain::payments::Invoiced;
use crate::domain::{AccountId, PurchaseId, PurchaseStatus, TopUpId, TopUpStatus};
use crate::error::chain;
use crate::ports::{Accounts, AskedCards, Consents, LedgerError, Payments, PaymentsError, Purchases, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError};

/// Where the link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayPage {
    /// Stripe's page for what is open. Its URL expires, so it is fetched again each time.
    Hosted(String),
    AlreadyPaid,
    /// A payment was made that is not settled yet, so nobody should pay again.
    UnderWay,
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

/// Finds the page, and records the outcome that Stripe reports.
///
/// # Errors
/// [`PayPageError`].
pub async fn pay_page<C>(
    context: &Context<C>,
    account: &AccountId,
    paid_for: &Invoiced,
) -> Result<PayPage, PayPageError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + Purchases + TopUps, Payments: Payments>,
{
    match paid_for {
        Invoiced::Purchase(purchase) => purchase_page(context, account, purchase).await,
        Invoiced::TopUp(top_up) => top_up_page(context, account, top_up).await,
    }
}

/// A purchase that is open is looked up, so what was paid a moment ago is granted and nobody pays it again.
async fn purchase_page<C>(context: &Context<C>, account: &AccountId, id: &PurchaseId) -> Result<PayPage, PayPageError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Purchases, Payments: Payments>,
{
    let purchase = context.ledger.purchase_get(account, id).await?;
    let purchase = purchase.ok_or_else(|| NotFound::Purchase(id.clone()))?;
    if !matches!(purchase.status, PurchaseStatus::Open | PurchaseStatus::Processing) {
        return Ok(page_of(purchase.status, None));
    }
    let (outcome, hosted_url) = reported_page(context, &purchase).await?;
    let purchase = match record_purchase_outcome(context, account, id, &outcome).await {
        Ok(purchase) => purchase,
        Err(error) => return unrecorded(account, id.as_str(), error),
    };
    Ok(page_of(purchase.status, hosted_url))
}

fn page_of(status: PurchaseStatus, hosted_url: Option<String>) -> PayPage {
    match status {
        PurchaseStatus::Open => hosted_url.map_or(PayPage::Closed, PayPage::Hosted),
        PurchaseStatus::Processing | PurchaseStatus::InReview => PayPage::UnderWay,
        PurchaseStatus::Paid => PayPage::AlreadyPaid,
        PurchaseStatus::Failed | PurchaseStatus::Expired | PurchaseStatus::Voided => PayPage::Closed,
    }
}

async fn top_up_page<C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps, Payments: Payments>>(
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
        Err(error) => unrecorded(account, top_up.as_str(), error),
    }
}

fn unrecorded(account: &AccountId, paid_for: &str, error: RecordOutcomeError) -> Result<PayPage, PayPageError> {
    match error {
        RecordOutcomeError::NotFound(missing) => Err(missing.into()),
        RecordOutcomeError::Payments(error) => Err(OutsideError::from(error).into()),
        RecordOutcomeError::Store(error) => Err(OutsideError::from(error).into()),
        RecordOutcomeError::Mismatch(refusal) => {
            let error = chain(&refusal);
            tracing::error!(account.id = %account, paid_for, error, "a payment does not match what was asked for");
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
