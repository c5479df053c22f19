//! EventBridge through the SDK: what it takes, and what it refuses of a request or of an entry.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::{BehaviorVersion, Region};
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsOutput};
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::types::builders::PutEventsRequestEntryBuilder;
use jiff::Timestamp;
use local_aws::event_bus::{EventBusFault, LocalEventBus};
use local_aws::wire::Loss;
use serde_json::json;
use std::sync::Arc;

pub fn event_bus() -> LocalEventBus {
    LocalEventBus::new(["credits"], Arc::new(|| Timestamp::UNIX_EPOCH))
}

fn bus() -> (LocalEventBus, Client) {
    let bus = event_bus();
    let config = aws_sdk_eventbridge::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .allow_no_auth()
        .retry_config(RetryConfig::disabled())
        .http_client(bus.sdk_config_http_client());
    (bus, Client::from_conf(config.build()))
}

fn entry() -> PutEventsRequestEntryBuilder {
    PutEventsRequestEntry::builder().event_bus_name("credits").source("test").detail_type("job.done").detail("{}")
}

async fn put(
    client: &Client,
    entries: Vec<PutEventsRequestEntryBuilder>,
) -> Result<PutEventsOutput, SdkError<PutEventsError>> {
    let entries = entries.into_iter().map(PutEventsRequestEntryBuilder::build).collect();
    client.put_events().set_entries(Some(entries)).send().await
}

/// The codes of the entries' errors; nothing for an entry that was taken.
fn codes(answer: &PutEventsOutput) -> Vec<&str> {
    answer.entries().iter().map(|entry| entry.error_code().unwrap_or_default()).collect()
}

#[tokio::test]
async fn an_event_is_kept_in_the_form_in_which_rules_see_it() {
    let (bus, client) = bus();
    let given = entry().detail(r#"{"job":7}"#).time(DateTime::from_millis(1_500)).resources("arn:x");
    let answer = put(&client, vec![given, entry().event_bus_name("default")]).await.unwrap();
    assert_eq!((answer.failed_entry_count(), codes(&answer)), (0, vec!["", ""]));
    let events = bus.events();
    let expected = json!({
        "version": "0",
        "id": answer.entries()[0].event_id(),
        "detail-type": "job.done",
        "source": "test",
        "account": "000000000000",
        "time": "1970-01-01T00:00:01Z",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": { "job": 7 },
    });
    assert_eq!((events.len(), &events[0]), (2, &expected));
}

#[tokio::test]
async fn an_entry_is_refused_for_itself_and_the_others_are_taken() {
    let (bus, client) = bus();
    let empty = PutEventsRequestEntry::builder().event_bus_name("credits");
    let unknown = "arn:aws:events:us-east-1:000000000000:event-bus/other";
    let entries = vec![
        entry(),
        empty.clone(),
        empty.clone().source("test"),
        empty.source("test").detail_type("job.done"),
        entry().detail("[]"),
        entry().detail("{"),
        entry().source("aws.ec2"),
        entry().event_bus_name(unknown),
        entry().event_bus_name("arn:aws:events:us-east-1:000000000000:event-bus/credits"),
    ];
    let answer = put(&client, entries).await.unwrap();
    let expected = [
        "",
        "InvalidArgument",
        "InvalidArgument",
        "InvalidArgument",
        "MalformedDetail",
        "MalformedDetail",
        "NotAuthorizedForSourceException",
        "ResourceNotFoundException",
        "",
    ];
    assert_eq!((codes(&answer), answer.failed_entry_count(), bus.events().len()), (expected.to_vec(), 7, 2));
}

#[tokio::test]
async fn a_request_has_one_to_ten_entries_of_256_kb_in_all() {
    let (bus, client) = bus();
    let long = |bytes: usize| entry().detail(format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 20)));
    for (entries, is_taken) in [
        (vec![], false),
        (vec![entry(); 10], true),
        (vec![entry(); 11], false),
        (vec![long(128 * 1024); 2], true),
        (vec![long(128 * 1024), long(128 * 1024 + 1)], false),
    ] {
        let (before, count) = (bus.events().len(), entries.len());
        let answer = put(&client, entries).await;
        assert_eq!(answer.is_ok(), is_taken, "{count}: {answer:?}");
        if let Err(error) = answer {
            assert_eq!(error.code(), Some("ValidationException"));
        }
        assert_eq!(bus.events().len(), before + if is_taken { count } else { 0 });
    }
}

#[tokio::test]
async fn a_failure_says_whether_the_events_were_taken() {
    let (bus, client) = bus();
    for (fault, is_taken) in [
        (EventBusFault::Throttle, false),
        (EventBusFault::InternalException, false),
        (EventBusFault::LoseRequest(Loss::ConnectionReset), false),
        (EventBusFault::LoseAnswer(Loss::Timeout), true),
    ] {
        let before = bus.events().len();
        bus.fail_next(1, fault);
        assert!(put(&client, vec![entry()]).await.is_err(), "{fault:?}");
        assert_eq!(bus.events().len() > before, is_taken, "{fault:?}");
    }
    bus.fail_next(1, EventBusFault::RefuseEntry(1));
    let answer = put(&client, vec![entry(), entry(), entry()]).await.unwrap();
    assert_eq!((codes(&answer), answer.failed_entry_count()), (vec!["", "InternalFailure", ""], 1));
}
