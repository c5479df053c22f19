//! The days of the liability: rows that are replaced only as they were read.

use super::attributes::{number, text};
use super::errors::ledger_error;
use super::queries::Listed;
use super::{DynamoLedger, items, keys};
use crate::domain::liability::{ClosedDays, LiabilityRow};
use crate::ports::{LedgerError, LiabilityRows, ReplaceError, Shard};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use jiff::civil::Date;

impl LiabilityRows for DynamoLedger {
    async fn closed_days_get(&self) -> Result<Option<ClosedDays>, LedgerError> {
        self.read("closed_days_get", keys::closed_days(), items::closed_days_from_item).await
    }

    async fn closed_days_put(&self, closed: &ClosedDays, before: Option<&ClosedDays>) -> Result<(), ReplaceError> {
        let put = self.put(items::closed_days_to_item(closed));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(PK)"),
            Some(before) => put
                .condition_expression("closed_through = :before")
                .expression_attribute_values(":before", text(before.through)),
        };
        put.send().await.map(drop).map_err(|error| replace_error("closed_days_put", error))
    }

    async fn liability_row_get(&self, day: Date, shard: Shard) -> Result<Option<LiabilityRow>, LedgerError> {
        self.read("liability_row_get", keys::liability_row(day, shard), items::liability_row_from_item).await
    }

    /// The number of accounts only grows, except with an empty last page, and `is_complete` changes once.
    async fn liability_row_put(
        &self,
        shard: Shard,
        row: &LiabilityRow,
        before: Option<&LiabilityRow>,
    ) -> Result<(), ReplaceError> {
        let put = self.put(items::liability_row_to_item(shard, row));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(PK)"),
            Some(before) => {
                let put = put
                    .expression_attribute_names("#after", "after")
                    .expression_attribute_values(":accounts", number(before.accounts))
                    .expression_attribute_values(":open", super::attributes::flag(false));
                let unchanged = "accounts = :accounts AND is_complete = :open";
                match &before.after {
                    None => put.condition_expression(format!("attribute_not_exists(#after) AND {unchanged}")),
                    Some(after) => put
                        .condition_expression(format!("#after = :after AND {unchanged}"))
                        .expression_attribute_values(":after", text(after)),
                }
            }
        };
        put.send().await.map(drop).map_err(|error| replace_error("liability_row_put", error))
    }

    async fn liability_rows(&self, day: Date) -> Result<Vec<LiabilityRow>, LedgerError> {
        let listed = Listed { prefix: keys::liability_rows(day), after: None, is_oldest_first: true };
        Ok(self.listed("liability_rows", listed, Shard::COUNT, items::liability_row_from_item).await?.0)
    }
}

/// If the answer to a write is lost, the client sends it again, and then its own write fails the condition. The caller
/// reads the row again.
fn replace_error(operation: &'static str, error: SdkError<PutItemError>) -> ReplaceError {
    match error.as_service_error() {
        Some(refusal) if refusal.is_conditional_check_failed_exception() => ReplaceError::Stale,
        _ => ledger_error(operation, error).into(),
    }
}
