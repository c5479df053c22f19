//! What the reconciliation keeps: how far it got, the events that could not be applied, and flags for unknown payments.

use super::attributes::text;
use super::errors::{
    broken, cancellation_reasons, is_condition_failed, is_contended, ledger_error, unavailable, unreadable,
};
use super::queries::due_page;
use super::{DynamoLedger, items, keys};
use crate::domain::EventId;
use crate::domain::payments::UnknownPayment;
use crate::ports::{
    DueLooks, FailedEvent, FailedEvents, LedgerError, Reconciled, Reconciliations, Shard, UnknownPayments, Unpaid,
    UnpaidPage,
};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;
use keys::Due;

impl Reconciliations for DynamoLedger {
    async fn reconciled_get(&self) -> Result<Reconciled, LedgerError> {
        let stored = self.read("reconciled_get", keys::reconciled(), items::reconciled_from_item).await?;
        Ok(stored.unwrap_or_default())
    }

    async fn reconciled_put(&self, reconciled: &Reconciled) -> Result<bool, LedgerError> {
        self.put_revision("reconciled_put", items::reconciled_to_item(reconciled), reconciled.revision).await
    }
}

impl DueLooks for DynamoLedger {
    async fn due_looks(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        let after = after.map(|open| items::unpaid_to_key(Due::Look.shard(shard), &open));
        let page = due_page(self, "due_looks", (Due::Look.shard(shard), now), after).await?;
        items::unpaid_page(page.items(), page.last_evaluated_key()).map_err(unreadable("due_looks"))
    }
}

impl FailedEvents for DynamoLedger {
    async fn due_failed_events(&self, now: Timestamp) -> Result<Vec<EventId>, LedgerError> {
        const OPERATION: &str = "due_failed_events";
        let page = due_page(self, OPERATION, (Due::FailedEvent.shard(Shard::of(0)), now), None).await?;
        page.items().iter().map(items::failed_event_id).collect::<Result<_, _>>().map_err(unreadable(OPERATION))
    }

    async fn failed_event_get(&self, event: &EventId) -> Result<Option<FailedEvent>, LedgerError> {
        self.read("failed_event_get", keys::failed_event(event), items::failed_event_from_item).await
    }

    async fn failed_event_put_new(&self, failed: &FailedEvent) -> Result<bool, LedgerError> {
        let put = self.put(items::failed_event_to_item(failed)).condition_expression("attribute_not_exists(PK)");
        self.put_if("failed_event_put_new", put).await
    }

    async fn failed_event_put(&self, failed: &FailedEvent) -> Result<(), LedgerError> {
        self.put_if("failed_event_put", self.put(items::failed_event_to_item(failed))).await.map(drop)
    }

    async fn failed_event_delete(&self, event: &EventId) -> Result<(), LedgerError> {
        let key = keys::failed_event(event);
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.key("PK", text(key.partition)).key("SK", text(key.sort));
        let deleted = delete.set_return_consumed_capacity(self.settings.consumed_capacity()).send().await;
        deleted.map(drop).map_err(|error| ledger_error("failed_event_delete", error))
    }
}

impl UnknownPayments for DynamoLedger {
    /// The mark and both copies of the flag, all or nothing. The client sends one token with all its tries, so its own
    /// write does not count as an earlier one.
    async fn unknown_payment_flag(&self, payment: &UnknownPayment) -> Result<bool, LedgerError> {
        const OPERATION: &str = "unknown_payment_flag";
        let flag = payment.flag();
        let mark = items::unknown_payment_to_item(payment);
        let copies = [keys::flag(&flag.place()), keys::flag_of_month(&flag.place())];
        let copies = copies.map(|key| items::flag_to_item(key, &flag));
        let mut writes = vec![];
        for item in [mark].into_iter().chain(copies) {
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = put.condition_expression("attribute_not_exists(PK)").build();
            let put = put.map_err(|error| broken(OPERATION, error))?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        let transaction = self.client.transact_write_items().set_transact_items(Some(writes));
        match transaction.set_return_consumed_capacity(self.settings.consumed_capacity()).send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let is_marked = cancellation_reasons(&error).first().is_some_and(is_condition_failed);
                match is_contended(&error) {
                    true => Err(unavailable(OPERATION, error)),
                    false if is_marked => Ok(false),
                    false => Err(ledger_error(OPERATION, error)),
                }
            }
        }
    }
}
