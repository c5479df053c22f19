//! What is kept of requests that were refused: a few of each minute as they were, and of the others their number.

use super::{ChargeCommand, RefusalPlace};
use crate::domain::{
    AccountId, Credits, IdempotencyKey, LimitReached, Operation, ReachedLimit, Reference, RequestId, Spender,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusedBecause {
    AccountRestricted,
    IdempotencyKeyReused,
    InsufficientCredits,
    LimitReached,
    SpendingStopped,
    TooManyRequests,
}

impl RefusedBecause {
    pub const ALL: [Self; 6] = [
        Self::AccountRestricted,
        Self::IdempotencyKeyReused,
        Self::InsufficientCredits,
        Self::LimitReached,
        Self::SpendingStopped,
        Self::TooManyRequests,
    ];

    /// Its name in code, table and API: the `code` of the problem that the request was answered with.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountRestricted => "account_restricted",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::InsufficientCredits => "insufficient_credits",
            Self::LimitReached => "limit_reached",
            Self::SpendingStopped => "spending_stopped",
            Self::TooManyRequests => "too_many_requests",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|because| because.name() == name)
    }
}

/// A request for a charge that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRequest {
    pub at: Timestamp,
    pub because: RefusedBecause,
    /// The sentence that the request was answered with, at most [`Self::DETAIL_BYTES_MAX`].
    pub detail: String,
    pub request_id: Option<RequestId>,
    pub key: IdempotencyKey,
    pub operation: Operation,
    pub credits: Credits,
    pub reference: Option<Reference>,
    pub spender: Option<Spender>,
    /// The limit that refused it, if one did. Rows of the release before have none.
    pub limit: Option<ReachedLimit>,
}

impl RefusedRequest {
    pub const DETAIL_BYTES_MAX: usize = 200;

    /// What the command asked for, and why it was refused.
    pub fn of(command: &ChargeCommand, because: RefusedBecause, detail: &str, at: Timestamp) -> Self {
        let request = &command.request;
        let detail = detail.get(..detail.floor_char_boundary(Self::DETAIL_BYTES_MAX)).unwrap_or_default().to_owned();
        Self {
            at,
            because,
            detail,
            request_id: command.request_id.clone(),
            key: request.key.clone(),
            operation: request.operation.clone(),
            credits: command.credits(),
            reference: request.reference.clone(),
            spender: request.spender.clone(),
            limit: None,
        }
    }

    /// The same, refused by this limit.
    #[must_use]
    pub fn limited_by(self, reached: Option<LimitReached>) -> Self {
        let limit = reached.map(|LimitReached { limit, max, starts_again_at, .. }| ReachedLimit {
            limit,
            spender: self.spender.clone().filter(|_| limit.is_of_spender()),
            max,
            starts_again_at,
        });
        Self { limit, ..self }
    }
}

/// Requests that were refused in one minute, beyond those that are kept as they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRequests {
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// How many, by reason. At least one.
    pub counts: BTreeMap<RefusedBecause, u64>,
}

impl RefusedRequests {
    pub fn total(&self) -> u64 {
        self.counts.values().fold(0, |total, count| total.saturating_add(*count))
    }
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    One(RefusedRequest),
    More(RefusedRequests),
}

/// One row. Another one in the same place replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRow {
    pub account: AccountId,
    pub place: RefusalPlace,
    pub refused: Refused,
}

impl RefusalRow {
    /// How long a row is kept and shown.
    pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{at, charge_command};
    use crate::domain::spending::LimitName;

    #[test]
    fn a_reason_has_one_name() {
        for because in RefusedBecause::ALL {
            assert_eq!(RefusedBecause::of_name(because.name()), Some(because));
        }
        assert_eq!(RefusedBecause::of_name("invalid_request"), None);
    }

    #[test]
    fn a_refused_request_keeps_what_was_asked_and_a_short_reason() {
        let mut command = charge_command("job-1", "training", 30);
        command.request.reference = Reference::parse("episode-12").ok();
        let long = "ö".repeat(150);
        let refused = RefusedRequest::of(&command, RefusedBecause::LimitReached, &long, at(1));
        assert_eq!((refused.detail.len(), refused.credits.get()), (200, 300));
        assert_eq!((&refused.key, &refused.reference), (&command.request.key, &command.request.reference));
    }

    #[test]
    fn a_limit_of_the_account_names_no_spender() {
        let mut command = charge_command("job-1", "training", 30);
        command.request.spender = Spender::parse("key-1").ok();
        for limit in LimitName::ALL {
            let credits = Credits::constant;
            let reached = LimitReached {
                limit,
                required: credits(300),
                left: credits(7),
                max: credits(100),
                starts_again_at: None,
            };
            let refused =
                RefusedRequest::of(&command, RefusedBecause::LimitReached, "", at(1)).limited_by(Some(reached));
            let of = refused.limit.unwrap();
            assert_eq!((of.limit, of.max.get()), (limit, 100));
            assert_eq!(of.spender.is_some(), limit.name().starts_with("spender"), "{limit:?}");
            assert_eq!(LimitName::of_name(limit.name()), Some(limit));
        }
    }

    #[test]
    fn a_minute_has_sixteen_places() {
        let first = RefusalPlace::first_of(at(59));
        assert_eq!(first, RefusalPlace::first_of(at(0)));
        assert!(first < RefusalPlace::first_of(at(60)));
        assert!(RefusalPlace::new(first.minute(), 15).is_some_and(|last| last < RefusalPlace::first_of(at(60))));
        assert_eq!((RefusalPlace::new(first.minute(), 16), RefusalPlace::new(-1, 0)), (None, None));
        assert_eq!(RefusalPlace::first_of(Timestamp::MIN).minute(), 0);
    }
}
