//! The problems for a refused restore.

use super::Problem;
use crate::use_cases::charging::RestoreError;

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::NotFound(error) => error.into(),
            RestoreError::Refused(error) => Self::internal(error),
            RestoreError::Store(error) => error.into(),
        }
    }
}
