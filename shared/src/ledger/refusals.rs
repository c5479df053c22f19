//! The rows of refused requests.

use super::attributes::text;
use super::errors::{ledger_error, unreadable};
use super::{DynamoDb, DynamoLedger, items, keys};
use crate::domain::AccountId;
use crate::domain::charging::{RefusalPlace, RefusalRow};
use crate::ports::{LedgerError, RefusalList, RefusalRows, RefusalsPage};
use aws_sdk_dynamodb::operation::put_item::PutItemInput;

impl<D: DynamoDb> RefusalRows for DynamoLedger<D> {
    async fn refusal_row_put(&self, row: &RefusalRow) -> Result<(), LedgerError> {
        let put = PutItemInput::builder()
            .table_name(&self.table)
            .set_item(Some(items::refusal_to_item(row)))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        self.client.put_item(put).await.map(drop).map_err(|error| ledger_error("refusal_row_put", error))
    }
}

impl RefusalList for DynamoLedger {
    /// One item more than the limit, because after a full page DynamoDB only says that more may follow.
    async fn refusals_page(
        &self,
        account: &AccountId,
        oldest: RefusalPlace,
        before: Option<RefusalPlace>,
        limit: u8,
    ) -> Result<RefusalsPage, LedgerError> {
        if before.is_some_and(|before| before <= oldest) {
            // DynamoDB refuses a range that ends before it begins.
            return Ok(RefusalsPage { rows: vec![], has_more: false });
        }
        let limit = usize::from(limit.clamp(1, 100));
        let oldest = keys::refusal(account, oldest);
        // The row in the place `before` may be there; it is left out below.
        let newest = before.map_or_else(|| keys::newest_refusal(account), |before| keys::refusal(account, before));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("PK = :partition AND SK BETWEEN :oldest AND :newest")
            .expression_attribute_values(":partition", text(oldest.partition))
            .expression_attribute_values(":oldest", text(oldest.sort))
            .expression_attribute_values(":newest", text(newest.sort))
            .scan_index_forward(false)
            .limit(limit as i32 + 2)
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let page = query.send().await.map_err(|error| ledger_error("refusals_page", error))?;
        let rows = page.items().iter().map(items::refusal_from_item).collect::<Result<Vec<_>, _>>();
        let mut rows = rows.map_err(unreadable("refusals_page"))?;
        rows.retain(|row| before.is_none_or(|before| row.place < before));
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Ok(RefusalsPage { rows, has_more })
    }
}
