//! What a refused purchase is answered with, and one that cannot be settled.

use super::Problem;
use crate::http::FieldError;
use crate::use_cases::purchase::OpenPurchaseError;
use crate::use_cases::settle::SettleError;

impl From<OpenPurchaseError> for Problem {
    fn from(error: OpenPurchaseError) -> Self {
        match error {
            OpenPurchaseError::AccountNotFound => Self::not_found("account"),
            OpenPurchaseError::KeyReused(error) => error.into(),
            OpenPurchaseError::PackageNotFound => {
                Self::invalid(vec![FieldError::new("package", "must be one of those that GET /v1/packages lists")])
            }
            OpenPurchaseError::Outside(error) => error.into(),
        }
    }
}

impl From<SettleError> for Problem {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::NotFound => Self::not_found("purchase"),
            error @ SettleError::Mismatch(_) => Self::internal(error),
            SettleError::Store(error) => error.into(),
        }
    }
}
