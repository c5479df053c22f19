//! The problems on the way into the Billing Dashboard.

use super::Problem;
use crate::use_cases::portal::OpenLinkError;

impl From<OpenLinkError> for Problem {
    fn from(error: OpenLinkError) -> Self {
        match error {
            OpenLinkError::NotFound(error) => error.into(),
            OpenLinkError::Closed(closed) => closed.into(),
            OpenLinkError::Store(error) => error.into(),
        }
    }
}
