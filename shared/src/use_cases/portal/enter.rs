//! Exchanging a link for a session.

use crate::domain::portal::{PassToken, PortalSession};
use crate::ports::{IdGenerator, LedgerError, PortalPasses};
use crate::use_cases::{Capabilities, Context};

/// Why a link does not lead in.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// It was used, has expired, was ended, or never existed: nobody is told which.
    #[error("the link does not work any more")]
    Unusable,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A session, and its token, which only its browser holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    pub token: PassToken,
    pub session: PortalSession,
}

/// The session has a secret of its own, so whoever saw the link cannot use the session. Of two browsers that exchange
/// one link, one gets a session.
///
/// # Errors
/// [`EnterError`].
pub async fn enter<C: Capabilities<Ledger: PortalPasses>>(
    context: &Context<C>,
    link: &PassToken,
) -> Result<Entered, EnterError> {
    let found = context.ledger.portal_link_get(link.account(), &link.hash()).await?.ok_or(EnterError::Unusable)?;
    let token = PassToken::new(link.account().clone(), context.ids.unpredictable());
    let session = found.exchanged_for(&token, context.now()).ok_or(EnterError::Unusable)?;
    match context.ledger.portal_link_exchange(&found, &session).await? {
        true => Ok(Entered { token, session }),
        false => Err(EnterError::Unusable),
    }
}
