//! The problems for a refused charge.

use super::Problem;
use crate::domain::charging::ChargeRefusal;
use crate::domain::payments::TopUpOutlook;
use crate::http::time;
use crate::use_cases::charging::ChargeError;
use serde_json::{Value, json};

impl From<ChargeError> for Problem {
    fn from(error: ChargeError) -> Self {
        match error {
            ChargeError::NotFound(error) => error.into(),
            ChargeError::KeyReused(error) => error.into(),
            ChargeError::Refused(ChargeRefusal::Restricted { reason, until }) => {
                let detail = format!("Charges are blocked until {}.", time(until));
                Self::new(403, "account_restricted", "Account restricted", detail)
                    .with("reason", reason.as_str())
                    .with("until", time(until))
            }
            ChargeError::Refused(ChargeRefusal::InsufficientCredits { balance, required, top_up }) => {
                let missing = required.get().saturating_sub(balance.get());
                let detail = format!("The charge costs {required} credits, {missing} more than the balance.");
                Self::new(402, "insufficient_credits", "Insufficient credits", detail)
                    .with("balance", balance.get())
                    .with("required", required.get())
                    .with("missing", missing)
                    .with("top_up", top_up_body(&top_up))
            }
            ChargeError::Refused(error @ ChargeRefusal::BalanceOutOfRange(_)) => Self::internal(error),
            ChargeError::Store(error) => error.into(),
        }
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
