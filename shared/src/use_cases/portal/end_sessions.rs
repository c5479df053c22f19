//! Signing a browser out, or all of an account's.

use crate::domain::AccountId;
use crate::domain::portal::PortalSession;
use crate::ports::{Accounts, PortalPasses};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError};

/// # Errors
/// [`OutsideError`].
pub async fn end_session<C: Capabilities<Ledger: PortalPasses>>(
    context: &Context<C>,
    session: &PortalSession,
) -> Result<(), OutsideError> {
    Ok(context.ledger.portal_session_end(&session.account, &session.hash).await?)
}

/// Ends every session of the account and every link into it. Returns how many there were.
///
/// # Errors
/// [`NotFound`], and [`StoreError`].
pub async fn end_sessions<C, E>(context: &Context<C>, account: &AccountId) -> Result<u32, E>
where
    C: Capabilities<Ledger: Accounts + PortalPasses>,
    E: From<NotFound> + From<StoreError>,
{
    let stored = context.ledger.account_get(account).await.map_err(StoreError::from)?;
    stored.ok_or_else(|| NotFound::Account(account.clone()))?;
    Ok(context.ledger.portal_passes_end(account).await.map_err(StoreError::from)?)
}
