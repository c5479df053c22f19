//! Pages of the two indexes, which are eventually consistent, and of an account's own items.

use super::attributes::{Attributes, Unreadable, Writer, instant, number, text};
use super::errors::{ledger_error, unreadable};
use super::keys::Due;
use super::{DynamoLedger, items, keys};
use crate::domain::payments::ConsentRecord;
use crate::domain::usage::{Flag, FlagPlace};
use crate::domain::{
    AccountId, Act, ActId, ConsentId, Entry, IdempotencyKey, Notice, NoticeId, PurchaseId, Spender, TopUp, TopUpId,
};
use crate::ports::{
    AccountsPage, Acts, ConsentList, Directory, DueAlerts, DueCards, DueCharge, DueCharges, DueChargesPage, DueCursor,
    DueIndex, DuePage, DueUnpaid, Flags, History, LedgerError, ListedAccount, NewestFirst, NoticeList,
    PendingChargeList, PendingChargesPage, PurchaseList, PurchasesPage, Shard, SpenderList, SpendersPage,
    StoredEntries, StoredEntriesPage, TopUpList, Unpaid, UnpaidPage,
};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use jiff::Timestamp;
use jiff::civil::Date;
use keys::Key;

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
            .limit(limit.clamp(1, 1_000) as i32)
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        if let Some(before) = before_seq {
            query =
                query.expression_attribute_names("#seq", "seq").expression_attribute_values(":before", number(before));
        }
        let page = query.send().await.map_err(|error| ledger_error("history_page", error))?;
        page.items().iter().map(items::entry_from_item).collect::<Result<_, _>>().map_err(unreadable("history_page"))
    }
}

impl StoredEntries for DynamoLedger {
    async fn stored_entries(
        &self,
        account: &AccountId,
        from_seq: u64,
        limit: u32,
    ) -> Result<StoredEntriesPage, LedgerError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::HISTORY_INDEX)
            .key_condition_expression("#account = :account AND #seq >= :from")
            .expression_attribute_names("#account", "account")
            .expression_attribute_names("#seq", "seq")
            .expression_attribute_values(":account", text(account))
            .expression_attribute_values(":from", number(from_seq))
            .limit(limit.clamp(1, 1_000) as i32)
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let page = query.send().await.map_err(|error| ledger_error("stored_entries", error))?;
        let entries = page.items().iter().map(|item| items::entry_to_verify(account, item)).collect();
        Ok(StoredEntriesPage { entries, has_more: page.last_evaluated_key().is_some() })
    }
}

/// Items of one partition whose sort keys have a common prefix.
pub(super) struct Listed {
    pub prefix: Key,
    /// The page begins behind this key, which does not have to exist.
    pub after: Option<Key>,
    pub is_oldest_first: bool,
}

impl DynamoLedger {
    /// At most `limit` (1–100) of the items, and whether more follow. One item more is read, because after a full page
    /// DynamoDB only says that more may follow.
    pub(super) async fn listed<R>(
        &self,
        operation: &'static str,
        listed: Listed,
        limit: u8,
        from_item: fn(&Attributes) -> Result<R, Unreadable>,
    ) -> Result<(Vec<R>, bool), LedgerError> {
        let (Listed { prefix, after, is_oldest_first }, limit) = (listed, limit.clamp(1, 100));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("PK = :partition AND begins_with(SK, :prefix)")
            .expression_attribute_values(":partition", text(prefix.partition))
            .expression_attribute_values(":prefix", text(prefix.sort))
            .scan_index_forward(is_oldest_first)
            .limit(i32::from(limit) + 1)
            .set_exclusive_start_key(after.map(|key| Writer::item(key).into_attributes()))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let page = query.send().await.map_err(|error| ledger_error(operation, error))?;
        let read = page.items().iter().take(limit.into()).map(from_item);
        let records = read.collect::<Result<_, _>>().map_err(unreadable(operation))?;
        Ok((records, page.items().len() > limit.into() || page.last_evaluated_key().is_some()))
    }

    /// A page of records whose ids sort by time, the newest first.
    async fn newest_first<R>(
        &self,
        operation: &'static str,
        (prefix, after): (Key, Option<Key>),
        limit: u8,
        from_item: fn(&Attributes) -> Result<R, Unreadable>,
    ) -> Result<NewestFirst<R>, LedgerError> {
        let listed = Listed { prefix, after, is_oldest_first: false };
        let (records, has_more) = self.listed(operation, listed, limit, from_item).await?;
        Ok(NewestFirst { records, has_more })
    }
}

impl PurchaseList for DynamoLedger {
    async fn purchases_page(
        &self,
        account: &AccountId,
        after: Option<&PurchaseId>,
        limit: u8,
    ) -> Result<PurchasesPage, LedgerError> {
        let listed = Listed {
            prefix: keys::purchases(account),
            after: after.map(|purchase| keys::purchase(account, purchase)),
            is_oldest_first: false,
        };
        let (purchases, has_more) = self.listed("purchases_page", listed, limit, items::purchase_from_item).await?;
        Ok(PurchasesPage { purchases, has_more })
    }
}

impl PendingChargeList for DynamoLedger {
    async fn pending_charges_page(
        &self,
        account: &AccountId,
        after: Option<&IdempotencyKey>,
        limit: u8,
    ) -> Result<PendingChargesPage, LedgerError> {
        let listed = Listed {
            prefix: keys::pending_charges(account),
            after: after.map(|charge| keys::pending_charge(account, charge)),
            is_oldest_first: true,
        };
        let (charges, has_more) =
            self.listed("pending_charges_page", listed, limit, items::pending_charge_from_item).await?;
        Ok(PendingChargesPage { charges, has_more })
    }
}

impl SpenderList for DynamoLedger {
    async fn spenders_page(
        &self,
        account: &AccountId,
        after: Option<&Spender>,
        limit: u8,
    ) -> Result<SpendersPage, LedgerError> {
        let listed = Listed {
            prefix: keys::limited_spenders(account),
            after: after.map(|spender| keys::spender_limits(account, spender)),
            is_oldest_first: true,
        };
        let (spenders, has_more) = self.listed("spenders_page", listed, limit, items::spender_limits_from_item).await?;
        Ok(SpendersPage { spenders, has_more })
    }
}

impl TopUpList for DynamoLedger {
    async fn top_ups_page(
        &self,
        account: &AccountId,
        after: Option<&TopUpId>,
        limit: u8,
    ) -> Result<NewestFirst<TopUp>, LedgerError> {
        let keys = (keys::top_ups(account), after.map(|top_up| keys::top_up(account, top_up)));
        self.newest_first("top_ups_page", keys, limit, items::top_up_from_item).await
    }
}

impl Acts for DynamoLedger {
    async fn acts_page(
        &self,
        account: &AccountId,
        after: Option<&ActId>,
        limit: u8,
    ) -> Result<NewestFirst<Act>, LedgerError> {
        let keys = (keys::acts(account), after.map(|act| keys::act(account, act)));
        self.newest_first("acts_page", keys, limit, items::act_from_item).await
    }
}

impl ConsentList for DynamoLedger {
    async fn consents_page(
        &self,
        account: &AccountId,
        after: Option<&ConsentId>,
        limit: u8,
    ) -> Result<NewestFirst<ConsentRecord>, LedgerError> {
        let keys = (keys::consents(account), after.map(|consent| keys::consent(account, consent)));
        self.newest_first("consents_page", keys, limit, items::consent_from_item).await
    }
}

impl NoticeList for DynamoLedger {
    async fn notices_page(
        &self,
        account: &AccountId,
        after: Option<&NoticeId>,
        limit: u8,
    ) -> Result<NewestFirst<Notice>, LedgerError> {
        let keys = (keys::notices(account), after.map(|notice| keys::notice(account, notice)));
        self.newest_first("notices_page", keys, limit, items::notice_from_item).await
    }
}

impl Directory for DynamoLedger {
    async fn listed_get(&self, account: &AccountId) -> Result<Option<ListedAccount>, LedgerError> {
        self.read("listed_get", keys::listed(account), items::listed_from_item).await
    }

    async fn accounts_page(
        &self,
        shard: Shard,
        after: Option<&AccountId>,
        limit: u16,
    ) -> Result<AccountsPage, LedgerError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("PK = :partition")
            .expression_attribute_values(":partition", text(keys::directory(shard)))
            .limit(limit.clamp(1, 1_000).into())
            .set_exclusive_start_key(after.map(|account| Writer::item(keys::listed(account)).into_attributes()))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let page = query.send().await.map_err(|error| ledger_error("accounts_page", error))?;
        let accounts = page.items().iter().map(items::listed_from_item).collect::<Result<_, _>>();
        let accounts = accounts.map_err(unreadable("accounts_page"))?;
        Ok(AccountsPage { accounts, has_more: page.last_evaluated_key().is_some() })
    }
}

impl Flags for DynamoLedger {
    async fn flags_page(
        &self,
        account: &AccountId,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> Result<NewestFirst<Flag>, LedgerError> {
        let keys = (keys::flags(account), after.map(keys::flag));
        self.newest_first("flags_page", keys, limit, items::flag_from_item).await
    }

    async fn flags_of_month_page(
        &self,
        month: Date,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> Result<NewestFirst<Flag>, LedgerError> {
        let prefix = keys::flags_of_month(month);
        // A place in a later month is before all of this one.
        let after = after.map(keys::flag_of_month).filter(|after| after.partition == prefix.partition);
        self.newest_first("flags_of_month_page", (prefix, after), limit, items::flag_from_item).await
    }
}

/// A page of one partition of the index `due`, longest due first.
pub(super) async fn due_page(
    ledger: &DynamoLedger,
    operation: &'static str,
    due_by: (String, Timestamp),
    after: Option<Attributes>,
) -> Result<QueryOutput, LedgerError> {
    let (shard, now) = due_by;
    let query = ledger
        .client
        .query()
        .table_name(&ledger.table)
        .index_name(keys::DUE_INDEX)
        .key_condition_expression("#due_shard = :shard AND #due_at <= :now")
        .expression_attribute_names("#due_shard", "due_shard")
        .expression_attribute_names("#due_at", "due_at")
        .expression_attribute_values(":shard", text(shard))
        .expression_attribute_values(":now", instant(now))
        .limit(ledger.settings.due_page_size.into())
        .set_exclusive_start_key(after)
        .set_return_consumed_capacity(ledger.settings.consumed_capacity());
    query.send().await.map_err(|error| ledger_error(operation, error))
}

impl DueIndex for DynamoLedger {
    async fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, LedgerError> {
        let after = after.map(|cursor| items::due_cursor_to_key(shard, &cursor));
        let page = due_page(self, "due_accounts", (Due::TopUp.shard(shard), now), after).await?;
        items::due_page(page.items(), page.last_evaluated_key()).map_err(unreadable("due_accounts"))
    }
}

impl DueAlerts for DynamoLedger {
    async fn due_alerts(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        let after = after.map(|cursor| items::due_alert_to_key(shard, &cursor));
        let page = due_page(self, "due_alerts", (Due::Alerts.shard(shard), now), after).await?;
        items::due_page(page.items(), page.last_evaluated_key()).map_err(unreadable("due_alerts"))
    }
}

impl DueCards for DynamoLedger {
    async fn due_cards(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        let after = after.map(|cursor| items::due_card_to_key(shard, &cursor));
        let page = due_page(self, "due_cards", (Due::Card.shard(shard), now), after).await?;
        items::due_page(page.items(), page.last_evaluated_key()).map_err(unreadable("due_cards"))
    }
}

impl DueCharges for DynamoLedger {
    async fn due_charges(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCharge>,
    ) -> Result<DueChargesPage, LedgerError> {
        let after = after.map(|charge| items::due_charge_to_key(shard, &charge));
        let page = due_page(self, "due_charges", (Due::Charge.shard(shard), now), after).await?;
        items::due_charges_page(page.items(), page.last_evaluated_key()).map_err(unreadable("due_charges"))
    }
}

impl DueUnpaid for DynamoLedger {
    async fn due_unpaid(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        let after = after.map(|due| items::unpaid_to_key(Due::Unpaid.shard(shard), &due));
        let page = due_page(self, "due_unpaid", (Due::Unpaid.shard(shard), now), after).await?;
        items::unpaid_page(page.items(), page.last_evaluated_key()).map_err(unreadable("due_unpaid"))
    }
}
