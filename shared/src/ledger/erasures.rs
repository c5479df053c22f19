//! All items of an account one after the other: to export them, and to erase what is personal in them.
//!
//! Unlike the index `history`, the table itself is strongly consistent, so no entry is overlooked.

use super::attributes::{Attributes, Writer, text};
use super::errors::{ledger_error, unreadable};
use super::{DynamoLedger, items, keys};
use crate::domain::AccountId;
use crate::domain::support::{Erasure, ErasurePage, ItemKey};
use crate::ports::{Erasures, LedgerError, StoredItems, StoredItemsPage};

impl DynamoLedger {
    /// A page of items, and the key of the last one if more may follow.
    async fn items_after(
        &self,
        operation: &'static str,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u16,
    ) -> Result<(Vec<Attributes>, Option<ItemKey>), LedgerError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("PK = :partition")
            .expression_attribute_values(":partition", text(keys::account(account).partition))
            .limit(limit.into())
            .set_exclusive_start_key(after.map(|item| Writer::item(keys::item(account, item)).into_attributes()))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let page = query.send().await.map_err(|error| ledger_error(operation, error))?;
        let sort = page.last_evaluated_key().and_then(|key| key.get("SK")).and_then(|sort| sort.as_s().ok());
        let next = sort.map(ItemKey::new);
        Ok((page.items.unwrap_or_default(), next))
    }
}

impl Erasures for DynamoLedger {
    async fn erasure_get(&self, account: &AccountId) -> Result<Option<Erasure>, LedgerError> {
        self.read("erasure_get", keys::erasure(account), items::erasure_from_item).await
    }

    async fn erasable_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u8,
    ) -> Result<ErasurePage, LedgerError> {
        const OPERATION: &str = "erasable_items";
        let (read, next) = self.items_after(OPERATION, account, after, limit.clamp(1, 90).into()).await?;
        let mut items = vec![];
        for item in &read {
            items.extend(items::personal_item(item).map_err(unreadable(OPERATION))?);
        }
        Ok(ErasurePage { items, next })
    }
}

impl StoredItems for DynamoLedger {
    async fn stored_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u16,
    ) -> Result<StoredItemsPage, LedgerError> {
        const OPERATION: &str = "stored_items";
        let (read, next) = self.items_after(OPERATION, account, after, limit.clamp(1, 500)).await?;
        let items = read.iter().map(items::stored_item).collect::<Result<_, _>>().map_err(unreadable(OPERATION))?;
        Ok(StoredItemsPage { items, next })
    }
}
