//! The problems for a refused purchase and for a payment whose outcome cannot be recorded.

use super::Problem;
use crate::domain::PriceBook;
use crate::domain::payments::RefusalReason;
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
            OpenPurchaseError::InvoicesNotOffered => Self::invalid(vec![FieldError::new(
                "pay_by",
                "must be page: purchases by invoice are not offered here",
            )]),
            OpenPurchaseError::TooManyUnpaid(_) => {
                let max = PriceBook::UNPAID_INVOICES_MAX;
                let detail = format!(
                    "The account has {max} unpaid purchases by invoice, and may not have more. Pay one of them first, or \
                     buy on a payment page."
                );
                Self::new(409, "too_many_unpaid_invoices", "Too many unpaid invoices", detail)
            }
            OpenPurchaseError::CustomerDeleted => Self::customer_deleted(),
            OpenPurchaseError::InvoiceRefused(reason) => invoice_refused(reason),
            OpenPurchaseError::Outside(error) => error.into(),
        }
    }
}

/// The purchase has ended, and nothing is to be paid for it.
fn invoice_refused(reason: RefusalReason) -> Problem {
    let detail = match reason {
        RefusalReason::NoTaxLocation => {
            let detail = "No invoice was made, because its tax cannot be calculated without the customer's address. Set \
                          it with PUT …/billing-details, and buy again with a new Idempotency-Key.";
            return Problem::new(409, "no_tax_location", "No tax location", detail);
        }
        RefusalReason::OtherCurrency => {
            "No invoice was made, because the customer has other invoices in another currency. Please contact our support."
        }
        RefusalReason::CustomerDeleted | RefusalReason::AboveConsent | RefusalReason::OtherPrice => {
            "No invoice was made, because it would ask for another price. Please contact our support."
        }
    };
    Problem::new(409, "invoice_refused", "Invoice refused", detail)
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
