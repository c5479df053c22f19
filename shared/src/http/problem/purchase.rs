//! The problems for a refused purchase and for a payment whose outcome cannot be recorded.

use super::Problem;
use crate::http::FieldError;
use crate::use_cases::OutsideError;
use crate::use_cases::payments::OpenPurchaseError;
use crate::use_cases::payments::RecordOutcomeError;

impl From<OpenPurchaseError> for Problem {
    fn from(error: OpenPurchaseError) -> Self {
        match error {
            OpenPurchaseError::NotFound(error) => error.into(),
            OpenPurchaseError::Closed(closed) => closed.into(),
            OpenPurchaseError::KeyReused(error) => error.into(),
            OpenPurchaseError::PackageNotFound(_) => {
                Self::invalid(vec![FieldError::new("package", "must be one of those that GET /v1/packages lists")])
            }
            OpenPurchaseError::CustomerDeleted => Self::customer_deleted(),
            OpenPurchaseError::Outside(error) => error.into(),
        }
    }
}

impl Problem {
    /// The account cannot pay until its record at Stripe is repaired.
    pub(super) fn customer_deleted() -> Self {
        Self::new(
            409,
            "customer_deleted",
            "Customer deleted",
            "Nothing was charged. The account's record at our payment provider was deleted, so nothing can be bought \
             for now. Please contact our support.",
        )
    }
}

impl From<RecordOutcomeError> for Problem {
    fn from(error: RecordOutcomeError) -> Self {
        match error {
            RecordOutcomeError::NotFound(error) => error.into(),
            error @ RecordOutcomeError::Mismatch(_) => Self::internal(error),
            RecordOutcomeError::Payments(error) => OutsideError::from(error).into(),
            RecordOutcomeError::Store(error) => error.into(),
        }
    }
}
