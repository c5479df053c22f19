//! The problems for a setting that cannot be stored.

use super::Problem;
use crate::use_cases::accounts::SettingError;

impl From<SettingError> for Problem {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::NotFound(error) => error.into(),
            SettingError::Closed(closed) => closed.into(),
            SettingError::Store(error) => error.into(),
        }
    }
}
