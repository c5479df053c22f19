//! DynamoDB conflicts, throttles, and loses requests and answers. A charge is answered correctly or with 503, and a
//! retry under the same key is answered correctly and charged once.

use super::{fund, funded, restore};
use crate::support::{Answer, TestCloud, options};
use futures::future::join_all;
use local_aws::dynamodb::{CancellationCode, Fault, Refusal};
use local_aws::wire::Loss;
use prepaid_local::clock::MovableClock;
use prepaid_local::cloud::Options;
use std::time::Duration;

use CancellationCode::{ConditionalCheckFailed, None as Unblamed, ThrottlingError, TransactionConflict};

fn cancelled(codes: &[CancellationCode]) -> Fault {
    Fault::CancelTransaction(codes.to_vec())
}

fn faults_of_writes() -> Vec<Fault> {
    vec![
        cancelled(&[TransactionConflict, Unblamed]),
        cancelled(&[Unblamed, TransactionConflict]),
        cancelled(&[ConditionalCheckFailed, TransactionConflict]),
        cancelled(&[ThrottlingError, Unblamed]),
        Fault::Refuse(Refusal::ProvisionedThroughputExceeded),
        Fault::Refuse(Refusal::Throttling),
        Fault::Refuse(Refusal::TransactionInProgress),
        Fault::Refuse(Refusal::InternalServerError),
        Fault::LoseRequest(Loss::ConnectionReset),
        Fault::LoseAnswer(Loss::ConnectionReset),
        Fault::LoseRequest(Loss::Timeout),
        Fault::LoseAnswer(Loss::Timeout),
    ]
}

fn faults_of_reads() -> Vec<Fault> {
    vec![
        Fault::Refuse(Refusal::ProvisionedThroughputExceeded),
        Fault::Refuse(Refusal::InternalServerError),
        Fault::LoseRequest(Loss::Timeout),
        Fault::LoseAnswer(Loss::ConnectionReset),
    ]
}

/// A funded cloud whose functions see their time pass, so that they give up before they are stopped.
async fn funded_under_a_running_clock() -> TestCloud {
    let options = Options { clock: MovableClock::running(), ..options() };
    fund(TestCloud::start_with(options).await.unwrap()).await
}

/// Checks that nothing is concluded, and that the client is told to retry.
#[track_caller]
fn expect_unavailable(answer: Answer, what: &str) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.text);
    assert_eq!(answer.retry_after.as_deref(), Some("2"), "{what}");
    assert!(!answer.text.contains("Dynamo") && !answer.text.contains("dispatch"), "{what}: {}", answer.text);
    answer.expect_problem(503, "unavailable");
}

#[tokio::test]
async fn one_fault_of_any_kind_is_not_noticed() {
    let writes = faults_of_writes().into_iter().map(|fault| ("TransactWriteItems", fault));
    let reads = faults_of_reads().into_iter().map(|fault| ("GetItem", fault));
    join_all(writes.chain(reads).map(async |(operation, fault)| {
        let cloud = funded().await;
        cloud.cloud.aws.dynamodb.faults().next(operation, 1, fault.clone());
        let charged = cloud.charge("acme", "job-1", 5).await;
        assert_eq!((charged.status, &charged.body["balance"]), (201, &450.into()), "{fault:?}: {}", charged.text);
        assert_eq!(cloud.cloud.aws.dynamodb.faults().remaining(), 0, "{fault:?}");
        let replay = cloud.charge("acme", "job-1", 5).await.expect(200);
        assert_eq!(replay.text, charged.text, "{fault:?}");
        assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (450, 2), "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_lasting_fault_is_a_503_and_the_repeat_is_answered_rightly_and_charged_once() {
    let writes = faults_of_writes().into_iter().map(|fault| ("TransactWriteItems", fault));
    let reads = faults_of_reads().into_iter().map(|fault| ("GetItem", fault));
    join_all(writes.chain(reads).map(async |(operation, fault)| {
        let what = format!("{operation} {fault:?}");
        let cloud = funded_under_a_running_clock().await;
        break_down(&cloud, operation, &fault);
        expect_unavailable(cloud.charge("acme", "job-1", 5).await, &what);
        cloud.cloud.aws.dynamodb.faults().clear();

        let is_posted = operation == "TransactWriteItems" && matches!(fault, Fault::LoseAnswer(_));
        let repeated = cloud.charge("acme", "job-1", 5).await;
        assert_eq!(repeated.status, if is_posted { 200 } else { 201 }, "{what}: {}", repeated.text);
        assert_eq!((repeated.is_replay, &repeated.body["balance"]), (is_posted, &450.into()), "{what}");
        assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (450, 2), "{what}");
    }))
    .await;
}

#[tokio::test]
async fn a_restore_whose_answer_was_lost_is_found_by_whoever_repeats_it() {
    let cloud = funded().await;
    cloud.charge("acme", "job-1", 5).await.expect(201);
    break_down(&cloud, "TransactWriteItems", &Fault::LoseAnswer(Loss::ConnectionReset));
    expect_unavailable(restore(&cloud, "acme", "job-1").await, "the first");
    cloud.cloud.aws.dynamodb.faults().clear();
    assert!(restore(&cloud, "acme", "job-1").await.expect(200).is_replay);
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (500, 3));
}

#[tokio::test]
async fn a_balance_that_cannot_be_read_is_a_503_and_not_a_404() {
    let cloud = funded().await;
    break_down(&cloud, "GetItem", &Fault::LoseRequest(Loss::Timeout));
    let balance = cloud.get("/v1/accounts/acme/balance", &cloud.cloud.service_token()).await;
    expect_unavailable(balance, "the balance");
}

/// With conflicts as in AWS, some of many concurrent charges may get 503, but no charge is wrong.
#[tokio::test]
async fn a_crowd_under_real_conflicts_is_charged_once_each() {
    let cloud = funded_under_a_running_clock().await;
    cloud.cloud.aws.dynamodb.faults().set_conflict_window(Some(Duration::from_millis(4)));
    let keys: Vec<String> = (0..24).map(|number| format!("job-{}", number % 12)).collect();
    let answers = join_all(keys.iter().map(|key| cloud.charge("acme", key, 5))).await;
    for answer in answers.into_iter().filter(|answer| !matches!(answer.status, 200 | 201 | 402)) {
        expect_unavailable(answer, "one of many concurrent charges");
    }
    cloud.cloud.aws.dynamodb.faults().clear();
    let mut posted = 0;
    for key in &keys[..12] {
        let settled = cloud.charge("acme", key, 5).await;
        assert!(matches!(settled.status, 200 | 201 | 402), "{}", settled.text);
        posted += usize::from(settled.status != 402);
    }
    assert_eq!(posted, 10);
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (0, 11));
}

fn break_down(cloud: &TestCloud, operation: &str, fault: &Fault) {
    let (operation, fault) = (operation.to_owned(), fault.clone());
    let decide = move |asked: &local_aws::dynamodb::Operation| (asked.name == operation).then(|| fault.clone());
    cloud.cloud.aws.dynamodb.faults().decide_with(decide);
}
