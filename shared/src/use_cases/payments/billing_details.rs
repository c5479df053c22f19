//! What the customer's invoices say about its company: reading it and replacing it, at the payment provider.

use super::unless_deleted;
use crate::domain::payments::{BillingDetails, KnownBillingDetails, RefusedDetail};
use crate::domain::{AccountClosed, AccountId};
use crate::ports::{Accounts, CustomerBilling, LedgerError, PaymentsError, ReplaceDetailsError};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError};

/// Why no details are shown, or why none were replaced, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum BillingDetailsError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    /// Nothing can be kept until the company has repaired the account's record at the payment provider.
    #[error("the account's customer was deleted at the payment provider")]
    CustomerDeleted,
    /// Nothing was changed.
    #[error("the payment provider does not accept a detail: {0:?}")]
    Refused(RefusedDetail),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// # Errors
/// [`BillingDetailsError`].
pub async fn read_billing_details<C: Capabilities<Ledger: Accounts, Payments: CustomerBilling>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<KnownBillingDetails, BillingDetailsError> {
    let owner = context.account::<BillingDetailsError>(account).await?;
    Ok(context.payments.billing_details_get(&owner.customer).await?)
}

/// Replaces all details. A call that was interrupted is completed by repeating it.
///
/// # Errors
/// [`BillingDetailsError`].
pub async fn replace_billing_details<C: Capabilities<Ledger: Accounts, Payments: CustomerBilling>>(
    context: &Context<C>,
    account: &AccountId,
    chosen: &BillingDetails,
) -> Result<KnownBillingDetails, BillingDetailsError> {
    let owner = context.account::<BillingDetailsError>(account).await?;
    owner.check_not_closed()?;
    match context.payments.billing_details_replace(&owner.customer, chosen).await {
        Ok(details) => Ok(details),
        Err(ReplaceDetailsError::Refused(detail)) => Err(BillingDetailsError::Refused(detail)),
        Err(ReplaceDetailsError::Payments(error)) => Err(error.into()),
    }
}

impl From<LedgerError> for BillingDetailsError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for BillingDetailsError {
    fn from(error: PaymentsError) -> Self {
        unless_deleted(error, Self::CustomerDeleted)
    }
}
