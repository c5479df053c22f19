//! A text that must not be seen: an API key, a webhook endpoint's signing secret.
//!
//! It has no `Display`, and its `Debug` hides it, so it cannot slip into a log with the value that holds it.

use std::fmt;

/// A secret of Stripe's, as Stripe wrote it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
