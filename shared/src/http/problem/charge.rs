//! The problems for a refused charge, and for one that would be refused.

use super::Problem;
use crate::domain::LimitReached;
use crate::domain::charging::{ChargeRefusal, RefusedBecause};
use crate::domain::payments::{ReturnReason, TopUpOutlook};
use crate::http::time;
use crate::use_cases::charging::{ChargeError, ForeseeError};
use serde_json::{Value, json};

impl From<ChargeError> for Problem {
    fn from(error: ChargeError) -> Self {
        match error {
            ChargeError::NotFound(error) => error.into(),
            ChargeError::KeyReused(error) => error.into(),
            ChargeError::Refused(refusal) => refusal.into(),
            ChargeError::Store(error) => error.into(),
        }
    }
}

impl From<ForeseeError> for Problem {
    fn from(error: ForeseeError) -> Self {
        match error {
            ForeseeError::NotFound(error) => error.into(),
            ForeseeError::Store(error) => error.into(),
        }
    }
}

impl From<ChargeRefusal> for Problem {
    fn from(refusal: ChargeRefusal) -> Self {
        match refusal {
            ChargeRefusal::Closed(closed) => closed.into(),
            ChargeRefusal::Restricted { reason, until } => {
                let detail = format!("Charges are blocked until {}.", time(until));
                Self::new(403, "account_restricted", "Account restricted", detail)
                    .with("reason", reason.as_str())
                    .with("until", time(until))
            }
            ChargeRefusal::SpendingStopped { stopped_at } => {
                let detail = "The customer has stopped all spending of this account.";
                Self::new(403, "spending_stopped", "Spending stopped", detail).with("stopped_at", time(stopped_at))
            }
            ChargeRefusal::LimitReached(reached) => limit_reached(reached),
            ChargeRefusal::InsufficientCredits { balance, required, top_up, reversal } => {
                let missing = required.get().saturating_sub(balance.get());
                let detail = match reversal {
                    None => format!("The charge costs {required} credits, {missing} more than the balance."),
                    Some(ReturnReason::Refund) => {
                        format!(
                            "The balance is {balance} credits because a payment was refunded; {missing} are missing."
                        )
                    }
                    Some(ReturnReason::Dispute) => {
                        format!(
                            "The balance is {balance} credits because a payment is disputed; {missing} are missing."
                        )
                    }
                };
                let problem = Self::new(402, "insufficient_credits", "Insufficient credits", detail)
                    .with("balance", balance.get())
                    .with("required", required.get())
                    .with("missing", missing)
                    .with("top_up", top_up_body(&top_up));
                match reversal {
                    Some(because) => problem.with("reversal", because.name()),
                    None => problem,
                }
            }
            error @ ChargeRefusal::BalanceOutOfRange(_) => Self::internal(error),
        }
    }
}

/// The status that such a refusal was answered with.
pub fn status_of(because: RefusedBecause) -> u16 {
    match because {
        RefusedBecause::InsufficientCredits | RefusedBecause::LimitReached => 402,
        RefusedBecause::AccountRestricted | RefusedBecause::SpendingStopped => 403,
        RefusedBecause::IdempotencyKeyReused => 409,
        RefusedBecause::TooManyRequests => 429,
    }
}

fn top_up_body(top_up: &TopUpOutlook) -> Value {
    json!({
        "state": top_up.state(),
        "next_check_at": top_up.next_check_at().map(time),
        "next_eligible_at": top_up.next_eligible_at().map(time),
        "reason": top_up.reason(),
    })
}

fn limit_reached(reached: LimitReached) -> Problem {
    let LimitReached { limit, required, left, max: _, starts_again_at } = reached;
    let detail = format!("The charge costs {required} credits, and the limit {} leaves {left}.", limit.name());
    let problem = Problem::new(402, "limit_reached", "Limit reached", detail)
        .with("limit", limit.name())
        .with("required", required.get())
        .with("left", left.get());
    match starts_again_at {
        Some(instant) => problem.with("starts_again_at", time(instant)),
        None => problem,
    }
}
