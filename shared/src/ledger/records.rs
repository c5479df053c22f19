//! Records read by their key.

use super::{DynamoDb, DynamoLedger, items, keys};
use crate::domain::alerts::Alerts;
use crate::domain::charging::PendingCharge;
use crate::domain::contacts::Contacts;
use crate::domain::payments::{AskedCard, ConsentRecord};
use crate::domain::support::Imported;
use crate::domain::{
    AccountId, ConsentId, CustomerId, Entry, IdempotencyKey, Origin, Purchase, PurchaseId, SourceId, Spender,
    SpenderLimits, SpendingChange, TopUp, TopUpId, TopUpRetry,
};
use crate::ports::{
    AlertRows, AskedCards, Consents, ContactRecords, Customers, Entries, Imports, LedgerError, PendingCharges,
    Purchases, Spenders, SpendingChanges, TopUpRetries, TopUps,
};
use jiff::Timestamp;

impl<D: DynamoDb> Entries for DynamoLedger<D> {
    async fn entry_get(&self, account: &AccountId, origin: &Origin) -> Result<Option<Entry>, LedgerError> {
        self.read("entry_get", keys::entry(account, origin), items::entry_from_item).await
    }
}

impl<D: DynamoDb> PendingCharges for DynamoLedger<D> {
    async fn pending_charge_get(
        &self,
        account: &AccountId,
        charge: &IdempotencyKey,
    ) -> Result<Option<PendingCharge>, LedgerError> {
        self.read("pending_charge_get", keys::pending_charge(account, charge), items::pending_charge_from_item).await
    }
}

impl<D: DynamoDb> Purchases for DynamoLedger<D> {
    async fn purchase_get(&self, account: &AccountId, purchase: &PurchaseId) -> Result<Option<Purchase>, LedgerError> {
        self.read("purchase_get", keys::purchase(account, purchase), items::purchase_from_item).await
    }

    async fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<PurchaseId>, LedgerError> {
        self.read("purchase_id_get", keys::purchase_key(account, key), items::purchase_key_from_item).await
    }
}

impl<D: DynamoDb> TopUps for DynamoLedger<D> {
    async fn top_up_get(&self, account: &AccountId, top_up: &TopUpId) -> Result<Option<TopUp>, LedgerError> {
        self.read("top_up_get", keys::top_up(account, top_up), items::top_up_from_item).await
    }
}

impl<D: DynamoDb> TopUpRetries for DynamoLedger<D> {
    async fn top_up_retry_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<TopUpRetry>, LedgerError> {
        self.read("top_up_retry_get", keys::top_up_retry(account, key), items::top_up_retry_from_item).await
    }
}

impl<D: DynamoDb> Consents for DynamoLedger<D> {
    async fn consent_get(
        &self,
        account: &AccountId,
        consent: &ConsentId,
    ) -> Result<Option<ConsentRecord>, LedgerError> {
        self.read("consent_get", keys::consent(account, consent), items::consent_from_item).await
    }
}

impl<D: DynamoDb> SpendingChanges for DynamoLedger<D> {
    async fn spending_change_get(
        &self,
        account: &AccountId,
        changed_at: Timestamp,
    ) -> Result<Option<SpendingChange>, LedgerError> {
        let key = keys::spending_change(account, changed_at);
        self.read("spending_change_get", key, items::spending_change_from_item).await
    }
}

impl<D: DynamoDb> Spenders for DynamoLedger<D> {
    async fn spender_limits_get(
        &self,
        account: &AccountId,
        spender: &Spender,
    ) -> Result<Option<SpenderLimits>, LedgerError> {
        self.read("spender_limits_get", keys::spender_limits(account, spender), items::spender_limits_from_item).await
    }
}

impl<D: DynamoDb> ContactRecords for DynamoLedger<D> {
    async fn contacts_get(&self, account: &AccountId) -> Result<Option<Contacts>, LedgerError> {
        self.read("contacts_get", keys::contacts(account), items::contacts_from_item).await
    }
}

impl<D: DynamoDb> AlertRows for DynamoLedger<D> {
    async fn alerts_get(&self, account: &AccountId) -> Result<Option<Alerts>, LedgerError> {
        self.read("alerts_get", keys::alerts(account), items::alerts_from_item).await
    }

    async fn alerts_due_get(&self, account: &AccountId) -> Result<Option<Timestamp>, LedgerError> {
        self.read("alerts_due_get", keys::alerts_due(account), items::alerts_due_from_item).await
    }
}

impl<D: DynamoDb> AskedCards for DynamoLedger<D> {
    async fn asked_card_get(&self, account: &AccountId) -> Result<AskedCard, LedgerError> {
        let stored = self.read("asked_card_get", keys::asked_card(account), items::asked_card_from_item).await?;
        Ok(stored.unwrap_or_default())
    }
}

impl<D: DynamoDb> Customers for DynamoLedger<D> {
    async fn customer_account_get(&self, customer: &CustomerId) -> Result<Option<AccountId>, LedgerError> {
        self.read("customer_account_get", keys::customer(customer), items::customer_from_item).await
    }
}

impl<D: DynamoDb> Imports for DynamoLedger<D> {
    async fn imported_get(&self, source: &SourceId) -> Result<Option<Imported>, LedgerError> {
        self.read("imported_get", keys::import(source), items::imported_from_item).await
    }
}
