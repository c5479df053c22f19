//! What the system does, one file per use case: read → decide → commit → call out → decide → commit.
//!
//! Nothing here knows DynamoDB, Stripe, SES or HTTP. Use cases reach the outside through the traits of
//! [`crate::ports`].
//!
//! A record (a purchase, an attempt) changes only in a transaction that also moves its account's version.
//! So code that reads the account first and the record second may decide on both: if either changed in between, the
//! commit is stale, and the loop reads again.

use crate::domain::{AccountId, Entry, IdempotencyKey, InvoiceId, NoticeId, PaymentMethodId, PurchaseId, TopUpId};
use crate::ports::{LedgerError, PaymentsError};

/// Names a sum of bounds: a trait that everything with these bounds implements.
#[macro_export]
macro_rules! trait_alias {
    ($(#[$about:meta])* $visibility:vis trait $name:ident: $($bounds:tt)+) => {
        $(#[$about])*
        $visibility trait $name: $($bounds)+ {}

        impl<T: $($bounds)+> $name for T {}
    };
}

pub mod accounts;
pub mod alerts;
pub mod charging;
mod contention;
pub mod context;
pub mod events;
pub mod liability;
pub mod memory;
pub mod payments;
pub mod portal;
mod shards;
pub mod support;
pub mod usage;

pub use context::{Absent, Capabilities, Context, Updated};
pub use memory::{Memory, MemoryCounts, MemorySettings};

/// An entry that this request or an earlier identical request posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub entry: Entry,
    pub is_replay: bool,
}

impl<R> TryFrom<Updated<R>> for Posted {
    type Error = StoreError;

    fn try_from(updated: Updated<R>) -> Result<Self, StoreError> {
        match updated {
            Updated::Committed(change, _) => {
                let entry = change.entries.into_iter().next().ok_or(StoreError::NoEntry)?;
                Ok(Self { entry, is_replay: false })
            }
            Updated::Duplicate(entries) => {
                let entry = entries.into_iter().next().ok_or(StoreError::NoEntry)?;
                Ok(Self { entry, is_replay: true })
            }
            Updated::Unchanged(..) => Err(StoreError::NoEntry),
        }
    }
}

/// A request names something that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    #[error("there is no account {0}")]
    Account(AccountId),
    #[error("there is no charge {0}")]
    Charge(IdempotencyKey),
    #[error("there is no entry {0}")]
    Entry(u64),
    #[error("there is no purchase {0}")]
    Purchase(PurchaseId),
    #[error("there is no top-up attempt {0}")]
    TopUp(TopUpId),
    #[error("there is no invoice {0}")]
    Invoice(InvoiceId),
    #[error("there is no payment method {0}")]
    PaymentMethod(PaymentMethodId),
    #[error("there is no notice {0}")]
    Notice(NoticeId),
}

/// The account cannot be read or changed at the moment.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many other requests changed the account at the same time.
    #[error("too many concurrent requests change the account")]
    Contended,
    /// An index does not have yet what the table has.
    #[error("the index is behind the table")]
    Behind,
    /// A record that the account names is missing.
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
            Self::Contended | Self::Behind => true,
            Self::Missing(_) | Self::NoEntry => false,
        }
    }
}

/// A failure of the store or of the payment provider.
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
