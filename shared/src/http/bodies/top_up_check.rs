//! What a top-up check did as JSON.

use crate::domain::payments::NotDue;
use crate::use_cases::payments::ToppedUp;
use serde::Serialize;

#[derive(Serialize)]
pub struct TopUpCheckBody {
    /// The attempt's status, of which `open` means that its outcome is not known yet, or `skipped`.
    outcome: &'static str,
    closed: Option<ClosedBody>,
}

/// The first closed gate.
#[derive(Serialize)]
struct ClosedBody {
    gate: &'static str,
    detail: String,
}

impl TopUpCheckBody {
    pub fn of(checked: &ToppedUp) -> Self {
        match checked {
            ToppedUp::Attempted(attempt) => Self { outcome: attempt.status.name(), closed: None },
            ToppedUp::Skipped(not_due) => Self { outcome: "skipped", closed: Some(ClosedBody::of(not_due)) },
        }
    }
}

impl ClosedBody {
    fn of(not_due: &NotDue) -> Self {
        Self { gate: not_due.gate().name(), detail: not_due.to_string() }
    }
}
