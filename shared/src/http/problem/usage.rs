//! The problems for usage that cannot be shown.

use super::Problem;
use crate::use_cases::usage::ReadUsageError;

impl From<ReadUsageError> for Problem {
    fn from(error: ReadUsageError) -> Self {
        match error {
            ReadUsageError::NotFound(error) => error.into(),
            ReadUsageError::Ledger(error) => error.into(),
        }
    }
}
