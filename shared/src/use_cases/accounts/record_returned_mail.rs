//! A report of the mail service: an e-mail came back, or its reader called it spam.

use super::SettingError;
use crate::domain::contacts::{NoRecipient, ReturnedMail, Role, decide_returned};
use crate::domain::{Account, AccountId, Contacts, Notice, NoticeId};
use crate::error::chain;
use crate::ports::{Accounts, ContactRecords, Notices};
use crate::use_cases::{Capabilities, Context, StoreError, Updated};
use std::sync::Arc;

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The contact is marked, or the e-mail is owed to another one.
    Now,
    /// Nothing had to change.
    Before,
}

/// Marks the contact and owes the e-mail to the next one. Reports are repeated and come in any order.
///
/// # Errors
/// [`SettingError`].
pub async fn record_returned_mail<C: Capabilities<Ledger: Accounts + ContactRecords + Notices>>(
    context: &Context<C>,
    account: &AccountId,
    notice: &NoticeId,
    returned: &ReturnedMail,
) -> Result<Recorded, SettingError> {
    let read = |current: Arc<Account>| async move {
        let contacts = context.ledger.contacts_get(&current.id).await.map_err(StoreError::from)?;
        let notice = context.ledger.notice_get(&current.id, notice).await.map_err(StoreError::from)?;
        Ok::<_, SettingError>((contacts, notice))
    };
    let decide = |account: &Account, (contacts, notice): &(Option<Contacts>, Option<Notice>), now| {
        let renewed = context.mint(NoticeId::mint, now);
        Ok(decide_returned(account, contacts.as_ref(), notice.as_ref(), (returned, renewed), now))
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => {
            let reached = change.contacts().map(|contacts| contacts.recipient(Role::Billing, None, &[]));
            if let Some(Err(unreachable)) = reached {
                warn_of_unreachable(account, unreachable);
            }
            Ok(Recorded::Now)
        }
        Updated::Unchanged(..) => Ok(Recorded::Before),
        // Contacts make no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

/// An alarm watches for this error: e-mails about payments reach nobody, and only a person can find out where they should
/// go.
pub(super) fn warn_of_unreachable(account: &AccountId, error: NoRecipient) {
    let error = chain(&error);
    tracing::error!(account.id = %account, error, "the customer cannot be reached by e-mail");
}
