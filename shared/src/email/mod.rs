//! E-mail through Amazon SES (API v2). No other module uses its SDK.
//!
//! The recipient and the content are private to the customer: neither may be in a log, or in an error, which is logged.

mod failure;

use crate::ports::{Email, Mailer, MailerError};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};
use failure::{refused_before_sending, to_mailer_error};

/// Sends from one address, which must be verified in SES.
#[derive(Clone, Debug)]
pub struct SesMailer {
    client: Client,
    sender: String,
}

impl SesMailer {
    /// `sender` is an address, or a name and an address as in a `From` header.
    pub fn new(client: Client, sender: impl Into<String>) -> Self {
        Self { client, sender: sender.into() }
    }
}

impl Mailer for SesMailer {
    /// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>
    async fn send(&self, email: &Email) -> Result<(), MailerError> {
        let message = message(email).map_err(refused_before_sending)?;
        self.client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(email.to.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
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

#[cfg(test)]
mod tests;
