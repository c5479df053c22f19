//! Events that the company's other systems are told, as far as no change caused them, and what the table's stream shows.

use super::attributes::Attributes;
use super::errors::unreadable;
use super::{DynamoLedger, items};
use crate::domain::OutboundEvent;
use crate::domain::charging::RefusalRow;
use crate::ports::{LedgerError, OutboundEvents, StoredEvent};

impl OutboundEvents for DynamoLedger {
    /// A failed condition is not an error: the event is stored. Then nothing is written, so the table's stream has no new
    /// record.
    async fn outbound_event_put_new(&self, event: &OutboundEvent) -> Result<(), LedgerError> {
        let put = self.put(items::outbound_event_to_item(event)).condition_expression("attribute_not_exists(PK)");
        self.put_if("outbound_event_put_new", put).await.map(drop)
    }
}

/// The event of an item that the table's stream shows. It is never changed, so the stream's image is the item.
///
/// # Errors
/// [`LedgerError::Broken`] if the item cannot be read.
pub fn stored_event_of(item: &Attributes) -> Result<StoredEvent, LedgerError> {
    items::outbound_event_from_item(item).map_err(unreadable("stored_event_of"))
}

/// The refused requests of an item that the table's stream shows. Another row may have taken its place since.
///
/// # Errors
/// [`LedgerError::Broken`] if the item cannot be read.
pub fn refusal_row_of(item: &Attributes) -> Result<RefusalRow, LedgerError> {
    items::refusal_from_item(item).map_err(unreadable("refusal_row_of"))
}
