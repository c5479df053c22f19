//! How often an account asked for its payments: one small item beside the account, which expires an hour after the last
//! question.

use super::{DynamoLedger, items, keys};
use crate::domain::AccountId;
use crate::domain::payments::ClaimLog;
use crate::ports::{ClaimLogs, LedgerError};

impl ClaimLogs for DynamoLedger {
    async fn claim_log_get(&self, account: &AccountId) -> Result<ClaimLog, LedgerError> {
        let key = keys::claim_log(account);
        Ok(self.read("claim_log_get", key, items::claim_log_from_item).await?.unwrap_or_default())
    }

    async fn claim_log_put(&self, account: &AccountId, log: &ClaimLog) -> Result<bool, LedgerError> {
        self.put_revision("claim_log_put", items::claim_log_to_item(account, log), log.revision).await
    }
}
