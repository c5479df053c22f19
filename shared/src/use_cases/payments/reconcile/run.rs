//! One run of the reconciliation: its time, how far it got, and what it did.

use crate::ports::{
    Accounts, AskedCards, CardWallet, Consents, Customers, Disputes, DueLooks, DueUnpaid, Entries, EventList, Events,
    FailedEvents, PaymentReturns, Payments, Purchases, Reconciled, Reconciliations, TopUps, UnknownPayments,
};
use crate::use_cases::Capabilities;
use jiff::Timestamp;

/// What the reconciliation needs of the outside.
pub trait Reconciling:
    Capabilities<
        Ledger: Accounts
                    + AskedCards
                    + Consents
                    + Entries
                    + Purchases
                    + TopUps
                    + Customers
                    + Events
                    + Disputes
                    + UnknownPayments
                    + FailedEvents
                    + Reconciliations
                    + DueLooks
                    + DueUnpaid,
        Payments: Payments + CardWallet + PaymentReturns + EventList,
    >
{
}

impl<
    C: Capabilities<
            Ledger: Accounts
                        + AskedCards
                        + Consents
                        + Entries
                        + Purchases
                        + TopUps
                        + Customers
                        + Events
                        + Disputes
                        + UnknownPayments
                        + FailedEvents
                        + Reconciliations
                        + DueLooks
                        + DueUnpaid,
            Payments: Payments + CardWallet + PaymentReturns + EventList,
        >,
> Reconciling for C
{
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
