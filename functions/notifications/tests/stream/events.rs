//! Events in the stream are published on the bus, at least once, whatever happens to the others.

use crate::world::{World, account_id, counted, event_id, now, sequence_number_of, sequence_number_of_key, world};
use local_aws::dynamodb::{Fault, Refusal};
use local_aws::event_bus::EventBusFault;
use local_aws::ses::SesFault;
use local_aws::wire::Loss;
use serde_json::{Value, json};
use shared::domain::charging::{RefusalPlace, RefusalRow, Refused, RefusedBecause, RefusedRequest};
use shared::domain::spending::LimitName;
use shared::domain::{Credits, IdempotencyKey, Measure, Operation, OperationName, ReachedLimit};
use shared::ports::RefusalRows;

fn of_event(event: &Value, account: u8, place: u8) -> String {
    sequence_number_of_key(event, &format!("OUTBOX#{}", event_id(account, place)))
}

fn ids(account: u8, places: impl IntoIterator<Item = u8>) -> Vec<String> {
    places.into_iter().map(|place| event_id(account, place).to_string()).collect()
}

#[tokio::test]
async fn what_the_ledger_writes_comes_through_the_stream_as_an_event_on_the_bus() {
    let world = world().await;
    world.tell(1, 1).await;
    assert_eq!(world.failed_of(&world.stream()).await, [""; 0]);
    let events = world.events.events();
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    let id = event_id(1, 1);
    let detail = json!({
        "id": id.as_str(),
        "type": "top_up.resumed",
        "version": 1,
        "account": account_id(1).as_str(),
        "created_at": "2026-11-22T13:50:00.000Z",
        "data": { "top_up": "top_00000000000000000000000000000001" },
    });
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("prepaid"), &json!("top_up.resumed")));
    assert_eq!((&event["time"], &event["detail"]), (&json!("2026-11-22T13:50:00Z"), &detail));
}

#[tokio::test]
async fn more_events_than_a_request_takes_are_published_in_several() {
    let world = world().await;
    world.tell(1, 23).await;
    let mut expected = ids(1, 1..=23);
    assert_eq!(world.failed_of(&world.stream()).await, [""; 0]);
    let mut published = world.published();
    published.sort();
    expected.sort();
    assert_eq!(published, expected);
}

#[tokio::test]
async fn reversals_are_counted_once_they_are_published_and_nothing_else_is() {
    let world = world().await;
    world.tell(1, 2).await;
    world.reverse(2, &[(-500, 100), (-500, -400), (500, 100)]).await;
    let event = world.stream();
    world.events.fail_next(1, EventBusFault::RefuseEntry(3));
    assert_eq!(world.failed_of(&event).await, [of_event(&event, 2, 2)]);
    let lines = counted();
    let [line] = &lines[..] else { panic!("one line: {lines:?}") };
    let counts = ["taken_back", "given_back", "below_zero"].map(|name| line[name].as_u64());
    assert_eq!((counts, &line["function"]), ([Some(1), Some(1), Some(0)], &json!("notifications")));
    let only_top_ups = crate::world::world().await;
    only_top_ups.tell(1, 2).await;
    assert_eq!(only_top_ups.failed_of(&only_top_ups.stream()).await, [""; 0]);
    assert_eq!(counted(), [] as [Value; 0]);
}

/// EventBridge answers 200 even if it took none of the entries.
#[tokio::test]
async fn an_entry_that_is_refused_is_delivered_again_and_the_others_are_published() {
    let world = world().await;
    world.tell(1, 1).await;
    world.tell(2, 1).await;
    world.tell(3, 1).await;
    let event = world.stream();
    world.events.fail_next(1, EventBusFault::RefuseEntry(1));
    assert_eq!(world.failed_of(&event).await, [of_event(&event, 2, 1)]);
    assert_eq!(world.published(), [ids(1, [1]), ids(3, [1])].concat());
    assert_eq!(world.failed_of(&event).await, [""; 0]);
    assert!(world.published().contains(&event_id(2, 1).to_string()), "at least once");
}

#[tokio::test]
async fn a_request_that_fails_leaves_all_of_its_events_owed() {
    for fault in [
        EventBusFault::Throttle,
        EventBusFault::InternalException,
        EventBusFault::LoseRequest(Loss::Timeout),
        EventBusFault::LoseAnswer(Loss::ConnectionReset),
    ] {
        let world = world().await;
        world.tell(1, 1).await;
        world.tell(2, 1).await;
        let event = world.stream();
        world.events.fail_next(1, fault);
        assert_eq!(world.failed_of(&event).await, [of_event(&event, 1, 1), of_event(&event, 2, 1)], "{fault:?}");
        assert_eq!(world.failed_of(&event).await, [""; 0], "{fault:?}");
        let is_twice = matches!(fault, EventBusFault::LoseAnswer(_));
        assert_eq!(world.published().len(), if is_twice { 4 } else { 2 }, "{fault:?}: under the same ids");
    }
}

#[tokio::test]
async fn a_mail_that_fails_stops_no_event_and_an_event_that_fails_no_mail() {
    let world = world().await;
    world.owe(1).await;
    world.tell(2, 1).await;
    let event = world.stream();
    world.ses.fail_next(1, SesFault::Throttle);
    assert_eq!(world.failed_of(&event).await, [sequence_number_of(&event, 1)]);
    assert_eq!((world.recipients().len(), world.published()), (0, ids(2, [1])));
    world.events.fail_next(1, EventBusFault::Throttle);
    assert_eq!(world.failed_of(&event).await, [of_event(&event, 2, 1)]);
    assert_eq!(world.recipients().len(), 1);
}

fn refusal(number: u8, slot: u8, max: i64) -> RefusalRow {
    let limit = ReachedLimit {
        limit: LimitName::AccountDay,
        spender: None,
        max: Credits::constant(max),
        starts_again_at: Some("2026-11-23T00:00:00Z".parse().unwrap()),
    };
    let operation =
        Operation { name: OperationName::parse("training").unwrap(), measure: Measure::MaxMinutes, amount: 5 };
    let refused = RefusedRequest {
        at: now(),
        because: RefusedBecause::LimitReached,
        detail: "The charge costs too much.".to_owned(),
        request_id: None,
        key: IdempotencyKey::parse("job").unwrap(),
        operation,
        credits: Credits::constant(50),
        reference: None,
        spender: None,
        limit: Some(limit),
    };
    let place = RefusalPlace::new(RefusalPlace::first_of(now()).minute(), slot).unwrap();
    RefusalRow { account: account_id(number), place, refused: Refused::One(refused) }
}

/// The names of the events on the bus, after everything in the stream was delivered twice.
async fn told(world: &World) -> Vec<String> {
    for _ in 0..2 {
        let event = world.stream();
        assert_eq!(world.failed_of(&event).await, [""; 0]);
    }
    let events = world.events.events();
    let mut told: Vec<_> = events.iter().map(|event| event["detail"]["id"].as_str().unwrap().to_owned()).collect();
    told.sort();
    told.dedup();
    told
}

#[tokio::test]
async fn a_limit_is_told_once_in_its_period_whichever_charge_it_refuses_first() {
    let world = world().await;
    let ledger = &world.app.context.ledger;
    for slot in 0..3 {
        ledger.refusal_row_put(&refusal(1, slot, 100)).await.unwrap();
    }
    assert_eq!(told(&world).await.len(), 1);
    let event = &world.events.events()[0];
    assert_eq!(event["detail-type"], "limit.reached");
    let data = json!({
        "limit": "account_day",
        "spender": null,
        "max": 100,
        "starts_again_at": "2026-11-23T00:00:00.000Z",
    });
    assert_eq!(event["detail"]["data"], data);
    // In the place of another row.
    ledger.refusal_row_put(&refusal(1, 0, 200)).await.unwrap();
    assert_eq!(told(&world).await.len(), 2, "a limit that was raised is another one");
    ledger.refusal_row_put(&refusal(2, 0, 100)).await.unwrap();
    assert_eq!(told(&world).await.len(), 3, "another account");
}

#[tokio::test]
async fn a_refusal_for_another_reason_and_one_of_the_release_before_are_no_events() {
    let world = world().await;
    let Refused::One(one) = refusal(1, 0, 100).refused else { panic!("one request") };
    let refused = Refused::One(RefusedRequest { limit: None, ..one });
    world.app.context.ledger.refusal_row_put(&RefusalRow { refused, ..refusal(1, 0, 100) }).await.unwrap();
    assert_eq!(told(&world).await, [""; 0]);
}

#[tokio::test]
async fn an_event_of_a_limit_that_cannot_be_stored_is_delivered_again() {
    let world = world().await;
    world.app.context.ledger.refusal_row_put(&refusal(1, 0, 100)).await.unwrap();
    let event = world.stream();
    let sort = format!("REQUEST#{:010}#00", RefusalPlace::first_of(now()).minute());
    world.dynamodb.faults().next("PutItem", 1, Fault::Refuse(Refusal::InternalServerError));
    assert_eq!(world.failed_of(&event).await, [sequence_number_of_key(&event, &sort)]);
    assert_eq!(told(&world).await.len(), 1);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_reported_and_stops_no_other() {
    let world = world().await;
    world.tell(1, 1).await;
    world.tell(2, 1).await;
    let mut event = world.stream();
    let unreadable = of_event(&event, 1, 1);
    for record in event["Records"].as_array_mut().unwrap() {
        if record["dynamodb"]["SequenceNumber"] == unreadable.as_str() {
            record["dynamodb"]["NewImage"].as_object_mut().unwrap().remove("detail");
        }
    }
    assert_eq!(world.failed_of(&event).await, [unreadable]);
    assert_eq!(world.published(), ids(2, [1]));
}
