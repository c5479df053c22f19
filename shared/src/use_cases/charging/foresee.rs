//! Whether a charge would be refused now. Nothing is promised: the account may change before the charge comes.

use super::limits_of;
use crate::domain::charging::{ChargeRefusal, check_charge};
use crate::domain::spending::Payer;
use crate::domain::{AccountId, Credits, PriceBook, Spender};
use crate::ports::{Accounts, LedgerError, Spenders};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};
use std::sync::Arc;

/// Why it is not known whether a charge would be refused, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ForeseeError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What would refuse a charge of this many credits now, if anything. Nothing is written.
///
/// # Errors
/// [`ForeseeError`].
pub async fn foresee_charge<C: Capabilities<Ledger: Accounts + Spenders, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    spender: Option<&Spender>,
    required: Credits,
) -> Result<Option<ChargeRefusal>, ForeseeError> {
    let found = context.ledger.account_get(account).await?;
    let found = Arc::new(found.ok_or_else(|| NotFound::Account(account.clone()))?);
    let limits = limits_of(context, Arc::clone(&found), spender).await?;
    let payer = Payer { account: &found, limits: &limits };
    Ok(check_charge(payer, &context.price_book, required, context.now()).err())
}

impl From<LedgerError> for ForeseeError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
