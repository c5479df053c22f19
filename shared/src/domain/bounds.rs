//! A number and its valid range.

/// A field outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be from {min} to {max}, not {value}")]
pub struct OutOfRange {
    pub field: &'static str,
    pub min: i64,
    pub max: i64,
    pub value: i64,
}

/// # Errors
/// [`OutOfRange`] with the field and its bounds.
pub fn within(field: &'static str, value: i64, min: i64, max: i64) -> Result<i64, OutOfRange> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(OutOfRange { field, min, max, value }) }
}
