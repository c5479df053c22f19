//! Idempotency keys: the same request gets the first answer again, whatever it was.
//!
//! <https://docs.stripe.com/api/idempotent_requests>

use std::collections::HashMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::error::ApiError;

const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
const LENGTH_MAX: usize = 255;

/// The properties that make two requests the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// An answer as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) request_id: String,
}

#[derive(Debug)]
struct Entry {
    fingerprint: Fingerprint,
    first_used_at: Timestamp,
    /// `None` while the first request is still in progress.
    answer: Option<Answer>,
}

#[derive(Debug, Default)]
pub(crate) struct Keys(HashMap<String, Entry>);

impl Keys {
    /// The stored answer, or `None` if this is the first request with its key and may start.
    pub(crate) fn begin(
        &mut self,
        key: &str,
        fingerprint: Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Answer>, ApiError> {
        self.0.retain(|_, entry| entry.answer.is_none() || now.duration_since(entry.first_used_at) < KEPT_FOR);
        if key.len() > LENGTH_MAX {
            let message = format!("An idempotency key has at most {LENGTH_MAX} characters.");
            return Err(ApiError::invalid_parameter("parameter_invalid", "Idempotency-Key", message));
        }
        match self.0.get(key) {
            Some(entry) if entry.fingerprint != fingerprint => Err(ApiError::idempotency_mismatch(key)),
            Some(Entry { answer: None, .. }) => Err(ApiError::idempotency_key_in_use(key)),
            Some(Entry { answer: Some(answer), .. }) => Ok(Some(answer.clone())),
            None => {
                self.0.insert(key.to_owned(), Entry { fingerprint, first_used_at: now, answer: None });
                Ok(None)
            }
        }
    }

    /// Stores the answer. `None` frees the key again.
    pub(crate) fn finish(&mut self, key: &str, answer: Option<Answer>) {
        match (answer, self.0.get_mut(key)) {
            (Some(answer), Some(entry)) => entry.answer = Some(answer),
            (None, _) => {
                self.0.remove(key);
            }
            (Some(_), None) => {}
        }
    }
}
