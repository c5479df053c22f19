use super::*;
use crate::aws::wire::{Answer, Wire};
use crate::domain::{AccountId, EmailAddress, NoticeId};
use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::result::ConnectorError;
use std::error::Error;

fn mailer(answer: Answer) -> (SesMailer, Wire) {
    let wire = Wire::new(answer);
    let config = crate::aws::ses(&wire.environment()).config().to_builder().retry_config(RetryConfig::disabled());
    (SesMailer::new(Client::from_conf(config.build()), "Prepaid <billing@company.example>", "prepaid"), wire)
}

fn mail() -> Email {
    Email {
        to: EmailAddress::parse("ada@example.com").unwrap(),
        subject: "Größe 5 €".into(),
        text: "Ihr Guthaben: 5 €".into(),
        html: "<p>Ihr Guthaben: 5 €</p>".into(),
        account: AccountId::parse("customer_42").unwrap(),
        notice: NoticeId::mint(7),
    }
}

fn answer(status: u16, error_type: Option<&'static str>, body: &'static str) -> Result<HttpResponse, ConnectorError> {
    let mut response = HttpResponse::new(status.try_into().unwrap(), body.into());
    response.headers_mut().insert("x-amzn-requestid", "0123-4567");
    if let Some(error_type) = error_type {
        response.headers_mut().insert("x-amzn-errortype", error_type);
    }
    Ok(response)
}

/// R39: the header tells that a program wrote the mail, and keeps replies by programs away.
#[tokio::test]
async fn an_email_is_sent_as_text_and_html_in_utf_8_to_its_one_recipient() {
    let (mailer, wire) = mailer(|| answer(200, None, r#"{"MessageId":"m-1"}"#));
    mailer.send(&mail()).await.unwrap();
    let content = |data: &str| serde_json::json!({ "Data": data, "Charset": "UTF-8" });
    let expected = serde_json::json!({
        "FromEmailAddress": "Prepaid <billing@company.example>",
        "Destination": { "ToAddresses": ["ada@example.com"] },
        "Content": { "Simple": {
            "Subject": content("Größe 5 €"),
            "Body": { "Text": content("Ihr Guthaben: 5 €"), "Html": content("<p>Ihr Guthaben: 5 €</p>") },
            "Headers": [{ "Name": "Auto-Submitted", "Value": "auto-generated" }],
        } },
        "ConfigurationSetName": "prepaid",
        "EmailTags": [
            { "Name": "account", "Value": "customer_42" },
            { "Name": "notice", "Value": "ntc_00000000000000000000000000000007" },
        ],
    });
    let url = "POST https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails".to_owned();
    assert_eq!(*wire.sent.lock().unwrap(), [(url, expected)]);
}

/// Every failure of SES or of the connection, and whether the same e-mail may be accepted later.
#[tokio::test]
async fn every_failure_is_classified_as_temporary_or_permanent() {
    type Answer = fn() -> Result<HttpResponse, ConnectorError>;
    let temporary: [(&str, Answer); 9] = [
        ("rate", || answer(429, Some("TooManyRequestsException"), r#"{"message":"Maximum sending rate exceeded."}"#)),
        ("quota", || answer(400, Some("LimitExceededException"), r#"{"message":"Daily message quota exceeded"}"#)),
        ("paused", || answer(400, Some("SendingPausedException"), "{}")),
        ("internal", || answer(500, Some("InternalFailure"), "{}")),
        ("unavailable, not even JSON", || answer(503, None, "<html>Service Unavailable</html>")),
        ("throttled under another name", || answer(429, Some("ThrottlingException"), "{}")),
        ("unreadable response", || answer(200, None, "<html>")),
        ("timeout", || Err(ConnectorError::timeout("no answer in time".into()))),
        ("connection", || Err(ConnectorError::io("connection reset".into()))),
    ];
    let permanent: [(&str, Answer); 7] = [
        ("message", || answer(400, Some("MessageRejected"), r#"{"message":"Email address is not verified."}"#)),
        ("domain", || answer(400, Some("MailFromDomainNotVerifiedException"), "{}")),
        ("request", || answer(400, Some("BadRequestException"), "{}")),
        ("suspended", || answer(400, Some("AccountSuspendedException"), "{}")),
        ("missing", || answer(404, Some("NotFoundException"), "{}")),
        ("permission", || answer(403, Some("AccessDeniedException"), "{}")),
        ("signature", || answer(403, Some("InvalidSignatureException"), "{}")),
    ];
    for (answers, is_temporary) in [(&temporary[..], true), (&permanent[..], false)] {
        for (name, answer) in answers {
            let error = mailer(*answer).0.send(&mail()).await.expect_err(name);
            assert_eq!(matches!(error, MailerError::Unavailable(_)), is_temporary, "{name}: {error:?}");
        }
    }
}

#[tokio::test]
async fn an_error_names_the_reason_and_the_request_but_never_the_address_or_the_body() {
    let (mailer, _) = mailer(|| {
        answer(
            400,
            Some("MessageRejected"),
            r#"{"message":"Email address is not verified. The following identities failed: Ada <ADA@example.com>, x"}"#,
        )
    });
    let error = mailer.send(&mail()).await.unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.contains("MessageRejected") && source.contains("is not verified"), "{source}");
    assert!(source.contains("0123-4567"), "{source}");
    for text in [format!("{error:?}"), source] {
        for private in ["example.com", "ADA", "ada@", "Guthaben"] {
            assert!(!text.contains(private), "{private} in {text}");
        }
    }
}
