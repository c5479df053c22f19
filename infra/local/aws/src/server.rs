//! All stand-ins on one port of the loopback interface, for SDK clients in other processes.
//!
//! To use it, give an SDK or the AWS CLI `AWS_ENDPOINT_URL=http://127.0.0.1:PORT` with any credentials and any region.
//! Signatures are not verified, but the credentials of a role only allow what the role allows ([`crate::access`]).
//! There is no TLS, and no other interface is ever bound.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use askama::Template;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::access::Access;
use crate::dynamodb::{self, LocalDynamoDb};
use crate::event_bus::{self, LocalEventBus};
use crate::page::page;
use crate::scheduler::{self, LocalScheduler};
use crate::secrets::{self, LocalSecrets};
use crate::ses::{LocalSes, SEND_EMAIL_PATH};
use crate::wire::{self, Door, Loss, WireAnswer, WireRequest};

/// The largest request body that DynamoDB accepts.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long an answer is delayed to simulate a timeout; longer than any client here waits.
const HELD_BACK: Duration = Duration::from_secs(90);

/// The stand-ins that share a port.
#[derive(Debug, Clone)]
pub struct LocalAws {
    /// DynamoDB and DynamoDB Streams.
    pub dynamodb: LocalDynamoDb,
    /// SES v2.
    pub ses: LocalSes,
    /// Secrets Manager.
    pub secrets: LocalSecrets,
    /// EventBridge Scheduler.
    pub scheduler: LocalScheduler,
    /// EventBridge.
    pub events: LocalEventBus,
    /// The permissions of each role; by default everything is allowed.
    pub access: Access,
}

impl LocalAws {
    /// One in-process HTTP client for all services.
    pub fn sdk_config_http_client(&self) -> SharedHttpClient {
        wire::http_client(self.clone())
    }

    /// The same as a connector.
    pub fn connector(&self) -> SharedHttpConnector {
        wire::connector(self.clone())
    }

    /// Services, inbox, events and start page as one router.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(start_page).post(answer))
            .route(SEND_EMAIL_PATH, post(answer))
            .fallback(answer)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.clone())
            .merge(self.ses.pages())
            .merge(self.events.pages())
    }

    /// Serves until `shutdown` resolves.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(shutdown).await
    }
}

/// Binds `port` of 127.0.0.1; 0 lets the system choose.
///
/// # Errors
/// If the port is taken.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

impl Door for LocalAws {
    async fn exchange(&self, request: WireRequest) -> Result<WireAnswer, Loss> {
        if let Some(refusal) = self.access.refusal(&request, &self.ses) {
            return Ok(refusal);
        }
        let target = request.target.as_deref().unwrap_or_default();
        if target.starts_with(dynamodb::TARGET_PREFIXES) {
            Door::exchange(&self.dynamodb, request).await
        } else if target.starts_with(secrets::TARGET_PREFIX) {
            self.secrets.exchange(request).await
        } else if target.starts_with(event_bus::TARGET_PREFIX) {
            self.events.exchange(request).await
        } else if request.path.starts_with(scheduler::PATH_PREFIX) {
            self.scheduler.exchange(request).await
        } else {
            self.ses.exchange(request).await
        }
    }
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage {
    tables: Vec<(String, i64)>,
    message_count: usize,
    timer_count: usize,
    event_count: usize,
}

async fn start_page(State(aws): State<LocalAws>) -> Response {
    page(&StartPage {
        tables: aws.dynamodb.tables(),
        message_count: aws.ses.messages().len(),
        timer_count: aws.scheduler.schedules().len(),
        event_count: aws.events.events().len(),
    })
}

async fn answer(State(aws): State<LocalAws>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = WireRequest {
        method: method.to_string(),
        path: uri.path().to_owned(),
        target: header("x-amz-target"),
        access_key: header("authorization").as_deref().and_then(wire::access_key),
        body: body.to_vec(),
    };
    match aws.exchange(request).await {
        Ok(answer) => {
            let content_type = header("content-type").unwrap_or_else(|| "application/json".to_owned());
            http_answer(answer, content_type)
        }
        Err(Loss::ConnectionReset) => cut_off(),
        Err(Loss::Timeout) => {
            tokio::time::sleep(HELD_BACK).await;
            cut_off()
        }
    }
}

fn http_answer(answer: WireAnswer, content_type: String) -> Response {
    let request_id = uuid::Uuid::now_v7().to_string();
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(CONTENT_TYPE.as_str(), content_type), ("x-amzn-requestid", request_id)];
    match answer.error_type() {
        None => (status, headers, answer.body).into_response(),
        Some(name) => (status, headers, [("x-amzn-errortype", name)], answer.body).into_response(),
    }
}

/// An answer with an incomplete body, which makes the server close the connection.
fn cut_off() -> Response {
    let broken = async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)) };
    Body::from_stream(futures::stream::once(broken)).into_response()
}
