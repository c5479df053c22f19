//! A gate before an automatic top-up as JSON.

use crate::domain::payments::{Gate, GateState};
use serde::Serialize;

#[derive(Serialize)]
pub struct GateBody {
    gate: &'static str,
    /// `open`, `closed` or `not_applicable`.
    state: &'static str,
    detail: Option<String>,
}

impl GateBody {
    pub fn of(gate: &Gate) -> Self {
        let (state, detail) = match &gate.state {
            GateState::Open => ("open", None),
            GateState::Closed(not_due) => ("closed", Some(not_due.to_string())),
            GateState::NotApplicable => ("not_applicable", None),
        };
        Self { gate: gate.name.name(), state, detail }
    }
}
