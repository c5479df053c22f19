//! How much a run reads at once, and why it stops.

use crate::domain::AccountId;
use crate::ports::LedgerError;
use jiff::civil::Date;

/// How much is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseLimits {
    /// Accounts of a page, which one write counts.
    pub accounts: u16,
    /// The newest entries of an account that are read first. So few that they cost no more than one.
    pub entries_at_first: u32,
    /// Entries of each page that follows, at most 100.
    pub entries_of_page: u32,
    /// An account with this many entries since the day began is counted from its rows of usage.
    pub entries_max: u32,
    /// The most entries behind those rows. More are waited for.
    pub tail_max: u32,
}

impl CloseLimits {
    pub const DEFAULT: Self =
        Self { accounts: 100, entries_at_first: 8, entries_of_page: 100, entries_max: 400, tail_max: 2_000 };
}

/// Why a day cannot be closed yet. The next run tries again.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The index or the rows of usage do not show all entries of an account yet.
    #[error("the history of {account} does not show all entries yet")]
    Behind { account: AccountId },
    /// The row of the day before is not there, although that day is closed.
    #[error("the liability of {day} is missing")]
    Missing { day: Date },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
