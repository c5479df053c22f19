//! Sending e-mail.

use crate::domain::{AccountId, EmailAddress, NoticeId};
use std::error::Error;
use std::future::Future;

/// Sends e-mail.
pub trait Mailer: Send + Sync {
    /// # Errors
    /// [`MailerError`]. A caller who retries after a lost answer may send the e-mail twice, because SES has no
    /// idempotency key.
    fn send(&self, email: &Email) -> impl Future<Output = Result<(), MailerError>> + Send;
}

/// A rendered e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    pub to: EmailAddress,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// What the mail service's reports about it name: whose e-mail it is, and which one.
    pub account: AccountId,
    pub notice: NoticeId,
}

/// The e-mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    #[error("e-mail cannot be sent at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the e-mail was rejected")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
}
