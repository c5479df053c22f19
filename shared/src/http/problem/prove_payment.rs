//! The problems of a proof.

use super::Problem;
use crate::use_cases::payments::ProvePaymentError;

impl From<ProvePaymentError> for Problem {
    fn from(error: ProvePaymentError) -> Self {
        match error {
            ProvePaymentError::NotFound => Self::not_found("payment"),
            ProvePaymentError::Outside(error) => error.into(),
        }
    }
}
