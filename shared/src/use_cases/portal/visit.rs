//! Finding the session of a browser with its account.

use crate::domain::Account;
use crate::domain::portal::{PassToken, PortalSession};
use crate::ports::{Accounts, LedgerError, PortalPasses};
use crate::use_cases::{Capabilities, Context};

/// Why a browser is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// It is over, was ended, or never existed.
    #[error("there is no such session")]
    NoSession,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A session that goes on, and its account as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visited {
    pub session: PortalSession,
    pub account: Account,
}

/// The two are read at the same time, since the token names both.
///
/// # Errors
/// [`VisitError`].
pub async fn visit<C: Capabilities<Ledger: Accounts + PortalPasses>>(
    context: &Context<C>,
    token: &PassToken,
) -> Result<Visited, VisitError> {
    let (ledger, account, hash, now) = (&context.ledger, token.account(), token.hash(), context.now());
    let (session, account) =
        futures::future::try_join(ledger.portal_session_get(account, &hash), ledger.account_get(account)).await?;
    let (session, account) = session.zip(account).ok_or(VisitError::NoSession)?;
    if session.is_over_at(now) {
        return Err(VisitError::NoSession);
    }
    let Some(seen) = session.seen(now) else { return Ok(Visited { session, account }) };
    match ledger.portal_session_seen(&seen).await? {
        true => Ok(Visited { session: seen, account }),
        false => Err(VisitError::NoSession),
    }
}
