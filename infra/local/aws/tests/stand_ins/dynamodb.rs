//! The database itself: operations, errors, capacity, tables from a template, and data on disk.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeValue, Get, KeysAndAttributes, PutRequest, ReturnConsumedCapacity, TransactGetItem, WriteRequest,
};
use jiff::Timestamp;
use local_aws::dynamodb::{LocalDynamoDb, TableError};
use serde_json::{Value, json};

use crate::support::{TABLE, balance, database, new_entry, number, put, table_properties, take_one, text};

#[tokio::test]
async fn an_item_comes_back_as_it_was_put() {
    let client = database().await.client();
    put(&client, "STATE", 7).await;
    assert_eq!(balance(&client, "STATE").await, 7);
}

#[tokio::test]
async fn a_failed_condition_returns_the_old_item() {
    let client = database().await.client();
    put(&client, "STATE", 7).await;
    let error = client
        .put_item()
        .table_name(TABLE)
        .item("PK", text("A"))
        .item("SK", text("STATE"))
        .condition_expression("attribute_not_exists(PK)")
        .return_values_on_condition_check_failure("ALL_OLD".into())
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) = error else {
        panic!("{error:?}");
    };
    assert_eq!(failed.item.unwrap()["balance"], number(7));
}

#[tokio::test]
async fn a_cancelled_transaction_gives_its_reasons_in_order_and_the_item_that_was_there() {
    let client = database().await.client();
    put(&client, "STATE", 7).await;
    let write = client.transact_write_items().transact_items(new_entry("ENTRY#1"));
    let error = write.clone().transact_items(new_entry("STATE")).send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = error
    else {
        panic!("{error:?}");
    };
    let reasons = cancelled.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(reasons[1].item().unwrap()["balance"], number(7));
    assert!(reasons[0].item().is_none());
    let entry = client.get_item().table_name(TABLE).key("PK", text("A")).key("SK", text("ENTRY#1"));
    assert!(entry.send().await.unwrap().item.is_none(), "a cancelled transaction wrote an item");
}

#[tokio::test]
async fn a_transaction_repeated_under_its_token_is_carried_out_once() {
    let client = database().await.client();
    put(&client, "STATE", 7).await;
    for _ in 0..2 {
        let write = client.transact_write_items().client_request_token("one").transact_items(take_one("STATE"));
        write.send().await.unwrap();
    }
    assert_eq!(balance(&client, "STATE").await, 6);
    let other = client.transact_write_items().client_request_token("one").transact_items(new_entry("ENTRY#1"));
    let error = other.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("IdempotentParameterMismatchException"));
}

#[tokio::test]
async fn batches_and_transactional_reads_find_what_was_written() {
    let client = database().await.client();
    let write = |key: &str| {
        let put = PutRequest::builder().item("PK", text("A")).item("SK", text(key)).item("balance", number(1));
        WriteRequest::builder().put_request(put.build().unwrap()).build()
    };
    client.batch_write_item().request_items(TABLE, vec![write("1"), write("2")]).send().await.unwrap();

    let key = |key: &str| [("PK".to_owned(), text("A")), ("SK".to_owned(), text(key))].into();
    let keys = KeysAndAttributes::builder().keys(key("1")).keys(key("2")).build().unwrap();
    let read = client.batch_get_item().request_items(TABLE, keys).send().await.unwrap();
    assert_eq!(read.responses.unwrap()[TABLE].len(), 2);

    let get = |key: &str| {
        let get = Get::builder().table_name(TABLE).key("PK", text("A")).key("SK", text(key)).build().unwrap();
        TransactGetItem::builder().get(get).build()
    };
    let read = client.transact_get_items().transact_items(get("1")).transact_items(get("none")).send().await.unwrap();
    let found: Vec<_> = read.responses().iter().map(|response| response.item().is_some()).collect();
    assert_eq!(found, [true, false]);
}

#[tokio::test]
async fn an_index_is_read_newest_first() {
    let client = database().await.client();
    for seq in 1..=3 {
        let put = client.put_item().table_name(TABLE).item("PK", text("A")).item("SK", text(&format!("ENTRY#{seq}")));
        put.item("account", text("A")).item("seq", number(seq)).send().await.unwrap();
    }
    let query = client.query().table_name(TABLE).index_name("history").key_condition_expression("account = :account");
    let query = query.expression_attribute_values(":account", text("A")).scan_index_forward(false).limit(2);
    let page = query.send().await.unwrap();
    let seqs: Vec<_> = page.items().iter().map(|item| item["seq"].clone()).collect();
    assert_eq!(seqs, [number(3), number(2)]);
    assert!(page.last_evaluated_key().is_some());
}

#[tokio::test]
async fn consumed_capacity_is_reported_for_reads_queries_and_transactions() {
    let client = database().await.client();
    put(&client, "STATE", 7).await;

    let get = client.get_item().table_name(TABLE).key("PK", text("A")).key("SK", text("STATE")).consistent_read(true);
    let read = get.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
    assert_eq!(read.consumed_capacity.unwrap().capacity_units, Some(1.0));

    let query = client.query().table_name(TABLE).index_name("history").key_condition_expression("account = :account");
    let query = query.expression_attribute_values(":account", text("A"));
    let page = query.return_consumed_capacity(ReturnConsumedCapacity::Indexes).send().await.unwrap();
    let consumed = page.consumed_capacity.unwrap();
    assert_eq!(consumed.capacity_units, Some(0.5));
    assert_eq!(consumed.global_secondary_indexes.unwrap()["history"].capacity_units, Some(0.5));

    let write = client.transact_write_items().transact_items(take_one("STATE")).transact_items(new_entry("ENTRY#1"));
    let written = write.return_consumed_capacity(ReturnConsumedCapacity::Indexes).send().await.unwrap();
    let [consumed] = written.consumed_capacity() else { panic!("{written:?}") };
    assert_eq!(consumed.table().unwrap().capacity_units, Some(4.0));
    // The index is written in the same transaction, for which AWS also charges double.
    let index_units = consumed.global_secondary_indexes().unwrap()["history"].capacity_units;
    assert_eq!(consumed.capacity_units.unwrap(), 4.0 + index_units.unwrap());

    let write = client.transact_write_items().transact_items(take_one("STATE"));
    let written = write.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
    assert_eq!(written.consumed_capacity()[0].capacity_units, Some(2.0));
}

#[tokio::test]
async fn a_malformed_value_is_a_validation_exception_without_the_engines_tags() {
    let database = database().await;
    let table = json!({ "TableName": TABLE, "Item": { "PK": { "S": "A" }, "SK": { "S": "x" }, "n": { "N": "abc" } } });
    let (status, body) = database.dispatch("DynamoDB_20120810.PutItem", table.to_string().as_bytes()).await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, 400);
    assert!(body["__type"].as_str().unwrap().ends_with("#ValidationException"), "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(!message.contains("VALIDATION") && !message.contains("at line"), "{message}");

    for (request, expected) in [
        (r#"{"TableName": 7}"#, "#SerializationException"),
        ("no JSON", "#SerializationException"),
        (r#"{"TableName": "nowhere", "Key": {"PK": {"S": "A"}}}"#, "#ResourceNotFoundException"),
    ] {
        let (status, body) = database.dispatch("DynamoDB_20120810.GetItem", request.as_bytes()).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body["__type"].as_str().unwrap().ends_with(expected), "{request}: {body}");
        assert_eq!(status, 400);
    }
    let (status, body) = database.dispatch("DynamoDB_20120810.CreateBackup", b"{}").await;
    assert_eq!(status, 400);
    assert!(String::from_utf8(body).unwrap().contains("UnknownOperationException"));
}

#[tokio::test]
async fn a_template_makes_the_table_with_index_stream_and_time_to_live() {
    let client = database().await.client();
    let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(table.global_secondary_indexes()[0].index_name(), Some("history"));
    assert_eq!(table.stream_specification().unwrap().stream_view_type().unwrap().as_str(), "NEW_AND_OLD_IMAGES");
    let described = client.describe_time_to_live().table_name(TABLE).send().await.unwrap();
    assert_eq!(described.time_to_live_description().unwrap().attribute_name(), Some("expires_at"));
    assert_eq!(client.list_tables().send().await.unwrap().table_names(), [TABLE]);
}

#[tokio::test]
async fn a_misspelt_property_of_the_template_is_refused() {
    let mut properties = table_properties();
    properties["TimeToLive"] = json!({});
    let error = LocalDynamoDb::in_memory().create_table(TABLE, &properties).await.unwrap_err();
    assert!(matches!(error, TableError::UnknownProperty(name) if name == "TimeToLive"));
}

#[tokio::test]
async fn data_on_disk_outlives_the_process_and_a_changed_key_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    {
        let database = LocalDynamoDb::at(directory.path()).unwrap();
        database.create_table(TABLE, &table_properties()).await.unwrap();
        put(&database.client(), "STATE", 7).await;
    }
    let database = LocalDynamoDb::at(directory.path()).unwrap();
    database.create_table(TABLE, &table_properties()).await.unwrap();
    assert_eq!(balance(&database.client(), "STATE").await, 7);

    let mut other = table_properties();
    other["GlobalSecondaryIndexes"][0]["IndexName"] = json!("newest");
    let error = database.create_table(TABLE, &other).await.unwrap_err();
    assert!(matches!(error, TableError::Differs { property: "GlobalSecondaryIndexes", .. }), "{error}");
}

#[tokio::test]
async fn a_sweep_deletes_what_expired_by_the_callers_clock_in_memory_and_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = LocalDynamoDb::at(directory.path()).unwrap();
    on_disk.create_table(TABLE, &table_properties()).await.unwrap();
    for database in [database().await, on_disk] {
        let client = database.client();
        for (key, expires_at) in [("early", 2_000_000_000), ("late", 2_000_000_100)] {
            let put = client.put_item().table_name(TABLE).item("PK", text("A")).item("SK", text(key));
            put.item("expires_at", number(expires_at)).send().await.unwrap();
        }
        assert_eq!(database.sweep_ttl(Timestamp::from_second(1_999_999_999).unwrap()).unwrap(), 0);
        assert_eq!(database.sweep_ttl(Timestamp::from_second(2_000_000_050).unwrap()).unwrap(), 1);
        let left = client.scan().table_name(TABLE).send().await.unwrap();
        let keys: Vec<_> = left.items().iter().map(|item| item["SK"].clone()).collect();
        assert_eq!(keys, [AttributeValue::S("late".to_owned())]);
    }
}
