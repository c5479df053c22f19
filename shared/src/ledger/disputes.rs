//! What is kept of disputes.

use super::errors::unreadable;
use super::queries::due_page;
use super::{DynamoLedger, items, keys};
use crate::domain::DisputeId;
use crate::domain::payments::Dispute;
use crate::ports::{DisputePlace, Disputes, DisputesPage, LedgerError, OpenDisputes};
use jiff::Timestamp;

impl Disputes for DynamoLedger {
    async fn dispute_get(&self, dispute: &DisputeId) -> Result<Option<Dispute>, LedgerError> {
        self.read("dispute_get", keys::dispute(dispute), items::dispute_from_item).await
    }

    async fn dispute_put(&self, dispute: &Dispute) -> Result<bool, LedgerError> {
        self.put_revision("dispute_put", items::dispute_to_item(dispute), dispute.revision).await
    }
}

impl OpenDisputes for DynamoLedger {
    async fn open_disputes(&self, until: Timestamp, after: Option<&DisputePlace>) -> Result<DisputesPage, LedgerError> {
        const OPERATION: &str = "open_disputes";
        let after = after.map(items::dispute_place_to_key);
        let page = due_page(self, OPERATION, (keys::open_disputes(), until), after).await?;
        let places = page.items().iter().map(items::dispute_place).collect::<Result<_, _>>();
        let next = page.last_evaluated_key().map(items::dispute_place).transpose();
        Ok(DisputesPage { places: places.map_err(unreadable(OPERATION))?, next: next.map_err(unreadable(OPERATION))? })
    }
}
