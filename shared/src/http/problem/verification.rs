//! The problems for a ledger that cannot be verified now. What does not fit in it is no problem of the request.

use super::Problem;
use crate::use_cases::accounts::VerifyError;

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::NotFound(error) => error.into(),
            VerifyError::Store(error) => error.into(),
        }
    }
}
