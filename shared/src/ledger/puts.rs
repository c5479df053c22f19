//! Single items that are written under a condition.

use super::attributes::number;
use super::errors::ledger_error;
use super::{Attributes, DynamoLedger};
use crate::ports::LedgerError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;

impl DynamoLedger {
    pub(super) fn put(&self, item: Attributes) -> PutItemFluentBuilder {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.set_return_consumed_capacity(self.settings.consumed_capacity())
    }

    /// Returns false if its condition failed.
    pub(super) async fn put_if(&self, operation: &'static str, put: PutItemFluentBuilder) -> Result<bool, LedgerError> {
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(refusal) if refusal.is_conditional_check_failed_exception() => Ok(false),
                _ => Err(ledger_error(operation, error)),
            },
        }
    }

    /// Writes this revision of an item in place of the one before it. Returns false, and writes nothing, if that is not what
    /// is stored. Revision 1 replaces nothing.
    pub(super) async fn put_revision(
        &self,
        operation: &'static str,
        item: Attributes,
        revision: u64,
    ) -> Result<bool, LedgerError> {
        let put = match revision.saturating_sub(1) {
            0 => self.put(item).condition_expression("attribute_not_exists(PK)"),
            before => self
                .put(item)
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", number(before)),
        };
        self.put_if(operation, put).await
    }
}
