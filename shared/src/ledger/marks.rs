//! Marks for finished work: events that were applied, and notices that were sent.

use super::attributes::{instant, text};
use super::errors::ledger_error;
use super::{DynamoLedger, items, keys};
use crate::domain::{AccountId, EmailAddress, EventId, Notice, NoticeId};
use crate::ports::{Events, LedgerError, Notices};
use jiff::Timestamp;

impl Events for DynamoLedger {
    async fn event_is_applied(&self, event: &EventId) -> Result<bool, LedgerError> {
        Ok(self.item("event_is_applied", keys::event(event)).await?.is_some())
    }

    async fn event_mark_applied(&self, event: &EventId, now: Timestamp) -> Result<(), LedgerError> {
        self.put_if("event_mark_applied", self.put(items::event_to_item(event, now))).await.map(drop)
    }
}

impl Notices for DynamoLedger {
    async fn notice_get(&self, account: &AccountId, notice: &NoticeId) -> Result<Option<Notice>, LedgerError> {
        self.read("notice_get", keys::notice(account, notice), items::notice_from_item).await
    }

    /// A failed condition is not an error: the notice was already marked, or it has expired after 30 days.
    /// Then nothing is written, so the table's stream has no new record.
    async fn notice_mark_sent(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        sent: (&EmailAddress, Timestamp),
    ) -> Result<(), LedgerError> {
        let (to, now) = sent;
        let key = keys::notice(account, notice);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("PK", text(key.partition))
            .key("SK", text(key.sort))
            .update_expression("SET sent_at = :now, sent_to = :to")
            .condition_expression("attribute_exists(PK) AND attribute_not_exists(sent_at)")
            .expression_attribute_values(":now", instant(now))
            .expression_attribute_values(":to", text(to))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(refusal) if refusal.is_conditional_check_failed_exception() => Ok(()),
                _ => Err(ledger_error("notice_mark_sent", error)),
            },
        }
    }
}
