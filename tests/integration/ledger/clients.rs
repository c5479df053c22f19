//! The two clients of a ledger: the SDK's, and the direct one of `functions/charging`. What is tested with one of them is
//! tested with the other.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use jiff::Timestamp;
use jiff::civil::Date;
use local_aws::REGION;
use local_aws::dynamodb::LocalDynamoDb;
use local_aws::wire::SharedHttpConnector;
use shared::clock::{Clock, SystemClock};
use shared::domain::alerts::Alerts;
use shared::domain::charging::{PendingCharge, RefusalPlace, RefusalRow};
use shared::domain::liability::{ClosedDays, LiabilityRow};
use shared::domain::payments::{AskedCard, ClaimLog, ConsentRecord, Dispute, SweepLog, UnknownPayment};
use shared::domain::support::{Erasure, ErasurePage, Imported, ItemKey};
use shared::domain::usage::{Flag, FlagPlace};
use shared::domain::*;
use shared::ledger::direct::{DirectClient, Endpoint, Limits, Settings, Trust};
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::ports::*;
use std::fmt::Debug;
use std::time::Duration;

/// A way to a database.
pub trait Way: 'static {
    type Ledger: Ledger + Clone + Debug + 'static;

    /// A ledger whose client sends each request at most `tries_max` times.
    fn ledger(database: &LocalDynamoDb, tries_max: u32, table: &str, settings: LedgerSettings) -> Self::Ledger;

    fn connect(ledger: &Self::Ledger) -> impl Future<Output = Result<(), LedgerError>>;
}

pub struct Sdk;

impl Way for Sdk {
    type Ledger = DynamoLedger;

    fn ledger(database: &LocalDynamoDb, tries_max: u32, table: &str, settings: LedgerSettings) -> DynamoLedger {
        let retries = RetryConfig::standard().with_max_attempts(tries_max);
        let client = Client::from_conf(database.client_config().retry_config(retries).build());
        DynamoLedger::new(client, table, settings)
    }

    async fn connect(ledger: &DynamoLedger) -> Result<(), LedgerError> {
        ledger.connect().await
    }
}

pub struct Direct;

impl Way for Direct {
    type Ledger = DirectLedger;

    fn ledger(database: &LocalDynamoDb, tries_max: u32, table: &str, settings: LedgerSettings) -> DirectLedger {
        let direct = through(database.connector(), tries_max);
        let others = Sdk::ledger(database, tries_max, table, settings);
        DirectLedger { direct: DynamoLedger::new(direct, table, settings), others }
    }

    async fn connect(ledger: &DirectLedger) -> Result<(), LedgerError> {
        ledger.direct.connect().await
    }
}

/// A direct client whose requests this connector answers.
pub fn through(connector: SharedHttpConnector, tries_max: u32) -> DirectClient {
    DirectClient::through(direct_settings("http://dynamodb.test", tries_max), connector)
}

/// A direct client of an emulator.
pub fn at(endpoint: &str) -> DirectClient {
    DirectClient::new(direct_settings(endpoint, 3), Trust::System)
}

fn direct_settings(endpoint: &str, tries_max: u32) -> Settings {
    let limits = Limits { connect_timeout: Duration::from_secs(1), try_timeout: Duration::from_secs(3), tries_max };
    Settings {
        region: REGION.to_owned(),
        credentials: Credentials::new("local", "local", None, None, "tests"),
        endpoint: Endpoint::parse(endpoint).unwrap(),
        limits,
        now: || SystemClock.now(),
    }
}

/// A ledger that sends all that the direct client can send through it, and the rest through the SDK's.
#[derive(Clone, Debug)]
pub struct DirectLedger {
    pub direct: DynamoLedger<DirectClient>,
    pub others: DynamoLedger,
}

impl Accounts for DirectLedger {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        self.direct.account_get(account).await
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        self.direct.commit(change).await
    }
}

impl Entries for DirectLedger {
    async fn entry_get(&self, account: &AccountId, origin: &Origin) -> Result<Option<Entry>, LedgerError> {
        self.direct.entry_get(account, origin).await
    }
}

impl PendingCharges for DirectLedger {
    async fn pending_charge_get(
        &self,
        account: &AccountId,
        charge: &IdempotencyKey,
    ) -> Result<Option<PendingCharge>, LedgerError> {
        self.direct.pending_charge_get(account, charge).await
    }
}

impl RefusalRows for DirectLedger {
    async fn refusal_row_put(&self, row: &RefusalRow) -> Result<(), LedgerError> {
        self.direct.refusal_row_put(row).await
    }
}

impl RefusalList for DirectLedger {
    async fn refusals_page(
        &self,
        account: &AccountId,
        oldest: RefusalPlace,
        before: Option<RefusalPlace>,
        limit: u8,
    ) -> Result<RefusalsPage, LedgerError> {
        self.others.refusals_page(account, oldest, before, limit).await
    }
}

impl Purchases for DirectLedger {
    async fn purchase_get(&self, account: &AccountId, purchase: &PurchaseId) -> Result<Option<Purchase>, LedgerError> {
        self.direct.purchase_get(account, purchase).await
    }

    async fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<PurchaseId>, LedgerError> {
        self.direct.purchase_id_get(account, key).await
    }
}

impl TopUps for DirectLedger {
    async fn top_up_get(&self, account: &AccountId, top_up: &TopUpId) -> Result<Option<TopUp>, LedgerError> {
        self.direct.top_up_get(account, top_up).await
    }
}

impl TopUpRetries for DirectLedger {
    async fn top_up_retry_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<TopUpRetry>, LedgerError> {
        self.direct.top_up_retry_get(account, key).await
    }
}

impl Consents for DirectLedger {
    async fn consent_get(
        &self,
        account: &AccountId,
        consent: &ConsentId,
    ) -> Result<Option<ConsentRecord>, LedgerError> {
        self.direct.consent_get(account, consent).await
    }
}

impl SpendingChanges for DirectLedger {
    async fn spending_change_get(
        &self,
        account: &AccountId,
        changed_at: Timestamp,
    ) -> Result<Option<SpendingChange>, LedgerError> {
        self.direct.spending_change_get(account, changed_at).await
    }
}

impl Spenders for DirectLedger {
    async fn spender_limits_get(
        &self,
        account: &AccountId,
        spender: &Spender,
    ) -> Result<Option<SpenderLimits>, LedgerError> {
        self.direct.spender_limits_get(account, spender).await
    }
}

impl SpenderList for DirectLedger {
    async fn spenders_page(
        &self,
        account: &AccountId,
        after: Option<&Spender>,
        limit: u8,
    ) -> Result<SpendersPage, LedgerError> {
        self.others.spenders_page(account, after, limit).await
    }
}

impl TopUpList for DirectLedger {
    async fn top_ups_page(
        &self,
        account: &AccountId,
        after: Option<&TopUpId>,
        limit: u8,
    ) -> Result<NewestFirst<TopUp>, LedgerError> {
        self.others.top_ups_page(account, after, limit).await
    }
}

impl Acts for DirectLedger {
    async fn acts_page(
        &self,
        account: &AccountId,
        after: Option<&ActId>,
        limit: u8,
    ) -> Result<NewestFirst<Act>, LedgerError> {
        self.others.acts_page(account, after, limit).await
    }
}

impl NoticeList for DirectLedger {
    async fn notices_page(
        &self,
        account: &AccountId,
        after: Option<&NoticeId>,
        limit: u8,
    ) -> Result<NewestFirst<Notice>, LedgerError> {
        self.others.notices_page(account, after, limit).await
    }
}

impl ConsentList for DirectLedger {
    async fn consents_page(
        &self,
        account: &AccountId,
        after: Option<&ConsentId>,
        limit: u8,
    ) -> Result<NewestFirst<ConsentRecord>, LedgerError> {
        self.others.consents_page(account, after, limit).await
    }
}

impl Customers for DirectLedger {
    async fn customer_account_get(&self, customer: &CustomerId) -> Result<Option<AccountId>, LedgerError> {
        self.direct.customer_account_get(customer).await
    }
}

impl History for DirectLedger {
    async fn history_page(
        &self,
        account: &AccountId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerError> {
        self.others.history_page(account, before_seq, limit).await
    }
}

impl UsageRows for DirectLedger {
    async fn usage_cursor_get(&self, account: &AccountId) -> Result<UsageCursor, LedgerError> {
        self.others.usage_cursor_get(account).await
    }

    async fn usage_rows(&self, account: &AccountId, periods: Periods) -> Result<Vec<UsageRow>, LedgerError> {
        self.others.usage_rows(account, periods).await
    }
}

impl EntryList for DirectLedger {
    async fn entries_after(&self, account: &AccountId, after_seq: u64, limit: u32) -> Result<Vec<Entry>, LedgerError> {
        self.others.entries_after(account, after_seq, limit).await
    }
}

impl UsageFolds for DirectLedger {
    async fn usage_fold(&self, account: &AccountId, fold: &UsageFold) -> Result<(), FoldError> {
        self.others.usage_fold(account, fold).await
    }
}

impl Erasures for DirectLedger {
    async fn erasure_get(&self, account: &AccountId) -> Result<Option<Erasure>, LedgerError> {
        self.others.erasure_get(account).await
    }

    async fn erasable_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u8,
    ) -> Result<ErasurePage, LedgerError> {
        self.others.erasable_items(account, after, limit).await
    }
}

impl ClaimLogs for DirectLedger {
    async fn claim_log_get(&self, account: &AccountId) -> Result<ClaimLog, LedgerError> {
        self.others.claim_log_get(account).await
    }

    async fn claim_log_put(&self, account: &AccountId, log: &ClaimLog) -> Result<bool, LedgerError> {
        self.others.claim_log_put(account, log).await
    }
}

impl SweepLogs for DirectLedger {
    async fn sweep_log_get(&self, account: &AccountId) -> Result<SweepLog, LedgerError> {
        self.others.sweep_log_get(account).await
    }

    async fn sweep_log_put(&self, account: &AccountId, log: &SweepLog) -> Result<bool, LedgerError> {
        self.others.sweep_log_put(account, log).await
    }
}

impl Flags for DirectLedger {
    async fn flags_page(
        &self,
        account: &AccountId,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> Result<NewestFirst<Flag>, LedgerError> {
        self.others.flags_page(account, after, limit).await
    }

    async fn flags_of_month_page(
        &self,
        month: Date,
        after: Option<&FlagPlace>,
        limit: u8,
    ) -> Result<NewestFirst<Flag>, LedgerError> {
        self.others.flags_of_month_page(month, after, limit).await
    }
}

impl PendingChargeList for DirectLedger {
    async fn pending_charges_page(
        &self,
        account: &AccountId,
        after: Option<&IdempotencyKey>,
        limit: u8,
    ) -> Result<PendingChargesPage, LedgerError> {
        self.others.pending_charges_page(account, after, limit).await
    }
}

impl StoredEntries for DirectLedger {
    async fn stored_entries(
        &self,
        account: &AccountId,
        from_seq: u64,
        limit: u32,
    ) -> Result<StoredEntriesPage, LedgerError> {
        self.others.stored_entries(account, from_seq, limit).await
    }
}

impl PurchaseList for DirectLedger {
    async fn purchases_page(
        &self,
        account: &AccountId,
        after: Option<&PurchaseId>,
        limit: u8,
    ) -> Result<PurchasesPage, LedgerError> {
        self.others.purchases_page(account, after, limit).await
    }
}

impl Events for DirectLedger {
    async fn event_is_applied(&self, event: &EventId) -> Result<bool, LedgerError> {
        self.others.event_is_applied(event).await
    }

    async fn event_mark_applied(&self, event: &EventId, now: Timestamp) -> Result<(), LedgerError> {
        self.others.event_mark_applied(event, now).await
    }
}

impl Notices for DirectLedger {
    async fn notice_get(&self, account: &AccountId, notice: &NoticeId) -> Result<Option<Notice>, LedgerError> {
        self.others.notice_get(account, notice).await
    }

    async fn notice_mark_sent(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        sent: (&EmailAddress, Timestamp),
    ) -> Result<(), LedgerError> {
        self.others.notice_mark_sent(account, notice, sent).await
    }
}

impl ContactRecords for DirectLedger {
    async fn contacts_get(&self, account: &AccountId) -> Result<Option<Contacts>, LedgerError> {
        self.direct.contacts_get(account).await
    }
}

impl OutboundEvents for DirectLedger {
    async fn outbound_event_put_new(&self, event: &OutboundEvent) -> Result<(), LedgerError> {
        self.others.outbound_event_put_new(event).await
    }
}

impl AlertRows for DirectLedger {
    async fn alerts_get(&self, account: &AccountId) -> Result<Option<Alerts>, LedgerError> {
        self.direct.alerts_get(account).await
    }

    async fn alerts_due_get(&self, account: &AccountId) -> Result<Option<Timestamp>, LedgerError> {
        self.direct.alerts_due_get(account).await
    }
}

impl DueAlerts for DirectLedger {
    async fn due_alerts(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        self.others.due_alerts(shard, now, after).await
    }
}

impl AskedCards for DirectLedger {
    async fn asked_card_get(&self, account: &AccountId) -> Result<AskedCard, LedgerError> {
        self.direct.asked_card_get(account).await
    }
}

impl DueCards for DirectLedger {
    async fn due_cards(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        self.others.due_cards(shard, now, after).await
    }
}

impl DueIndex for DirectLedger {
    async fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, LedgerError> {
        self.others.due_accounts(shard, now, after).await
    }
}

impl DueLooks for DirectLedger {
    async fn due_looks(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        self.others.due_looks(shard, now, after).await
    }
}

impl Reconciliations for DirectLedger {
    async fn reconciled_get(&self) -> Result<Reconciled, LedgerError> {
        self.others.reconciled_get().await
    }

    async fn reconciled_put(&self, reconciled: &Reconciled) -> Result<bool, LedgerError> {
        self.others.reconciled_put(reconciled).await
    }
}

impl FailedEvents for DirectLedger {
    async fn due_failed_events(&self, now: Timestamp) -> Result<Vec<EventId>, LedgerError> {
        self.others.due_failed_events(now).await
    }

    async fn failed_event_get(&self, event: &EventId) -> Result<Option<FailedEvent>, LedgerError> {
        self.others.failed_event_get(event).await
    }

    async fn failed_event_put_new(&self, failed: &FailedEvent) -> Result<bool, LedgerError> {
        self.others.failed_event_put_new(failed).await
    }

    async fn failed_event_put(&self, failed: &FailedEvent) -> Result<(), LedgerError> {
        self.others.failed_event_put(failed).await
    }

    async fn failed_event_delete(&self, event: &EventId) -> Result<(), LedgerError> {
        self.others.failed_event_delete(event).await
    }
}

impl Disputes for DirectLedger {
    async fn dispute_get(&self, dispute: &DisputeId) -> Result<Option<Dispute>, LedgerError> {
        self.others.dispute_get(dispute).await
    }

    async fn dispute_put(&self, dispute: &Dispute) -> Result<bool, LedgerError> {
        self.others.dispute_put(dispute).await
    }
}

impl OpenDisputes for DirectLedger {
    async fn open_disputes(&self, until: Timestamp, after: Option<&DisputePlace>) -> Result<DisputesPage, LedgerError> {
        self.others.open_disputes(until, after).await
    }
}

impl UnknownPayments for DirectLedger {
    async fn unknown_payment_flag(&self, payment: &UnknownPayment) -> Result<bool, LedgerError> {
        self.others.unknown_payment_flag(payment).await
    }
}

impl DueUnpaid for DirectLedger {
    async fn due_unpaid(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        self.others.due_unpaid(shard, now, after).await
    }
}

impl DueCharges for DirectLedger {
    async fn due_charges(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCharge>,
    ) -> Result<DueChargesPage, LedgerError> {
        self.others.due_charges(shard, now, after).await
    }
}

impl Imports for DirectLedger {
    async fn imported_get(&self, source: &SourceId) -> Result<Option<Imported>, LedgerError> {
        self.direct.imported_get(source).await
    }
}

impl Directory for DirectLedger {
    async fn listed_get(&self, account: &AccountId) -> Result<Option<ListedAccount>, LedgerError> {
        self.others.listed_get(account).await
    }

    async fn accounts_page(
        &self,
        shard: Shard,
        after: Option<&AccountId>,
        limit: u16,
    ) -> Result<AccountsPage, LedgerError> {
        self.others.accounts_page(shard, after, limit).await
    }
}

impl LiabilityRows for DirectLedger {
    async fn closed_days_get(&self) -> Result<Option<ClosedDays>, LedgerError> {
        self.others.closed_days_get().await
    }

    async fn closed_days_put(&self, closed: &ClosedDays, before: Option<&ClosedDays>) -> Result<(), ReplaceError> {
        self.others.closed_days_put(closed, before).await
    }

    async fn liability_row_get(&self, day: Date, shard: Shard) -> Result<Option<LiabilityRow>, LedgerError> {
        self.others.liability_row_get(day, shard).await
    }

    async fn liability_row_put(
        &self,
        shard: Shard,
        row: &LiabilityRow,
        before: Option<&LiabilityRow>,
    ) -> Result<(), ReplaceError> {
        self.others.liability_row_put(shard, row, before).await
    }

    async fn liability_rows(&self, day: Date) -> Result<Vec<LiabilityRow>, LedgerError> {
        self.others.liability_rows(day).await
    }
}
