//! E-mail through Amazon SES (API v2). No other module uses its SDK.
//!
//! The recipient and the content are private to the customer: neither may be in a log, or in an error, which is logged.

mod failure;

use crate::ports::{Email, Mailer, MailerError};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag};
use failure::{refused_before_sending, to_mailer_error};

/// The tags by which a report of SES says which e-mail it is about.
pub const ACCOUNT_TAG: &str = "account";
pub const NOTICE_TAG: &str = "notice";

/// Sends from one address, which must be verified in SES.
#[derive(Clone, Debug)]
pub struct SesMailer {
    client: Client,
    sender: String,
    configuration_set: String,
}

impl SesMailer {
    /// `sender` is an address, or a name and an address as in a `From` header. The configuration set says where SES reports
    /// what becomes of an e-mail.
    pub fn new(client: Client, sender: impl Into<String>, configuration_set: impl Into<String>) -> Self {
        Self { client, sender: sender.into(), configuration_set: configuration_set.into() }
    }
}

impl Mailer for SesMailer {
    /// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>
    async fn send(&self, email: &Email) -> Result<(), MailerError> {
        let (message, tags) = (message(email), tags(email));
        self.client
            .send_email()
            .from_email_address(&self.sender)
            .configuration_set_name(&self.configuration_set)
            .set_email_tags(Some(tags.map_err(refused_before_sending)?))
            .destination(Destination::builder().to_addresses(email.to.as_str()).build())
            .content(EmailContent::builder().simple(message.map_err(refused_before_sending)?).build())
            .send()
            .await
            .map(drop)
            .map_err(to_mailer_error)
    }
}

fn message(email: &Email) -> Result<Message, BuildError> {
    // Without a charset, SES expects 7-bit ASCII.
    let content = |data: &str| Content::builder().data(data).charset("UTF-8").build();
    let body = Body::builder().text(content(&email.text)?).html(content(&email.html)?).build();
    // Keeps out-of-office replies away: <https://www.rfc-editor.org/rfc/rfc3834#section-5>.
    let of_a_program = MessageHeader::builder().name("Auto-Submitted").value("auto-generated").build()?;
    Ok(Message::builder().subject(content(&email.subject)?).body(body).headers(of_a_program).build())
}

/// The ids have only characters that a tag may have:
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html>.
fn tags(email: &Email) -> Result<Vec<MessageTag>, BuildError> {
    let tag = |name: &str, value: &str| MessageTag::builder().name(name).value(value).build();
    Ok(vec![tag(ACCOUNT_TAG, email.account.as_str())?, tag(NOTICE_TAG, email.notice.as_str())?])
}

#[cfg(test)]
mod tests;
