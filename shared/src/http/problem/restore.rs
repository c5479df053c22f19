//! What a refused restore is answered with.

use super::Problem;
use crate::use_cases::restore::RestoreError;

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::AccountNotFound => Self::not_found("account"),
            RestoreError::ChargeNotFound => Self::not_found("charge"),
            RestoreError::Refused(error) => Self::internal(error),
            RestoreError::Store(error) => error.into(),
        }
    }
}
