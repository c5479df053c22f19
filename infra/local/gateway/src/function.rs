//! Invokes a function as Lambda does, with a request id, a deadline, a time limit and isolated failures.
//!
//! This module does not know who invokes a function or how it runs. See [`crate::in_process`] and
//! [`crate::runtime_api`] for the two ways to run one.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::Clock;
use crate::template::{FunctionConfiguration, Template};

/// 6 MB, the most that Lambda accepts or returns synchronously.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;

/// One request to a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// A retry of an asynchronous invocation has the same id.
    pub request_id: String,
    /// When the function is stopped, on the movable clock.
    pub deadline: Timestamp,
    pub payload: Value,
    pub function_arn: String,
    /// X-Ray's header.
    pub trace_id: String,
}

/// Answers invocations.
pub trait Function: Send + Sync {
    /// # Errors
    /// The error that the function reported, or how it ended.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Value, FunctionError>>;
}

/// Why an invocation has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// The function itself reported it.
    #[error("{error_type}: {error_message}")]
    Reported { error_type: String, error_message: String },
    #[error("Runtime.Panic: {message}")]
    Panicked { message: String },
    #[error("Task timed out after {:.2} seconds", .after.as_secs_f64())]
    TimedOut { after: Duration },
    /// The process ended without an answer.
    #[error("Runtime.ExitError: {reason}")]
    Exited { reason: String },
    /// The function could not be reached, so it did nothing.
    #[error("the function could not be started: {reason}")]
    Unavailable { reason: String },
    #[error("the {what} has {bytes} bytes, but Lambda accepts at most {PAYLOAD_BYTES_MAX}")]
    TooLarge { what: &'static str, bytes: usize },
    #[error("there is no function {name} in the template, or no implementation was given for it")]
    Unknown { name: String },
}

impl FunctionError {
    /// Lambda refused or could not start the invocation. The caller is told, and the function's error handling does not
    /// apply.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Unknown { .. } => true,
            Self::TooLarge { what, .. } => *what == "request",
            Self::Reported { .. } | Self::Panicked { .. } | Self::TimedOut { .. } | Self::Exited { .. } => false,
        }
    }
}

/// The template's functions, each with its implementation.
#[derive(Clone)]
pub struct Functions {
    deployed: Arc<BTreeMap<String, Deployed>>,
    clock: Clock,
}

#[derive(Clone)]
struct Deployed {
    configuration: FunctionConfiguration,
    function: Arc<dyn Function>,
}

impl Functions {
    /// Matches each function of the template with its implementation, by binary name.
    ///
    /// # Errors
    /// If a function in the template has no implementation, or an implementation is not in the template. In both cases,
    /// the local cloud would differ from the deployed one.
    pub fn new(
        template: &Template,
        mut by_binary: BTreeMap<String, Arc<dyn Function>>,
        clock: Clock,
    ) -> Result<Self, FunctionError> {
        let mut deployed = BTreeMap::new();
        for configuration in template.functions.values() {
            let binary = &configuration.binary;
            let function =
                by_binary.get(binary).cloned().ok_or_else(|| FunctionError::Unknown { name: binary.clone() })?;
            let configuration = configuration.clone();
            deployed.insert(configuration.logical_id.clone(), Deployed { configuration, function });
        }
        by_binary.retain(|binary, _| template.function_of_binary(binary).is_none());
        match by_binary.into_keys().next() {
            Some(name) => Err(FunctionError::Unknown { name }),
            None => Ok(Self { deployed: Arc::new(deployed), clock }),
        }
    }

    /// Invokes a function by logical id and waits for its answer.
    ///
    /// The function runs to its own time limit even if the caller stops waiting, as in AWS.
    ///
    /// # Errors
    /// If there is no answer. A panic is a [`FunctionError`] too.
    pub async fn invoke(&self, logical_id: &str, payload: Value) -> Result<Value, FunctionError> {
        self.invoke_as(logical_id, payload, Uuid::now_v7().to_string()).await
    }

    /// [`Functions::invoke`] with a request id, so that a retry has the same id as the first try.
    pub(crate) async fn invoke_as(
        &self,
        logical_id: &str,
        payload: Value,
        request_id: String,
    ) -> Result<Value, FunctionError> {
        let Deployed { configuration, function } = self
            .deployed
            .get(logical_id)
            .cloned()
            .ok_or_else(|| FunctionError::Unknown { name: logical_id.to_owned() })?;
        within_limit("request", &payload)?;
        let invocation = Invocation {
            request_id,
            deadline: (self.clock)() + configuration.timeout,
            payload,
            function_arn: configuration.arn,
            trace_id: trace_id((self.clock)()),
        };
        let task = tokio::spawn(async move { run(&*function, invocation, configuration.timeout).await });
        let answer = task.await.map_err(|error| FunctionError::Panicked { message: error.to_string() })??;
        within_limit("response", &answer)?;
        Ok(answer)
    }

    pub(crate) fn configuration(&self, logical_id: &str) -> Option<&FunctionConfiguration> {
        self.deployed.get(logical_id).map(|deployed| &deployed.configuration)
    }

    pub(crate) fn logical_id_of_arn(&self, arn: &str) -> Option<&str> {
        let deployed = self.deployed.values().find(|deployed| deployed.configuration.arn == arn)?;
        Some(&deployed.configuration.logical_id)
    }

    pub(crate) fn logical_id_of_binary(&self, binary: &str) -> Option<&str> {
        let deployed = self.deployed.values().find(|deployed| deployed.configuration.binary == binary)?;
        Some(&deployed.configuration.logical_id)
    }
}

async fn run(function: &dyn Function, invocation: Invocation, timeout: Duration) -> Result<Value, FunctionError> {
    let guarded = AssertUnwindSafe(async { function.invoke(invocation).await }).catch_unwind();
    match tokio::time::timeout(timeout, guarded).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => Err(FunctionError::Panicked { message: panic_message(&*panic) }),
        Err(_) => Err(FunctionError::TimedOut { after: timeout }),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

fn within_limit(what: &'static str, payload: &Value) -> Result<(), FunctionError> {
    let bytes = payload.to_string().len();
    if bytes > PAYLOAD_BYTES_MAX { Err(FunctionError::TooLarge { what, bytes }) } else { Ok(()) }
}

/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
pub(crate) fn trace_id(now: Timestamp) -> String {
    let unique = Uuid::now_v7().simple().to_string();
    format!("Root=1-{:08x}-{};Sampled=0", now.as_second(), &unique[8..])
}

#[cfg(test)]
#[path = "function_tests.rs"]
mod tests;
