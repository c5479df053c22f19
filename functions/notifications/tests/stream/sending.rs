//! What is sent, and what is not.

use crate::world::{SENDER, account_id, address, notice_id, now, ses_mailer, world, world_with};
use local_aws::access::Access;
use local_aws::dynamodb::LocalDynamoDb;
use local_aws::scheduler::LocalScheduler;
use local_aws::secrets::LocalSecrets;
use local_aws::server::{LocalAws, bind};
use serde_json::Value;
use shared::domain::TopUpId;
use shared::domain::payments::Invoiced;
use std::collections::BTreeMap;
use std::sync::Arc;

/// As Lambda delivers it: a changed account, two new notices, a changed notice, an expired one, and a new entry.
const EVENT: &str = include_str!("../../../../tests/events/dynamodb-stream-notice.json");

#[tokio::test]
async fn of_a_real_batch_only_the_newly_stored_notices_are_sent() {
    let world = world().await;
    for number in [1, 2, 3, 4] {
        world.owe(number).await;
    }
    let event: Value = serde_json::from_str(EVENT).unwrap();
    assert_eq!(world.failed_of(&event).await, [""; 0]);
    assert_eq!(world.recipients(), [address(1), address(2)]);
    assert_eq!((world.sent_at(1).await, world.sent_at(2).await), (Some(now()), Some(now())));
    assert_eq!((world.sent_at(3).await, world.sent_at(4).await), (None, None), "changed and expired, but never new");
}

#[tokio::test]
async fn what_the_ledger_writes_comes_through_the_stream_as_a_mail_with_a_link_that_works() {
    let world = world().await;
    world.owe(1).await;
    assert_eq!(world.failed_of(&world.stream()).await, [""; 0]);
    let messages = world.ses.messages();
    let [message] = &messages[..] else { panic!("one mail for one notice: {messages:?}") };
    assert_eq!((message.from.as_str(), &message.to), (SENDER, &vec![address(1)]));
    assert!(message.subject.starts_with("Action needed"), "{}", message.subject);
    for form in [message.text.as_ref().unwrap(), message.html.as_ref().unwrap()] {
        let token = form.split_once("https://credits.example.com/pay/").unwrap().1;
        let token = token.split(['"', '\n']).next().unwrap();
        assert_eq!(world.app.links.verify(token, now()), Ok((account_id(1), Invoiced::TopUp(TopUpId::mint(1)))));
    }
}

#[tokio::test]
async fn a_batch_delivered_again_sends_nothing_again() {
    let world = world().await;
    world.owe(1).await;
    let event = world.stream();
    for _ in 0..3 {
        assert_eq!(world.failed_of(&event).await, [""; 0]);
    }
    assert_eq!(world.recipients(), [address(1)]);
    assert_eq!(world.failed_of(&world.stream()).await, [""; 0], "the change of the sent notice sends nothing");
    assert_eq!(world.recipients(), [address(1)]);
}

#[tokio::test]
async fn a_notice_that_is_gone_is_no_failure() {
    let (world, other) = (world().await, world().await);
    other.owe(1).await;
    assert_eq!(world.failed_of(&other.stream()).await, [""; 0]);
    assert_eq!(world.recipients(), [""; 0]);
}

#[tokio::test]
async fn an_empty_batch_is_handled() {
    let world = world().await;
    assert_eq!(world.failed_of(&serde_json::json!({ "Records": [] })).await, [""; 0]);
}

#[tokio::test]
async fn the_adapter_sends_over_a_socket_too() {
    let listener = bind(0).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let http_client = aws_smithy_http_client::Builder::new().build_http();
    let world = world_with(|_| ses_mailer(http_client, Some(&endpoint))).await;
    let aws = LocalAws {
        dynamodb: LocalDynamoDb::in_memory(),
        ses: world.ses.clone(),
        secrets: LocalSecrets::new(BTreeMap::new()),
        scheduler: LocalScheduler::new([""; 0], Arc::new(now)),
        events: world.events.clone(),
        access: Access::default(),
    };
    let server = tokio::spawn(async move { aws.serve(listener, std::future::pending()).await });
    world.owe(1).await;
    assert_eq!(world.failed_of(&world.stream()).await, [""; 0]);
    server.abort();
    assert_eq!(world.recipients(), [address(1)]);
    assert!(world.ses.messages()[0].html.as_ref().unwrap().contains(account_id(1).as_str()));
    assert_eq!(world.sent_at(1).await, Some(now()), "{}", notice_id(1));
}
