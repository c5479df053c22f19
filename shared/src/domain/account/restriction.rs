//! A temporary block of charges, set by support.

use crate::domain::RestrictionReason;
use jiff::Timestamp;

/// A temporary block of charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Shown to the customer.
    pub reason: RestrictionReason,
    /// The first instant at which charges work again.
    pub until: Timestamp,
}
