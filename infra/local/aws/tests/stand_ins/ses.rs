//! SES through its SDK client: what it accepts, what it refuses, and its faults.

use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag, RawMessage, SuppressionListReason,
};
use local_aws::ses::{LocalSes, SesFault, SuppressionReason};
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

fn message(subject: &str, headers: Vec<(String, String)>) -> EmailContent {
    let part = |text: &str| Content::builder().data(text).build().unwrap();
    let header = |(name, value)| MessageHeader::builder().name(name).value(value).build().unwrap();
    let message = Message::builder()
        .subject(part(subject))
        .body(Body::builder().text(part("Pay here")).build())
        .set_headers(Some(headers.into_iter().map(header).collect()));
    EmailContent::builder().simple(message.build()).build()
}

fn to(address: &str) -> Destination {
    Destination::builder().to_addresses(address).build()
}

// R40
#[tokio::test]
async fn what_ses_refuses_is_refused_with_its_answer() {
    let ses = ses().with_configuration_sets(["known"]);
    let client = client(&ses);
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let many = (0..16).map(|number| (format!("X-{number}"), "1".to_owned())).collect();
    for (what, bad, code) in [
        ("a local part that is not ASCII", email(&client).destination(to("müller@example.org")), "BadRequestException"),
        ("one behind a name", email(&client).destination(to("Müller <müller@example.org>")), "BadRequestException"),
        ("a line break in a recipient", email(&client).destination(to("a\r\n <a@b.example>")), "BadRequestException"),
        ("a line break in the subject", email(&client).content(message("a\r\nBcc: b", vec![])), "BadRequestException"),
        ("a line feed in the subject", email(&client).content(message("a\nb", vec![])), "BadRequestException"),
        ("an unknown configuration set", email(&client).configuration_set_name("none"), "NotFoundException"),
        ("a header's name", email(&client).content(message("a", header("X Y", "1"))), "BadRequestException"),
        ("a header's value", email(&client).content(message("a", header("X", "1\r\nY: 2"))), "BadRequestException"),
        ("sixteen headers", email(&client).content(message("a", many)), "BadRequestException"),
    ] {
        let error = bad.send().await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{what}: {error:?}");
    }
    assert_eq!(ses.messages(), []);
    email(&client).destination(to("Jürgen <jo@bücher.example>")).send().await.unwrap();
    email(&client).configuration_set_name("known").send().await.unwrap();
}

// R40
#[tokio::test]
async fn headers_are_taken_over() {
    let ses = ses();
    let automatic = vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())];
    email(&client(&ses)).content(message("Your receipt", automatic.clone())).send().await.unwrap();
    assert_eq!(ses.messages()[0].headers, automatic);
}

fn told(ses: &LocalSes) -> Vec<(String, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let told = |event: serde_json::Value| {
        let bounce = &event["detail"]["bounce"];
        (text(&event["detail-type"]), text(&bounce["bounceType"]), text(&bounce["bounceSubType"]))
    };
    ses.events().into_iter().map(told).collect()
}

// R40
#[tokio::test]
async fn what_becomes_of_a_mail_is_told_by_the_simulators_addresses() {
    for (address, expected) in [
        ("customer@example.org", &[("Email Sent", "", ""), ("Email Delivered", "", "")][..]),
        ("success@simulator.amazonses.com", &[("Email Sent", "", ""), ("Email Delivered", "", "")]),
        ("bounce@simulator.amazonses.com", &[("Email Sent", "", ""), ("Email Bounced", "Permanent", "General")]),
        ("Bounce+7@simulator.amazonses.com", &[("Email Sent", "", ""), ("Email Bounced", "Permanent", "General")]),
        (
            "complaint@simulator.amazonses.com",
            &[("Email Sent", "", ""), ("Email Delivered", "", ""), ("Email Complaint Received", "", "")],
        ),
        (
            "ooto@simulator.amazonses.com",
            &[("Email Sent", "", ""), ("Email Delivered", "", ""), ("Email Bounced", "Transient", "General")],
        ),
        (
            "suppressionlist@simulator.amazonses.com",
            &[("Email Sent", "", ""), ("Email Bounced", "Permanent", "Suppressed")],
        ),
    ] {
        let ses = ses().with_configuration_sets(["known"]);
        let client = client(&ses);
        email(&client).destination(to(address)).send().await.unwrap();
        assert_eq!(told(&ses), [], "{address}: without a configuration set");
        let sent = email(&client).destination(to(address)).configuration_set_name("known").send().await.unwrap();
        let told = told(&ses);
        let told: Vec<_> = told.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        assert_eq!(told, expected, "{address}");
        for event in ses.events() {
            assert_eq!(event["source"], "aws.ses");
            assert_eq!(event["time"], NOON);
            assert_eq!(event["detail"]["mail"]["messageId"], sent.message_id().unwrap());
            assert_eq!(event["detail"]["mail"]["tags"]["kind"][0], "receipt");
        }
    }
}

#[tokio::test]
async fn a_configuration_set_without_suppression_sends_to_suppressed_addresses_and_every_event_is_taken_once() {
    let ses = ses().with_configuration_sets(["known", "open"]).without_suppression(["open"]);
    let client = client(&ses);
    ses.suppress("customer@example.org", SuppressionReason::Bounce);
    for (set, last) in [("known", "Email Bounced"), ("open", "Email Delivered")] {
        email(&client).configuration_set_name(set).send().await.unwrap();
        assert_eq!(told(&ses).pop().unwrap().0, last, "{set}");
    }
    assert_eq!((ses.take_events().len(), ses.take_events().len(), ses.events().len()), (4, 0, 4));
    email(&client)
        .destination(to("suppressionlist@simulator.amazonses.com"))
        .configuration_set_name("open")
        .send()
        .await
        .unwrap();
    assert_eq!(told(&ses).pop().unwrap().2, "Suppressed", "the service's own list stands");
}

// R40
#[tokio::test]
async fn a_suppressed_address_is_taken_and_bounced_until_it_is_off_the_list() {
    let ses = ses().with_configuration_sets(["known"]);
    let client = client(&ses);
    ses.suppress("customer@example.org", SuppressionReason::Bounce);
    let put = client.put_suppressed_destination().email_address("other@example.org");
    put.reason(SuppressionListReason::Complaint).send().await.unwrap();
    for address in ["Customer@Example.org", "other@example.org"] {
        let listed = client.get_suppressed_destination().email_address(address).send().await.unwrap();
        assert!(listed.suppressed_destination().is_some(), "{address}");
        email(&client).destination(to(address)).configuration_set_name("known").send().await.unwrap();
        let last = told(&ses).pop().unwrap();
        assert_eq!((last.0.as_str(), last.2.as_str()), ("Email Bounced", "OnAccountSuppressionList"), "{address}");
        client.delete_suppressed_destination().email_address(address).send().await.unwrap();
        let gone = client.get_suppressed_destination().email_address(address).send().await.unwrap_err();
        assert_eq!(gone.code(), Some("NotFoundException"));
        email(&client).destination(to(address)).configuration_set_name("known").send().await.unwrap();
        assert_eq!(told(&ses).pop().unwrap().0, "Email Delivered", "{address}");
    }
    assert_eq!(ses.messages().len(), 4);
}
