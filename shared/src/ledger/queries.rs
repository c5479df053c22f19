//! Pages of the two indexes. The indexes are eventually consistent.

use super::attributes::{instant, number, text};
use super::errors::{ledger_error, unreadable};
use super::{DynamoLedger, items, keys};
use crate::domain::{AccountId, Entry};
use crate::ports::{DueCursor, DueIndex, DuePage, History, LedgerError, Shard};
use jiff::Timestamp;

impl History for DynamoLedger {
    async fn history_page(
        &self,
        account: &AccountId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerError> {
        let condition = match before_seq {
            Some(_) => "#account = :account AND #seq < :before",
            None => "#account = :account",
        };
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::HISTORY_INDEX)
            .key_condition_expression(condition)
            .expression_attribute_names("#account", "account")
            .expression_attribute_values(":account", text(account))
            .scan_index_forward(false)
            .limit(limit.clamp(1, 100) as i32)
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        if let Some(before) = before_seq {
            query =
                query.expression_attribute_names("#seq", "seq").expression_attribute_values(":before", number(before));
        }
        let page = query.send().await.map_err(|error| ledger_error("history_page", error))?;
        page.items().iter().map(items::entry_from_item).collect::<Result<_, _>>().map_err(unreadable("history_page"))
    }
}

impl DueIndex for DynamoLedger {
    async fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, LedgerError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::DUE_INDEX)
            .key_condition_expression("#due_shard = :shard AND #due_at <= :now")
            .expression_attribute_names("#due_shard", "due_shard")
            .expression_attribute_names("#due_at", "due_at")
            .expression_attribute_values(":shard", text(keys::due_shard(shard)))
            .expression_attribute_values(":now", instant(now))
            .limit(self.settings.due_page_size.into())
            .set_exclusive_start_key(after.map(|cursor| items::due_cursor_to_key(shard, &cursor)))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let page = query.send().await.map_err(|error| ledger_error("due_accounts", error))?;
        items::due_page(page.items(), page.last_evaluated_key()).map_err(unreadable("due_accounts"))
    }
}
