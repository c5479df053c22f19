//! A link into the Billing Dashboard, for the company to redirect its customer to.

use crate::domain::portal::{PassToken, PortalLink, Visit};
use crate::domain::{AccountClosed, AccountId};
use crate::ports::{Accounts, IdGenerator, LedgerError, PortalPasses};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};
use jiff::Timestamp;

/// Why there is no link, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum OpenLinkError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for OpenLinkError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}

/// The link's token, which is shown this once, and the instant from which it does not work any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedLink {
    pub token: PassToken,
    pub expires_at: Timestamp,
}

/// Each call makes another link.
///
/// # Errors
/// [`OpenLinkError`].
pub async fn open_link<C: Capabilities<Ledger: Accounts + PortalPasses>>(
    context: &Context<C>,
    account: &AccountId,
    visit: Visit,
) -> Result<OpenedLink, OpenLinkError> {
    let stored = context.ledger.account_get(account).await?;
    stored.ok_or_else(|| NotFound::Account(account.clone()))?.check_not_closed()?;
    let token = PassToken::new(account.clone(), context.ids.unpredictable());
    let link = PortalLink::new(&token, visit, context.now());
    context.ledger.portal_link_put(&link).await?;
    Ok(OpenedLink { token, expires_at: link.expires_at })
}
