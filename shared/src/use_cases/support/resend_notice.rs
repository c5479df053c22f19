//! Sending a stored e-mail again, by the same road as the first time: the table's stream.

use super::Asked;
use crate::domain::support::{NoticeState, ResendRefusal, decide_resend};
use crate::domain::{Account, AccountId, Notice, NoticeId};
use crate::ports::{Accounts, Acts, IdGenerator, LedgerError, Notices};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use std::sync::Arc;

/// How many of the newest acts are read to count what was sent again.
const ACTS_READ: u8 = 100;

/// Why an e-mail is not sent again, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// No such account, or no such e-mail: they are kept for 30 days.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] ResendRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores the e-mail once more and returns the new notice. Acts are written only with their account, so of two requests
/// at once one sees the other's act.
///
/// # Errors
/// [`ResendError`].
pub async fn resend_notice<C: Capabilities<Ledger: Accounts + Acts + Notices, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    notice: &NoticeId,
    asked: &Asked,
) -> Result<Notice, ResendError> {
    let read = |current: Arc<Account>| async move {
        let stored = context.ledger.notice_get(&current.id, notice).await?;
        let stored = stored.ok_or_else(|| NotFound::Notice(notice.clone()))?;
        let acts = context.ledger.acts_page(&current.id, None, ACTS_READ).await?;
        Ok::<_, ResendError>(NoticeState { notice: stored, acts: acts.records, has_older_acts: acts.has_more })
    };
    let updated: Result<Updated<NoticeState>, ResendError> = context
        .update_with(account, read, |account, state, now| {
            let resent_as = context.mint(NoticeId::mint, now);
            Ok(Some(decide_resend(account, state, (resent_as, asked.acting(context, now)), now)?))
        })
        .await;
    match updated? {
        Updated::Committed(change, _) => {
            let stored = change.notices.into_iter().next();
            stored.ok_or_else(|| StoreError::Missing("the new notice".to_owned()).into())
        }
        Updated::Unchanged(..) | Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

impl From<LedgerError> for ResendError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
