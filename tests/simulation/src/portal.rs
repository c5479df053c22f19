//! The dashboard's links and sessions in memory, for the functions' own tests. The simulation has no browser.

use crate::ledger::MemoryLedger;
use shared::domain::AccountId;
use shared::domain::portal::{PassHash, PortalLink, PortalSession};
use shared::ports::{LedgerError, PortalPasses};
use std::collections::BTreeMap;

/// The passes of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    links: BTreeMap<PassHash, PortalLink>,
    sessions: BTreeMap<PassHash, PortalSession>,
}

impl MemoryLedger {
    fn passes<T>(&self, account: &AccountId, change: impl FnOnce(&mut Passes) -> T) -> Result<T, LedgerError> {
        let mut tables = self.tables();
        Ok(change(&mut tables.partitions.entry(account.clone()).or_default().passes))
    }
}

impl PortalPasses for MemoryLedger {
    async fn portal_link_put(&self, link: &PortalLink) -> Result<(), LedgerError> {
        self.passes(&link.account, |passes| drop(passes.links.insert(link.hash.clone(), link.clone())))
    }

    async fn portal_link_get(&self, account: &AccountId, hash: &PassHash) -> Result<Option<PortalLink>, LedgerError> {
        self.passes(account, |passes| passes.links.get(hash).cloned())
    }

    async fn portal_link_exchange(&self, link: &PortalLink, session: &PortalSession) -> Result<bool, LedgerError> {
        self.passes(&link.account, |passes| {
            let is_there = passes.links.remove(&link.hash).is_some();
            if is_there {
                passes.sessions.insert(session.hash.clone(), session.clone());
            }
            is_there
        })
    }

    async fn portal_session_get(
        &self,
        account: &AccountId,
        hash: &PassHash,
    ) -> Result<Option<PortalSession>, LedgerError> {
        self.passes(account, |passes| passes.sessions.get(hash).cloned())
    }

    async fn portal_session_seen(&self, session: &PortalSession) -> Result<bool, LedgerError> {
        self.passes(&session.account, |passes| {
            let stored = passes.sessions.get_mut(&session.hash);
            stored.map(|stored| *stored = session.clone()).is_some()
        })
    }

    async fn portal_session_end(&self, account: &AccountId, hash: &PassHash) -> Result<(), LedgerError> {
        self.passes(account, |passes| drop(passes.sessions.remove(hash)))
    }

    async fn portal_passes_end(&self, account: &AccountId) -> Result<u32, LedgerError> {
        self.passes(account, |passes| {
            let ended = passes.links.len() + passes.sessions.len();
            *passes = Passes::default();
            u32::try_from(ended).expect("a test has few sessions")
        })
    }
}
