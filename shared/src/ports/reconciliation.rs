//! What the reconciliation needs: the provider's list of events, and how far it got.

use super::ledger::{Shard, Unpaid, UnpaidPage};
use super::ledger_error::LedgerError;
use super::payments::PaymentsError;
use super::returns::ReturnedObject;
use crate::domain::payments::UnknownPayment;
use crate::domain::{AccountId, CheckoutSessionId, CustomerId, EventId, InvoiceId, PaymentMethodId, TopUpId};
use jiff::Timestamp;
use std::future::Future;

/// The object that an event is about, if it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Invoice {
        id: InvoiceId,
        /// The top-up that the event says it belongs to.
        top_up: Option<(AccountId, TopUpId)>,
    },
    Checkout(CheckoutSessionId),
    Customer(CustomerId),
    /// A saved card, or another payment method.
    Card(PaymentMethodId),
    /// A refund or a dispute, or a charge of which something went back.
    Returned(ReturnedObject),
    Other,
}

/// The provider's own list of events. It holds those of the last 30 days, whether or not they were sent anywhere.
pub trait EventList: Send + Sync {
    /// A page of the events that concern us, of those that were created from `pass.from` to `pass.until`, both included.
    ///
    /// # Errors
    /// [`PaymentsError::NotFound`] if the event that the page follows is not listed any more.
    fn events_page(&self, pass: &EventsPass) -> impl Future<Output = Result<EventsPage, PaymentsError>> + Send;
}

/// A pass over the list of events, and the place that it has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsPass {
    pub from: Timestamp,
    pub until: Timestamp,
    pub place: EventsPlace,
}

/// A place in the list of events, which the provider may show in several parts. The default is its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsPlace {
    pub part: u8,
    /// The page follows this event.
    pub after: Option<EventId>,
}

/// A page of events in any order; `next` is where the next one begins, `None` on the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsPage {
    pub events: Vec<ListedEvent>,
    pub next: Option<EventsPlace>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEvent {
    pub id: EventId,
    pub subject: Subject,
    /// To the second.
    pub created_at: Timestamp,
}

/// How far the reconciliation got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Counts every write, from 1. 0 if there was none.
    pub revision: u64,
    /// Every event that was created until then was applied, or is kept and tried again.
    pub events_through: Option<Timestamp>,
    /// A pass over newer events that ran out of time.
    pub events_rest: Option<EventsPass>,
    /// Everything of which a look was due until then was looked at.
    pub looks_through: Option<Timestamp>,
    /// A round of looks that ran out of time.
    pub looks_rest: Option<LooksRest>,
}

/// A round of looks, and the place that it has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LooksRest {
    /// The looks of this round are those that were due until then.
    pub until: Timestamp,
    /// Which part of the index is next, and behind what.
    pub part: u8,
    pub after: Option<Unpaid>,
}

/// How far the reconciliation got: one row.
pub trait Reconciliations: Send + Sync {
    /// The default if there is none yet.
    fn reconciled_get(&self) -> impl Future<Output = Result<Reconciled, LedgerError>> + Send;

    /// Replaces the revision before this one. Returns false, and writes nothing, if another run was first.
    fn reconciled_put(&self, reconciled: &Reconciled) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}

/// Purchases with a page, and attempts, that are under way.
pub trait DueLooks: Send + Sync {
    /// A page of those that were opened by `now`, oldest first. An index may lag behind the table.
    fn due_looks(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<Unpaid>,
    ) -> impl Future<Output = Result<UnpaidPage, LedgerError>> + Send;
}

/// An event that could not be applied, and is tried again until it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedEvent {
    pub event: ListedEvent,
    /// How often it was tried, at least once.
    pub tries: u32,
    pub due_at: Timestamp,
}

/// The events that could not be applied.
pub trait FailedEvents: Send + Sync {
    /// A page of those that are due by `now`, longest due first. An index may lag behind the table.
    fn due_failed_events(&self, now: Timestamp) -> impl Future<Output = Result<Vec<EventId>, LedgerError>> + Send;

    fn failed_event_get(
        &self,
        event: &EventId,
    ) -> impl Future<Output = Result<Option<FailedEvent>, LedgerError>> + Send;

    /// Keeps an event that failed for the first time. Returns false, and writes nothing, if it is kept already.
    fn failed_event_put_new(&self, failed: &FailedEvent) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Keeps how often an event has failed by now.
    fn failed_event_put(&self, failed: &FailedEvent) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Forgets an event that was applied. One that is not kept stays so.
    fn failed_event_delete(&self, event: &EventId) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// Payments with our metadata of which no row knows.
pub trait UnknownPayments: Send + Sync {
    /// Raises a flag for support, once for each purchase or top-up. Returns false, and writes nothing, if there is one.
    fn unknown_payment_flag(&self, payment: &UnknownPayment) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}
