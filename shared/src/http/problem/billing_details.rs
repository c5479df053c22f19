//! The problems for billing details that cannot be shown or replaced.

use super::Problem;
use crate::domain::payments::RefusedDetail;
use crate::http::FieldError;
use crate::use_cases::payments::BillingDetailsError;

impl From<BillingDetailsError> for Problem {
    fn from(error: BillingDetailsError) -> Self {
        match error {
            BillingDetailsError::NotFound(error) => error.into(),
            BillingDetailsError::Closed(closed) => closed.into(),
            BillingDetailsError::CustomerDeleted => Self::customer_deleted(),
            BillingDetailsError::Refused(detail) => Self::invalid(vec![refused(detail)]),
            BillingDetailsError::Outside(error) => error.into(),
        }
    }
}

fn refused(detail: RefusedDetail) -> FieldError {
    let (field, message) = match detail {
        RefusedDetail::NoAddress => ("address", "is required, because the tax follows from it"),
        RefusedDetail::Address => {
            ("address", "must be complete enough to tell the tax, in the US with the postal code")
        }
        RefusedDetail::TaxIdType => ("tax_id.type", "must be a type of tax id that Stripe accepts for this customer"),
        RefusedDetail::TaxIdValue => ("tax_id.value", "must be a tax id of this type"),
        RefusedDetail::NoRoomForPoNumber => {
            ("po_number", "must be left out, because the invoices of this customer show four other fields")
        }
    };
    FieldError::new(field, message)
}
