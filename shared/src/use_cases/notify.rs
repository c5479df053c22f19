//! Sending an e-mail that is owed.
//!
//! The notice was stored with the change that caused it, so it is known here that it is owed, never why.

use super::ports::{Ledger, LedgerError, Mail, Mailer, MailerError};
use crate::clock::Clock;
use crate::domain::{AccountId, Notice, NoticeId};
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
pub enum NotifyError {
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
/// [`NotifyError`]; whoever calls repeats the call, and gives up where somebody will look. A mail that SES refused is
/// repeated as well: what is wrong with it (a sender not verified yet, say) can be put right meanwhile.
pub async fn send_notice<L: Ledger, M: Mailer, E: Into<Box<dyn Error + Send + Sync>>>(
    ledger: &L,
    mailer: &M,
    clock: &impl Clock,
    account: &AccountId,
    notice: &NoticeId,
    render: impl FnOnce(&Notice) -> Result<Mail, E>,
) -> Result<Sent, NotifyError> {
    let Some(notice) = ledger.notice_get(account, notice).await.map_err(NotifyError::Unread)? else {
        return Ok(Sent::Gone);
    };
    if notice.sent_at.is_some() {
        return Ok(Sent::Before);
    }
    let mail = render(&notice).map_err(|error| NotifyError::Unrendered(error.into()))?;
    mailer.send(&mail).await.map_err(NotifyError::Unsent)?;
    ledger.notice_mark_sent(account, &notice.id, clock.now()).await.map_err(NotifyError::Unmarked)?;
    Ok(Sent::Now)
}
