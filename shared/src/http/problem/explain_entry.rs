//! The problems for an entry that cannot be explained.

use super::Problem;
use crate::use_cases::accounts::ExplainEntryError;

impl From<ExplainEntryError> for Problem {
    fn from(error: ExplainEntryError) -> Self {
        match error {
            ExplainEntryError::NotFound(error) => error.into(),
            ExplainEntryError::Store(error) => error.into(),
        }
    }
}
