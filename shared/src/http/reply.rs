//! Responses.

use super::Problem;
use super::problem::RETRY_AFTER_SECONDS;
use crate::domain::RequestId;
use crate::error::chain;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderName, HeaderValue, Method, StatusCode};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;

/// Our pages load nothing, run nothing, send nothing and cannot be framed. Their style is inline.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The same, for a page with a button that sends a form to its own address.
const FORM_PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A response that is not a problem.
///
/// No response may be cached, since each is about one customer's money at one moment.
#[derive(Debug)]
pub struct Reply(Response<Body>);

impl Reply {
    /// # Errors
    /// A 500 if the body cannot be serialized as JSON.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::json(200, body)
    }

    /// 201 if this request had the effect, 200 with `Idempotent-Replayed` if an earlier one had it.
    ///
    /// # Errors
    /// A 500 if the body cannot be serialized as JSON.
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

    /// A page with a form that is sent to the page's own address.
    pub fn html_form(status: u16, page: String) -> Self {
        Self::html(status, page).with_header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(FORM_PAGE_POLICY))
    }

    /// 302: sends the customer's browser to a page whose address must not be cached.
    ///
    /// # Errors
    /// A 500 if the URL is not valid in a header.
    pub fn redirect(url: &str) -> Result<Self, Problem> {
        let location = HeaderValue::from_str(url).map_err(Problem::internal)?;
        Ok(Self::new(302, Body::Empty).with_header(LOCATION, location))
    }

    /// 303: the browser gets this page of ours instead, also after a form.
    ///
    /// # Errors
    /// A 500 if the path is not valid in a header.
    pub fn see_other(path: &str) -> Result<Self, Problem> {
        let location = HeaderValue::from_str(path).map_err(Problem::internal)?;
        Ok(Self::new(303, Body::Empty).with_header(LOCATION, location))
    }

    /// A text of this media type.
    ///
    /// # Errors
    /// A 500 if the media type is not valid in a header.
    pub fn text(media_type: &str, text: String) -> Result<Self, Problem> {
        let media_type = HeaderValue::from_str(media_type).map_err(Problem::internal)?;
        Ok(Self::new(200, Body::Text(text)).with_header(CONTENT_TYPE, media_type))
    }

    fn json(status: u16, body: &impl Serialize) -> Result<Self, Problem> {
        let text = serde_json::to_string(body).map_err(Problem::internal)?;
        Ok(Self::new(status, Body::Text(text)).with_header(CONTENT_TYPE, HeaderValue::from_static("application/json")))
    }

    fn problem(problem: &Problem, request_id: &str) -> Self {
        let reply = Self::new(problem.status(), Body::Text(problem.to_json(request_id).to_string()))
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match problem.retry_after_seconds() {
            Some(seconds) => reply.with_header(RETRY_AFTER, HeaderValue::from(seconds)),
            None => reply,
        }
    }

    fn new(status: u16, body: Body) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // The URL of a page may be all that is needed to pay, so no other page gets it as a referrer.
        let reply = Self(response)
            .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .with_header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        match status {
            503 => reply.with_header(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS)),
            _ => reply,
        }
    }

    /// The response with a header, which replaces any header of that name.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    /// The response with one more cookie, `name=value; Secure; …`. API Gateway returns cookies separately from the
    /// headers.
    #[must_use]
    pub fn with_cookie(mut self, cookie: HeaderValue) -> Self {
        self.0.headers_mut().append(SET_COOKIE, cookie);
        self
    }
}

/// Converts a route's result into the response, and logs our own errors once.
pub fn respond(request: &Request, outcome: Result<Reply, Problem>) -> Response<Body> {
    let reply = outcome.unwrap_or_else(|problem| {
        log(request, &problem);
        Reply::problem(&problem, id_of(request))
    });
    let mut response = reply.0;
    if request.method() == Method::HEAD {
        *response.body_mut() = Body::Empty;
    }
    response
}

/// Logs our own errors, with their causes.
pub fn log(request: &Request, problem: &Problem) {
    let request_id = id_of(request);
    let error = problem.cause().map(chain).unwrap_or_default();
    match problem.status() {
        503 => tracing::warn!(request.id = %request_id, error, "try again"),
        500.. => tracing::error!(request.id = %request_id, error, "failed"),
        _ => {}
    }
}

/// The id that API Gateway gave to the request, if it looks like one.
pub fn request_id(request: &Request) -> Option<RequestId> {
    RequestId::parse(id_of(request)).ok()
}

fn id_of(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref().unwrap_or_default(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R12: HEAD is answered as GET is, without the body. Over HTTP no client could tell, since none reads one.
    #[test]
    fn head_gets_the_answer_of_get_without_its_body() {
        let answer = |method| {
            let mut request = Request::default();
            *request.method_mut() = method;
            respond(&request, Ok(Reply::html(404, "page".to_owned())))
        };
        let (get, head) = (answer(Method::GET), answer(Method::HEAD));
        assert_eq!((head.status(), head.headers()), (get.status(), get.headers()));
        assert!(matches!(get.body(), Body::Text(page) if page == "page"));
        assert!(matches!(head.body(), Body::Empty), "{:?}", head.body());
    }
}
