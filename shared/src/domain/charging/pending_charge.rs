//! The record of a charge that was made pending, and the values that it is made of.

use crate::domain::{AccountId, Credits, IdempotencyKey, Operation, OutOfRange, PriceLine, Spender, within};
use jiff::{SignedDuration, Timestamp};

/// How long a charge may stay pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpiresIn(i64);

impl ExpiresIn {
    pub const SECONDS_MIN: i64 = 60;
    /// One week.
    pub const SECONDS_MAX: i64 = 604_800;

    /// # Errors
    /// [`OutOfRange`] outside [`Self::SECONDS_MIN`] to [`Self::SECONDS_MAX`].
    pub fn new(seconds: i64) -> Result<Self, OutOfRange> {
        within("expires_in_seconds", seconds, Self::SECONDS_MIN, Self::SECONDS_MAX).map(Self)
    }

    pub fn seconds(self) -> i64 {
        self.0
    }

    /// The first instant at which a charge of `created_at` has expired.
    pub fn after(self, created_at: Timestamp) -> Timestamp {
        created_at.saturating_add(SignedDuration::from_secs(self.0)).unwrap_or(Timestamp::MAX)
    }
}

/// What became of a charge, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChargeStatus {
    /// Its credits are taken, and it waits to be captured or voided.
    Pending,
    /// Its credits are spent: it was never pending, or it was captured.
    Posted,
    /// The caller gave all its credits back.
    Voided,
    /// Nobody captured it in time, so all its credits came back.
    Expired,
    /// It was posted, and its credits were given back because the operation failed.
    Restored,
}

impl ChargeStatus {
    pub const ALL: [Self; 5] = [Self::Pending, Self::Posted, Self::Voided, Self::Expired, Self::Restored];

    /// Its name in code, table, API and page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Posted => "posted",
            Self::Voided => "voided",
            Self::Expired => "expired",
            Self::Restored => "restored",
        }
    }
}

/// The record of a charge that was made pending. It is kept after the charge has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCharge {
    pub account: AccountId,
    /// The key of the charge.
    pub charge: IdempotencyKey,
    /// The number of the charge's entry, which says which limits counted it.
    pub seq: u64,
    /// What was asked for when the charge was made.
    pub operation: Operation,
    /// The price line of that moment. A capture is priced with it, even if the price book has changed.
    pub price: PriceLine,
    /// What the charge took.
    pub credits: Credits,
    /// For whom the account spends.
    pub spender: Option<Spender>,
    pub created_at: Timestamp,
    pub expires_in: ExpiresIn,
    /// `None` while the charge is pending.
    pub end: Option<ChargeEnd>,
}

/// How a pending charge ended, with everything that its answer says, so that the answer can be given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeEnd {
    pub ending: Ending,
    /// The credits that stay taken; the rest was given back.
    pub credits_kept: Credits,
    pub balance_after: Credits,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The charge is posted. The amount is in the measure of its operation.
    Captured {
        amount: i64,
    },
    Voided,
    Expired,
}

impl PendingCharge {
    pub fn status(&self) -> ChargeStatus {
        match self.end.map(|end| end.ending) {
            None => ChargeStatus::Pending,
            Some(Ending::Captured { .. }) => ChargeStatus::Posted,
            Some(Ending::Voided) => ChargeStatus::Voided,
            Some(Ending::Expired) => ChargeStatus::Expired,
        }
    }

    /// The first instant at which it cannot be captured any more.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_in.after(self.created_at)
    }

    /// When its credits have to be given back, unless it is captured or voided before. `None` once it has ended.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.end.is_none().then(|| self.expires_at())
    }

    /// Whether it waits although its time is up.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.due_at().is_some_and(|due_at| due_at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_minute_to_a_week_away() {
        for seconds in [60, 61, 604_800] {
            assert_eq!(ExpiresIn::new(seconds).map(ExpiresIn::seconds), Ok(seconds));
        }
        for seconds in [0, -60, 59, 604_801, i64::MAX, i64::MIN] {
            let error = ExpiresIn::new(seconds).unwrap_err();
            assert_eq!((error.field, error.min, error.max), ("expires_in_seconds", 60, 604_800));
        }
        assert_eq!(ExpiresIn::new(60).unwrap().after(Timestamp::MAX), Timestamp::MAX);
    }
}
