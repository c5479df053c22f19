//! Faults of DynamoDB: conflicts, throttling, lost requests and lost answers.

use super::clients::{Direct, Sdk, Way};
use super::samples::*;
use super::stores::{Embedded, TABLE, embedded_over};
use local_aws::dynamodb::{CancellationCode, Fault, LocalDynamoDb, Recording, Refusal};
use local_aws::wire::Loss;
use shared::domain::*;
use shared::ledger::LedgerSettings;
use shared::ports::*;
use std::collections::BTreeSet;
use std::time::Duration;

use CancellationCode::{
    ConditionalCheckFailed, None as Unblamed, ProvisionedThroughputExceeded, ThrottlingError, TransactionConflict,
};

fn tokens(recording: &Recording) -> BTreeSet<String> {
    let token = |recorded: local_aws::dynamodb::RecordedOperation| {
        recorded.operation.request["ClientRequestToken"].as_str().unwrap().to_owned()
    };
    let is_transaction =
        |recorded: &local_aws::dynamodb::RecordedOperation| recorded.operation.name == "TransactWriteItems";
    recording.operations().into_iter().filter(is_transaction).map(token).collect()
}

async fn assert_unavailable(outcome: Result<(), CommitError>) {
    match outcome {
        Err(CommitError::Failed(error)) => assert!(error.is_retryable(), "{error:?}"),
        other => panic!("{other:?}"),
    }
}

macro_rules! over_both_clients {
    ($($test:ident,)*) => {
        mod over_the_sdk {
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::$test::<super::Sdk>().await;
            })*
        }

        mod over_the_direct_client {
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::$test::<super::Direct>().await;
            })*
        }
    };
}

over_both_clients! {
    a_ledger_that_could_not_connect_works_when_dynamodb_is_back,
    contention_is_reported_even_if_a_condition_is_reported_as_failed,
    a_commit_without_an_answer_ends_in_time,
    a_failed_condition_is_not_retried,
    a_charge_whose_answer_was_lost_is_found_when_it_is_repeated,
    a_failure_of_aws_or_the_network_is_unavailable_and_writes_nothing,
    the_client_retries_a_lost_transaction_under_the_same_token,
    a_lost_answer_followed_by_a_conflict_is_found_by_the_next_decision,
    each_commit_has_its_own_token,
    reads_and_marks_distinguish_transient_failures_from_permanent_ones,
}

/// A function connects when it starts, and must start even if DynamoDB is unavailable.
async fn a_ledger_that_could_not_connect_works_when_dynamodb_is_back<W: Way>() {
    let Embedded { database, ledger } = embedded_over::<W>().await;
    let account = opened_with(&ledger, 100).await;
    for fault in [Fault::LoseRequest(Loss::Timeout), Fault::Refuse(Refusal::InternalServerError)] {
        database.faults().next("GetItem", 1, fault);
        assert!(W::connect(&ledger).await.is_err_and(|error| error.is_retryable()));
        assert_eq!(ledger.account_get(&account.id).await.unwrap().as_ref(), Some(&account));
    }
    W::connect(&ledger).await.unwrap();
}

async fn assert_contended(outcome: Result<(), CommitError>) {
    match outcome {
        Err(CommitError::Contended(error)) => assert!(error.is_retryable(), "{error:?}"),
        other => panic!("{other:?}"),
    }
}

/// Each of these errors leaves the conditions undecided, whatever else it reports. The ledger does not wait and try again:
/// the loop above it reads the account first.
async fn contention_is_reported_even_if_a_condition_is_reported_as_failed<W: Way>() {
    let cancelled = |codes: &[CancellationCode]| Fault::CancelTransaction(codes.to_vec());
    for (number, fault) in [
        cancelled(&[TransactionConflict, Unblamed]),
        cancelled(&[Unblamed, TransactionConflict]),
        cancelled(&[TransactionConflict, ConditionalCheckFailed]),
        cancelled(&[ConditionalCheckFailed, TransactionConflict]),
        cancelled(&[ThrottlingError, ConditionalCheckFailed]),
        cancelled(&[ProvisionedThroughputExceeded]),
    ]
    .into_iter()
    .enumerate()
    {
        let Embedded { database, ledger } = embedded_over::<W>().await;
        let account = opened_with(&ledger, 100).await;
        let ledger = retrying::<W>(&database);
        database.faults().next("TransactWriteItems", 1, fault.clone());
        let recording = database.record();
        let change = posted(&account, -10, charge(&format!("job-{number}")));
        assert_contended(ledger.commit(&change).await).await;
        assert_eq!(recording.count("TransactWriteItems"), 1, "{fault:?}");
        assert_eq!(ledger.account_get(&account.id).await.unwrap().as_ref(), Some(&account));
        assert_eq!(ledger.entry_get(&account.id, &change.entries[0].origin()).await.unwrap(), None);
        ledger.commit(&change).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert_eq!(tokens(&recording).len(), 2, "a new decision has a new token");
    }
}

/// The client sends a transaction without an answer again and again; the commit ends all the same.
async fn a_commit_without_an_answer_ends_in_time<W: Way>() {
    let Embedded { database, ledger } = embedded_over::<W>().await;
    let account = opened_with(&ledger, 100).await;
    let ledger = W::ledger(&database, 1_000, TABLE, LedgerSettings::default());
    database.faults().decide_with(|operation| {
        (operation.name == "TransactWriteItems").then_some(Fault::LoseRequest(Loss::ConnectionReset))
    });
    let begun = tokio::time::Instant::now();
    assert_unavailable(ledger.commit(&posted(&account, -10, charge("job"))).await).await;
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_secs(4) && elapsed < Duration::from_millis(4_100), "{elapsed:?}");
}

/// A failed condition without any other error is final.
async fn a_failed_condition_is_not_retried<W: Way>() {
    let Embedded { database, ledger } = embedded_over::<W>().await;
    let account = opened_with(&ledger, 100).await;
    ledger.commit(&posted(&account, -10, charge("job"))).await.unwrap();
    let recording = database.record();
    assert!(matches!(ledger.commit(&posted(&account, -10, charge("job"))).await, Err(CommitError::Duplicate { .. })));
    assert!(matches!(ledger.commit(&posted(&account, -10, charge("new"))).await, Err(CommitError::Stale { .. })));
    assert_eq!(recording.count("TransactWriteItems"), 2);
}

async fn a_charge_whose_answer_was_lost_is_found_when_it_is_repeated<W: Way>() {
    for loss in [Loss::Timeout, Loss::ConnectionReset] {
        let Embedded { database, ledger } = embedded_over::<W>().await;
        let account = opened_with(&ledger, 100).await;
        let change = posted(&account, -10, charge("job"));
        database.faults().next("TransactWriteItems", 1, Fault::LoseAnswer(loss));
        assert_unavailable(ledger.commit(&change).await).await;
        match ledger.commit(&change).await {
            Err(CommitError::Duplicate { entries }) => assert_eq!(entries, change.entries),
            other => panic!("{other:?}"),
        }
        assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(change.account));
    }
}

async fn a_failure_of_aws_or_the_network_is_unavailable_and_writes_nothing<W: Way>() {
    let Embedded { database, ledger } = embedded_over::<W>().await;
    let account = opened_with(&ledger, 100).await;
    for fault in [
        Fault::Refuse(Refusal::InternalServerError),
        Fault::Refuse(Refusal::ProvisionedThroughputExceeded),
        Fault::Refuse(Refusal::Throttling),
        Fault::Refuse(Refusal::TransactionInProgress),
        Fault::LoseRequest(Loss::Timeout),
        Fault::LoseRequest(Loss::ConnectionReset),
    ] {
        database.faults().next("TransactWriteItems", 1, fault);
        let recording = database.record();
        assert_unavailable(ledger.commit(&posted(&account, -10, charge("job"))).await).await;
        assert_eq!(recording.count("TransactWriteItems"), 1, "only the client retries, and its retries are off here");
        assert_eq!(ledger.account_get(&account.id).await.unwrap().as_ref(), Some(&account));
    }
}

/// With the client's own retries, a request whose answer was lost is sent again with the same token. DynamoDB recognizes
/// the token, so the caller gets the first success.
async fn the_client_retries_a_lost_transaction_under_the_same_token<W: Way>() {
    for fault in [
        Fault::LoseAnswer(Loss::Timeout),
        Fault::LoseAnswer(Loss::ConnectionReset),
        Fault::Refuse(Refusal::InternalServerError),
        Fault::Refuse(Refusal::TransactionInProgress),
        Fault::Refuse(Refusal::Throttling),
    ] {
        let Embedded { database, ledger } = embedded_over::<W>().await;
        let account = opened_with(&ledger, 100).await;
        let ledger = retrying::<W>(&database);
        database.faults().next("TransactWriteItems", 1, fault);
        let recording = database.record();
        let change = posted(&account, -10, charge("job"));
        ledger.commit(&change).await.unwrap();
        assert_eq!((recording.count("TransactWriteItems"), tokens(&recording).len()), (2, 1));
        assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(change.account));
    }
}

/// A lost answer, and the client's next try conflicts. The next decision has a new token, and the entry's own condition
/// keeps it from taking the credits again.
async fn a_lost_answer_followed_by_a_conflict_is_found_by_the_next_decision<W: Way>() {
    let Embedded { database, ledger } = embedded_over::<W>().await;
    let account = opened_with(&ledger, 100).await;
    let ledger = retrying::<W>(&database);
    database.faults().next("TransactWriteItems", 1, Fault::LoseAnswer(Loss::Timeout));
    database.faults().cancel_next_transactions(1, &[TransactionConflict]);
    let change = posted(&account, -10, charge("job"));
    assert_contended(ledger.commit(&change).await).await;
    assert_eq!(database.faults().remaining(), 0);
    let read = ledger.account_get(&account.id).await.unwrap().unwrap();
    assert_eq!(read, change.account);
    match ledger.commit(&posted(&read, -10, charge("job"))).await {
        Err(CommitError::Duplicate { entries }) => assert_eq!(entries, change.entries),
        other => panic!("{other:?}"),
    }
    assert_eq!(ledger.account_get(&account.id).await.unwrap(), Some(read));
}

async fn each_commit_has_its_own_token<W: Way>() {
    let Embedded { database, ledger } = embedded_over::<W>().await;
    let account = opened_with(&ledger, 100).await;
    let recording = database.record();
    for _ in 0..3 {
        let _ = ledger.commit(&posted(&account, -10, charge("job"))).await;
    }
    assert_eq!(tokens(&recording).len(), 3);
}

/// Every read and mark: a transient failure is retryable, a missing table is not.
async fn reads_and_marks_distinguish_transient_failures_from_permanent_ones<W: Way>() {
    let Embedded { database, ledger } = embedded_over::<W>().await;
    let account = opened(&ledger).await;
    let elsewhere = W::ledger(&database, 1, "no-such-table", LedgerSettings::default());
    for fault in [
        Fault::Refuse(Refusal::Throttling),
        Fault::Refuse(Refusal::TransactionConflict),
        Fault::Refuse(Refusal::InternalServerError),
        Fault::LoseRequest(Loss::Timeout),
    ] {
        for number in 0..5 {
            database.faults().next_any(1, fault.clone());
            let error = ask(&ledger, &account, number).await.unwrap_err();
            assert!(error.is_retryable(), "{number}: {error:?}");
            assert_eq!(database.faults().remaining(), 0);
        }
    }
    for number in 0..5 {
        let error = ask(&elsewhere, &account, number).await.unwrap_err();
        assert!(!error.is_retryable(), "{number}: {error:?}");
    }
    match elsewhere.commit(&changed(&account)).await {
        Err(CommitError::Failed(error)) => assert!(!error.is_retryable(), "{error:?}"),
        other => panic!("{other:?}"),
    }
}

async fn ask<L: Ledger>(ledger: &L, account: &Account, number: usize) -> Result<(), LedgerError> {
    match number {
        0 => ledger.account_get(&account.id).await.map(drop),
        1 => ledger.history_page(&account.id, None, 10).await.map(drop),
        2 => ledger.due_accounts(Shard::of(0), at(0), None).await.map(drop),
        3 => ledger.event_mark_applied(&EventId::parse("evt_1").unwrap(), at(0)).await,
        _ => ledger.notice_mark_sent(&account.id, &NoticeId::mint(1), (account.email.as_ref().unwrap(), at(0))).await,
    }
}

/// A ledger whose client has retries of its own, as when deployed.
fn retrying<W: Way>(database: &LocalDynamoDb) -> W::Ledger {
    W::ledger(database, 3, TABLE, LedgerSettings::default())
}
