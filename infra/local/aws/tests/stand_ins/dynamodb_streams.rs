//! Streams as Lambda events, and the recorder.

use aws_lambda_events::event::dynamodb::Event;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use local_aws::dynamodb::StreamCursor;
use serde_json::Value;

use crate::support::{TABLE, balance, database, new_entry, number, put, take_one, text};

#[tokio::test]
async fn a_stream_batch_is_an_event_a_function_can_read() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 7).await;
    put(&client, "STATE", 8).await;
    let delete = client.delete_item().table_name(TABLE).key("PK", text("A")).key("SK", text("STATE"));
    delete.send().await.unwrap();

    let batch = database.stream_batch(TABLE, &StreamCursor::TRIM_HORIZON, 100).unwrap();
    assert!(batch.is_at_end);
    let event: Event = serde_json::from_value(batch.event.unwrap()).unwrap();
    let names: Vec<_> = event.records.iter().map(|record| record.event_name.as_str()).collect();
    assert_eq!(names, ["INSERT", "MODIFY", "REMOVE"]);
    let modified = &event.records[1];
    assert_eq!(modified.event_source.as_deref(), Some("aws:dynamodb"));
    assert_eq!(modified.aws_region, "us-east-1");
    assert!(
        modified
            .event_source_arn
            .as_deref()
            .unwrap()
            .starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/credits/stream/")
    );
    let balance_in = |image: &serde_dynamo::Item| serde_json::to_value(&image["balance"]).unwrap()["N"].clone();
    assert_eq!(balance_in(&modified.change.old_image), "7");
    assert_eq!(balance_in(&modified.change.new_image), "8");
    assert_eq!(modified.change.keys.len(), 2);
}

#[tokio::test]
async fn a_cursor_kept_as_text_goes_on_where_it_was() {
    let database = database().await;
    let client = database.client();
    for key in ["1", "2", "3"] {
        put(&client, key, 1).await;
    }
    let first = database.stream_batch(TABLE, &StreamCursor::TRIM_HORIZON, 2).unwrap();
    assert!(!first.is_at_end);
    let cursor = StreamCursor::from_text(&first.next.to_string());
    let second = database.stream_batch(TABLE, &cursor, 2).unwrap();
    assert_eq!(sort_keys(first.event), ["1", "2"]);
    assert_eq!(sort_keys(second.event), ["3"]);
    let third = database.stream_batch(TABLE, &second.next, 2).unwrap();
    assert_eq!((third.event, third.next, third.is_at_end), (None, second.next, true));
    assert!(database.stream_batch(TABLE, &StreamCursor::from_text("no cursor"), 2).is_err());
}

#[tokio::test]
async fn a_write_that_changes_nothing_leaves_no_record() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 7).await;
    let cursor = database.stream_end(TABLE).unwrap();
    put(&client, "STATE", 7).await;
    let batch = database.stream_batch(TABLE, &cursor, 100).unwrap();
    assert_eq!(batch.event, None);
    assert_ne!(batch.next, cursor, "the cursor must pass the record, or it would be read again and again");
    put(&client, "STATE", 8).await;
    assert_eq!(sort_keys(database.stream_batch(TABLE, &batch.next, 100).unwrap().event), ["STATE"]);
}

#[tokio::test]
async fn an_expired_item_is_removed_by_the_service() {
    let database = database().await;
    let put = database.client().put_item().table_name(TABLE).item("PK", text("A")).item("SK", text("old"));
    put.item("expires_at", number(2_000_000_000)).send().await.unwrap();
    let cursor = database.stream_end(TABLE).unwrap();
    database.sweep_ttl(jiff::Timestamp::from_second(2_000_000_050).unwrap()).unwrap();
    let event = database.stream_batch(TABLE, &cursor, 100).unwrap().event.unwrap();
    assert_eq!(event["Records"][0]["eventName"], "REMOVE");
    assert_eq!(event["Records"][0]["userIdentity"]["principalId"], "dynamodb.amazonaws.com");
}

#[tokio::test]
async fn whoever_waits_for_writes_is_woken_by_one() {
    let database = database().await;
    let mut writes = database.writes();
    assert!(!writes.has_changed().unwrap());
    put(&database.client(), "STATE", 7).await;
    writes.changed().await.unwrap();
}

#[tokio::test]
async fn a_recording_counts_reads_writes_and_units() {
    let database = database().await;
    let client = database.client();
    put(&client, "before", 1).await;
    let recording = database.record();
    put(&client, "STATE", 7).await;
    balance(&client, "STATE").await;
    let write = client.transact_write_items().transact_items(take_one("STATE")).transact_items(new_entry("ENTRY#1"));
    write.clone().return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
    write.send().await.unwrap_err();

    assert_eq!(recording.names(), ["PutItem", "GetItem", "TransactWriteItems", "TransactWriteItems"]);
    let operations = recording.operations();
    assert_eq!(operations[1].operation.table(), Some(TABLE));
    assert!(operations[1].operation.is_consistent_read());
    assert_eq!((operations[2].item_count, operations[2].error.as_deref()), (2, None));
    assert!(operations[2].capacity_units() >= 4.0, "{:?}", operations[2].consumed_capacity);
    assert_eq!(operations[3].error.as_deref(), Some("TransactionCanceledException"));
    assert_eq!(recording.count("PutItem"), 1);
}

fn sort_keys(event: Option<Value>) -> Vec<String> {
    let event = event.unwrap();
    let records = event["Records"].as_array().unwrap();
    records.iter().map(|record| record["dynamodb"]["Keys"]["SK"]["S"].as_str().unwrap().to_owned()).collect()
}
