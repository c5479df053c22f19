//! The errors of a call to Stripe, with only the facts that a decision needs.
//!
//! Stripe's error object is never kept whole: it holds messages, cards and customers that must not be logged.

use crate::ports::PaymentsError;
use std::error::Error;
use std::fmt::{self, Display};
use stripe_client_core::StripeClientErr;

/// Why a call returned no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// A timeout, or a connection that failed or was lost: Stripe may have carried out the request.
    #[error("Stripe gave no answer")]
    NoAnswer(#[source] Box<dyn Error + Send + Sync>),
    /// Stripe carried out the request, but its answer cannot be parsed.
    #[error("Stripe's answer cannot be parsed: {0}")]
    Unreadable(String),
    #[error("Stripe refused the request: {0}")]
    Refused(Box<Refusal>),
    /// A bug in our code, caught before the request was sent.
    #[error("the request was not sent: {0}")]
    NotSent(&'static str),
}

/// A response with a status outside 200–299. <https://docs.stripe.com/api/errors>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// Identifies the call for Stripe's support: <https://docs.stripe.com/api/request_ids>.
    pub request_id: Option<String>,
    /// The envelope's `type`, such as `card_error`.
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
    pub param: Option<String>,
    /// Whether the message says that a customer cannot have several currencies, for which Stripe has no error code.
    pub combines_currencies: bool,
    /// The value of `Stripe-Should-Retry`: whether Stripe recommends retrying the same request.
    pub should_retry: Option<bool>,
    /// Whether this is the stored answer to an earlier request with the same idempotency key.
    pub is_replayed: bool,
    /// How many times the call was sent, including the last time.
    pub tries: u32,
}

impl Refusal {
    /// Whether the status says that the request itself is not the problem, but a key in use, rate limiting or an
    /// outage.
    /// <https://docs.stripe.com/error-low-level>
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 409 | 424 | 429 | 500..=599)
    }

    /// Whether the request itself is the problem, rather than its API key or its timing.
    pub(super) fn is_about_request(&self) -> bool {
        matches!(self.status, 400 | 402 | 404)
    }
}

impl Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "status {}", self.status)?;
        for (name, value) in [
            ("type", &self.kind),
            ("code", &self.code),
            ("decline_code", &self.decline_code),
            ("param", &self.param),
            ("request", &self.request_id),
        ] {
            if let Some(value) = value {
                write!(formatter, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

impl StripeError {
    /// Whether the outcome is unknown and the same request may get another answer later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Unreadable(_) => true,
            Self::Refused(refusal) => refusal.is_transient(),
            Self::NotSent(_) => false,
        }
    }

    /// Whether to retry the same request right away, after a short delay.
    pub(super) fn is_worth_retrying(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Unreadable(_) | Self::NotSent(_) => false,
            Self::Refused(_) if self.is_stored_failure() => false,
            Self::Refused(refusal) => refusal.should_retry.unwrap_or_else(|| refusal.is_transient()),
        }
    }

    /// Whether Stripe has stored a failure of its own under the idempotency key, so that the key can no longer succeed.
    pub(super) fn is_stored_failure(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_replayed && refusal.status >= 500)
    }

    /// Whether an earlier call sent the key with other parameters, as happens when a deployment changes a parameter.
    pub(super) fn is_key_of_other_parameters(&self) -> bool {
        matches!(self, Self::Refused(refusal)
            if refusal.status == 400 && refusal.kind.as_deref() == Some("idempotency_error"))
    }

    /// Whether that failure happened in an earlier call, and this call only read the stored answer.
    pub(super) fn is_earlier_failure(&self) -> bool {
        self.is_stored_failure() && matches!(self, Self::Refused(refusal) if refusal.tries == 1)
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404
            || refusal.code.as_deref() == Some("resource_missing"))
    }

    pub(super) fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code.as_deref() == Some(code))
    }

    /// The parameter that Stripe does not accept.
    pub(super) fn refused_parameter(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) if refusal.status == 400 => refusal.param.as_deref(),
            _ => None,
        }
    }

    /// Whether a payment method cannot be detached, because it is attached to nobody.
    /// <https://docs.stripe.com/error-codes#payment-method-unexpected-state>
    pub(super) fn is_unexpected_state(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 400
            && refusal.code.as_deref() == Some("payment_method_unexpected_state"))
    }

    /// The port's error for this error.
    pub(super) fn during(self, operation: &'static str) -> PaymentsError {
        if self.is_transient() {
            PaymentsError::Unavailable { operation, source: Box::new(self) }
        } else if self.is_not_found() {
            PaymentsError::NotFound { operation }
        } else {
            PaymentsError::Rejected { operation, source: Box::new(self) }
        }
    }
}

/// `None` if there is no such object.
pub(super) fn existing<T>(answer: Result<T, StripeError>) -> Result<Option<T>, StripeError> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl StripeClientErr for StripeError {
    fn deserialize_err(message: impl Display) -> Self {
        Self::Unreadable(message.to_string())
    }
}
