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

async fn replay<C: Capabilities<Ledger: Accounts + ContactRecords>>(
    context: &Context<C>,
    account: Account,
    email: &EmailAddress,
) -> Result<OpenedAccount, OpenAccountError> {
    account.check_not_closed()?;
    match is_email_of::<_, OpenAccountError>(context, &account, email).await? {
        true => Ok(OpenedAccount { account, is_replay: true }),
        false => Err(OpenAccountError::EmailDiffers),
    }
}

/// Whether a request may name the account by this address: its own, or that of its opening. The same request may be sent
/// again whatever address the account has since.
///
/// # Errors
/// [`AccountClosed`] if the account was closed after it was read, and its contacts are erased.
pub(in crate::use_cases) async fn is_email_of<C, E>(
    context: &Context<C>,
    account: &Account,
    email: &EmailAddress,
) -> Result<bool, E>
where
    C: Capabilities<Ledger: Accounts + ContactRecords>,
    E: From<LedgerError> + From<AccountClosed>,
{
    if account.email.as_ref() == Some(email) {
        return Ok(true);
    }
    let contacts = context.ledger.contacts_get(&account.id).await?;
    if contacts.is_some_and(|contacts| contacts.opened_with == *email) {
        return Ok(true);
    }
    let current = context.ledger.account_get(&account.id).await?;
    current.map_or(Ok(()), |current| current.check_not_closed())?;
    Ok(false)
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
