//! The ledgers under test, each with its own table made from `template.yaml`.

use super::clients::{self, Direct, DirectLedger, Sdk, Way};
use super::contract::DUE_PAGE_SIZE;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
};
use local_aws::REGION;
use local_aws::dynamodb::LocalDynamoDb;
use local_aws::wire::{SharedHttpClient, connector_losing_first_answers, losing_first_answers};
use local_gateway::{Deployment, Template};
use serde_json::Value;
use shared::ledger::{DynamoLedger, LedgerSettings};
use std::time::Duration;

pub const TABLE: &str = "credits";

/// Runs a test on a runtime of its own.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// The embedded engine and a ledger in it.
pub struct Embedded<L = DynamoLedger> {
    pub database: LocalDynamoDb,
    pub ledger: L,
}

pub async fn embedded() -> Embedded {
    embedded_with(LedgerSettings::default()).await
}

pub async fn embedded_with(settings: LedgerSettings) -> Embedded {
    embedded_over_with::<Sdk>(settings).await
}

/// Through a client that sends each request once.
pub async fn embedded_over<W: Way>() -> Embedded<W::Ledger> {
    embedded_over_with::<W>(LedgerSettings::default()).await
}

pub async fn embedded_over_with<W: Way>(settings: LedgerSettings) -> Embedded<W::Ledger> {
    let database = database().await;
    let ledger = W::ledger(&database, 1, TABLE, settings);
    Embedded { database, ledger }
}

async fn database() -> LocalDynamoDb {
    let database = LocalDynamoDb::in_memory();
    database.create_table(TABLE, &table_properties()).await.unwrap();
    database
}

/// One empty ledger of each kind, with pages of [`DUE_PAGE_SIZE`].
pub async fn empty() -> Vec<DynamoLedger> {
    let embedded = embedded_with(settings()).await.ledger;
    [embedded].into_iter().chain(external(|client| client).await.map(|external| external.ledger)).collect()
}

/// The same over the direct client.
pub async fn others_empty() -> Vec<DirectLedger> {
    let embedded = embedded_over_with::<Direct>(settings()).await.ledger;
    let over = |others: DynamoLedger, endpoint: &str, table: &str| {
        let direct = DynamoLedger::new(clients::at(endpoint), table, settings());
        DirectLedger { direct, others }
    };
    let external = external(|client| client).await;
    let external = external.map(|External { ledger, endpoint, table }| over(ledger, &endpoint, &table));
    [embedded].into_iter().chain(external).collect()
}

/// Ledgers where the answer to each transaction gets lost and only its repetition is answered.
pub async fn losing_answers() -> Vec<DynamoLedger> {
    let database = database().await;
    let config = database.client_config().http_client(lossy(database.sdk_config_http_client()));
    let embedded = DynamoLedger::new(Client::from_conf(config.build()), TABLE, settings());
    [embedded].into_iter().chain(external(lossy).await.map(|external| external.ledger)).collect()
}

/// The same over the direct client.
pub async fn others_losing_answers() -> Vec<DirectLedger> {
    let database = database().await;
    let connector = connector_losing_first_answers(database.connector(), "TransactWriteItems");
    let direct = DynamoLedger::new(clients::through(connector, 3), TABLE, settings());
    vec![DirectLedger { direct, others: Sdk::ledger(&database, 3, TABLE, settings()) }]
}

fn lossy(client: SharedHttpClient) -> SharedHttpClient {
    losing_first_answers(client, "TransactWriteItems")
}

fn settings() -> LedgerSettings {
    LedgerSettings { due_page_size: DUE_PAGE_SIZE, ..LedgerSettings::default() }
}

/// A ledger in another engine, and where it is.
struct External {
    ledger: DynamoLedger,
    endpoint: String,
    table: String,
}

/// A ledger at the endpoint set in the environment, if any. It must be an emulator, because the credentials are fake.
#[expect(clippy::disallowed_methods, reason = "the developer chooses a second engine by the SDK's own variable")]
async fn external(through: impl FnOnce(SharedHttpClient) -> SharedHttpClient) -> Option<External> {
    let endpoint = std::env::var("AWS_ENDPOINT_URL_DYNAMODB").ok()?;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(&endpoint)
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .http_client(through(aws_smithy_http_client::Builder::new().build_http()))
        .build();
    let client = Client::from_conf(config);
    let table = format!("ledger-{}", uuid::Uuid::now_v7());
    create_table(&client, &table, &table_properties()).await;
    let ledger = DynamoLedger::new(client, &table, settings());
    Some(External { ledger, endpoint, table })
}

/// The deployed table without its stream, which no test here reads.
fn table_properties() -> Value {
    let yaml = include_str!("../../../template.yaml");
    let required = ["JwtIssuer", "JwtAudience", "StripeSecretArn", "ReturnUrl", "Sender", "SenderIdentity"];
    let parameters = required.map(|name| (name.to_owned(), "unused".to_owned())).into();
    let template = Template::parse(yaml, &Deployment { parameters, ..Deployment::default() }).unwrap();
    let mut properties = template.tables["Table"].properties.clone();
    properties.as_object_mut().unwrap().remove("StreamSpecification").unwrap();
    properties
}

async fn create_table(client: &Client, table: &str, properties: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let keys = |schema: &Value| -> Vec<KeySchemaElement> {
        let key = |key: &Value| {
            let kind = KeyType::from(text(&key["KeyType"]).as_str());
            KeySchemaElement::builder().attribute_name(text(&key["AttributeName"])).key_type(kind).build().unwrap()
        };
        list(schema).iter().map(key).collect()
    };
    let attributes = list(&properties["AttributeDefinitions"]).into_iter().map(|attribute| {
        let kind = text(&attribute["AttributeType"]).as_str().into();
        let name = text(&attribute["AttributeName"]);
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    });
    let indexes = list(&properties["GlobalSecondaryIndexes"]).into_iter().map(|index| {
        let kind = ProjectionType::from(text(&index["Projection"]["ProjectionType"]).as_str());
        GlobalSecondaryIndex::builder()
            .index_name(text(&index["IndexName"]))
            .set_key_schema(Some(keys(&index["KeySchema"])))
            .projection(Projection::builder().projection_type(kind).build())
            .build()
            .unwrap()
    });
    let create = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys(&properties["KeySchema"])))
        .set_attribute_definitions(Some(attributes.collect()))
        .set_global_secondary_indexes(Some(indexes.collect()));
    create.send().await.unwrap();
    client.wait_until_table_exists().table_name(table).wait(Duration::from_secs(60)).await.unwrap();
}
