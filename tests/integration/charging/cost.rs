//! The cost of a charge over HTTP in DynamoDB, counted at the embedded table.

use super::batches::{send, statuses, training};
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

/// Two units for the account and for each entry, and one for each entry's copy in the history's index. Nothing is read
/// for a single charge.
#[tokio::test]
async fn a_batch_of_49_is_one_consistent_read_and_one_transaction_of_50_items() {
    let cloud = funded().await;
    cloud.open_account("twin").await;
    cloud.buy("twin", "credits_500", "4242424242424242").await;
    let recording = cloud.cloud.aws.dynamodb.record();
    let charges: Vec<Value> = (0..49).map(|number| training("acme", &format!("job-{number}"), 1)).collect();

    assert_eq!(statuses(&send(&cloud, &charges).await.expect(200)), [201; 49]);

    let operations = recording.operations();
    let [get, transaction] = &operations[..] else { panic!("{:?}", recording.names()) };
    assert_eq!((get.operation.name.as_str(), get.operation.is_consistent_read()), ("GetItem", true));
    assert_eq!(transaction.operation.name, "TransactWriteItems");
    assert_eq!(transaction.operation.requested_item_count(), 50);
    let transaction = cost_of_the_same_for_the_twin(&cloud, transaction).await;
    let consumed = &transaction["ConsumedCapacity"][0];
    assert_eq!(consumed["Table"]["CapacityUnits"], json!(100.0), "{consumed}");
    assert_eq!(consumed["GlobalSecondaryIndexes"]["history"]["CapacityUnits"], json!(49.0), "{consumed}");
    assert_eq!(consumed["CapacityUnits"], json!(149.0), "{consumed}");

    // What is left would not pay for them again, so each is looked up.
    recording.clear();
    assert_eq!(statuses(&send(&cloud, &charges).await.expect(200)), [200; 49]);
    assert_eq!(recording.names().iter().filter(|name| *name == "TransactWriteItems").count(), 1);
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    recording.clear();
    assert_eq!(statuses(&send(&cloud, &charges).await.expect(200)), [200; 49]);
    let mut names = recording.names();
    assert_eq!(names.drain(..2).collect::<Vec<_>>(), ["GetItem", "TransactWriteItems"]);
    assert_eq!(names, ["GetItem"; 49], "and whether each was restored");
}

#[tokio::test]
async fn a_batch_of_100_over_two_accounts_is_one_transaction_for_each_49_of_an_account() {
    let cloud = TestCloud::start().await;
    for account in ["acme", "globex"] {
        cloud.open_account(account).await;
        cloud.buy(account, "credits_5000", "4242424242424242").await;
    }
    let mut charges: Vec<Value> = (0..99).map(|number| training("acme", &format!("job-{number}"), 1)).collect();
    charges.insert(50, training("globex", "job-0", 1));
    let recording = cloud.cloud.aws.dynamodb.record();
    assert_eq!(statuses(&send(&cloud, &charges).await.expect(200)), [201; 100]);
    let operations = recording.operations();
    let transactions = operations.iter().filter(|recorded| recorded.operation.name == "TransactWriteItems");
    let mut items: Vec<_> = transactions.map(|recorded| recorded.operation.requested_item_count()).collect();
    items.sort_unstable();
    assert_eq!((items, operations.len()), (vec![2, 2, 50, 50], 8));
}

#[tokio::test]
async fn a_replay_writes_nothing_and_a_refusal_one_unit_at_most() {
    let cloud = funded().await;
    cloud.charge("acme", "job-1", 5).await.expect(201);
    let recording = cloud.cloud.aws.dynamodb.record();
    let footprint = cloud.footprint();

    cloud.charge("acme", "job-1", 5).await.expect(200);
    assert_eq!(recording.names(), ["GetItem", "TransactWriteItems", "GetItem"], "and whether it was restored");
    let refused = recording.operations().remove(1);
    assert_eq!(refused.error.as_deref(), Some("TransactionCanceledException"));
    assert_eq!(cloud.footprint(), footprint);

    recording.clear();
    cloud.charge("acme", "job-2", 1_440).await.expect(402);
    let names = ["GetItem", "GetItem", "PutItem"];
    assert_eq!(recording.names(), names, "the account, the entry under the key, and the refusal");
    let put = cost_of_the_same_for_the_twin(&cloud, &recording.operations()[2]).await;
    assert_eq!(put["ConsumedCapacity"]["CapacityUnits"], json!(1.0), "no index has it: {put}");
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
