//! One run of the reconciliation: its time, how far it got, and what it did.

use crate::ports::{DueLooks, DueUnpaid, EventList, FailedEvents, Reconciled, Reconciliations};
use crate::use_cases::Capabilities;
use crate::use_cases::payments::ApplyingEvents;
use jiff::Timestamp;

trait_alias! {
    /// What the reconciliation needs of the outside: it applies events, and finds what is left to do.
    pub trait Reconciling:
        ApplyingEvents
            + Capabilities<Ledger: DueLooks + DueUnpaid + FailedEvents + Reconciliations, Payments: EventList>
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconcileSummary {
    /// Events that were listed and not applied before.
    pub applied: u64,
    /// What a webhook should have told by then: events, and the ends that looks found.
    pub found: u64,
    /// Payments of which no row knows. Each has a flag now.
    pub flagged: u64,
    pub looked: u64,
    /// Events and looks that failed in this run. They are tried again.
    pub failed: u64,
    /// Those of the events that have failed several times.
    pub failing: u64,
    /// Whether the payment provider's list of events could not be read.
    pub is_blind: bool,
    /// Whether time ran out first, or too much failed. The next run goes on.
    pub is_cut_short: bool,
}

/// A run under way.
pub(super) struct Run {
    pub(super) started_at: Timestamp,
    /// No event is begun after this instant, so that time is left for looks.
    pub(super) events_before: Timestamp,
    /// Nothing is begun after this instant.
    pub(super) begin_before: Timestamp,
    pub(super) reconciled: Reconciled,
    pub(super) summary: ReconcileSummary,
}
