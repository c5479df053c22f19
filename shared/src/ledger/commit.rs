//! Writing a [`Change`] as one transaction, and what a refused transaction means.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>

use super::attributes::{Attributes, text};
use super::errors::{
    broken, cancellation_reasons, is_condition_failed, is_contended, ledger_error, unavailable, unreadable,
};
use super::keys::{self, Key};
use super::{DynamoDb, DynamoLedger, items};
use crate::domain::{Account, Change, Record};
use crate::ports::{CommitError, LedgerError};
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput};
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use uuid::Uuid;

const OPERATION: &str = "commit";

/// True if the item does not exist yet.
const IS_NEW: &str = "attribute_not_exists(PK)";

impl<D: DynamoDb> DynamoLedger<D> {
    /// Sends the change, and gives up when there is no answer in time.
    pub(super) async fn commit_bounded(&self, change: &Change) -> Result<(), CommitError> {
        match tokio::time::timeout(self.settings.commit_time_max, self.send(change)).await {
            Ok(sent) => sent,
            Err(elapsed) => Err(unavailable(OPERATION, elapsed).into()),
        }
    }

    /// The client's retries share one token: if an earlier try was carried out and only its answer was lost, DynamoDB
    /// answers the later one with success instead of a failed condition.
    ///
    /// A transaction that conflicts is not sent again, because the account has changed when the other one is through.
    /// The caller reads it, decides again, and commits that decision under a new token.
    async fn send(&self, change: &Change) -> Result<(), CommitError> {
        let transaction = self.transaction(change).map_err(|error| broken(OPERATION, error))?;
        let answered = self.client.transact_write_items(transaction).await;
        answered.map(drop).map_err(|error| refusal(change, error))
    }

    fn transaction(&self, change: &Change) -> Result<TransactWriteItemsInputBuilder, BuildError> {
        let writes = writes(change).into_iter().map(|write| write.on(&self.table));
        Ok(TransactWriteItemsInput::builder()
            .set_transact_items(Some(writes.collect::<Result<_, _>>()?))
            .client_request_token(Uuid::new_v4())
            .set_return_consumed_capacity(self.settings.consumed_capacity()))
    }
}

/// The account first, then its entries in order, then everything else: [`refusal`] reads the reasons of a cancelled
/// transaction in this order.
fn writes(change: &Change) -> Vec<Write> {
    let account = &change.account.id;
    let mut writes = vec![Write::Put(put_account(&change.account))];
    writes.extend(change.entries.iter().map(|entry| Write::Put(put_new(items::entry_to_item(account, entry)))));
    writes.extend(change.records.iter().map(|record| write_record(&change.account, record)));
    writes.extend(change.notices.iter().map(|notice| Write::Put(put(items::notice_to_item(notice)))));
    writes.extend(change.events.iter().map(|event| Write::Put(put(items::outbound_event_to_item(event)))));
    writes
}

/// One item of a transaction.
enum Write {
    Put(PutBuilder),
    Delete(Key),
}

impl Write {
    fn on(self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let item = TransactWriteItem::builder();
        Ok(match self {
            Self::Put(put) => item.put(put.table_name(table).build()?).build(),
            Self::Delete(key) => {
                let delete = Delete::builder().key("PK", text(key.partition)).key("SK", text(key.sort));
                item.delete(delete.table_name(table).build()?).build()
            }
        })
    }
}

fn put_account(account: &Account) -> PutBuilder {
    let item = items::account_to_item(account);
    if account.version <= 1 {
        return put_new(item);
    }
    put(item)
        .condition_expression("#version = :expected")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":expected", super::attributes::number(account.version - 1))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

fn write_record(account: &Account, record: &Record) -> Write {
    Write::Put(match record {
        Record::SpenderUnlimited(spender) => return Write::Delete(keys::spender_limits(&account.id, spender)),
        Record::SpendingForgotten(changed_at) => {
            return Write::Delete(keys::spending_change(&account.id, *changed_at));
        }
        Record::RefusalForgotten(place) => return Write::Delete(keys::refusal(&account.id, *place)),
        Record::EventForgotten(event) => return Write::Delete(keys::outbound_event(&account.id, event)),
        Record::NoticeForgotten(notice) => return Write::Delete(keys::notice(&account.id, notice)),
        Record::ContactsForgotten => return Write::Delete(keys::contacts(&account.id)),
        Record::Erasure(erasure) => put(items::erasure_to_item(&account.id, erasure)),
        Record::ErasedEntry(entry) => put(items::entry_to_item(&account.id, entry)),
        Record::AlertsEvaluated => return Write::Delete(keys::alerts_due(&account.id)),
        Record::AlertsDue { at } => put(items::alerts_due_to_item(account, *at)),
        Record::AskedCard(asked) => put(items::asked_card_to_item(account, asked)),
        Record::AskedCardForgotten => return Write::Delete(keys::asked_card(&account.id)),
        Record::Alerts(alerts) => put(items::alerts_to_item(&account.id, alerts)),
        Record::SpendingChange(change) => put(items::spending_change_to_item(&account.id, change)),
        Record::SpenderLimits(limits) => put(items::spender_limits_to_item(&account.id, limits)),
        Record::PendingCharge(pending) => put(items::pending_charge_to_item(pending)),
        Record::Purchase(purchase) => put(items::purchase_to_item(purchase)),
        Record::PurchaseKey { key, purchase } => put(items::purchase_key_to_item(&account.id, key, purchase)),
        Record::TopUp(top_up) => put(items::top_up_to_item(top_up)),
        Record::TopUpRetry(retry) => put(items::top_up_retry_to_item(retry)),
        Record::Imported(imported) => put_new(items::imported_to_item(imported)),
        Record::Listed { at } => put_new(items::listed_to_item(&account.id, *at)),
        Record::Act(act) => put(items::act_to_item(&account.id, act)),
        Record::Contacts(contacts) => put(items::contacts_to_item(&account.id, contacts)),
        Record::Consent(consent) => put(items::consent_to_item(&account.id, consent)),
        Record::Customer { customer, account } => put_new(items::customer_to_item(customer, account)),
    })
}

fn put(item: Attributes) -> PutBuilder {
    Put::builder().set_item(Some(item))
}

fn put_new(item: Attributes) -> PutBuilder {
    put(item)
        .condition_expression(IS_NEW)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

/// In order of precedence: contention, a replay, a race, anything else.
///
/// Contention comes first because the conditions reported with it were evaluated during another transaction. A replay
/// comes before a race because it remains a replay whatever the account looks like now.
fn refusal(change: &Change, error: SdkError<TransactWriteItemsError>) -> CommitError {
    if is_contended(&error) {
        return CommitError::Contended(unavailable(OPERATION, error));
    }
    let Some((account, others)) = cancellation_reasons(&error).split_first() else {
        return ledger_error(OPERATION, error).into();
    };
    let of_entries = others.iter().take(change.entries.len());
    let of_existing: Vec<_> = of_entries.filter(|reason| is_condition_failed(reason)).collect();
    if !of_existing.is_empty() {
        return duplicate(&of_existing).unwrap_or_else(CommitError::Failed);
    }
    if is_condition_failed(account) {
        return stale(account).unwrap_or_else(CommitError::Failed);
    }
    ledger_error(OPERATION, error).into()
}

fn duplicate(reasons: &[&CancellationReason]) -> Result<CommitError, LedgerError> {
    let existing = |reason: &&CancellationReason| {
        let item = reason.item().ok_or_else(|| broken(OPERATION, NoOldEntry))?;
        items::entry_from_item(item).map_err(unreadable(OPERATION))
    };
    Ok(CommitError::Duplicate { entries: reasons.iter().map(existing).collect::<Result<_, _>>()? })
}

fn stale(reason: &CancellationReason) -> Result<CommitError, LedgerError> {
    let current = reason.item().map(items::account_from_item).transpose().map_err(unreadable(OPERATION))?;
    Ok(CommitError::Stale { current: current.map(Box::new) })
}

/// DynamoDB reported an existing entry without returning it.
#[derive(Debug, thiserror::Error)]
#[error("the existing entry was not returned")]
struct NoOldEntry;
