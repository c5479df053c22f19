//! One process and its Runtime API.
//!
//! Every process has its own listener, which identifies it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::Programs;
use super::watcher::{Ending, Stage, StageKind, Watcher};
use crate::function::{FunctionError, Invocation};

type Answer = Result<Value, FunctionError>;

/// A running bootstrap. Dropping it kills it.
pub(super) struct Process {
    child: Child,
    jobs: mpsc::Sender<Job>,
    api: Arc<Api>,
    server: AbortHandle,
    next_stage: StageKind,
}

struct Job {
    invocation: Invocation,
    /// Notified when the process has taken the invocation.
    taken: oneshot::Sender<()>,
    answer: oneshot::Sender<Answer>,
}

struct Api {
    jobs: tokio::sync::Mutex<mpsc::Receiver<Job>>,
    /// The request id of the current invocation, and the receiver of its answer.
    current: Mutex<Option<(String, oneshot::Sender<Answer>)>>,
    /// The error that the runtime reported before its first invocation.
    init_error: Mutex<Option<ErrorReport>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorReport {
    error_type: String,
    error_message: String,
}

impl Process {
    /// Starts the program with only this environment.
    pub async fn start(
        program: &Path,
        environment: &BTreeMap<String, String>,
        programs: &Programs,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (jobs, queue) = mpsc::channel(1);
        let api = Arc::new(Api {
            jobs: tokio::sync::Mutex::new(queue),
            current: Mutex::default(),
            init_error: Mutex::default(),
        });
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(log) = &programs.log {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
            command.stdout(log.try_clone()?).stderr(log);
        }
        let child = command.spawn()?;
        let router = router(Arc::clone(&api));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { child, jobs, api, server, next_stage: StageKind::Init })
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends one invocation and waits for its answer or the end of the process.
    pub async fn invoke(&mut self, invocation: Invocation, watched: &Watched<'_>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let (taken, is_taken) = oneshot::channel();
        let gone = || FunctionError::Exited { reason: "the Runtime API is gone".to_owned() };
        self.jobs.send(Job { invocation, taken, answer }).await.map_err(|_| gone())?;
        if self.next_stage == StageKind::Init {
            self.live_through(watched, is_taken).await?.map_err(|_| gone())?;
            self.next_stage = StageKind::FirstInvocation;
        } else {
            tokio::select! {
                taken = is_taken => taken.map_err(|_| gone())?,
                status = self.child.wait() => return Err(self.exited(status)),
            }
        }
        let answered = self.live_through(watched, answered).await;
        self.next_stage = StageKind::LaterInvocation;
        answered?.map_err(|_| gone())?
    }

    /// Waits until the stage is done, or until the process ends by itself or is killed by the watcher.
    async fn live_through<T>(
        &mut self,
        watched: &Watched<'_>,
        done: impl Future<Output = T>,
    ) -> Result<T, FunctionError> {
        let stage = Stage { function: watched.function.to_owned(), kind: self.next_stage };
        let began = Instant::now();
        let lifetime = watched.watcher.and_then(|watcher| watcher.begins(&stage));
        let mut done = std::pin::pin!(done);
        let mut is_killed = false;
        let outcome = tokio::select! {
            // A completed stage counts even if the process ended immediately afterwards.
            biased;
            done = &mut done => Ok(done),
            status = self.child.wait() => Err(status),
            () = pause(lifetime) => {
                is_killed = true;
                let status = match self.child.start_kill() {
                    Ok(()) => self.child.wait().await,
                    Err(error) => Err(error),
                };
                // A dead process cannot handle an invocation that it requested just before.
                let done = futures::FutureExt::now_or_never(done).filter(|_| stage.kind != StageKind::Init);
                done.ok_or(status)
            }
        };
        let ending = match &outcome {
            Ok(_) => Ending::Completed,
            Err(_) if is_killed => Ending::Killed,
            Err(_) => Ending::Exited,
        };
        if let Some(watcher) = watched.watcher {
            watcher.ends(&stage, began.elapsed(), ending);
        }
        outcome.map_err(|status| self.exited(status))
    }

    fn exited(&self, status: std::io::Result<ExitStatus>) -> FunctionError {
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let reason = match lock(&self.api.init_error).take() {
            Some(report) => format!("{}: {} ({status})", report.error_type, report.error_message),
            None => status,
        };
        FunctionError::Exited { reason }
    }
}

/// The function of a process, and its watcher.
pub(super) struct Watched<'a> {
    pub function: &'a str,
    pub watcher: Option<&'a dyn Watcher>,
}

/// Tokio's timers have a resolution of milliseconds, and some invocations are not much longer.
async fn pause(duration: Option<Duration>) {
    match duration {
        Some(Duration::ZERO) => {}
        // The pause also ends if the runtime shuts down.
        Some(duration) => drop(tokio::task::spawn_blocking(move || std::thread::sleep(duration)).await),
        None => std::future::pending().await,
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some(Job { invocation, taken, answer }) = api.jobs.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    *lock(&api.current) = Some((invocation.request_id.clone(), answer));
    // The caller no longer waits if the invocation exceeded its time limit.
    let _ = taken.send(());
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", invocation.deadline.as_millisecond().to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn),
        ("Lambda-Runtime-Trace-Id", invocation.trace_id),
    ];
    (headers, Json(invocation.payload)).into_response()
}

async fn response(State(api): State<Arc<Api>>, UrlPath(request_id): UrlPath<String>, body: Bytes) -> Response {
    let answer = serde_json::from_slice(&body).map_err(|error| FunctionError::Reported {
        error_type: "Runtime.InvalidJson".to_owned(),
        error_message: error.to_string(),
    });
    api.answer(&request_id, answer)
}

async fn error(State(api): State<Arc<Api>>, UrlPath(request_id): UrlPath<String>, body: Bytes) -> Response {
    let ErrorReport { error_type, error_message } = serde_json::from_slice(&body).unwrap_or_default();
    api.answer(&request_id, Err(FunctionError::Reported { error_type, error_message }))
}

async fn init_error(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    *lock(&api.init_error) = Some(serde_json::from_slice(&body).unwrap_or_default());
    accepted()
}

impl Api {
    /// Only the current invocation can be answered.
    fn answer(&self, request_id: &str, answer: Answer) -> Response {
        match lock(&self.current).take_if(|(current, _)| current == request_id) {
            Some((_, waiting)) => {
                // The caller no longer waits if the invocation exceeded its time limit.
                let _ = waiting.send(answer);
                accepted()
            }
            None => {
                let message = "this is not the current invocation";
                let body = serde_json::json!({ "errorType": "InvalidRequestID", "errorMessage": message });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
        }
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(serde_json::json!({ "status": "OK" }))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use jiff::Timestamp;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    fn api() -> (Arc<Api>, mpsc::Sender<Job>) {
        let (jobs, queue) = mpsc::channel(1);
        let jobs_of_api = tokio::sync::Mutex::new(queue);
        (Arc::new(Api { jobs: jobs_of_api, current: Mutex::default(), init_error: Mutex::default() }), jobs)
    }

    async fn sent(api: &Arc<Api>, method: &str, path: &str, body: &str) -> Response {
        let uri = format!("/2018-06-01/runtime/{path}");
        let request = Request::builder().method(method).uri(uri).body(Body::from(body.to_owned())).unwrap();
        router(Arc::clone(api)).oneshot(request).await.unwrap()
    }

    async fn handed_over(api: &Arc<Api>, jobs: &mpsc::Sender<Job>) -> (Response, oneshot::Receiver<Answer>) {
        let invocation = Invocation {
            request_id: "one".to_owned(),
            deadline: Timestamp::constant(1_795_000_000, 0),
            payload: json!({ "a": 1 }),
            function_arn: "arn:function".to_owned(),
            trace_id: "Root=1".to_owned(),
        };
        let ((answer, answered), (taken, _)) = (oneshot::channel(), oneshot::channel());
        assert!(jobs.send(Job { invocation, taken, answer }).await.is_ok());
        (sent(api, "GET", "invocation/next", "").await, answered)
    }

    #[tokio::test]
    async fn next_carries_the_invocation_in_body_and_headers() {
        let (api, jobs) = api();
        let (response, _answered) = handed_over(&api, &jobs).await;
        for (name, value) in [
            ("aws-request-id", "one"),
            ("deadline-ms", "1795000000000"),
            ("invoked-function-arn", "arn:function"),
            ("trace-id", "Root=1"),
        ] {
            assert_eq!(response.headers()[format!("lambda-runtime-{name}")], value);
        }
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(&body[..], br#"{"a":1}"#);
    }

    #[tokio::test]
    async fn only_the_invocation_at_hand_is_answered_and_only_once() {
        let (api, jobs) = api();
        let (_, answered) = handed_over(&api, &jobs).await;
        assert_eq!(sent(&api, "POST", "invocation/two/response", "2").await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(sent(&api, "POST", "invocation/one/response", "1").await.status(), StatusCode::ACCEPTED);
        assert_eq!(sent(&api, "POST", "invocation/one/response", "1").await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answered.await.unwrap(), Ok(json!(1)));
    }

    #[tokio::test]
    async fn errors_keep_their_type_and_an_answer_that_is_not_json_is_one() {
        for (path, body, error_type) in [
            ("error", r#"{"errorType":"Broken","errorMessage":"no"}"#, "Broken"),
            ("response", "not json", "Runtime.InvalidJson"),
        ] {
            let (api, jobs) = api();
            let (_, answered) = handed_over(&api, &jobs).await;
            let status = sent(&api, "POST", &format!("invocation/one/{path}"), body).await.status();
            assert_eq!(status, StatusCode::ACCEPTED);
            let error = answered.await.unwrap().unwrap_err();
            assert!(matches!(&error, FunctionError::Reported { error_type: actual, .. } if actual == error_type));
        }
    }

    #[tokio::test]
    async fn a_process_that_reports_an_error_of_its_start_is_told_by_it() {
        let (api, jobs) = api();
        let report = r#"{"errorType":"Config","errorMessage":"TABLE_NAME is missing"}"#;
        assert_eq!(sent(&api, "POST", "init/error", report).await.status(), StatusCode::ACCEPTED);
        let child = Command::new("false").spawn().unwrap();
        let server = tokio::spawn(async {}).abort_handle();
        let mut process = Process { child, jobs, api, server, next_stage: StageKind::Init };
        let invocation = Invocation {
            request_id: String::new(),
            deadline: Timestamp::UNIX_EPOCH,
            payload: Value::Null,
            function_arn: String::new(),
            trace_id: String::new(),
        };
        let watched = Watched { function: "", watcher: None };
        let error = process.invoke(invocation, &watched).await.unwrap_err();
        let reason = "Config: TABLE_NAME is missing (exit status: 1)".to_owned();
        assert_eq!(error, FunctionError::Exited { reason });
    }
}
