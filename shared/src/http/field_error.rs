//! What is wrong with one field of a request.

use crate::domain::{InvalidId, OutOfRange};

/// One invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl From<OutOfRange> for FieldError {
    fn from(OutOfRange { field, min, max, .. }: OutOfRange) -> Self {
        Self::new(field, format!("must be an integer from {min} to {max}"))
    }
}

impl From<InvalidId> for FieldError {
    fn from(InvalidId { what, expected }: InvalidId) -> Self {
        Self::new(what, format!("must be {expected}"))
    }
}
