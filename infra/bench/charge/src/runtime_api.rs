//! The Lambda Runtime API for one process: it sends one event at a time and receives the answers.
//!
//! It knows when the process asks for its next event, that is, when the process is idle.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use crate::Error;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::AbortHandle;

/// A process's answer to an event, or the error that it reported.
type Outcome = Result<Value, String>;

/// The caller's side. The server ends when it is dropped.
pub struct RuntimeApi {
    pub address: SocketAddr,
    events: mpsc::Sender<Bytes>,
    outcomes: mpsc::Receiver<Outcome>,
    polls: watch::Receiver<u64>,
    server: AbortHandle,
}

struct Server {
    events: Mutex<mpsc::Receiver<Bytes>>,
    outcomes: mpsc::Sender<Outcome>,
    polls: watch::Sender<u64>,
}

impl RuntimeApi {
    /// # Errors
    /// If there is no free port.
    pub async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (events, received) = mpsc::channel(1);
        let (sender, outcomes) = mpsc::channel(1);
        let (counter, polls) = watch::channel(0);
        let server = Arc::new(Server { events: Mutex::new(received), outcomes: sender, polls: counter });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(server);
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, events, outcomes, polls, server })
    }

    /// Waits until the process has asked for this many events since its start.
    ///
    /// # Errors
    /// If it reports an error instead.
    pub async fn polled(&mut self, times: u64) -> Result<(), Error> {
        tokio::select! {
            polled = self.polls.wait_for(|polls| *polls >= times) => polled.map(drop).map_err(Error::from),
            reported = self.outcomes.recv() => Err(format!("before it asked for an event: {reported:?}").into()),
        }
    }

    /// Sends one event and waits for the answer.
    ///
    /// # Errors
    /// If the process reports an error.
    pub async fn invoke(&mut self, event: &Value) -> Result<Value, Error> {
        self.events.send(Bytes::from(event.to_string())).await?;
        let outcome = self.outcomes.recv().await.ok_or("the Runtime API is gone")?;
        outcome.map_err(Error::from)
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(server): State<Arc<Server>>) -> Response {
    server.polls.send_modify(|polls| *polls += 1);
    let Some(event) = server.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string()),
        // Any deadline far in the future will do: these runtimes only subtract from it.
        ("lambda-runtime-deadline-ms", "4102444800000".to_owned()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:charging".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-6740a000-0123456789abcdef01234567;Sampled=0".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, event).into_response()
}

async fn response(State(server): State<Arc<Server>>, body: Bytes) -> StatusCode {
    let outcome = serde_json::from_slice(&body).map_err(|error| format!("the answer is not JSON: {error}"));
    accepted(&server, outcome).await
}

async fn error(State(server): State<Arc<Server>>, body: Bytes) -> StatusCode {
    accepted(&server, Err(String::from_utf8_lossy(&body).into_owned())).await
}

async fn accepted(server: &Server, outcome: Outcome) -> StatusCode {
    match server.outcomes.send(outcome).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}
