//! Sending an e-mail that is owed.
//!
//! The notice was stored with the change that caused it, so it is known here that it is owed, never why.

use crate::domain::{AccountId, Notice, NoticeId};
use crate::ports::{Email, LedgerError, Mailer, MailerError, Notices};
use crate::use_cases::{Capabilities, Context};
use std::error::Error;

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Now,
    /// It had been sent already; nothing was sent now.
    Before,
    /// It is stored no more: notices are kept for 30 days.
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
    /// The customer has the mail, and gets it again when this notice is repeated.
    #[error("the notice was sent, but this could not be stored")]
    Unmarked(#[source] LedgerError),
}

/// Sends the notice unless it was sent before, and remembers that it was.
///
/// It is marked after it was sent and not before: an e-mail that comes twice is better than one that never comes,
/// and SES takes no idempotency key. It comes twice only if this stops between SES's accepting the mail and the
/// mark's being stored: a crash, an answer of SES that is lost, a mark that cannot be written.
///
/// # Errors
/// [`SendNoticeError`]; whoever calls repeats the call, and gives up where somebody will look. A mail that SES refused is
/// repeated as well: what is wrong with it (a sender not verified yet, say) can be put right meanwhile.
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
