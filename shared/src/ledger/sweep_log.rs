//! What sweeps decided about an account without opening an attempt: one small item beside the account, which no charge
//! reads or writes.

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
        self.put_revision("sweep_log_put", items::sweep_log_to_item(account, log), log.revision).await
    }
}
