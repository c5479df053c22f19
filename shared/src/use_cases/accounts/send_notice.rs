//! Sending an e-mail that is owed to a customer.
//!
//! The notice was stored with the change that caused it. This code knows that it is owed, but not why.

use super::record_returned_mail::warn_of_unreachable;
use crate::domain::contacts::NoRecipient;
use crate::domain::{AccountId, EmailAddress, Notice, NoticeId};
use crate::ports::{ContactRecords, Email, LedgerError, Mailer, MailerError, Notices};
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
    /// Every contact has turned this kind of e-mail off.
    Unwanted,
    /// No contact is deliverable. It stays unsent until support sends it again.
    Undeliverable,
}

/// Why a notice is still owed, or may be sent again.
#[derive(Debug, thiserror::Error)]
pub enum SendNoticeError {
    #[error("the notice cannot be read")]
    Unread(#[source] LedgerError),
    #[error("the account's contacts cannot be read")]
    UnreadContacts(#[source] LedgerError),
    #[error("the notice cannot be rendered")]
    Unrendered(#[source] Box<dyn Error + Send + Sync>),
    #[error("the notice was not sent")]
    Unsent(#[source] MailerError),
    /// The customer has the e-mail, and gets it again when this notice is retried.
    #[error("the notice was sent, but this could not be stored")]
    Unmarked(#[source] LedgerError),
}

/// Sends the notice unless it was already sent, and records where it was sent.
///
/// It goes to the first contact of its role that is deliverable at this moment, unless it has an address of its own.
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
    render: impl FnOnce(&Notice, EmailAddress) -> Result<Email, E>,
) -> Result<Sent, SendNoticeError>
where
    C: Capabilities<Ledger: Notices + ContactRecords, Mailer: Mailer>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(notice) = context.ledger.notice_get(account, notice).await.map_err(SendNoticeError::Unread)? else {
        return Ok(Sent::Gone);
    };
    if notice.sent_at.is_some() {
        return Ok(Sent::Before);
    }
    let to = match recipient(context, &notice).await? {
        Ok(to) => to,
        Err(NoRecipient::Unwanted) => return Ok(Sent::Unwanted),
        Err(error @ NoRecipient::NoneDeliverable) => {
            warn_of_unreachable(account, error);
            return Ok(Sent::Undeliverable);
        }
    };
    let email = render(&notice, to).map_err(|error| SendNoticeError::Unrendered(error.into()))?;
    context.mailer.send(&email).await.map_err(SendNoticeError::Unsent)?;
    let sent = (&email.to, context.now());
    context.ledger.notice_mark_sent(account, &notice.id, sent).await.map_err(SendNoticeError::Unmarked)?;
    Ok(Sent::Now)
}

/// An account whose contacts were never changed has one, whose address the notice was stored with.
async fn recipient<C: Capabilities<Ledger: ContactRecords>>(
    context: &Context<C>,
    notice: &Notice,
) -> Result<Result<EmailAddress, NoRecipient>, SendNoticeError> {
    if notice.is_addressed {
        return Ok(Ok(notice.to.clone()));
    }
    let contacts = context.ledger.contacts_get(&notice.account).await.map_err(SendNoticeError::UnreadContacts)?;
    Ok(match contacts {
        Some(contacts) => contacts.recipient(notice.kind.role(), notice.kind.optional(), &notice.tried).cloned(),
        None => Ok(notice.to.clone()),
    })
}
