//! Answers.

use super::Problem;
use super::problem::RETRY_AFTER_SECONDS;
use crate::error::chain;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderName, HeaderValue, Method, StatusCode};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;

/// A page of ours loads nothing, runs nothing, sends nothing and is shown in no frame; its style stands within it.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer that is not a problem.
///
/// No answer is kept by anybody on its way, since each is about one customer's money at one moment.
#[derive(Debug)]
pub struct Reply(Response<Body>);

impl Reply {
    /// # Errors
    /// A 500 where the body cannot be written as JSON.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(200, body)
    }

    /// 201 where the request did something now, 200 with `Idempotent-Replayed` where it did before.
    ///
    /// # Errors
    /// A 500 where the body cannot be written as JSON.
    pub fn created(body: &impl Serialize, is_replay: bool) -> Result<Self, Problem> {
        if is_replay {
            Ok(Self::json(200, body)?.with_header(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true")))
        } else {
            Self::json(201, body)
        }
    }

    pub fn empty() -> Self {
        Self::new(200, Body::Empty)
    }

    pub fn html(status: u16, page: String) -> Self {
        Self::new(status, Body::Text(page))
            .with_header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
            .with_header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY))
    }

    /// 302: the customer's browser goes on to a page that must not be remembered.
    ///
    /// # Errors
    /// A 500 where no header can carry the address.
    pub fn redirect(url: &str) -> Result<Self, Problem> {
        let location = HeaderValue::from_str(url).map_err(Problem::internal)?;
        Ok(Self::new(302, Body::Empty).with_header(LOCATION, location))
    }

    fn json(status: u16, body: &impl Serialize) -> Result<Self, Problem> {
        let text = serde_json::to_string(body).map_err(Problem::internal)?;
        Ok(Self::new(status, Body::Text(text)).with_header(CONTENT_TYPE, HeaderValue::from_static("application/json")))
    }

    fn problem(problem: &Problem, request_id: &str) -> Self {
        Self::new(problem.status(), Body::Text(problem.to_json(request_id).to_string()))
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
    }

    fn new(status: u16, body: Body) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // The address of a page may be all that it takes to pay: no other page is told it.
        let reply = Self(response)
            .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .with_header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        match status {
            503 => reply.with_header(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS)),
            _ => reply,
        }
    }

    /// The answer with a header, in the place of one of that name.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    /// The answer with one more cookie, `name=value; Secure; …`. API Gateway takes cookies apart from other headers.
    #[must_use]
    pub fn with_cookie(mut self, cookie: HeaderValue) -> Self {
        self.0.headers_mut().append(SET_COOKIE, cookie);
        self
    }
}

/// Turns what a route came to into the response, and logs once what is ours to look at.
pub fn respond(request: &Request, outcome: Result<Reply, Problem>) -> Response<Body> {
    let reply = outcome.unwrap_or_else(|problem| {
        let request_id = request_id(request);
        let error = problem.cause().map(chain).unwrap_or_default();
        match problem.status() {
            503 => tracing::warn!(request.id = %request_id, error, "try again"),
            500.. => tracing::error!(request.id = %request_id, error, "failed"),
            _ => {}
        }
        Reply::problem(&problem, &request_id)
    });
    let mut response = reply.0;
    if request.method() == Method::HEAD {
        *response.body_mut() = Body::Empty;
    }
    response
}

fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().unwrap_or_default(),
        _ => String::new(),
    }
}
