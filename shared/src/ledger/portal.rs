//! The links into the Billing Dashboard and its sessions: items beside their account, which expire.

use super::attributes::text;
use super::errors::{broken, cancellation_reasons, is_condition_failed, is_contended, ledger_error, unavailable};
use super::keys::{self, Key};
use super::queries::Listed;
use super::{DynamoLedger, items};
use crate::domain::AccountId;
use crate::domain::portal::{PassHash, PortalLink, PortalSession};
use crate::ports::{LedgerError, PortalPasses};
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use uuid::Uuid;

const EXISTS: &str = "attribute_exists(PK)";
const PAGE: u8 = 100;

impl PortalPasses for DynamoLedger {
    async fn portal_link_put(&self, link: &PortalLink) -> Result<(), LedgerError> {
        self.put_if("portal_link_put", self.put(items::portal_link_to_item(link))).await.map(drop)
    }

    async fn portal_link_get(&self, account: &AccountId, hash: &PassHash) -> Result<Option<PortalLink>, LedgerError> {
        self.read("portal_link_get", keys::portal_link(account, hash), items::portal_link_from_item).await
    }

    async fn portal_link_exchange(&self, link: &PortalLink, session: &PortalSession) -> Result<bool, LedgerError> {
        const OPERATION: &str = "portal_link_exchange";
        let key = keys::portal_link(&link.account, &link.hash);
        let delete = Delete::builder().table_name(&self.table).key("PK", text(key.partition)).key("SK", text(key.sort));
        let delete = delete.condition_expression(EXISTS).build().map_err(|error| broken(OPERATION, error))?;
        let put = Put::builder().table_name(&self.table).set_item(Some(items::portal_session_to_item(session)));
        let put = put.build().map_err(|error| broken(OPERATION, error))?;
        let exchange = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().delete(delete).build())
            .transact_items(TransactWriteItem::builder().put(put).build())
            // A retry of the client's is no second exchange.
            .client_request_token(Uuid::new_v4())
            .set_return_consumed_capacity(self.settings.consumed_capacity());
        match exchange.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_contended(&error) => Err(unavailable(OPERATION, error)),
            Err(error) if cancellation_reasons(&error).iter().any(is_condition_failed) => Ok(false),
            Err(error) => Err(ledger_error(OPERATION, error)),
        }
    }

    async fn portal_session_get(
        &self,
        account: &AccountId,
        hash: &PassHash,
    ) -> Result<Option<PortalSession>, LedgerError> {
        self.read("portal_session_get", keys::portal_session(account, hash), items::portal_session_from_item).await
    }

    async fn portal_session_seen(&self, session: &PortalSession) -> Result<bool, LedgerError> {
        let put = self.put(items::portal_session_to_item(session)).condition_expression(EXISTS);
        self.put_if("portal_session_seen", put).await
    }

    async fn portal_session_end(&self, account: &AccountId, hash: &PassHash) -> Result<(), LedgerError> {
        self.delete("portal_session_end", keys::portal_session(account, hash)).await
    }

    async fn portal_passes_end(&self, account: &AccountId) -> Result<u32, LedgerError> {
        const OPERATION: &str = "portal_passes_end";
        let mut ended = 0_u32;
        loop {
            let listed = Listed { prefix: keys::portal_passes(account), after: None, is_oldest_first: true };
            let (found, has_more) = self.listed(OPERATION, listed, PAGE, items::portal_pass_key).await?;
            for key in found {
                self.delete(OPERATION, key).await?;
                ended = ended.saturating_add(1);
            }
            if !has_more {
                return Ok(ended);
            }
        }
    }
}

impl DynamoLedger {
    async fn delete(&self, operation: &'static str, key: Key) -> Result<(), LedgerError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.key("PK", text(key.partition)).key("SK", text(key.sort));
        let delete = delete.set_return_consumed_capacity(self.settings.consumed_capacity());
        delete.send().await.map(drop).map_err(|error| ledger_error(operation, error))
    }
}
