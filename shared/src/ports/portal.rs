//! The links into the Billing Dashboard and the sessions that follow them.

use super::LedgerError;
use crate::domain::AccountId;
use crate::domain::portal::{PassHash, PortalLink, PortalSession};
use std::future::Future;

/// An account's passes. An expired one may still be there, or may be gone already.
pub trait PortalPasses: Send + Sync {
    fn portal_link_put(&self, link: &PortalLink) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// `None` as well once the link was exchanged.
    fn portal_link_get(
        &self,
        account: &AccountId,
        hash: &PassHash,
    ) -> impl Future<Output = Result<Option<PortalLink>, LedgerError>> + Send;

    /// Stores the session in place of the link, both or neither. Returns false, and writes nothing, if the link is not
    /// there any more.
    fn portal_link_exchange(
        &self,
        link: &PortalLink,
        session: &PortalSession,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    fn portal_session_get(
        &self,
        account: &AccountId,
        hash: &PassHash,
    ) -> impl Future<Output = Result<Option<PortalSession>, LedgerError>> + Send;

    /// Writes that the session was used. Returns false, and writes nothing, if it was ended: an ended one stays so.
    fn portal_session_seen(&self, session: &PortalSession) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    fn portal_session_end(
        &self,
        account: &AccountId,
        hash: &PassHash,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Ends every session of the account, and every link into it. Returns how many there were.
    fn portal_passes_end(&self, account: &AccountId) -> impl Future<Output = Result<u32, LedgerError>> + Send;
}
