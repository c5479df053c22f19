//! An account that was closed, so that what is personal in it can be erased.

use super::Account;
use jiff::Timestamp;

/// The account was closed, and is never opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account was closed at {closed_at}")]
pub struct AccountClosed {
    pub closed_at: Timestamp,
}

impl Account {
    /// Whether anything may still be charged, bought, given or set.
    ///
    /// # Errors
    /// [`AccountClosed`].
    pub fn check_not_closed(&self) -> Result<(), AccountClosed> {
        self.closed_at.map_or(Ok(()), |closed_at| Err(AccountClosed { closed_at }))
    }
}
