//! What sweeps decided about an account without opening an attempt: one small item beside the account, which no charge
//! reads or writes.

use super::attributes::number;
use super::errors::ledger_error;
use super::{DynamoLedger, items, keys};
use crate::domain::AccountId;
use crate::domain::payments::SweepLog;
use crate::ports::{LedgerError, SweepLogs};

impl SweepLogs for DynamoLedger {
    async fn sweep_log_get(&self, account: &AccountId) -> Result<SweepLog, LedgerError> {
        let key = keys::sweep_log(account);
        Ok(self.read("sweep_log_get", key, items::sweep_log_from_item).await?.unwrap_or_default())
    }

    async fn sweep_log_put(&self, account: &AccountId, log: &SweepLog) -> Result<bool, LedgerError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(items::sweep_log_to_item(account, log)))
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        let put = match log.revision.saturating_sub(1) {
            0 => put.condition_expression("attribute_not_exists(PK)"),
            before => {
                put.condition_expression("revision = :before").expression_attribute_values(":before", number(before))
            }
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(refusal) if refusal.is_conditional_check_failed_exception() => Ok(false),
                _ => Err(ledger_error("sweep_log_put", error)),
            },
        }
    }
}
