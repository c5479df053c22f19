//! The problems of a customer who asks what became of a payment.

use super::Problem;
use crate::domain::payments::{ClaimLog, TooManyClaims};
use crate::http::time;
use crate::use_cases::payments::FindPaymentsError;

impl From<FindPaymentsError> for Problem {
    fn from(error: FindPaymentsError) -> Self {
        match error {
            FindPaymentsError::NotFound(error) => error.into(),
            FindPaymentsError::TooMany(TooManyClaims { now, possible_at }) => {
                let seconds = possible_at.duration_since(now).as_secs().max(0).saturating_add(1);
                let detail = format!(
                    "An account may ask for its payments {} times within an hour. Nothing was looked up.",
                    ClaimLog::PER_HOUR_MAX
                );
                let problem = Self::new(429, "too_many_claims", "Too many claims", detail);
                let problem = problem.with("possible_at", time(possible_at));
                Self { retry_after_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)), ..problem }
            }
            error @ FindPaymentsError::BalanceOutOfRange(_) => Self::internal(error),
            FindPaymentsError::Outside(error) => error.into(),
        }
    }
}
