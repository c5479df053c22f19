//! The problems for an account that cannot be opened.

use super::Problem;
use crate::use_cases::accounts::OpenAccountError;

impl From<OpenAccountError> for Problem {
    fn from(error: OpenAccountError) -> Self {
        match error {
            OpenAccountError::Closed(closed) => closed.into(),
            OpenAccountError::EmailDiffers => Self::new(
                409,
                "account_exists",
                "Account exists",
                "The account already exists with another e-mail address.",
            ),
            OpenAccountError::Outside(error) => error.into(),
        }
    }
}
