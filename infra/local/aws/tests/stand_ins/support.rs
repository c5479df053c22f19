//! A table like the product's, and short ways to fill it.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use local_aws::dynamodb::LocalDynamoDb;
use serde_json::{Value, json};

pub const TABLE: &str = "credits";

/// `Properties` of an `AWS::DynamoDB::Table`, as in a template.
pub fn table_properties() -> Value {
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "PK", "AttributeType": "S" },
            { "AttributeName": "SK", "AttributeType": "S" },
            { "AttributeName": "account", "AttributeType": "S" },
            { "AttributeName": "seq", "AttributeType": "N" },
        ],
        "KeySchema": [
            { "AttributeName": "PK", "KeyType": "HASH" },
            { "AttributeName": "SK", "KeyType": "RANGE" },
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "history",
            "KeySchema": [
                { "AttributeName": "account", "KeyType": "HASH" },
                { "AttributeName": "seq", "KeyType": "RANGE" },
            ],
            "Projection": { "ProjectionType": "ALL" },
        }],
        "StreamSpecification": { "StreamViewType": "NEW_AND_OLD_IMAGES" },
        "TimeToLiveSpecification": { "AttributeName": "expires_at", "Enabled": true },
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
    })
}

pub async fn database() -> LocalDynamoDb {
    let database = LocalDynamoDb::in_memory();
    database.create_table(TABLE, &table_properties()).await.unwrap();
    database
}

pub fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub async fn put(client: &aws_sdk_dynamodb::Client, sort_key: &str, balance: i64) {
    let put = client.put_item().table_name(TABLE).item("PK", text("A")).item("SK", text(sort_key));
    put.item("balance", number(balance)).send().await.unwrap();
}

pub async fn balance(client: &aws_sdk_dynamodb::Client, sort_key: &str) -> i64 {
    let get = client.get_item().table_name(TABLE).key("PK", text("A")).key("SK", text(sort_key)).consistent_read(true);
    let item = get.send().await.unwrap().item.unwrap();
    item["balance"].as_n().unwrap().parse().unwrap()
}

/// Takes one credit if there is one.
pub fn take_one(sort_key: &str) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .key("PK", text("A"))
        .key("SK", text(sort_key))
        .update_expression("SET balance = balance - :one")
        .condition_expression("balance >= :one")
        .expression_attribute_values(":one", number(1))
        .return_values_on_condition_check_failure("ALL_OLD".into());
    TransactWriteItem::builder().update(update.build().unwrap()).build()
}

/// An entry that can be written only once.
pub fn new_entry(sort_key: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .item("PK", text("A"))
        .item("SK", text(sort_key))
        .item("account", text("A"))
        .item("seq", number(1))
        .condition_expression("attribute_not_exists(PK)")
        .return_values_on_condition_check_failure("ALL_OLD".into());
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}
