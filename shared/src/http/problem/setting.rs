//! The problems for a setting that cannot be stored.

use super::Problem;
use crate::domain::alerts::InvalidLevels;
use crate::http::FieldError;
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
            SetAlertsError::Invalid(InvalidLevels::Closed(closed)) => closed.into(),
            SetAlertsError::Invalid(error) => Self::invalid(vec![FieldError::new("levels", error.to_string())]),
            SetAlertsError::Store(error) => error.into(),
        }
    }
}
