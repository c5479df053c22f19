//! Builds the function's [`App`] from its surroundings.

use crate::App;
use lambda_runtime::Error;
use serde_json::Value;
use shared::clock::Clock;
use shared::surroundings::{LedgerAlone, Surroundings};
use shared::use_cases::Absent;

/// In Lambda, `emit` writes the counts to the log; the local cloud passes another function.
///
/// # Errors
/// If a setting is missing or invalid.
pub fn app<C: Clock>(surroundings: Surroundings<C>, emit: fn(&Value)) -> Result<App<LedgerAlone<C, Absent>>, Error> {
    Ok(App { context: surroundings.ledger_context(Absent)?, emit })
}
