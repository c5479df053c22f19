//! Builds the function's [`App`] from its surroundings.

use crate::App;
use lambda_runtime::Error;
use shared::clock::Clock;
use shared::surroundings::{LedgerAlone, Surroundings};
use shared::use_cases::Absent;

/// # Errors
/// If a setting is missing or invalid.
pub fn app<C: Clock>(surroundings: Surroundings<C>) -> Result<App<LedgerAlone<C, Absent>>, Error> {
    Ok(App { context: surroundings.ledger_context(Absent)? })
}
