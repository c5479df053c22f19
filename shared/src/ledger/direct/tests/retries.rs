//! What is sent again, how often and how soon, and what is told in the end.

use super::super::delay;
use super::*;
use crate::error::chain;
use crate::ledger::DynamoDb;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use tokio::time::Instant;

fn refused(code: &str, status: u16) -> HttpConnectorFuture {
    answered(status, &format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"}}"#))
}

#[tokio::test(start_paused = true)]
async fn what_may_succeed_in_a_moment_is_tried_three_times() {
    let answers: [(&str, Answer); 6] = [
        ("lost", lost),
        ("silent", silent),
        ("internal", || refused("InternalServerError", 500)),
        ("unavailable", || answered(503, "<html>")),
        ("throttled", || refused("ThrottlingException", 400)),
        ("exhausted", || refused("ProvisionedThroughputExceededException", 400)),
    ];
    for (name, answer) in answers {
        let (client, asked) = Always::client(answer);
        client.get_item(get()).await.unwrap_err();
        assert_eq!(asked.lock().unwrap().len(), 3, "{name}");
        let (client, asked) = Always::client(answer);
        client.transact_write_items(transaction()).await.unwrap_err();
        assert_eq!(asked.lock().unwrap().len(), 3, "{name}");
        let bodies: Vec<_> = asked.lock().unwrap().iter().map(|asked| asked.body().bytes().unwrap().to_vec()).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0] && !body.is_empty()), "{name}: each with the same token");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_request_is_not_tried_again() {
    let answers: [(&str, Answer); 6] = [
        ("invalid", || refused("ValidationException", 400)),
        ("not allowed", || refused("AccessDeniedException", 400)),
        ("no table", || refused("ResourceNotFoundException", 400)),
        ("a stranger", || refused("UnrecognizedClientException", 403)),
        ("a failed condition", || refused("TransactionCanceledException", 400)),
        ("an unreadable success", || answered(200, "<html>")),
    ];
    for (name, answer) in answers {
        let (client, asked) = Always::client(answer);
        let read = client.get_item(get()).await.unwrap_err();
        let written = client.transact_write_items(transaction()).await.unwrap_err();
        let is_told = matches!((&read, &written), (SdkError::ServiceError(_), SdkError::ServiceError(_)));
        assert!(is_told, "{name}: {read:?}, {written:?}");
        assert_eq!(asked.lock().unwrap().len(), 2, "{name}: once each");
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_ends_after_three_seconds() {
    let (client, _) = Always::client(silent);
    let begun = Instant::now();
    let error = client.get_item(get()).await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    let (elapsed, waits) = (begun.elapsed(), Duration::from_millis(50 + 100));
    let tries = Duration::from_secs(9);
    assert!(elapsed >= tries && elapsed <= tries + waits + Duration::from_millis(10), "{elapsed:?}");
}

#[test]
fn the_wait_is_random_and_its_maximum_doubles() {
    let failed = || SdkError::<GetItemError>::dispatch_failure(ConnectorError::io("lost".into()));
    let throttled = || {
        let error = GetItemError::generic(aws_sdk_dynamodb::error::ErrorMetadata::builder().code("Slow").build());
        SdkError::service_error(error, response(400, ""))
    };
    let longest = |error: SdkError<GetItemError>, tries| (0..1_000).map(|_| delay(&error, tries)).max().unwrap();
    let shortest = (0..1_000).map(|_| delay(&failed(), 1)).min().unwrap();
    assert!(shortest < Duration::from_millis(10), "from nothing: {shortest:?}");
    for (error, tries, maximum) in
        [(failed(), 1, 50), (failed(), 2, 100), (throttled(), 1, 1_000), (throttled(), 2, 2_000)]
    {
        let (longest, maximum) = (longest(error, tries), Duration::from_millis(maximum));
        assert!(longest <= maximum && longest > maximum / 2, "{longest:?} of {maximum:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_chain_of_an_error_names_its_cause_and_no_secret() {
    let (client, _) = Always::client(lost);
    let error = chain(&client.get_item(get()).await.unwrap_err());
    assert!(error.contains("the connection was lost"), "{error}");
    let (client, _) = Always::client(|| refused("AccessDeniedException", 400));
    let refused = chain(&client.get_item(get()).await.unwrap_err());
    assert!(refused.contains("AccessDeniedException"), "{refused}");
    for text in [error, refused] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN) && !text.contains("Signature"), "{text}");
    }
}
