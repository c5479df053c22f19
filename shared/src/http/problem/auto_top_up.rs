//! The problems for refused settings of automatic top-ups.

use super::Problem;
use crate::domain::payments::AutoTopUpRefusal;
use crate::http::FieldError;
use crate::use_cases::payments::SetAutoTopUpError;

impl From<SetAutoTopUpError> for Problem {
    fn from(error: SetAutoTopUpError) -> Self {
        let field = |name: &str, message: String| Self::invalid(vec![FieldError::new(name, message)]);
        match error {
            SetAutoTopUpError::NotFound(error) => error.into(),
            SetAutoTopUpError::Refused(AutoTopUpRefusal::Closed(closed)) => closed.into(),
            SetAutoTopUpError::Refused(AutoTopUpRefusal::OutOfRange(range)) => Self::invalid(vec![range.into()]),
            SetAutoTopUpError::Refused(AutoTopUpRefusal::GapTooSmall { gap_min, target_min, .. }) => {
                field("target", format!("must be at least {gap_min} above threshold, that is from {target_min}"))
            }
            SetAutoTopUpError::Refused(AutoTopUpRefusal::CapOutOfRange { range, .. }) => {
                field("max_per_month", format!("must be an integer {range}, or null for no cap"))
            }
            SetAutoTopUpError::Refused(AutoTopUpRefusal::ConsentRequired) => {
                field("consent", "must hold text_version and accepted_by to switch automatic top-ups on".to_owned())
            }
            SetAutoTopUpError::Refused(AutoTopUpRefusal::ConsentOutdated { current, .. }) => {
                field("consent.text_version", format!("must be {current}, the version shown now"))
            }
            SetAutoTopUpError::Store(error) => error.into(),
        }
    }
}
