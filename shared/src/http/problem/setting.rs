//! The problems for a setting that cannot be stored.

use super::Problem;
use crate::use_cases::accounts::SettingError;
use crate::use_cases::alerts::SetAlertsError;

impl From<SettingError> for Problem {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::NotFound(error) => error.into(),
            SettingError::Closed(closed) => closed.into(),
            SettingError::Store(error) => error.into(),
        }
    }
}

impl From<SetAlertsError> for Problem {
    fn from(error: SetAlertsError) -> Self {
        match error {
            SetAlertsError::NotFound(error) => error.into(),
            SetAlertsError::Closed(closed) => closed.into(),
            SetAlertsError::Store(error) => error.into(),
        }
    }
}
