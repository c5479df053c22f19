//! What happens to an API request before and after its operation: faults, authentication, version, idempotency,
//! headers, log.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use serde_json::json;

use crate::error::ApiError;
use crate::faults::FaultAction;
use crate::idempotency::{Answer, Fingerprint};
use crate::request_log::RequestRecord;
use crate::router;
use crate::server::{ConnectionLost, Core, LocalStripe};
use crate::state::{API_VERSION, SIMULATED_VERSIONS};

/// The parts of a request that the stages need.
struct Call {
    method: Method,
    path: String,
    /// The parameters: the body of a POST, otherwise the query.
    encoded: Bytes,
    content_type: Option<String>,
    authorization: Option<String>,
    version: String,
    /// Only used for POST: <https://docs.stripe.com/api/idempotent_requests>.
    idempotency_key: Option<String>,
}

/// The result of a call, before network faults.
struct Ending {
    answer: Answer,
    is_replayed: bool,
}

pub(crate) async fn answer(stripe: &LocalStripe, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionLost> {
    let call = Call::read(request);
    let (fault, request_id) = {
        let mut core = stripe.core();
        (core.faults.take(call.method.as_str(), &call.path), core.state.ids.next("req_"))
    };
    if fault == Some(FaultAction::LoseRequest) {
        stripe.core().log_call(&call, None, true);
        return Err(ConnectionLost);
    }
    let ending = run(stripe, &call, fault, &request_id).await;
    let is_lost = fault == Some(FaultAction::LoseAnswer);
    stripe.core().log_call(&call, Some(&ending), is_lost);
    if is_lost { Err(ConnectionLost) } else { Ok(respond(&call, &ending, &request_id)) }
}

async fn run(stripe: &LocalStripe, call: &Call, fault: Option<FaultAction>, request_id: &str) -> Ending {
    let begun = stripe.core().begin(call, fault);
    match begun {
        Err(refusal) => return Ending::of(refused(&refusal, request_id)),
        Ok(Some(answer)) => return Ending { answer, is_replayed: true },
        Ok(None) => {}
    }
    if let Some(FaultAction::Latency { milliseconds }) = fault {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
    Ending::of(stripe.core().execute(call, fault, request_id))
}

impl Core {
    /// Everything that can refuse a request before its operation starts, or answer it from its key.
    fn begin(&mut self, call: &Call, fault: Option<FaultAction>) -> Result<Option<Answer>, ApiError> {
        match fault {
            Some(FaultAction::RateLimit) => return Err(ApiError::rate_limited()),
            Some(FaultAction::Unavailable) => return Err(ApiError::unavailable()),
            _ => {}
        }
        self.authenticate(call)?;
        call.require_version()?;
        if call.path.starts_with("/v2/") {
            return Err(ApiError::unrecognized_v2_url(call.method.as_str(), &call.path));
        }
        call.require_form()?;
        match &call.idempotency_key {
            None => Ok(None),
            Some(key) => {
                let fingerprint = Fingerprint {
                    method: call.method.to_string(),
                    path: call.path.clone(),
                    body: call.encoded.clone(),
                };
                self.keys.begin(key, fingerprint, self.state.now)
            }
        }
    }

    /// The key as a bearer token or as the user name of Basic: <https://docs.stripe.com/api/authentication>.
    fn authenticate(&self, call: &Call) -> Result<(), ApiError> {
        let authorization = call
            .authorization
            .as_deref()
            .ok_or_else(|| ApiError::unauthorized("No API key: send it as a bearer token or as the Basic user."))?;
        let key = match authorization.split_once(' ') {
            Some(("Bearer", key)) => Some(key.trim().to_owned()),
            Some(("Basic", encoded)) => STANDARD
                .decode(encoded.trim())
                .ok()
                .and_then(|decoded| String::from_utf8(decoded).ok())
                .and_then(|pair| pair.split_once(':').map(|(user, _)| user.to_owned())),
            _ => None,
        };
        match key {
            Some(key) if self.api_keys.contains(&key) => Ok(()),
            _ => Err(ApiError::unauthorized("Invalid API key.")),
        }
    }

    fn execute(&mut self, call: &Call, fault: Option<FaultAction>, request_id: &str) -> Answer {
        let result = match fault {
            Some(FaultAction::InternalError) => Err(ApiError::internal()),
            Some(FaultAction::Refuse { refusal }) => Err(refusal.error()),
            _ => router::answer(&mut self.state, &call.method, &call.path, &call.encoded),
        };
        let result =
            if fault == Some(FaultAction::InternalErrorAfterEffect) { Err(ApiError::internal()) } else { result };
        let (answer, is_remembered) = match &result {
            Ok(object) => (Answer::new(200, object, request_id), true),
            Err(refusal) => (refused(refusal, request_id), refusal.is_remembered),
        };
        if let Some(key) = &call.idempotency_key {
            self.keys.finish(key, is_remembered.then(|| answer.clone()));
        }
        answer
    }

    fn log_call(&mut self, call: &Call, ending: Option<&Ending>, is_lost: bool) {
        self.log.add(RequestRecord {
            at: self.state.now,
            method: call.method.to_string(),
            path: call.path.clone(),
            idempotency_key: call.idempotency_key.clone(),
            status: ending.map(|ending| ending.answer.status),
            is_lost,
            is_replayed: ending.is_some_and(|ending| ending.is_replayed),
        });
    }
}

impl Call {
    fn read(request: Request<Bytes>) -> Self {
        let (head, body) = request.into_parts();
        let header = |name: &str| text(&head.headers, name);
        let is_post = head.method == Method::POST;
        let query = || Bytes::from(head.uri.query().unwrap_or_default().to_owned());
        Self {
            encoded: if is_post { body } else { query() },
            path: head.uri.path().to_owned(),
            content_type: header("content-type"),
            authorization: header("authorization"),
            version: header("stripe-version").unwrap_or_else(|| API_VERSION.to_owned()),
            idempotency_key: header("idempotency-key").filter(|key| is_post && !key.is_empty()),
            method: head.method,
        }
    }

    /// <https://docs.stripe.com/api/versioning>
    fn require_version(&self) -> Result<(), ApiError> {
        if SIMULATED_VERSIONS.contains(&self.version.as_str()) {
            return Ok(());
        }
        Err(ApiError::unknown_version(&self.version))
    }

    fn require_form(&self) -> Result<(), ApiError> {
        let is_form =
            self.content_type.as_deref().is_none_or(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form || self.encoded.is_empty() {
            return Ok(());
        }
        let message = "Parameters of this API are sent as application/x-www-form-urlencoded.";
        Err(ApiError::invalid_parameter("parameter_invalid", "Content-Type", message))
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

impl Ending {
    fn of(answer: Answer) -> Self {
        Self { answer, is_replayed: false }
    }
}

impl Answer {
    fn new(status: u16, body: &serde_json::Value, request_id: &str) -> Self {
        let body = serde_json::to_vec_pretty(body).expect("a JSON value is always written");
        Self { status, body: body.into(), request_id: request_id.to_owned() }
    }
}

fn refused(refusal: &ApiError, request_id: &str) -> Answer {
    Answer::new(refusal.status, &json!({ "error": refusal.object() }), request_id)
}

fn respond(call: &Call, ending: &Ending, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(ending.answer.body.clone());
    *response.status_mut() =
        http::StatusCode::from_u16(ending.answer.status).expect("every status here is between 200 and 503");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut insert = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    insert("request-id", request_id);
    insert("stripe-version", &call.version);
    if let Some(key) = &call.idempotency_key {
        insert("idempotency-key", key);
        insert("original-request", &ending.answer.request_id);
    }
    if ending.is_replayed {
        insert("idempotent-replayed", "true");
    }
    response
}
