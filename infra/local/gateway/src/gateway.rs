//! The HTTP API: accepts requests to the template's routes and to no others.
//!
//! It decides only what API Gateway would decide, and reads no bodies.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::Clock;
use crate::authorizer::{Authorized, JwtAuthorizer, KeySource, Refusal};
use crate::cors;
use crate::event::{self, Circumstances};
use crate::function::{self, FunctionError, Functions};
use crate::response;
use crate::routes::{self, Match};
use crate::template::{Cors, Route, Template};

/// 10 MB, the largest request body.
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// The time limit of an integration.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// The template's HTTP API.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    routes: Vec<Route>,
    cors: Option<Cors>,
    authorizers: BTreeMap<String, JwtAuthorizer>,
    functions: Functions,
    api_id: String,
    account_id: String,
    region: String,
    clock: Clock,
}

impl Gateway {
    /// The API of `template` in front of `functions`. `keys` provides the issuers' keys.
    #[must_use]
    pub fn new(template: &Template, functions: Functions, keys: Arc<dyn KeySource>, clock: Clock) -> Self {
        let authorizers = template.authorizers.iter().map(|(name, configuration)| {
            (name.clone(), JwtAuthorizer::new(configuration.clone(), Arc::clone(&keys), Arc::clone(&clock)))
        });
        Self {
            inner: Arc::new(Inner {
                routes: template.routes.clone(),
                cors: template.cors.clone(),
                authorizers: authorizers.collect(),
                functions,
                api_id: template.api_id.clone(),
                account_id: template.account_id.clone(),
                region: template.region.clone(),
                clock,
            }),
        }
    }

    /// Answers every path; to be mounted elsewhere, and for tests without a port.
    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(&self.inner))
    }

    /// Serves until the future is dropped. The listener must be bound to loopback.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router().into_make_service_with_connect_info::<SocketAddr>()).await
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    // API Gateway's ids look like this: a few random bytes in base64.
    let request_id = BASE64_URL_SAFE.encode(&Uuid::now_v7().as_bytes()[5..]);
    let origin = inner.cors.as_ref().and_then(|cors| cors::allowed_origin(cors, request.headers()));
    let mut response = inner.answer(request, &request_id).await.unwrap_or_else(|refusal| refusal);
    if let Some(cors) = inner.cors.as_ref().filter(|_| response.status() != StatusCode::NO_CONTENT) {
        cors::finish(cors, origin, &mut response);
    }
    if let Ok(value) = HeaderValue::try_from(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

impl Inner {
    async fn answer(&self, request: Request, request_id: &str) -> Result<Response<Body>, Response<Body>> {
        let (parts, body) = request.into_parts();
        let cors = self.cors.as_ref();
        if let Some(answer) = cors.and_then(|cors| cors::preflight(cors, &parts.method, &parts.headers)) {
            return Ok(answer);
        }
        let taken = routes::find(&self.routes, parts.method.as_str(), parts.uri.path())
            .ok_or_else(|| message(StatusCode::NOT_FOUND, "Not Found"))?;
        let authorized = self.authorize(taken.route, &parts).await?;
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())?;
        let event = self.event(&parts, &body, &taken, authorized.as_ref(), request_id);
        let function = &taken.route.function;
        let invocation = tokio::time::timeout(INTEGRATION_TIMEOUT, self.functions.invoke(function, event));
        let value = match invocation.await {
            Ok(Ok(value)) => value,
            Ok(Err(FunctionError::TooLarge { what: "request", .. })) => return Err(too_large()),
            Ok(Err(error)) => {
                tracing::error!(function, request_id, %error, "the function failed");
                return Err(message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"));
            }
            Err(_) => {
                tracing::error!(function, request_id, "the integration took too long");
                return Err(message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"));
            }
        };
        response::render(value).map_err(|error| {
            tracing::error!(function, request_id, %error, "the function's answer cannot be sent");
            message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        })
    }

    async fn authorize(&self, route: &Route, parts: &Parts) -> Result<Option<Authorized>, Response<Body>> {
        let Some(name) = &route.authorizer else { return Ok(None) };
        let authorizer = &self.authorizers[name];
        let token = parts.headers.get(authorizer.header()).and_then(|value| value.to_str().ok());
        match authorizer.authorize(token, &route.scopes).await {
            Ok(authorized) => Ok(Some(authorized)),
            Err(refusal) => Err(refused(&refusal, &route.scopes)),
        }
    }

    fn event(
        &self,
        parts: &Parts,
        body: &[u8],
        taken: &Match<'_>,
        authorized: Option<&Authorized>,
        request_id: &str,
    ) -> serde_json::Value {
        let source = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let now = (self.clock)();
        let circumstances = Circumstances {
            api_id: &self.api_id,
            account_id: &self.account_id,
            region: &self.region,
            request_id,
            trace_id: &function::trace_id(now),
            source_ip: source.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            now,
        };
        event::build(parts, body, taken, authorized, &circumstances)
    }
}

fn too_large() -> Response<Body> {
    message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
}

fn refused(refusal: &Refusal, scopes: &[String]) -> Response<Body> {
    let mut response = match refusal {
        Refusal::NoToken | Refusal::InvalidToken(_) => message(StatusCode::UNAUTHORIZED, "Unauthorized"),
        Refusal::InsufficientScope => message(StatusCode::FORBIDDEN, "Forbidden"),
    };
    if let Ok(value) = HeaderValue::try_from(refusal.www_authenticate(scopes)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

fn message(status: StatusCode, message: &str) -> Response<Body> {
    (status, axum::Json(serde_json::json!({ "message": message }))).into_response()
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
