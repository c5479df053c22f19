//! What the system does, one file per thing: read → decide → commit → call out → decide → commit.
//!
//! Nothing here knows DynamoDB, Stripe, SES or HTTP; the outside is reached through the traits of [`ports`].
//!
//! A record (a purchase, an attempt) changes only in a transaction that also moves its account's version.
//! So whoever reads the account first and the record after may decide on both: had either changed in between,
//! the commit would be stale, and the loop reads again.

use crate::clock::Clock;
use crate::domain::{Change, Entry};
use jiff::SignedDuration;
use ports::{LedgerError, PaymentsError};

pub mod apply_event;
pub mod auto_top_up;
pub mod charge;
pub mod notify;
pub mod open_account;
pub mod pay_page;
pub mod ports;
pub mod purchase;
pub mod restore;
pub mod settle;
pub mod sweep;
pub mod top_up;

/// How often a decision is made again because somebody else changed the account first.
/// One of the contenders succeeds in every round, so this many at once are served without an error.
const DECISIONS_MAX: u32 = 100;

/// How long deciding again goes on. With the last commit's own bound it stays within what a client waits for.
const DECIDING_TIME_MAX: SignedDuration = SignedDuration::from_secs(4);

/// The rounds in which a change may be decided: neither too many nor for too long.
fn rounds(clock: &impl Clock) -> impl Iterator<Item = u32> {
    let started_at = clock.now();
    (0..DECISIONS_MAX).take_while(move |_| clock.now().duration_since(started_at) < DECIDING_TIME_MAX)
}

/// An entry that was posted, now or when the same request came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub entry: Entry,
    pub is_replay: bool,
}

impl Posted {
    /// The entry of a change that was committed just now.
    fn new(change: Change) -> Result<Self, StoreError> {
        let entry = change.entry.ok_or(StoreError::NoEntry)?;
        Ok(Self { entry, is_replay: false })
    }
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
