//! The [`Ledger`] in one DynamoDB table: a change becomes one transaction, guarded by the account's `version` and by
//! the absence of its entry.
//!
//! Nothing is decided here, nothing is cached, and no credits move but through [`Ledger::commit`].
//! The client, its credentials and its timeouts come from outside.

mod attributes;
mod commit;
mod errors;
mod items;
mod keys;
mod retry;

pub use keys::notice_of;
pub use retry::RetrySettings;

use crate::domain::auto_top_up::ConsentRecord;
use crate::domain::{
    Account, AccountId, Change, ConsentId, CustomerId, Entry, EventId, IdempotencyKey, Notice, NoticeId, Origin,
    Purchase, PurchaseId, TopUp, TopUpId,
};
use crate::use_cases::ports::{CommitError, DueCursor, DuePage, Ledger, LedgerError, Shard};
use attributes::{Attributes, Unreadable, instant, number, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use errors::{ledger_error, unavailable, unreadable};
use jiff::Timestamp;
use keys::Key;
use std::time::Duration;

/// Well under the 10 seconds after which Lambda stops a start.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// The store of accounts, their entries and records.
#[derive(Clone, Debug)]
pub struct DynamoLedger {
    client: Client,
    table: String,
    settings: LedgerSettings,
}

/// What may differ between deployments and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    pub retry: RetrySettings,
    /// How many due accounts make a page, 1 to 1,000.
    pub due_page_size: u16,
    /// Whether every request asks what it costs. Only tests look at the answer.
    pub is_capacity_reported: bool,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { retry: RetrySettings::default(), due_page_size: 100, is_capacity_reported: false }
    }
}

impl LedgerSettings {
    fn consumed_capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.is_capacity_reported.then_some(ReturnConsumedCapacity::Indexes)
    }
}

impl DynamoLedger {
    /// A ledger in the table, which has to be there, with the keys and indexes of `template.yaml`.
    pub fn new(client: Client, table: impl Into<String>, settings: LedgerSettings) -> Self {
        Self { client, table: table.into(), settings }
    }

    /// Opens the connection to DynamoDB before the first request needs it, by reading an item that is never there.
    ///
    /// # Errors
    /// When nothing answered within [`CONNECT_TIME_MAX`]. The ledger is as usable as before: it connects when asked.
    pub async fn connect(&self) -> Result<(), LedgerError> {
        match tokio::time::timeout(CONNECT_TIME_MAX, self.item("connect", keys::nothing())).await {
            Ok(answered) => answered.map(drop),
            Err(elapsed) => Err(unavailable("connect", elapsed)),
        }
    }

    /// Strongly consistent:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>.
    async fn item(&self, operation: &'static str, key: Key) -> Result<Option<Attributes>, LedgerError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("PK", text(key.partition))
            .key("SK", text(key.sort))
            .consistent_read(true)
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        Ok(get.send().await.map_err(|error| ledger_error(operation, error))?.item)
    }

    async fn read<T>(
        &self,
        operation: &'static str,
        key: Key,
        from_item: fn(&Attributes) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, LedgerError> {
        let item = self.item(operation, key).await?;
        item.as_ref().map(from_item).transpose().map_err(unreadable(operation))
    }
}

impl Ledger for DynamoLedger {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        self.read("account_get", keys::account(account), items::account_from_item).await
    }

    async fn entry_get(&self, account: &AccountId, origin: &Origin) -> Result<Option<Entry>, LedgerError> {
        self.read("entry_get", keys::entry(account, origin), items::entry_from_item).await
    }

    async fn purchase_get(&self, account: &AccountId, purchase: &PurchaseId) -> Result<Option<Purchase>, LedgerError> {
        self.read("purchase_get", keys::purchase(account, purchase), items::purchase_from_item).await
    }

    async fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<PurchaseId>, LedgerError> {
        self.read("purchase_id_get", keys::purchase_key(account, key), items::purchase_key_from_item).await
    }

    async fn top_up_get(&self, account: &AccountId, top_up: &TopUpId) -> Result<Option<TopUp>, LedgerError> {
        self.read("top_up_get", keys::top_up(account, top_up), items::top_up_from_item).await
    }

    async fn consent_get(
        &self,
        account: &AccountId,
        consent: &ConsentId,
    ) -> Result<Option<ConsentRecord>, LedgerError> {
        self.read("consent_get", keys::consent(account, consent), items::consent_from_item).await
    }

    async fn notice_get(&self, account: &AccountId, notice: &NoticeId) -> Result<Option<Notice>, LedgerError> {
        self.read("notice_get", keys::notice(account, notice), items::notice_from_item).await
    }

    async fn customer_account_get(&self, customer: &CustomerId) -> Result<Option<AccountId>, LedgerError> {
        self.read("customer_account_get", keys::customer(customer), items::customer_from_item).await
    }

    async fn event_is_applied(&self, event: &EventId) -> Result<bool, LedgerError> {
        Ok(self.item("event_is_applied", keys::event(event)).await?.is_some())
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        self.commit_bounded(change).await
    }

    async fn event_mark_applied(&self, event: &EventId, now: Timestamp) -> Result<(), LedgerError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(items::event_to_item(event, now)))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        put.send().await.map(|_| ()).map_err(|error| ledger_error("event_mark_applied", error))
    }

    /// A failed condition is no error: the notice was marked before, or its 30 days are over and nothing is owed.
    /// Nothing is written then, so the table's stream stays silent too.
    async fn notice_mark_sent(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let key = keys::notice(account, notice);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("PK", text(key.partition))
            .key("SK", text(key.sort))
            .update_expression("SET sent_at = :now")
            .condition_expression("attribute_exists(PK) AND attribute_not_exists(sent_at)")
            .expression_attribute_values(":now", instant(now))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(refusal) if refusal.is_conditional_check_failed_exception() => Ok(()),
                _ => Err(ledger_error("notice_mark_sent", error)),
            },
        }
    }

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
