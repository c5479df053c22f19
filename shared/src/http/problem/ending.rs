//! The problems for a charge that cannot be captured, voided, restored or found.

use super::Problem;
use crate::domain::charging::{ChargeStatus, EndRefusal, RestoreRefusal};
use crate::http::FieldError;
use crate::use_cases::charging::{ChargeState, EndError, FindChargeError, RestoreError};
use serde_json::json;

impl From<EndError> for Problem {
    fn from(error: EndError) -> Self {
        match error {
            EndError::NotFound(error) => error.into(),
            EndError::NotPending(state) => not_pending(&state),
            EndError::Refused(EndRefusal::NotPending(status)) => conflict(status, what_happened(status)),
            EndError::Refused(EndRefusal::OtherMeasure { operation, asked }) => {
                let why = format!("must not be sent: {} takes {} alone", operation.name, operation.measure.name());
                Self::invalid(vec![FieldError::new(asked.name(), why)])
            }
            EndError::Refused(EndRefusal::AboveCharge(range)) => {
                let why = format!("must be an integer from {} to {}, which the charge covers", range.min, range.max);
                Self::invalid(vec![FieldError::new(range.field, why)])
            }
            EndError::Refused(error @ EndRefusal::BalanceOutOfRange(_)) => Self::internal(error),
            EndError::Store(error) => error.into(),
        }
    }
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::NotFound(error) => error.into(),
            RestoreError::Refused(RestoreRefusal::NotPosted(status)) => conflict(status, instead_of_a_restore(status)),
            RestoreError::Refused(error) => Self::internal(error),
            RestoreError::Store(error) => error.into(),
        }
    }
}

impl From<FindChargeError> for Problem {
    fn from(error: FindChargeError) -> Self {
        match error {
            FindChargeError::NotFound(error) => error.into(),
            FindChargeError::Store(error) => error.into(),
        }
    }
}

fn not_pending(state: &ChargeState) -> Problem {
    let charge = json!({
        "status": state.status.name(),
        "credits": state.credits.get(),
        "credits_kept": state.credits_kept.get(),
    });
    conflict(state.status, what_happened(state.status)).with("charge", charge)
}

fn conflict(status: ChargeStatus, detail: &str) -> Problem {
    let (code, title) = match status {
        ChargeStatus::Pending => ("charge_pending", "Charge pending"),
        ChargeStatus::Posted => ("charge_posted", "Charge posted"),
        ChargeStatus::Voided => ("charge_voided", "Charge voided"),
        ChargeStatus::Expired => ("charge_expired", "Charge expired"),
        ChargeStatus::Restored => ("charge_restored", "Charge restored"),
    };
    Problem::new(409, code, title, detail)
}

fn what_happened(status: ChargeStatus) -> &'static str {
    match status {
        ChargeStatus::Pending => "The charge is still pending.",
        ChargeStatus::Posted => "The charge is posted: it was never pending, or it was captured with another measure.",
        ChargeStatus::Voided => "The charge was voided, and its credits were given back.",
        ChargeStatus::Expired => "The charge was not captured in time, and its credits were given back.",
        ChargeStatus::Restored => "The charge was restored, and its credits were given back.",
    }
}

fn instead_of_a_restore(status: ChargeStatus) -> &'static str {
    match status {
        ChargeStatus::Pending => "The charge is pending. Void it instead to give its credits back.",
        status => what_happened(status),
    }
}
