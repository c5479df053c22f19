//! DynamoDB's faults.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Get, PutRequest, TransactGetItem, WriteRequest};
use futures::future::join_all;
use local_aws::dynamodb::{CancellationCode, Fault, Refusal};
use local_aws::wire::Loss;

use crate::support::{TABLE, balance, database, new_entry, number, put, take_one, text};

const WINDOW: Duration = Duration::from_millis(4);

async fn take(client: &aws_sdk_dynamodb::Client) -> Result<(), TransactWriteItemsError> {
    let write = client.transact_write_items().transact_items(take_one("STATE"));
    write.send().await.map(|_| ()).map_err(SdkError::into_service_error)
}

fn codes(error: &TransactWriteItemsError) -> Vec<&str> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { panic!("{error:?}") };
    cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_transactions_on_one_item_sell_exactly_what_is_there() {
    let database = database().await;
    put(&database.client(), "STATE", 20).await;
    let tasks = (0..64).map(|_| {
        let client = database.client();
        tokio::spawn(async move { take(&client).await })
    });
    let outcomes: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 20);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(codes(refused), ["ConditionalCheckFailed"]);
    }
    assert_eq!(balance(&database.client(), "STATE").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_transactions_stay_exact_under_conflicts_when_each_tries_again() {
    let database = database().await;
    put(&database.client(), "STATE", 20).await;
    database.faults().set_conflict_window(Some(WINDOW));
    let recording = database.record();
    let tasks = (0..64).map(|_| {
        let client = database.client();
        tokio::spawn(async move {
            loop {
                match take(&client).await {
                    Ok(()) => return true,
                    Err(error) if codes(&error) == ["TransactionConflict"] => tokio::time::sleep(WINDOW / 4).await,
                    Err(error) => {
                        assert_eq!(codes(&error), ["ConditionalCheckFailed"]);
                        return false;
                    }
                }
            }
        })
    });
    let sold = join_all(tasks).await.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count();
    assert_eq!(sold, 20);
    assert_eq!(balance(&database.client(), "STATE").await, 0);
    let tries = recording.count("TransactWriteItems");
    assert!(tries > 64, "nothing conflicted in {tries} tries");
}

#[tokio::test(start_paused = true)]
async fn of_concurrent_transactions_on_one_item_the_first_wins_and_the_others_conflict() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 20).await;
    database.faults().set_conflict_window(Some(WINDOW));
    let both = |entry: &str| {
        client.transact_write_items().transact_items(new_entry(entry)).transact_items(take_one("STATE")).send()
    };
    let (first, second) = tokio::join!(both("ENTRY#1"), both("ENTRY#2"));
    first.unwrap();
    assert_eq!(codes(&second.unwrap_err().into_service_error()), ["None", "TransactionConflict"]);
    assert_eq!(balance(&client, "STATE").await, 19);
    take(&client).await.unwrap();
    assert_eq!(balance(&client, "STATE").await, 18, "the key must be free again");
}

#[tokio::test(start_paused = true)]
async fn a_plain_write_conflicts_with_an_ongoing_transaction_and_not_with_another_plain_write() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 20).await;
    database.faults().set_conflict_window(Some(WINDOW));
    let plain = || client.put_item().table_name(TABLE).item("PK", text("A")).item("SK", text("STATE")).send();
    let (transaction, refused) = tokio::join!(take(&client), plain());
    transaction.unwrap();
    assert_eq!(refused.unwrap_err().into_service_error().code(), Some("TransactionConflictException"));
    let (first, second) = tokio::join!(plain(), plain());
    first.and(second).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_transactional_read_conflicts_with_any_ongoing_write() {
    let database = database().await;
    let client = database.client();
    database.faults().set_conflict_window(Some(WINDOW));
    let get = Get::builder().table_name(TABLE).key("PK", text("A")).key("SK", text("STATE")).build().unwrap();
    let read = client.transact_get_items().transact_items(TransactGetItem::builder().get(get).build());
    let (_, refused) = tokio::join!(put(&client, "STATE", 20), read.clone().send());
    assert_eq!(refused.unwrap_err().into_service_error().code(), Some("TransactionCanceledException"));
    read.send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_leaves_unprocessed_what_a_transaction_holds() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 20).await;
    database.faults().set_conflict_window(Some(WINDOW));
    let write = |key: &str| {
        let put = PutRequest::builder().item("PK", text("A")).item("SK", text(key)).item("balance", number(5));
        WriteRequest::builder().put_request(put.build().unwrap()).build()
    };
    let batch = |keys: &[&str]| {
        client.batch_write_item().request_items(TABLE, keys.iter().map(|key| write(key)).collect()).send()
    };
    let (transaction, some, none) = tokio::join!(take(&client), batch(&["STATE", "other"]), batch(&["STATE"]));
    transaction.unwrap();
    assert_eq!(some.unwrap().unprocessed_items.unwrap()[TABLE], [write("STATE")]);
    assert_eq!(none.unwrap().unprocessed_items.unwrap()[TABLE], [write("STATE")]);
    assert_eq!(balance(&client, "STATE").await, 19);
    assert_eq!(balance(&client, "other").await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_token_still_at_work_is_answered_as_in_progress() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 20).await;
    database.faults().set_conflict_window(Some(WINDOW));
    let write = || client.transact_write_items().client_request_token("same").transact_items(take_one("STATE")).send();
    let (first, second) = tokio::join!(write(), write());
    first.unwrap();
    assert_eq!(second.unwrap_err().into_service_error().code(), Some("TransactionInProgressException"));
    write().await.unwrap();
    assert_eq!(balance(&client, "STATE").await, 19);
}

#[tokio::test]
async fn scripted_reasons_answer_so_many_transactions_and_nothing_else() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 20).await;
    database.faults().cancel_next_transactions(2, &[CancellationCode::TransactionConflict]);
    let write =
        || client.transact_write_items().transact_items(take_one("STATE")).transact_items(new_entry("E")).send();
    for _ in 0..2 {
        assert_eq!(balance(&client, "STATE").await, 20);
        let error = write().await.unwrap_err().into_service_error();
        assert_eq!(codes(&error), ["TransactionConflict", "None"]);
    }
    write().await.unwrap();
    assert_eq!(database.faults().remaining(), 0);
}

#[tokio::test]
async fn a_refusal_arrives_as_the_sdks_own_error() {
    let database = database().await;
    let client = database.client();
    for (refusal, code) in [
        (Refusal::ProvisionedThroughputExceeded, "ProvisionedThroughputExceededException"),
        (Refusal::Throttling, "ThrottlingException"),
        (Refusal::TransactionInProgress, "TransactionInProgressException"),
        (Refusal::InternalServerError, "InternalServerError"),
    ] {
        database.faults().next("TransactWriteItems", 1, Fault::Refuse(refusal));
        assert_eq!(take(&client).await.unwrap_err().code(), Some(code));
    }
}

#[tokio::test]
async fn the_sdks_own_retries_ride_out_throttling() {
    let database = database().await;
    database.faults().next("PutItem", 1, Fault::Refuse(Refusal::ProvisionedThroughputExceeded));
    let client = aws_sdk_dynamodb::Client::from_conf(database.client_config().build());
    put(&client, "STATE", 20).await;
    assert_eq!(database.faults().remaining(), 0);
}

#[tokio::test]
async fn a_lost_answer_was_carried_out_and_a_lost_request_was_not() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 20).await;
    let recording = database.record();
    for (fault, left) in [
        (Fault::LoseAnswer(Loss::Timeout), 19),
        (Fault::LoseRequest(Loss::Timeout), 19),
        (Fault::LoseAnswer(Loss::ConnectionReset), 18),
    ] {
        database.faults().next("TransactWriteItems", 1, fault.clone());
        let error = client.transact_write_items().transact_items(take_one("STATE")).send().await.unwrap_err();
        let SdkError::DispatchFailure(failure) = error else { panic!("{error:?}") };
        let (Fault::LoseAnswer(loss) | Fault::LoseRequest(loss)) = fault else { unreachable!() };
        assert_eq!((failure.is_timeout(), failure.is_io()), (loss == Loss::Timeout, loss == Loss::ConnectionReset));
        assert_eq!(balance(&client, "STATE").await, left);
    }
    assert_eq!(recording.operations()[0].loss, Some(Loss::Timeout));
}

#[tokio::test]
async fn a_decider_sees_every_operation() {
    let database = database().await;
    let client = database.client();
    put(&client, "STATE", 20).await;
    database.faults().decide_with(|operation| {
        (operation.name == "TransactWriteItems").then_some(Fault::Refuse(Refusal::InternalServerError))
    });
    assert_eq!(take(&client).await.unwrap_err().code(), Some("InternalServerError"));
    assert_eq!(balance(&client, "STATE").await, 20);
    database.faults().clear();
    take(&client).await.unwrap();
}
