//! Stripe's error envelope, and which errors an idempotency key remembers.
//!
//! It knows nothing about HTTP except the status: <https://docs.stripe.com/api/errors>.

use serde_json::{Map, Value, json};

/// A refusal in the API's words.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) code: Option<&'static str>,
    pub(crate) decline_code: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    /// Objects in the envelope beside the code, such as `payment_intent`.
    attachments: Box<Map<String, Value>>,
    /// Whether the request reached an endpoint, so that its key remembers the refusal.
    /// Invalid parameters are not remembered: <https://docs.stripe.com/api/idempotent_requests>.
    pub(crate) is_remembered: bool,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code,
            decline_code: None,
            message: message.into(),
            param: None,
            attachments: Box::default(),
            is_remembered: false,
        }
    }

    /// Invalid parameters; nothing was started.
    pub(crate) fn invalid_parameter(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..Self::new(400, "invalid_request_error", Some(code), message) }
    }

    pub(crate) fn missing_parameter(param: &str) -> Self {
        Self::invalid_parameter("parameter_missing", param, format!("Missing required param: {param}."))
    }

    /// A request that the object's state does not allow.
    pub(crate) fn invalid_state(code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { is_remembered: true, ..Self::new(400, "invalid_request_error", code, message) }
    }

    /// An object named by the path (404) or, with `param` given, by a parameter (400).
    pub(crate) fn no_such(object: &str, id: &str, param: Option<&str>) -> Self {
        Self {
            param: Some(param.unwrap_or("id").to_owned()),
            is_remembered: true,
            ..Self::new(
                if param.is_some() { 400 } else { 404 },
                "invalid_request_error",
                Some("resource_missing"),
                format!("No such {object}: '{id}'"),
            )
        }
    }

    /// An invoice in one currency while something in another currency is waiting for its invoice.
    pub(crate) fn currencies_combined(other: &str) -> Self {
        let message = format!(
            "You cannot combine currencies on a single customer: this one has an active discount or invoice item with \
             currency {other}."
        );
        Self::invalid_state(None, message)
    }

    pub(crate) fn unrecognized_url(method: &str, path: &str) -> Self {
        Self::new(404, "invalid_request_error", None, format!("Unrecognized request URL ({method}: {path})."))
    }

    /// Version 2 of the API has another envelope, and none of its routes is simulated:
    /// <https://docs.stripe.com/api-v2-overview>.
    pub(crate) fn unrecognized_v2_url(method: &str, path: &str) -> Self {
        Self { code: Some("not_found"), ..Self::unrecognized_url(method, path) }
    }

    pub(crate) fn unknown_version(version: &str) -> Self {
        Self::new(400, "invalid_request_error", None, format!("Invalid Stripe API version: {version}"))
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(401, "invalid_request_error", None, message)
    }

    /// <https://docs.stripe.com/declines/codes>
    pub(crate) fn card(code: &'static str, decline_code: Option<&'static str>, message: &str) -> Self {
        Self { decline_code, is_remembered: true, ..Self::new(402, "card_error", Some(code), message) }
    }

    pub(crate) fn idempotency_mismatch(key: &str) -> Self {
        let message = format!("The idempotency key '{key}' was first used with another path or other parameters.");
        Self::new(400, "idempotency_error", None, message)
    }

    pub(crate) fn idempotency_key_in_use(key: &str) -> Self {
        let message = format!("A request with the idempotency key '{key}' is still in progress.");
        Self::new(409, "idempotency_error", Some("idempotency_key_in_use"), message)
    }

    pub(crate) fn rate_limited() -> Self {
        Self::new(429, "invalid_request_error", Some("rate_limit"), "Too many requests; slow down.")
    }

    pub(crate) fn internal() -> Self {
        Self { is_remembered: true, ..Self::new(500, "api_error", None, "Something went wrong on the server's side.") }
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(503, "api_error", None, "The service cannot be reached for the moment.")
    }

    pub(crate) fn with(mut self, name: &str, object: Value) -> Self {
        self.attachments.insert(name.to_owned(), object);
        self
    }

    /// The content of the envelope, which is also in `last_payment_error`.
    pub(crate) fn object(&self) -> Value {
        let mut error = Map::clone(&self.attachments);
        error.insert("type".into(), json!(self.kind));
        error.insert("message".into(), json!(self.message));
        if let Some(code) = self.code {
            error.insert("code".into(), json!(code));
            let page = code.replace('_', "-");
            error.insert("doc_url".into(), json!(format!("https://stripe.com/docs/error-codes/{page}")));
        }
        if let Some(decline_code) = self.decline_code {
            error.insert("decline_code".into(), json!(decline_code));
        }
        if let Some(param) = &self.param {
            error.insert("param".into(), json!(param));
        }
        Value::Object(error)
    }
}

/// A call of this library that the state of an object does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error.message)
    }
}
