//! Errors as RFC 9457 problem documents: the one mapping from what went wrong to a status code.

use super::{FieldError, time};
use crate::domain::KeyReused;
use crate::domain::charging::ChargeRefusal;
use crate::domain::payments::AutoTopUpRefusal;
use crate::ports::LedgerError;
use crate::use_cases::accounts::OpenAccountError;
use crate::use_cases::charging::ChargeError;
use crate::use_cases::charging::RestoreError;
use crate::use_cases::payments::OpenPurchaseError;
use crate::use_cases::payments::RecordOutcomeError;
use crate::use_cases::payments::SetAutoTopUpError;
use crate::use_cases::{NotFound, OutsideError, StoreError};
use serde_json::{Map, Value, json};
use std::error::Error;

/// What a client is told, and, apart from it, what only the log is told.
#[derive(Debug)]
pub struct Problem {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: String,
    facts: Map<String, Value>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// How long a client is asked to wait, in seconds.
pub(super) const RETRY_AFTER_SECONDS: u32 = 2;

impl Problem {
    pub fn status(&self) -> u16 {
        self.status
    }

    /// For the log alone.
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }

    pub fn retry_after_seconds(&self) -> Option<u32> {
        (self.status == 503).then_some(RETRY_AFTER_SECONDS)
    }

    pub fn to_json(&self, request_id: &str) -> Value {
        let mut body = self.facts.clone();
        for (name, value) in [
            ("type", json!("about:blank")),
            ("title", json!(self.title)),
            ("status", json!(self.status)),
            ("detail", json!(self.detail)),
            ("code", json!(self.code)),
            ("request_id", json!(request_id)),
        ] {
            body.insert(name.to_owned(), value);
        }
        Value::Object(body)
    }

    pub fn malformed_body() -> Self {
        Self::new(400, "malformed_body", "Malformed body", "The body must be one JSON object.")
    }

    pub fn invalid_signature(detail: impl Into<String>) -> Self {
        Self::new(400, "invalid_signature", "Invalid signature", detail)
    }

    pub fn unauthenticated() -> Self {
        Self::new(401, "unauthenticated", "Unauthenticated", "A token verified by the authorizer is needed.")
    }

    pub fn forbidden(scope: &str) -> Self {
        Self::new(403, "forbidden", "Forbidden", format!("The scope {scope} is needed."))
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(404, "not_found", "Not found", format!("There is no such {what}."))
    }

    pub fn method_not_allowed() -> Self {
        Self::new(405, "method_not_allowed", "Method not allowed", "The path takes other methods.")
    }

    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let errors: Vec<Value> =
            errors.into_iter().map(|error| json!({"field": error.field, "message": error.message})).collect();
        let detail =
            if errors.len() == 1 { "A field is not as it must be." } else { "Some fields are not as they must be." };
        Self::new(422, "invalid_request", "Invalid request", detail).with("errors", errors)
    }

    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(500, "internal_error", "Internal error", "This is a defect of ours.").because(cause)
    }

    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = format!("Nothing is lost; ask again in {RETRY_AFTER_SECONDS} seconds, under the same key.");
        Self::new(503, "unavailable", "Unavailable", detail).because(cause)
    }

    fn new(status: u16, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), facts: Map::new(), cause: None }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl From<ChargeError> for Problem {
    fn from(error: ChargeError) -> Self {
        match error {
            ChargeError::NotFound(error) => error.into(),
            ChargeError::KeyReused(error) => error.into(),
            ChargeError::Refused(ChargeRefusal::Restricted { reason, until }) => {
                let detail = format!("Charges are blocked until {}.", time(until));
                Self::new(403, "account_restricted", "Account restricted", detail)
                    .with("reason", reason.as_str())
                    .with("until", time(until))
            }
            ChargeError::Refused(ChargeRefusal::InsufficientCredits { balance, required }) => {
                let missing = required.get().saturating_sub(balance.get());
                let detail = format!("The charge takes {required} credits, {missing} more than the balance.");
                Self::new(402, "insufficient_credits", "Insufficient credits", detail)
                    .with("balance", balance.get())
                    .with("required", required.get())
                    .with("missing", missing)
            }
            ChargeError::Refused(error @ ChargeRefusal::BalanceOutOfRange(_)) => Self::internal(error),
            ChargeError::Store(error) => error.into(),
        }
    }
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::NotFound(error) => error.into(),
            RestoreError::Refused(error) => Self::internal(error),
            RestoreError::Store(error) => error.into(),
        }
    }
}

impl From<OpenAccountError> for Problem {
    fn from(error: OpenAccountError) -> Self {
        match error {
            OpenAccountError::EmailDiffers => Self::new(
                409,
                "account_exists",
                "Account exists",
                "The account was opened before, with another e-mail address.",
            ),
            OpenAccountError::Outside(error) => error.into(),
        }
    }
}

impl From<SetAutoTopUpError> for Problem {
    fn from(error: SetAutoTopUpError) -> Self {
        let field = |name: &str, message: String| Self::invalid(vec![FieldError::new(name, message)]);
        match error {
            SetAutoTopUpError::NotFound(error) => error.into(),
            SetAutoTopUpError::Refused(AutoTopUpRefusal::OutOfRange(range)) => Self::invalid(vec![range.into()]),
            SetAutoTopUpError::Refused(AutoTopUpRefusal::GapTooSmall { gap_min, target_min, .. }) => {
                field("target", format!("must be at least {gap_min} above threshold, that is from {target_min}"))
            }
            SetAutoTopUpError::Refused(AutoTopUpRefusal::ConsentRequired) => {
                field("consent", "must hold text_version and accepted_by to switch automatic top-ups on".to_owned())
            }
            SetAutoTopUpError::Refused(AutoTopUpRefusal::ConsentOutdated { current, .. }) => {
                field("consent.text_version", format!("must be {current}, the version shown now"))
            }
            SetAutoTopUpError::Store(error) => error.into(),
        }
    }
}

impl From<OpenPurchaseError> for Problem {
    fn from(error: OpenPurchaseError) -> Self {
        match error {
            OpenPurchaseError::NotFound(error) => error.into(),
            OpenPurchaseError::KeyReused(error) => error.into(),
            OpenPurchaseError::PackageNotFound(_) => {
                Self::invalid(vec![FieldError::new("package", "must be one of those that GET /v1/packages lists")])
            }
            OpenPurchaseError::Outside(error) => error.into(),
        }
    }
}

impl From<RecordOutcomeError> for Problem {
    fn from(error: RecordOutcomeError) -> Self {
        match error {
            RecordOutcomeError::NotFound(error) => error.into(),
            error @ RecordOutcomeError::Mismatch(_) => Self::internal(error),
            RecordOutcomeError::Store(error) => error.into(),
        }
    }
}

/// The same answer for what does not exist and for what belongs to another account.
impl From<NotFound> for Problem {
    fn from(error: NotFound) -> Self {
        Self::not_found(match error {
            NotFound::Account(_) => "account",
            NotFound::Charge(_) => "charge",
            NotFound::Purchase(_) => "purchase",
            NotFound::TopUp(_) => "top-up",
        })
    }
}

impl From<KeyReused> for Problem {
    fn from(error: KeyReused) -> Self {
        let detail = format!("The idempotency key {} was used before for another request.", error.key);
        Self::new(409, "idempotency_key_reused", "Conflict", detail)
    }
}

impl From<OutsideError> for Problem {
    fn from(error: OutsideError) -> Self {
        if error.is_retryable() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        StoreError::from(error).into()
    }
}
