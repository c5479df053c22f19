//! What happens to the rest of a batch, and to the notice itself, after a failure.

use crate::world::{World, address, now, sequence_number_of, world, world_with};
use local_aws::dynamodb::{Fault, Refusal};
use local_aws::ses::SesFault;
use local_aws::wire::Loss;
use shared::email::SesMailer;
use shared::ports::{Email, Mailer, MailerError};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Refuses some addresses, and sends to all others.
struct Refusing {
    addresses: Mutex<BTreeSet<String>>,
    mailer: SesMailer,
}

impl Mailer for Refusing {
    async fn send(&self, mail: &Email) -> Result<(), MailerError> {
        let is_refused = self.addresses.lock().unwrap().contains(mail.to.as_str());
        if is_refused { Err(MailerError::Rejected("refused by the test".into())) } else { self.mailer.send(mail).await }
    }
}

async fn world_refusing(numbers: &[u8]) -> World<Refusing> {
    let addresses = Mutex::new(numbers.iter().map(|number| address(*number)).collect());
    world_with(|mailer| Refusing { addresses, mailer }).await
}

#[tokio::test]
async fn a_refused_mail_is_reported_and_stops_none_of_the_others() {
    let world = world_refusing(&[2, 4]).await;
    for number in 1..=5 {
        world.owe(number).await;
    }
    let event = world.stream();
    let failed = [2, 4].map(|number| sequence_number_of(&event, number));
    assert_eq!(world.failed_of(&event).await, failed);
    assert_eq!(world.recipients(), [1, 3, 5].map(address));
    assert_eq!((world.sent_at(2).await, world.sent_at(4).await), (None, None));
}

#[tokio::test]
async fn what_is_delivered_again_from_the_lowest_failure_on_is_sent_once() {
    let world = world_refusing(&[2]).await;
    for number in 1..=3 {
        world.owe(number).await;
    }
    let event = world.stream();
    let failed = [sequence_number_of(&event, 2)];
    assert_eq!(world.failed_of(&event).await, failed);
    assert_eq!(world.failed_of(&event).await, failed, "it fails while it is refused");
    world.app.context.mailer.addresses.lock().unwrap().clear();
    assert_eq!(world.failed_of(&event).await, [""; 0]);
    assert_eq!(world.recipients(), [1, 3, 2].map(address));
}

#[tokio::test]
async fn every_failure_of_ses_before_it_accepts_a_mail_leaves_the_notice_owed() {
    for fault in [
        SesFault::Throttle,
        SesFault::InternalServiceError,
        SesFault::SendingPaused,
        SesFault::LoseRequest(Loss::ConnectionReset),
        SesFault::LoseRequest(Loss::Timeout),
    ] {
        let world = world().await;
        world.owe(1).await;
        let event = world.stream();
        world.ses.fail_next(1, fault);
        assert_eq!(world.failed_of(&event).await, [sequence_number_of(&event, 1)], "{fault:?}");
        assert_eq!((world.recipients().len(), world.sent_at(1).await), (0, None), "{fault:?}");
        assert_eq!(world.failed_of(&event).await, [""; 0], "{fault:?}");
        assert_eq!((world.recipients(), world.sent_at(1).await), (vec![address(1)], Some(now())), "{fault:?}");
    }
}

/// SES takes no idempotency key, so an e-mail either arrives twice or may never arrive. We choose twice.
#[tokio::test]
async fn an_answer_of_ses_that_is_lost_lets_the_mail_come_twice() {
    let world = world().await;
    world.owe(1).await;
    let event = world.stream();
    world.ses.fail_next(1, SesFault::LoseAnswer(Loss::Timeout));
    assert_eq!(world.failed_of(&event).await, [sequence_number_of(&event, 1)]);
    assert_eq!(world.failed_of(&event).await, [""; 0]);
    let messages = world.ses.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].text, messages[1].text, "identical texts");
}

#[tokio::test]
async fn a_mark_that_cannot_be_written_lets_the_mail_come_twice() {
    let world = world().await;
    world.owe(1).await;
    let event = world.stream();
    world.dynamodb.faults().next("UpdateItem", 1, Fault::Refuse(Refusal::InternalServerError));
    assert_eq!(world.failed_of(&event).await, [sequence_number_of(&event, 1)]);
    assert_eq!((world.recipients().len(), world.sent_at(1).await), (1, None));
    assert_eq!(world.failed_of(&event).await, [""; 0]);
    assert_eq!((world.recipients().len(), world.sent_at(1).await), (2, Some(now())));
}

#[tokio::test]
async fn a_mark_whose_answer_is_lost_does_not() {
    let world = world().await;
    world.owe(1).await;
    let event = world.stream();
    world.dynamodb.faults().next("UpdateItem", 1, Fault::LoseAnswer(Loss::ConnectionReset));
    assert_eq!(world.failed_of(&event).await, [sequence_number_of(&event, 1)]);
    assert_eq!(world.failed_of(&event).await, [""; 0]);
    assert_eq!(world.recipients(), [address(1)]);
}

#[tokio::test]
async fn a_notice_that_cannot_be_read_is_not_sent_and_is_delivered_again() {
    let world = world().await;
    world.owe(1).await;
    let event = world.stream();
    world.dynamodb.faults().next("GetItem", 1, Fault::Refuse(Refusal::Throttling));
    assert_eq!(world.failed_of(&event).await, [sequence_number_of(&event, 1)]);
    assert_eq!(world.recipients(), [""; 0]);
}

#[tokio::test]
async fn a_failure_that_cannot_be_named_fails_the_whole_batch() {
    let world = world_refusing(&[1]).await;
    world.owe(1).await;
    let mut event = world.stream();
    for record in event["Records"].as_array_mut().unwrap() {
        record["dynamodb"].as_object_mut().unwrap().remove("SequenceNumber");
    }
    assert!(world.deliver(&event).await.is_err());
}
