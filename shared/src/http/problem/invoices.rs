//! The problems for invoices that cannot be shown.

use super::Problem;
use crate::http::FieldError;
use crate::use_cases::payments::ReadInvoicesError;

impl From<ReadInvoicesError> for Problem {
    fn from(error: ReadInvoicesError) -> Self {
        match error {
            ReadInvoicesError::NotFound(error) => error.into(),
            ReadInvoicesError::UnknownCursor => {
                Self::invalid(vec![FieldError::new("cursor", "must be the next_cursor of a page")])
            }
            ReadInvoicesError::Outside(error) => error.into(),
        }
    }
}
