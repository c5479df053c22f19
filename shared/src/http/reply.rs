//! Answers.

use super::Problem;
use super::problem::RETRY_AFTER_SECONDS;
use crate::error::chain;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;

/// An answer that is not a problem.
#[derive(Debug)]
pub struct Reply {
    status: u16,
    content: Content,
    is_replay: bool,
}

#[derive(Debug)]
enum Content {
    None,
    Json(String),
    Html(String),
    Redirect(String),
}

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
        let status = if is_replay { 200 } else { 201 };
        Self::json(status, body).map(|reply| Self { is_replay, ..reply })
    }

    pub fn empty() -> Self {
        Self { status: 200, content: Content::None, is_replay: false }
    }

    pub fn html(status: u16, page: String) -> Self {
        Self { status, content: Content::Html(page), is_replay: false }
    }

    /// 302: the customer's browser goes on to a page that must not be remembered.
    pub fn redirect(url: String) -> Self {
        Self { status: 302, content: Content::Redirect(url), is_replay: false }
    }

    fn json(status: u16, body: &impl Serialize) -> Result<Self, Problem> {
        let text = serde_json::to_string(body).map_err(Problem::internal)?;
        Ok(Self { status, content: Content::Json(text), is_replay: false })
    }
}

/// Turns what a route came to into the response, and logs once what is ours to look at.
pub fn respond(request: &Request, outcome: Result<Reply, Problem>) -> Response<Body> {
    match outcome {
        Ok(reply) => reply.into_response(),
        Err(problem) => {
            let request_id = request_id(request);
            match (problem.status(), problem.cause()) {
                (503, cause) => {
                    tracing::warn!(request.id = %request_id, error = %cause.map(chain).unwrap_or_default(), "try again");
                }
                (500.., cause) => {
                    tracing::error!(request.id = %request_id, error = %cause.map(chain).unwrap_or_default(), "failed");
                }
                _ => {}
            }
            problem_response(&problem, &request_id)
        }
    }
}

impl Reply {
    fn into_response(self) -> Response<Body> {
        let (content_type, location, body) = match self.content {
            Content::None => (None, None, Body::Empty),
            Content::Json(text) => (Some("application/json"), None, Body::Text(text)),
            Content::Html(page) => (Some("text/html; charset=utf-8"), None, Body::Text(page)),
            Content::Redirect(url) => (None, Some(url), Body::Empty),
        };
        let mut response = response(self.status, content_type, body);
        if self.is_replay {
            response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        if self.status == 503 {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if let Some(location) = location.and_then(|url| HeaderValue::from_str(&url).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

fn problem_response(problem: &Problem, request_id: &str) -> Response<Body> {
    let body = Body::Text(problem.to_json(request_id).to_string());
    let mut response = response(problem.status(), Some("application/problem+json"), body);
    if let Some(seconds) = problem.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn response(status: u16, content_type: Option<&'static str>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = lambda_http::http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().unwrap_or_default(),
        _ => String::new(),
    }
}
