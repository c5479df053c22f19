//! How often an account asked for its payments: one small item beside the account, which expires an hour after the last
//! question.

use super::attributes::number;
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
        let put = self.put(items::claim_log_to_item(account, log));
        let put = match log.revision.saturating_sub(1) {
            0 => put.condition_expression("attribute_not_exists(PK)"),
            before => {
                put.condition_expression("revision = :before").expression_attribute_values(":before", number(before))
            }
        };
        self.put_if("claim_log_put", put).await
    }
}
