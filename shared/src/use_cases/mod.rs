//! What the system does, one file per thing: read → decide → commit → call out → decide → commit.
//!
//! Nothing here knows DynamoDB, Stripe, SES or HTTP; the outside is reached through the traits of [`crate::ports`].
//!
//! A record (a purchase, an attempt) changes only in a transaction that also moves its account's version.
//! So whoever reads the account first and the record after may decide on both: had either changed in between,
//! the commit would be stale, and the loop reads again.

use crate::domain::{AccountId, Entry, IdempotencyKey, PurchaseId, TopUpId};
use crate::ports::{LedgerError, PaymentsError};

pub mod accounts;
pub mod charging;
pub mod context;
pub mod payments;

pub use context::{Absent, Capabilities, Context, Updated};

/// An entry that was posted, now or when the same request came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub entry: Entry,
    pub is_replay: bool,
}

impl TryFrom<Updated> for Posted {
    type Error = StoreError;

    fn try_from(updated: Updated) -> Result<Self, StoreError> {
        match updated {
            Updated::Committed(change, ()) => {
                let entry = change.entries.into_iter().next().ok_or(StoreError::NoEntry)?;
                Ok(Self { entry, is_replay: false })
            }
            Updated::Duplicate(entry) => Ok(Self { entry: *entry, is_replay: true }),
            Updated::Unchanged(..) => Err(StoreError::NoEntry),
        }
    }
}

/// What a request names does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    #[error("there is no account {0}")]
    Account(AccountId),
    #[error("there is no charge {0}")]
    Charge(IdempotencyKey),
    #[error("there is no purchase {0}")]
    Purchase(PurchaseId),
    #[error("there is no top-up attempt {0}")]
    TopUp(TopUpId),
}

/// The account could not be read or changed now.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many others changed the account at the same time.
    #[error("the account is changed by too many requests at once")]
    Contended,
    /// A record that the account names is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// A decision that moves credits made no entry.
    #[error("the change holds no entry")]
    NoEntry,
}

impl StoreError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_retryable(),
            Self::Contended => true,
            Self::Missing(_) | Self::NoEntry => false,
        }
    }
}

/// Either side of a use case that stores and pays.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Payments(#[from] PaymentsError),
}

impl OutsideError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Payments(error) => error.is_retryable(),
        }
    }
}

impl From<LedgerError> for OutsideError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}
