//! Usage: rows of days and months beside the account, and the cursor that makes a fold count once.

use super::attributes::{number, text};
use super::errors::{broken, is_condition_failed, is_contended, ledger_error, unavailable, unreadable};
use super::{DynamoLedger, errors, items, keys};
use crate::domain::usage::Flag;
use crate::domain::{AccountId, Entry, Periods, UsageCursor, UsageFold, UsageRow};
use crate::ports::{EntryList, FoldError, LedgerError, UsageFolds, UsageRows};
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use uuid::Uuid;

const FOLD: &str = "usage_fold";

impl UsageRows for DynamoLedger {
    async fn usage_cursor_get(&self, account: &AccountId) -> Result<UsageCursor, LedgerError> {
        let key = keys::usage_cursor(account);
        Ok(self.read("usage_cursor_get", key, items::usage_cursor_from_item).await?.unwrap_or_default())
    }

    /// A page of a query ends after 1 MB, so a year of rows with many spenders takes several.
    async fn usage_rows(&self, account: &AccountId, periods: Periods) -> Result<Vec<UsageRow>, LedgerError> {
        let [first, last] = [periods.first(), periods.last()].map(|period| keys::usage_row(account, period));
        let (mut rows, mut next) = (vec![], None);
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("PK = :partition AND SK BETWEEN :first AND :last")
                .expression_attribute_values(":partition", text(&first.partition))
                .expression_attribute_values(":first", text(&first.sort))
                .expression_attribute_values(":last", text(&last.sort))
                .set_exclusive_start_key(next)
                .set_return_consumed_capacity(self.settings.consumed_capacity());
            let page = query.send().await.map_err(|error| ledger_error("usage_rows", error))?;
            for item in page.items() {
                rows.push(items::usage_row_from_item(item).map_err(unreadable("usage_rows"))?);
            }
            next = page.last_evaluated_key;
            if next.is_none() {
                return Ok(rows);
            }
        }
    }
}

impl EntryList for DynamoLedger {
    async fn entries_after(&self, account: &AccountId, after_seq: u64, limit: u32) -> Result<Vec<Entry>, LedgerError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::HISTORY_INDEX)
            .key_condition_expression("#account = :account AND #seq > :after")
            .expression_attribute_names("#account", "account")
            .expression_attribute_names("#seq", "seq")
            .expression_attribute_values(":account", text(account))
            .expression_attribute_values(":after", number(after_seq))
            .limit(limit.clamp(1, 100) as i32)
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let page = query.send().await.map_err(|error| ledger_error("entries_after", error))?;
        page.items().iter().map(items::entry_from_item).collect::<Result<_, _>>().map_err(unreadable("entries_after"))
    }
}

impl UsageFolds for DynamoLedger {
    /// The client's retries share one token, as those of a change do.
    async fn usage_fold(&self, account: &AccountId, fold: &UsageFold) -> Result<(), FoldError> {
        let writes = self.fold_writes(account, fold).map_err(|error| broken(FOLD, error))?;
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .client_request_token(Uuid::new_v4())
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        match tokio::time::timeout(self.settings.commit_time_max, transaction.send()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(fold_error(error)),
            Err(elapsed) => Err(unavailable(FOLD, elapsed).into()),
        }
    }
}

impl DynamoLedger {
    /// The cursor first: [`fold_error`] reads its reason.
    fn fold_writes(&self, account: &AccountId, fold: &UsageFold) -> Result<Vec<TransactWriteItem>, BuildError> {
        let put = |item| Put::builder().table_name(&self.table).set_item(Some(item));
        let cursor = put(items::usage_cursor_to_item(account, fold.after));
        let cursor = match fold.before {
            before if before == UsageCursor::default() => cursor.condition_expression("attribute_not_exists(PK)"),
            UsageCursor { through_seq, is_nameless } => {
                let names = if is_nameless { "attribute_exists" } else { "attribute_not_exists" };
                cursor
                    .condition_expression(format!("through_seq = :before AND {names}(is_nameless)"))
                    .expression_attribute_values(":before", number(through_seq))
            }
        };
        let rows = fold.rows.iter().map(|row| put(items::usage_row_to_item(account, row)));
        let keys_of = |place| [keys::flag(&place), keys::flag_of_month(&place)];
        let both = |flag: &Flag| keys_of(flag.place()).map(|key| items::flag_to_item(key, flag));
        let flags = fold.flags.iter().flat_map(both).map(put);
        let events = fold.flags.iter().filter_map(Flag::event);
        let events = events.map(|event| put(items::outbound_event_to_item(&event)));
        [cursor]
            .into_iter()
            .chain(rows)
            .chain(flags)
            .chain(events)
            .map(|put| Ok(TransactWriteItem::builder().put(put.build()?).build()))
            .collect()
    }
}

/// A conflict with another fold comes before the condition, which was evaluated during that fold.
fn fold_error(error: SdkError<TransactWriteItemsError>) -> FoldError {
    let is_stale = errors::cancellation_reasons(&error).first().is_some_and(is_condition_failed);
    if is_contended(&error) {
        unavailable(FOLD, error).into()
    } else if is_stale {
        FoldError::Stale
    } else {
        ledger_error(FOLD, error).into()
    }
}
