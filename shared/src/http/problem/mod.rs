//! Errors as RFC 9457 problem documents: the only mapping from errors to status codes.
//!
//! Each use case's errors are mapped in a file of their own.

mod auto_top_up;
mod billing_details;
mod charge;
mod contacts;
mod ending;
mod explain_entry;
mod find_payments;
mod invoices;
mod liability;
mod open_account;
mod outside;
mod payment_issue;
mod portal;
mod prove_payment;
mod purchase;
mod saved_cards;
mod setting;
mod support;
mod usage;
mod verification;

pub use charge::status_of;

use super::FieldError;
use serde_json::{Map, Value, json};
use std::error::Error;

/// What the client is told and, separately, what only the log is told.
#[derive(Debug)]
pub struct Problem {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: String,
    facts: Map<String, Value>,
    retry_after_seconds: Option<u32>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// How many seconds a client is asked to wait.
pub(super) const RETRY_AFTER_SECONDS: u32 = 2;

impl Problem {
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What happened, in two or three words.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What is wrong with each field, if that is the problem.
    pub fn field_messages(&self) -> Vec<(&str, &str)> {
        let errors = self.facts.get("errors").and_then(Value::as_array).into_iter().flatten();
        errors.filter_map(|error| Some((error["field"].as_str()?, error["message"].as_str()?))).collect()
    }

    /// What happened, in one word.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What happened, in one sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// How long the client should wait, if waiting helps.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after_seconds
    }

    /// Only for the log.
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }

    pub fn to_json(&self, request_id: &str) -> Value {
        let mut body = self.to_part();
        body.insert("request_id".to_owned(), json!(request_id));
        Value::Object(body)
    }

    /// The document within a larger one: it has no `request_id` of its own.
    pub fn to_part(&self) -> Map<String, Value> {
        let mut body = self.facts.clone();
        for (name, value) in [
            ("type", json!("about:blank")),
            ("title", json!(self.title)),
            ("status", json!(self.status)),
            ("detail", json!(self.detail)),
            ("code", json!(self.code)),
        ] {
            body.insert(name.to_owned(), value);
        }
        body
    }

    /// The code and the facts, for a problem that is foreseen and not met.
    pub fn to_foreseen(&self) -> Value {
        let mut body = self.facts.clone();
        body.insert("code".to_owned(), json!(self.code));
        Value::Object(body)
    }

    pub fn malformed_body() -> Self {
        Self::new(400, "malformed_body", "Malformed body", "The body must be a JSON object.")
    }

    pub fn malformed_csv() -> Self {
        Self::new(400, "malformed_body", "Malformed body", "The body must be a table in CSV, in UTF-8.")
    }

    pub fn invalid_signature(detail: impl Into<String>) -> Self {
        Self::new(400, "invalid_signature", "Invalid signature", detail)
    }

    pub fn unauthenticated() -> Self {
        Self::new(401, "unauthenticated", "Unauthenticated", "The request needs a valid access token.")
    }

    /// The token needs one of `scopes`.
    pub fn forbidden(scopes: &[&str]) -> Self {
        Self::new(403, "forbidden", "Forbidden", format!("The token needs the scope {}.", scopes.join(" or ")))
    }

    /// A form of another site, or of a page that is no longer valid.
    pub fn foreign_form() -> Self {
        let detail = "This form does not come from your current session. Nothing was changed.";
        Self::new(403, "foreign_form", "This form is not valid any more", detail)
    }

    /// The company let its customer look only.
    pub fn read_only_session() -> Self {
        let detail = "You may look at this account, but not change it.";
        Self::new(403, "read_only_session", "You may only look", detail)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(404, "not_found", "Not found", format!("There is no such {what}."))
    }

    pub fn method_not_allowed() -> Self {
        Self::new(405, "method_not_allowed", "Method not allowed", "The path does not support this method.")
    }

    pub fn body_too_large(bytes_max: usize) -> Self {
        let detail = format!("The body may have at most {bytes_max} bytes.");
        Self::new(413, "body_too_large", "Body too large", detail)
    }

    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let errors: Vec<Value> =
            errors.into_iter().map(|error| json!({"field": error.field, "message": error.message})).collect();
        let detail = if errors.len() == 1 { "One field is invalid." } else { "Several fields are invalid." };
        Self::new(422, "invalid_request", "Invalid request", detail).with("errors", errors)
    }

    /// The body names a card that is not saved with the account's customer.
    fn card_not_saved() -> Self {
        Self::invalid(vec![FieldError::new("payment_method", "must be a saved card of this customer")])
    }

    /// More requests for one account than this many per second.
    pub fn too_many_requests(per_second: u32, retry_after_seconds: u32) -> Self {
        let seconds =
            if retry_after_seconds == 1 { "1 second".to_owned() } else { format!("{retry_after_seconds} seconds") };
        let detail = format!("More than {per_second} requests per second for one account. Try again in {seconds}.");
        let problem = Self::new(429, "too_many_requests", "Too many requests", detail);
        Self { retry_after_seconds: Some(retry_after_seconds), ..problem }
    }

    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(500, "internal_error", "Internal error", "This is an error on our side.").because(cause)
    }

    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail =
            format!("Nothing is lost. Try again in {RETRY_AFTER_SECONDS} seconds with the same idempotency key.");
        Self::new(503, "unavailable", "Unavailable", detail).because(cause)
    }

    fn new(status: u16, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), facts: Map::new(), retry_after_seconds: None, cause: None }
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
