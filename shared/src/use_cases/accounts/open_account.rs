//! Opening an account: its Stripe customer first, then the account that names it.

use crate::domain::account::decide_open_account;
use crate::domain::{Account, AccountClosed, AccountId, EmailAddress};
use crate::ports::{Accounts, ContactRecords, LedgerError, Payments, PaymentsError};
use crate::use_cases::{Capabilities, Context, OutsideError, StoreError};

/// Why no account was opened, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum OpenAccountError {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    /// The account already exists with another address.
    #[error("the account exists with another e-mail address")]
    EmailDiffers,
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// An account, and whether it already existed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedAccount {
    pub account: Account,
    pub is_replay: bool,
}

/// Opens an account, once for each id.
///
/// A crash between the two steps leaves a customer without an account. A retry finds the same customer, since its
/// idempotency key is made of the account's id and address.
///
/// # Errors
/// [`OpenAccountError`].
pub async fn open_account<C: Capabilities<Ledger: Accounts + ContactRecords, Payments: Payments>>(
    context: &Context<C>,
    id: &AccountId,
    email: &EmailAddress,
) -> Result<OpenedAccount, OpenAccountError> {
    if let Some(account) = context.ledger.account_get(id).await? {
        return replay(context, account, email).await;
    }
    let customer = context.payments.customer_create(id, email).await?;
    let change = decide_open_account(id.clone(), email.clone(), customer, context.salt(), context.now());
    match context.create(&change).await? {
        None => Ok(OpenedAccount { account: change.account, is_replay: false }),
        Some(existing) => replay(context, existing, email).await,
    }
}

/// The same request may name the address of the opening, whatever address the account has since.
async fn replay<C: Capabilities<Ledger: ContactRecords>>(
    context: &Context<C>,
    account: Account,
    email: &EmailAddress,
) -> Result<OpenedAccount, OpenAccountError> {
    account.check_not_closed()?;
    if account.email.as_ref() == Some(email) {
        return Ok(OpenedAccount { account, is_replay: true });
    }
    let contacts = context.ledger.contacts_get(&account.id).await?;
    match contacts.is_some_and(|contacts| contacts.opened_with == *email) {
        true => Ok(OpenedAccount { account, is_replay: true }),
        false => Err(OpenAccountError::EmailDiffers),
    }
}

impl From<LedgerError> for OpenAccountError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for OpenAccountError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for OpenAccountError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
