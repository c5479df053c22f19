//! The traffic between an SDK client and a stand-in: one request, and one answer or a lost one.
//!
//! This module knows HTTP and the smithy connector traits; it must not know any service.

use std::collections::HashSet;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, http_client_fn};
pub use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// One request, reduced to what the stand-ins use.
#[derive(Debug, Clone, Default)]
pub struct WireRequest {
    /// The HTTP method in upper case.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The `x-amz-target` header, which names the operation in the AWS JSON protocols.
    pub target: Option<String>,
    /// The access key id that the request was signed with; `None` for an unsigned request.
    pub access_key: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The access key id in an `Authorization` header: the first part of its `Credential`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>
pub(crate) fn access_key(authorization: &str) -> Option<String> {
    let credential = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let credential = credential.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
    credential.split('/').next().map(str::to_owned)
}

/// One answer. Every service here returns JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireAnswer {
    /// The HTTP status code.
    pub status: u16,
    /// The JSON body.
    pub body: Vec<u8>,
}

impl WireAnswer {
    /// A success.
    pub fn ok(body: &serde_json::Value) -> Self {
        Self { status: 200, body: body.to_string().into_bytes() }
    }

    /// The answer of every AWS service to an operation that it does not have.
    pub fn unknown_operation() -> Self {
        Self::error(404, "UnknownOperationException", "This stand-in does not support the operation.")
    }

    /// The error's name without its namespace; `None` for a success.
    pub fn error_type(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let name = body["__type"].as_str()?;
        Some(name.rsplit('#').next().unwrap_or(name).to_owned())
    }

    /// An error in the format of all AWS JSON protocols.
    /// See <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization>.
    pub fn error(status: u16, error_type: &str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": error_type, "message": message });
        Self { status, body: body.to_string().into_bytes() }
    }
}

/// How a request or its answer got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The connection closed before an answer was complete.
    #[error("connection closed before the message was complete")]
    ConnectionReset,
    /// The client stopped waiting.
    #[error("no answer in time")]
    Timeout,
}

/// The interface of a stand-in to the connector and the server.
pub trait Door: Clone + Debug + Send + Sync + 'static {
    /// Answers one request.
    ///
    /// # Errors
    /// The [`Loss`] that a test requested. Refusals by the service itself are answers, not errors.
    fn exchange(&self, request: WireRequest) -> impl Future<Output = Result<WireAnswer, Loss>> + Send;
}

/// An SDK HTTP client that calls `door` in process. Endpoint, TLS and signatures are not used.
pub fn http_client(door: impl Door) -> SharedHttpClient {
    let connector = connector(door);
    http_client_fn(move |_, _| connector.clone())
}

/// What such a client sends its requests through.
pub fn connector(door: impl Door) -> SharedHttpConnector {
    SharedHttpConnector::new(InProcess(door))
}

/// A client like `inner`, except that the first answer to each request of the operation `target` gets lost after the
/// service has carried it out. An identical retry is answered.
pub fn losing_first_answers(inner: SharedHttpClient, target: &'static str) -> SharedHttpClient {
    let asked = Arc::new(Mutex::new(HashSet::new()));
    http_client_fn(move |settings, components| {
        let connector = inner.http_connector(settings, components);
        SharedHttpConnector::new(LosingFirstAnswers { connector, target, asked: Arc::clone(&asked) })
    })
}

/// The same for a connector.
pub fn connector_losing_first_answers(connector: SharedHttpConnector, target: &'static str) -> SharedHttpConnector {
    SharedHttpConnector::new(LosingFirstAnswers { connector, target, asked: Arc::default() })
}

#[derive(Debug)]
struct LosingFirstAnswers {
    connector: SharedHttpConnector,
    target: &'static str,
    asked: Arc<Mutex<HashSet<Vec<u8>>>>,
}

impl HttpConnector for LosingFirstAnswers {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_meant = request.headers().get("x-amz-target").is_some_and(|target| target.ends_with(self.target));
        let body = request.body().bytes().map(<[u8]>::to_vec).unwrap_or_default();
        let is_first = is_meant && self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(body);
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if is_first { Err(connector_error(Loss::ConnectionReset)) } else { Ok(answer) }
        })
    }
}

#[derive(Debug)]
struct InProcess<D>(D);

impl<D: Door> HttpConnector for InProcess<D> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let door = self.0.clone();
        HttpConnectorFuture::new(async move {
            let Some(body) = request.body().bytes() else {
                return Err(ConnectorError::user("a stand-in does not accept a streamed request body".into()));
            };
            let request = WireRequest {
                method: request.method().to_owned(),
                path: path_of(request.uri()).to_owned(),
                target: request.headers().get("x-amz-target").map(str::to_owned),
                access_key: request.headers().get("authorization").and_then(access_key),
                body: body.to_vec(),
            };
            let answer = door.exchange(request).await.map_err(connector_error)?;
            let status = StatusCode::try_from(answer.status).map_err(|error| ConnectorError::user(error.into()))?;
            Ok(HttpResponse::new(status, SdkBody::from(answer.body)))
        })
    }
}

fn connector_error(loss: Loss) -> ConnectorError {
    match loss {
        Loss::ConnectionReset => ConnectorError::io(loss.into()),
        Loss::Timeout => ConnectorError::timeout(loss.into()),
    }
}

fn path_of(uri: &str) -> &str {
    let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("/", |start| &after_scheme[start..]);
    path.split(['?', '#']).next().unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::{access_key, path_of};

    #[test]
    fn a_signed_request_says_whose_credentials_signed_it() {
        let signed = "AWS4-HMAC-SHA256 Credential=Accounts/20261122/us-east-1/dynamodb/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=00";
        assert_eq!(access_key(signed).as_deref(), Some("Accounts"));
        for unsigned in ["", "Bearer token", "AWS4-HMAC-SHA256 SignedHeaders=host"] {
            assert_eq!(access_key(unsigned), None, "{unsigned}");
        }
    }

    #[test]
    fn the_path_is_found_with_and_without_an_authority_and_a_query() {
        for (uri, path) in [
            ("https://dynamodb.us-east-1.amazonaws.com/", "/"),
            ("https://host", "/"),
            ("http://127.0.0.1:4566/v2/email/outbound-emails?x=1", "/v2/email/outbound-emails"),
            ("/v2/email/outbound-emails", "/v2/email/outbound-emails"),
        ] {
            assert_eq!(path_of(uri), path, "{uri}");
        }
    }
}
