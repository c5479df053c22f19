//! SES through its SDK client: what is taken, what is refused, what goes wrong.

use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag, RawMessage};
use local_aws::ses::{LocalSes, SesFault};
use local_aws::wire::Loss;

pub const NOON: &str = "2026-11-22T12:00:00Z";

pub fn ses() -> LocalSes {
    let noon: jiff::Timestamp = NOON.parse().unwrap();
    LocalSes::new(["billing@example.com", "verified.example"], std::sync::Arc::new(move || noon))
}

pub fn email(client: &aws_sdk_sesv2::Client) -> SendEmailFluentBuilder {
    let part = |text: &str| Content::builder().data(text).build().unwrap();
    let body = Body::builder().text(part("Pay here")).html(part("<html><head></head><b>Pay</b></html>")).build();
    let message = Message::builder().subject(part("Your <receipt>")).body(body).build();
    client
        .send_email()
        .from_email_address("Billing <billing@example.com>")
        .destination(Destination::builder().to_addresses("customer@example.org").build())
        .reply_to_addresses("help@example.com")
        .content(EmailContent::builder().simple(message).build())
        .email_tags(MessageTag::builder().name("kind").value("receipt").build().unwrap())
}

fn client(ses: &LocalSes) -> aws_sdk_sesv2::Client {
    let config = aws_sdk_sesv2::Config::builder()
        .behavior_version(aws_sdk_sesv2::config::BehaviorVersion::latest())
        .region(aws_sdk_sesv2::config::Region::from_static("us-east-1"))
        .allow_no_auth()
        .retry_config(aws_sdk_sesv2::config::retry::RetryConfig::disabled())
        .http_client(ses.sdk_config_http_client());
    aws_sdk_sesv2::Client::from_conf(config.build())
}

async fn refused(email: SendEmailFluentBuilder) -> SendEmailError {
    email.send().await.unwrap_err().into_service_error()
}

#[tokio::test]
async fn an_accepted_message_is_kept_whole() {
    let ses = ses();
    let id = email(&client(&ses)).send().await.unwrap().message_id.unwrap();
    let [message] = ses.messages().try_into().unwrap();
    assert_eq!(message.id, id);
    assert_eq!(message.received_at.to_string(), NOON);
    assert_eq!(message.from, "Billing <billing@example.com>");
    assert_eq!(message.to, ["customer@example.org"]);
    assert_eq!(message.reply_to, ["help@example.com"]);
    assert_eq!(message.subject, "Your <receipt>");
    assert_eq!(message.text.as_deref(), Some("Pay here"));
    assert_eq!(message.html.as_deref(), Some("<html><head></head><b>Pay</b></html>"));
    assert_eq!(message.tags, [("kind".to_owned(), "receipt".to_owned())]);
}

#[tokio::test]
async fn only_a_verified_address_or_domain_may_send() {
    let ses = ses();
    let client = client(&ses);
    for from in ["BILLING@example.com", "anyone@verified.example"] {
        email(&client).from_email_address(from).send().await.unwrap();
    }
    for from in
        ["other@example.com", "billing@example.com.evil.example", "Billing <evil@example.org>", "verified.example"]
    {
        let error = refused(email(&client).from_email_address(from)).await;
        assert!(matches!(&error, SendEmailError::MessageRejected(_)), "{from}: {error:?}");
    }
    assert_eq!(ses.messages().len(), 2);
}

#[tokio::test]
async fn a_request_without_recipients_content_or_readable_tags_is_bad() {
    let ses = ses();
    let client = client(&ses);
    let to = |count: usize| {
        let addresses = (0..count).map(|number| format!("customer{number}@example.org")).collect();
        Destination::builder().set_to_addresses(Some(addresses)).build()
    };
    email(&client).destination(to(50)).send().await.unwrap();
    let tag = |value: &str| MessageTag::builder().name("kind").value(value).build().unwrap();
    let raw = RawMessage::builder().data(b"From: x".to_vec().into()).build().unwrap();
    for (what, bad) in [
        ("51 recipients", email(&client).destination(to(51))),
        ("no recipient", email(&client).destination(to(0))),
        ("no address", email(&client).destination(Destination::builder().to_addresses("customer").build())),
        ("no content", email(&client).content(EmailContent::builder().build())),
        ("raw content", email(&client).content(EmailContent::builder().raw(raw).build())),
        ("a tag with a space", email(&client).email_tags(tag("top up"))),
        ("an empty tag", email(&client).email_tags(tag(""))),
    ] {
        let error = refused(bad).await;
        assert!(matches!(&error, SendEmailError::BadRequestException(_)), "{what}: {error:?}");
    }
    assert_eq!(ses.messages().len(), 1);
}

#[tokio::test]
async fn faults_are_met_once_each_and_a_lost_answer_leaves_the_mail() {
    let ses = ses();
    let client = client(&ses);
    for (fault, code, kept) in [
        (SesFault::Throttle, Some("TooManyRequestsException"), 0),
        (SesFault::InternalServiceError, Some("InternalServiceErrorException"), 0),
        (SesFault::SendingPaused, Some("SendingPausedException"), 0),
        (SesFault::LoseRequest(Loss::Timeout), None, 0),
        (SesFault::LoseAnswer(Loss::Timeout), None, 1),
    ] {
        ses.fail_next(1, fault);
        let error = email(&client).send().await.unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}");
        assert_eq!(matches!(error, SdkError::DispatchFailure(_)), code.is_none());
        assert_eq!(ses.messages().len(), kept, "{fault:?}");
    }
    email(&client).send().await.unwrap();
}
