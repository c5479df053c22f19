//! Why the store did not do what it was asked.

use crate::domain::{Account, Entry};
use std::error::Error;

/// The store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It may answer later: throttling, conflicts after all retries, the network, a failure at AWS.
    #[error("the ledger is unavailable: {operation}")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A retry will not help: an item that cannot be read, a missing table, a missing permission.
    #[error("the ledger failed: {operation}")]
    Broken {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl LedgerError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Broken { .. } => false,
        }
    }
}

/// Why a change was not written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another change was written first. `current` is the account as stored, `None` if it does not exist; decide again.
    #[error("the account was changed concurrently")]
    Stale { current: Option<Box<Account>> },
    /// Entries with the same origins already exist: all of them, as stored, in the order of the change's entries.
    #[error("an entry already exists")]
    Duplicate { entries: Vec<Entry> },
    /// It conflicted with another transaction, or was throttled. Wait, read the account again, and decide again.
    ///
    /// Usually nothing was written. If an earlier try of the same transaction was carried out and its answer lost, its
    /// entry makes the next commit a duplicate.
    #[error("the transaction did not get its turn")]
    Contended(#[source] LedgerError),
    #[error(transparent)]
    Failed(#[from] LedgerError),
}

/// Why a fold was not written.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// Another fold was first.
    #[error("the account's usage was folded concurrently")]
    Stale,
    #[error(transparent)]
    Failed(#[from] LedgerError),
}
