//! The cost of a charge over HTTP in DynamoDB, counted at the embedded table.

use super::{TestCloud, funded};
use local_aws::dynamodb::RecordedOperation;
use serde_json::{Value, json};

/// One strongly consistent read, and one transaction that writes the account and its entry: 1 unit read, 4 written, and
/// 1 for the entry's copy in the history's index.
#[tokio::test]
async fn a_charge_is_one_consistent_read_and_one_transaction_of_two_items() {
    let cloud = funded().await;
    cloud.open_account("twin").await;
    cloud.buy("twin", "credits_500", "4242424242424242").await;
    let recording = cloud.cloud.aws.dynamodb.record();

    cloud.charge("acme", "job-1", 5).await.expect(201);

    let operations = recording.operations();
    let [get, transaction] = &operations[..] else { panic!("{:?}", recording.names()) };
    assert_eq!((get.operation.name.as_str(), get.operation.is_consistent_read()), ("GetItem", true));
    assert_eq!(transaction.operation.name, "TransactWriteItems");
    assert_eq!(transaction.operation.requested_item_count(), 2);

    let get = cost_of_the_same_for_the_twin(&cloud, get).await;
    assert_eq!(get["ConsumedCapacity"]["CapacityUnits"], json!(1.0), "{get}");
    let transaction = cost_of_the_same_for_the_twin(&cloud, transaction).await;
    let consumed = &transaction["ConsumedCapacity"][0];
    assert_eq!(consumed["CapacityUnits"], json!(5.0), "{consumed}");
    assert_eq!(consumed["Table"]["CapacityUnits"], json!(4.0), "{consumed}");
    assert_eq!(consumed["GlobalSecondaryIndexes"]["history"]["CapacityUnits"], json!(1.0), "{consumed}");
    assert_eq!(cloud.balance("twin").await, 450, "the counted requests took effect");
}

#[tokio::test]
async fn a_replay_and_a_refusal_write_nothing() {
    let cloud = funded().await;
    cloud.charge("acme", "job-1", 5).await.expect(201);
    let recording = cloud.cloud.aws.dynamodb.record();
    let footprint = cloud.footprint();

    cloud.charge("acme", "job-1", 5).await.expect(200);
    assert_eq!(recording.names(), ["GetItem", "TransactWriteItems", "GetItem"], "and whether it was restored");
    let refused = recording.operations().remove(1);
    assert_eq!(refused.error.as_deref(), Some("TransactionCanceledException"));

    recording.clear();
    cloud.charge("acme", "job-2", 1_440).await.expect(402);
    assert_eq!(recording.names(), ["GetItem", "GetItem"], "the account and the entry under the key");
    assert_eq!(cloud.footprint(), footprint);
}

/// The functions do not request the cost of their calls, so the same calls are sent again with that option, for an
/// account in the same state as the first one.
async fn cost_of_the_same_for_the_twin(cloud: &TestCloud, recorded: &RecordedOperation) -> Value {
    let request = recorded.operation.request.to_string().replace("acme", "twin");
    let mut request: Value = serde_json::from_str(&request).unwrap();
    request["ReturnConsumedCapacity"] = json!("INDEXES");
    request.as_object_mut().unwrap().remove("ClientRequestToken");
    let target = format!("DynamoDB_20120810.{}", recorded.operation.name);
    let answer = cloud.cloud.aws.dynamodb.exchange(&target, request.to_string().as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}
