//! Accounts, and the e-mails they are owed.

mod contacts;
mod explain_entry;
mod list_history;
mod open_account;
mod record_returned_mail;
mod send_notice;
mod set_limits;
mod set_spending;
mod verify_history;
mod verify_ledger;

pub use contacts::{
    ConfirmError, Confirmation, ContactsError, confirm_contact, find_contact, read_contacts, set_contacts,
};
pub use explain_entry::{ExplainEntryError, ExplainedEntry, explain_entry};
pub use list_history::{HistoryPage, list_history};
pub(in crate::use_cases) use open_account::is_email_of;
pub use open_account::{OpenAccountError, OpenedAccount, open_account};
pub use record_returned_mail::{Recorded, record_returned_mail};
pub use send_notice::{SendNoticeError, Sent, send_notice};
pub use set_limits::{set_account_limits, set_spender_limits};
pub use set_spending::set_spending;
pub use verify_history::{Failure, Position, Problem, Verification, VerifyError, verify_history};
pub use verify_ledger::{
    Counting, LedgerPosition, LedgerVerification, LimitsPosition, PendingPosition, VerifiedLedger, verify_ledger,
};

use super::{NotFound, StoreError, Updated};
use crate::domain::{Account, AccountClosed};
use std::sync::Arc;

/// Why a setting stays as it was, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The account after a change of a setting.
pub(super) fn changed<R>(updated: Updated<R>) -> Result<Account, SettingError> {
    match updated {
        Updated::Committed(change, _) => Ok(change.account),
        Updated::Unchanged(account, _) => Ok(Arc::unwrap_or_clone(account)),
        // Settings make no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}
