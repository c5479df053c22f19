//! What can go wrong between us and Stripe, with the facts a decision needs and nothing else.
//!
//! Stripe's error object is never kept whole: it carries messages, cards and customers that belong in no log.

use crate::ports::PaymentsError;
use std::error::Error;
use std::fmt::{self, Display};
use stripe_client_core::StripeClientErr;

/// Why a call brought no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// A timeout, or a connection that could not be made or was lost: Stripe may have done what was asked.
    #[error("Stripe gave no answer")]
    NoAnswer(#[source] Box<dyn Error + Send + Sync>),
    /// Stripe did what was asked, and said so in words that cannot be read.
    #[error("Stripe's answer cannot be read: {0}")]
    Unreadable(String),
    #[error("Stripe refused: {0}")]
    Refused(Box<Refusal>),
    /// A defect of ours, caught before anything was sent.
    #[error("the request was not sent: {0}")]
    NotSent(&'static str),
}

/// An answer outside 200–299. <https://docs.stripe.com/api/errors>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// Names the call to Stripe's support: <https://docs.stripe.com/api/request_ids>.
    pub request_id: Option<String>,
    /// The envelope's `type`, such as `card_error`.
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
    pub param: Option<String>,
    /// Stripe's own word on whether the same request is worth sending again, in `Stripe-Should-Retry`.
    pub should_retry: Option<bool>,
    /// Whether it is the stored answer of an earlier request under the same key.
    pub is_replayed: bool,
    /// How often the call was sent, this answer's request included.
    pub attempts: u32,
}

impl Refusal {
    /// Whether the status says that it is not about the request: the key is in use, too many requests, an outage.
    /// <https://docs.stripe.com/error-low-level>
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 409 | 424 | 429 | 500..=599)
    }

    /// Whether it is about what was asked, and not about who asked, or when.
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
    /// Whether nothing can be concluded, and the same request may get another answer later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Unreadable(_) => true,
            Self::Refused(refusal) => refusal.is_transient(),
            Self::NotSent(_) => false,
        }
    }

    /// Whether to send the same request again at once, after a pause.
    pub(super) fn is_worth_repeating(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Unreadable(_) | Self::NotSent(_) => false,
            Self::Refused(_) if self.is_remembered_failure() => false,
            Self::Refused(refusal) => refusal.should_retry.unwrap_or_else(|| refusal.is_transient()),
        }
    }

    /// Whether Stripe keeps a failure of its own under the key: the request is over, and the key of no more use.
    pub(super) fn is_remembered_failure(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_replayed && refusal.status >= 500)
    }

    /// Whether an earlier call met that failure, and this one has only heard of it.
    pub(super) fn is_failure_of_old(&self) -> bool {
        self.is_remembered_failure() && matches!(self, Self::Refused(refusal) if refusal.attempts == 1)
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404
            || refusal.code.as_deref() == Some("resource_missing"))
    }

    /// The port's error for it.
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

impl StripeClientErr for StripeError {
    fn deserialize_err(message: impl Display) -> Self {
        Self::Unreadable(message.to_string())
    }
}
