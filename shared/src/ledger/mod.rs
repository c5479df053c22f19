//! The ledger in one DynamoDB table: a change is one transaction, conditional on the account's `version` and on its new
//! entries not existing yet.
//!
//! Nothing is decided or cached here, and credits move only through [`Accounts::commit`].
//! The client, its credentials and its timeouts are passed in.

mod attributes;
mod claim_log;
mod commit;
#[cfg(feature = "ledger-direct")]
pub mod direct;
mod disputes;
mod dynamodb;
mod erasures;
mod errors;
mod items;
mod keys;
mod liability;
mod marks;
mod outbox;
mod portal;
mod puts;
mod queries;
mod reconciliation;
mod records;
mod refusals;
mod sweep_log;
mod usage;

pub use dynamodb::DynamoDb;
pub use keys::{account_of_entry, is_outbound_event, is_refusal, notice_of};
pub use outbox::{refusal_row_of, stored_event_of};

use crate::domain::{Account, AccountId, Change};
use crate::ports::{Accounts, CommitError, LedgerError};
use attributes::{Attributes, Unreadable, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use errors::{ledger_error, unavailable, unreadable};
use keys::Key;
use std::time::Duration;

/// Well under the 10 seconds that Lambda allows for initialization.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// A charge has ten seconds before its function is stopped: five to decide again after lost races, four for the last
/// commit.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(4);

/// The store of accounts, their entries and records. With the SDK's client it has every port, and with another one those
/// that [`DynamoDb`] is enough for.
#[derive(Clone, Debug)]
pub struct DynamoLedger<D = Client> {
    client: D,
    table: String,
    settings: LedgerSettings,
}

/// Settings that tests change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// A commit gives up after this time, even if a request is under way; its outcome is then unknown.
    pub commit_time_max: Duration,
    /// The number of due accounts per page, 1 to 1,000.
    pub due_page_size: u16,
    /// Whether every request asks for its consumed capacity. Only tests read it.
    pub is_capacity_reported: bool,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { commit_time_max: COMMIT_TIME_MAX, due_page_size: 100, is_capacity_reported: false }
    }
}

impl LedgerSettings {
    fn consumed_capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.is_capacity_reported.then_some(ReturnConsumedCapacity::Indexes)
    }
}

impl<D: DynamoDb> DynamoLedger<D> {
    /// A ledger in an existing table with the keys and indexes of `template.yaml`.
    pub fn new(client: D, table: impl Into<String>, settings: LedgerSettings) -> Self {
        Self { client, table: table.into(), settings }
    }

    /// Opens the connection to DynamoDB before the first request needs it, by reading an item that never exists.
    ///
    /// # Errors
    /// If there is no answer within [`CONNECT_TIME_MAX`]. The ledger remains usable: it connects on the next request.
    pub async fn connect(&self) -> Result<(), LedgerError> {
        match tokio::time::timeout(CONNECT_TIME_MAX, self.item("connect", keys::nothing())).await {
            Ok(answered) => answered.map(drop),
            Err(elapsed) => Err(unavailable("connect", elapsed)),
        }
    }

    /// Strongly consistent:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>.
    async fn item(&self, operation: &'static str, key: Key) -> Result<Option<Attributes>, LedgerError> {
        let get = GetItemInput::builder()
            .table_name(&self.table)
            .key("PK", text(key.partition))
            .key("SK", text(key.sort))
            .consistent_read(true)
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        Ok(self.client.get_item(get).await.map_err(|error| ledger_error(operation, error))?.item)
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

impl<D: DynamoDb> Accounts for DynamoLedger<D> {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        self.read("account_get", keys::account(account), items::account_from_item).await
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        self.commit_bounded(change).await
    }
}
