//! Telling the company's other systems what happened.

use crate::domain::{AccountId, OutboundEventId};
use jiff::Timestamp;
use std::future::Future;

/// Publishes events.
pub trait EventBus: Send + Sync {
    /// Whether each event is on the bus, in their order. A failure of one does not stop the others.
    ///
    /// An event that failed may be on the bus all the same, and one that is published again is there twice.
    fn publish(&self, events: &[StoredEvent]) -> impl Future<Output = Vec<Result<(), EventBusError>>> + Send;
}

/// An event as it was stored with its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    pub id: OutboundEventId,
    pub account: AccountId,
    /// What happened, such as `purchase.paid`.
    pub name: String,
    /// The JSON that is published, in the shape that `infra/events/` describes.
    pub detail: String,
    pub created_at: Timestamp,
}

/// The bus did not take the event, or did not say that it did. It says why, and nothing of the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event was not published: {0}")]
pub struct EventBusError(pub String);
