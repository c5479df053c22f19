//! What is kept of disputes.

use super::ledger_error::LedgerError;
use crate::domain::DisputeId;
use crate::domain::payments::Dispute;
use jiff::Timestamp;
use std::future::Future;

/// A row for each dispute of a payment of ours.
pub trait Disputes: Send + Sync {
    fn dispute_get(&self, dispute: &DisputeId) -> impl Future<Output = Result<Option<Dispute>, LedgerError>> + Send;

    /// Replaces the revision before this one. Returns false, and writes nothing, if somebody else was first.
    fn dispute_put(&self, dispute: &Dispute) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}

/// The index of open disputes.
pub trait OpenDisputes: Send + Sync {
    /// A page of those of which something is due by `until`, what is due first coming first. An index may lag behind the
    /// table.
    fn open_disputes(
        &self,
        until: Timestamp,
        after: Option<&DisputePlace>,
    ) -> impl Future<Output = Result<DisputesPage, LedgerError>> + Send;
}

/// A place in the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DisputePlace {
    pub due_at: Timestamp,
    pub dispute: DisputeId,
}

/// A page of places; `next` is where the next page continues, `None` on the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisputesPage {
    pub places: Vec<DisputePlace>,
    pub next: Option<DisputePlace>,
}
