//! Runs compiled bootstraps as Lambda does: each in its own process, kept warm between invocations.
//!
//! A process answers one invocation at a time, so there are as many processes as concurrent invocations, up to a limit.
//! Further invocations wait. A process that crashed or exceeded its time limit is replaced at the next invocation.
//! Its environment is that of the template and nothing from this process.
//! A [`Watcher`] may kill a process at any moment, as may happen in AWS.
//! The startup time counts toward the function's time limit; in Lambda it is separate.

mod process;
mod watcher;

pub use watcher::{Ending, Stage, StageKind, Watcher};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use process::{Process, Watched};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::function::{Function, FunctionError, Invocation};
use crate::template::{FunctionConfiguration, Template};

/// Where the programs are and how they run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Contains `BINARY/bootstrap`, which is cargo-lambda's layout, or plain programs named `BINARY`.
    pub directory: PathBuf,
    /// Variables that override the template's, such as `AWS_ENDPOINT_URL_DYNAMODB`.
    pub environment: BTreeMap<String, String>,
    /// The secret key that every function signs with. The access key id is the logical id, which identifies the
    /// function.
    pub secret_access_key: String,
    pub session_token: String,
    /// The maximum number of processes of one function at a time, at least 1.
    pub processes_max: usize,
    /// The file to which the processes append their output; `None` uses this process's own output.
    pub log: Option<PathBuf>,
    pub watcher: Option<Arc<dyn Watcher>>,
}

/// A function of the template has no program.
#[derive(Debug, thiserror::Error)]
#[error("neither {} nor {} exists", .bootstrap.display(), .plain.display())]
pub struct MissingProgram {
    bootstrap: PathBuf,
    plain: PathBuf,
}

/// Every function of the template by binary name, for [`crate::Functions::new`]. Nothing is started yet.
///
/// # Errors
/// If a program is missing.
pub fn functions(
    template: &Template,
    programs: &Programs,
) -> Result<BTreeMap<String, Arc<dyn Function>>, MissingProgram> {
    let mut functions: BTreeMap<String, Arc<dyn Function>> = BTreeMap::new();
    for configuration in template.functions.values() {
        let program = find(&programs.directory, &configuration.binary)?;
        let environment = environment(configuration, template, programs);
        let function = ProcessFunction {
            binary: configuration.binary.clone(),
            program,
            environment,
            programs: programs.clone(),
            permits: Semaphore::new(programs.processes_max.max(1)),
            warm: Mutex::default(),
        };
        functions.insert(configuration.binary.clone(), Arc::new(function));
    }
    Ok(functions)
}

fn find(directory: &Path, binary: &str) -> Result<PathBuf, MissingProgram> {
    let plain = directory.join(binary);
    let bootstrap = plain.join("bootstrap");
    match (bootstrap.is_file(), plain.is_file()) {
        (true, _) => Ok(bootstrap),
        (false, true) => Ok(plain),
        (false, false) => Err(MissingProgram { bootstrap, plain }),
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
fn environment(
    configuration: &FunctionConfiguration,
    template: &Template,
    programs: &Programs,
) -> BTreeMap<String, String> {
    let mut environment = configuration.environment.clone();
    let memory = configuration.memory_mb.to_string();
    let log_group = format!("/aws/lambda/{}", configuration.name);
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", configuration.name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("AWS_ACCESS_KEY_ID", &configuration.logical_id),
        ("AWS_SECRET_ACCESS_KEY", &programs.secret_access_key),
        ("AWS_SESSION_TOKEN", &programs.session_token),
        ("AWS_REGION", &template.region),
        ("AWS_DEFAULT_REGION", &template.region),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    environment.extend(programs.environment.clone());
    environment
}

struct ProcessFunction {
    binary: String,
    program: PathBuf,
    /// The complete environment, including the template's.
    environment: BTreeMap<String, String>,
    programs: Programs,
    permits: Semaphore,
    warm: Mutex<Vec<Process>>,
}

impl Function for ProcessFunction {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async move {
            let unavailable = |reason: String| FunctionError::Unavailable { reason };
            let _permit = self.permits.acquire().await.map_err(|error| unavailable(error.to_string()))?;
            let mut process = match self.take_warm() {
                Some(process) => process,
                None => Process::start(&self.program, &self.environment, &self.programs)
                    .await
                    .map_err(|error| unavailable(format!("{}: {error}", self.program.display())))?,
            };
            // When the time is up, this future is dropped, which kills the process.
            let watched = Watched { function: &self.binary, watcher: self.programs.watcher.as_deref() };
            let answer = process.invoke(invocation, &watched).await;
            if !matches!(answer, Err(FunctionError::Exited { .. })) {
                self.warm.lock().unwrap_or_else(PoisonError::into_inner).push(process);
            }
            answer
        })
    }
}

impl ProcessFunction {
    /// An earlier process that has not ended in the meantime.
    fn take_warm(&self) -> Option<Process> {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| warm.pop()).find_map(|mut process| process.is_running().then_some(process))
    }
}
