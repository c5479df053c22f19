//! A table with accounts that are owed e-mails, a mail service, and the function between them.

use aws_lambda_events::event::streams::DynamoDbEventResponse;
use aws_sdk_sesv2::config::{BehaviorVersion, Credentials, Region, SharedHttpClient, retry::RetryConfig};
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use local_aws::dynamodb::{LocalDynamoDb, StreamCursor};
use local_aws::event_bus::LocalEventBus;
use local_aws::ses::LocalSes;
use notifications::{App, handle};
use serde_json::{Value, json};
use shared::domain::account::decide_open_account;
use shared::domain::payments::{DeclineReason, PaidFor, ReturnReason};
use shared::domain::{
    AccountId, Amount, Credits, Currency, CustomerId, EmailAddress, NoticeId, NoticeKind, OutboundEvent,
    OutboundEventId, OutboundEventKind, Salt, TopUpId,
};
use shared::email::SesMailer;
use shared::event_bus::EventBridgeBus;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::links::LinkKey;
use shared::ports::{Accounts, Mailer, NoPauses, Notices, RandomIds};
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

pub const SENDER: &str = "Billing <billing@company.example>";
const TABLE: &str = "credits";
const BUS: &str = "credits-events";
const CONFIGURATION_SET: &str = "prepaid";

pub type Clock = fn() -> Timestamp;

/// The function's ports, with any mailer.
pub struct InMemory<M>(PhantomData<M>);

impl<M: Mailer + 'static> Capabilities for InMemory<M> {
    type Ledger = DynamoLedger;
    type Payments = Absent;
    type Mailer = M;
    type Timers = Absent;
    type Clock = Clock;
    type Pauses = NoPauses;
    type Ids = RandomIds;
    type PriceBook = Absent;
}

pub struct World<M: Mailer + 'static = SesMailer> {
    pub dynamodb: LocalDynamoDb,
    pub ses: LocalSes,
    pub events: LocalEventBus,
    pub app: App<InMemory<M>, EventBridgeBus>,
}

thread_local! {
    static COUNTED: RefCell<Vec<Value>> = const { RefCell::new(vec![]) };
}

/// The lines of metrics that this test's function has written since the last call.
pub fn counted() -> Vec<Value> {
    COUNTED.take()
}

pub fn now() -> Timestamp {
    "2026-11-22T13:50:00Z".parse().unwrap()
}

pub async fn world() -> World {
    world_with(|mailer| mailer).await
}

pub async fn world_with<M: Mailer + 'static>(mailer: impl FnOnce(SesMailer) -> M) -> World<M> {
    let dynamodb = LocalDynamoDb::in_memory();
    let keys = json!([{ "AttributeName": "PK", "KeyType": "HASH" }, { "AttributeName": "SK", "KeyType": "RANGE" }]);
    let properties = json!({
        "AttributeDefinitions": [
            { "AttributeName": "PK", "AttributeType": "S" },
            { "AttributeName": "SK", "AttributeType": "S" },
        ],
        "KeySchema": keys,
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": { "StreamViewType": "NEW_AND_OLD_IMAGES" },
    });
    dynamodb.create_table(TABLE, &properties).await.unwrap();
    let ses = LocalSes::new(["company.example"], Arc::new(now)).with_configuration_sets([CONFIGURATION_SET]);
    let context = Context {
        ledger: DynamoLedger::new(dynamodb.client(), TABLE, LedgerSettings::default()),
        payments: Absent,
        mailer: mailer(ses_mailer(ses.sdk_config_http_client(), None)),
        timers: Absent,
        clock: now as Clock,
        pauses: NoPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: Absent,
    };
    let events = LocalEventBus::new([BUS], Arc::new(now));
    let bus = EventBridgeBus::new(event_bridge(&events), BUS);
    let links = LinkKey::new([7; 32]).unwrap();
    let public_url = "https://credits.example.com".to_owned();
    let emit = |line: &Value| COUNTED.with_borrow_mut(|lines| lines.push(line.clone()));
    let app = App { context, bus, links, public_url, emit };
    World { dynamodb, ses, events, app }
}

/// The adapter without the SDK's own retries, so that each failure is visible.
pub fn ses_mailer(http_client: SharedHttpClient, endpoint: Option<&str>) -> SesMailer {
    let mut config = aws_sdk_sesv2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client);
    config.set_endpoint_url(endpoint.map(str::to_owned));
    SesMailer::new(aws_sdk_sesv2::Client::from_conf(config.build()), SENDER, CONFIGURATION_SET)
}

/// A client without the SDK's own retries, so that each failure is visible.
fn event_bridge(events: &LocalEventBus) -> aws_sdk_eventbridge::Client {
    let config = aws_sdk_eventbridge::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(events.sdk_config_http_client());
    aws_sdk_eventbridge::Client::from_conf(config.build())
}

pub fn account_id(number: u8) -> AccountId {
    AccountId::parse(format!("customer_{number}")).unwrap()
}

pub fn notice_id(number: u8) -> NoticeId {
    NoticeId::mint(u128::from(number))
}

pub fn address(number: u8) -> String {
    format!("owner{number}@example.com")
}

impl<M: Mailer + 'static> World<M> {
    /// Opens an account and commits a notice with it, both with this number.
    pub async fn owe(&self, number: u8) {
        let email = EmailAddress::parse(address(number)).unwrap();
        let customer = CustomerId::parse(format!("cus_{number}")).unwrap();
        let mut change = decide_open_account(account_id(number), email, customer, Salt::of(7), now());
        let kind = NoticeKind::TopUpDeclined {
            top_up: TopUpId::mint(u128::from(number)),
            credits: Credits::constant(4_501),
            price: Amount::new(Currency::USD, 4_501).unwrap(),
            reason: DeclineReason::ExpiredCard,
            card: Default::default(),
        };
        change.notices.extend(change.account.owed(notice_id(number), kind, now()));
        self.app.context.ledger.commit(&change).await.unwrap();
    }

    /// Opens an account and commits these many events with it.
    pub async fn tell(&self, number: u8, count: u8) {
        let resumed = |place| OutboundEventKind::TopUpResumed { top_up: TopUpId::mint(u128::from(place)) };
        self.tell_of(number, (1..=count).map(resumed).collect()).await;
    }

    /// Opens an account and commits events about these reversals with it, each with its credits and the balance.
    pub async fn reverse(&self, number: u8, reversals: &[(i64, i64)]) {
        let reversed = |&(credits, balance): &(i64, i64)| OutboundEventKind::CreditsReversed {
            paid_for: PaidFor::TopUp(TopUpId::mint(1)),
            because: ReturnReason::Dispute,
            credits: Credits::constant(credits),
            balance: Credits::constant(balance),
            is_paused: true,
        };
        self.tell_of(number, reversals.iter().map(reversed).collect()).await;
    }

    async fn tell_of(&self, number: u8, kinds: Vec<OutboundEventKind>) {
        let email = EmailAddress::parse(address(number)).unwrap();
        let customer = CustomerId::parse(format!("cus_{number}")).unwrap();
        let mut change = decide_open_account(account_id(number), email, customer, Salt::of(7), now());
        change.events.extend((1..).zip(kinds).map(|(place, kind)| OutboundEvent {
            id: event_id(number, place),
            account: account_id(number),
            kind,
            created_at: now(),
        }));
        self.app.context.ledger.commit(&change).await.unwrap();
    }

    /// The ids of the events on the bus, in order.
    pub fn published(&self) -> Vec<String> {
        self.events.events().iter().map(|event| event["detail"]["id"].as_str().unwrap().to_owned()).collect()
    }

    /// All records written so far, as one batch.
    pub fn stream(&self) -> Value {
        self.dynamodb.stream_batch(TABLE, &StreamCursor::TRIM_HORIZON, 1_000).unwrap().event.unwrap()
    }

    pub async fn deliver(&self, event: &Value) -> Result<DynamoDbEventResponse, lambda_runtime::Error> {
        let answer = handle(&self.app, LambdaEvent::new(event.clone(), lambda_runtime::Context::default())).await?;
        Ok(serde_json::from_value(answer).unwrap())
    }

    /// Delivers the event, and returns the sequence numbers that have to be delivered again.
    pub async fn failed_of(&self, event: &Value) -> Vec<String> {
        let response = self.deliver(event).await.unwrap();
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier.unwrap()).collect()
    }

    pub async fn sent_at(&self, number: u8) -> Option<Timestamp> {
        let notice = self.app.context.ledger.notice_get(&account_id(number), &notice_id(number)).await.unwrap();
        notice.unwrap().sent_at
    }

    /// The recipients, in order.
    pub fn recipients(&self) -> Vec<String> {
        self.ses.messages().into_iter().flat_map(|message| message.to).collect()
    }
}

pub fn event_id(account: u8, place: u8) -> OutboundEventId {
    OutboundEventId::mint(u128::from(account) * 1_000 + u128::from(place))
}

/// The sequence number under which the batch stored notice `number`.
pub fn sequence_number_of(event: &Value, number: u8) -> String {
    sequence_number_of_key(event, &format!("NOTICE#{}", notice_id(number)))
}

/// The sequence number under which the batch stored the item with this sort key.
pub fn sequence_number_of_key(event: &Value, sort_key: &str) -> String {
    let records = event["Records"].as_array().unwrap();
    let record = records
        .iter()
        .find(|record| record["eventName"] == "INSERT" && record["dynamodb"]["Keys"]["SK"]["S"] == sort_key);
    record.unwrap()["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
}
