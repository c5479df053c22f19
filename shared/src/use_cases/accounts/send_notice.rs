//! Sending an e-mail that is owed to a customer.
//!
//! The notice was stored with the change that caused it. This code knows that it is owed, but not why.

use crate::domain::{AccountId, Notice, NoticeId};
use crate::ports::{Email, LedgerError, Mailer, MailerError, Notices};
use crate::use_cases::{Capabilities, Context};
use std::error::Error;

/// The result of sending a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Now,
    /// It was already sent; nothing was sent now.
    Before,
    /// It is no longer stored: notices are kept for 30 days.
    Gone,
}

/// Why a notice is still owed, or may be sent again.
#[derive(Debug, thiserror::Error)]
pub enum SendNoticeError {
    #[error("the notice cannot be read")]
    Unread(#[source] LedgerError),
    #[error("the notice cannot be rendered")]
    Unrendered(#[source] Box<dyn Error + Send + Sync>),
    #[error("the notice was not sent")]
    Unsent(#[source] MailerError),
    /// The customer has the e-mail, and gets it again when this notice is retried.
    #[error("the notice was sent, but this could not be stored")]
    Unmarked(#[source] LedgerError),
}

/// Sends the notice unless it was already sent, and records that it was sent.
///
/// It is marked after it is sent, not before: an e-mail that arrives twice is better than one that never arrives, and
/// SES takes no idempotency key. It arrives twice only if the process stops between SES's acceptance and the stored
/// mark: a crash, a lost answer from SES, or a mark that cannot be written.
///
/// # Errors
/// [`SendNoticeError`]. The caller retries a limited number of times, and then reports the failure to a person. An
/// e-mail that SES refused is retried as well, because its cause (an unverified sender, for example) may be fixed in
/// the meantime.
pub async fn send_notice<C, E>(
    context: &Context<C>,
    account: &AccountId,
    notice: &NoticeId,
    render: impl FnOnce(&Notice) -> Result<Email, E>,
) -> Result<Sent, SendNoticeError>
where
    C: Capabilities<Ledger: Notices, Mailer: Mailer>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(notice) = context.ledger.notice_get(account, notice).await.map_err(SendNoticeError::Unread)? else {
        return Ok(Sent::Gone);
    };
    if notice.sent_at.is_some() {
        return Ok(Sent::Before);
    }
    let email = render(&notice).map_err(|error| SendNoticeError::Unrendered(error.into()))?;
    context.mailer.send(&email).await.map_err(SendNoticeError::Unsent)?;
    context.ledger.notice_mark_sent(account, &notice.id, context.now()).await.map_err(SendNoticeError::Unmarked)?;
    Ok(Sent::Now)
}
