//! Every account by shard, the balances that were imported, and the days of the liability.

use super::{LedgerError, Shard};
use crate::domain::liability::{ClosedDays, LiabilityRow};
use crate::domain::support::Imported;
use crate::domain::{AccountId, SourceId};
use jiff::Timestamp;
use jiff::civil::Date;
use std::future::Future;

/// The opening balances that were imported.
pub trait Imports: Send + Sync {
    fn imported_get(&self, source: &SourceId) -> impl Future<Output = Result<Option<Imported>, LedgerError>> + Send;
}

/// The directory of all accounts, by shard.
pub trait Directory: Send + Sync {
    /// Where the account is in the directory. `None` for an account of the release before.
    fn listed_get(
        &self,
        account: &AccountId,
    ) -> impl Future<Output = Result<Option<ListedAccount>, LedgerError>> + Send;

    /// The accounts of a shard that follow `after` (from the first, if `None`) in the order of their ids, at most
    /// `limit` (1–1,000) of them.
    fn accounts_page(
        &self,
        shard: Shard,
        after: Option<&AccountId>,
        limit: u16,
    ) -> impl Future<Output = Result<AccountsPage, LedgerError>> + Send;
}

/// The days of the liability. All reads are strongly consistent.
pub trait LiabilityRows: Send + Sync {
    fn closed_days_get(&self) -> impl Future<Output = Result<Option<ClosedDays>, LedgerError>> + Send;

    /// Replaces what was read before, or begins if there was nothing.
    ///
    /// # Errors
    /// [`ReplaceError::Stale`] if another process was faster, and nothing was written.
    fn closed_days_put(
        &self,
        closed: &ClosedDays,
        before: Option<&ClosedDays>,
    ) -> impl Future<Output = Result<(), ReplaceError>> + Send;

    fn liability_row_get(
        &self,
        day: Date,
        shard: Shard,
    ) -> impl Future<Output = Result<Option<LiabilityRow>, LedgerError>> + Send;

    /// Replaces the row that was read before, if it is still counted through the same account, or begins it.
    ///
    /// # Errors
    /// [`ReplaceError::Stale`] if another process was faster, and nothing was written.
    fn liability_row_put(
        &self,
        shard: Shard,
        row: &LiabilityRow,
        before: Option<&LiabilityRow>,
    ) -> impl Future<Output = Result<(), ReplaceError>> + Send;

    /// The rows of all shards of a day, as far as there are any.
    fn liability_rows(&self, day: Date) -> impl Future<Output = Result<Vec<LiabilityRow>, LedgerError>> + Send;
}

/// An account in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAccount {
    pub account: AccountId,
    /// When it was opened, or listed if the release before opened it.
    pub listed_at: Timestamp,
}

/// A page of the directory, and whether more follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsPage {
    pub accounts: Vec<ListedAccount>,
    pub has_more: bool,
}

/// Why a row was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Another process has replaced it.
    #[error("the row was replaced concurrently")]
    Stale,
    /// It may have been replaced.
    #[error(transparent)]
    Failed(#[from] LedgerError),
}
