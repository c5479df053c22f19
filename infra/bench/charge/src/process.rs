//! One started function, and the kernel's measurements of it.

use crate::Error;
use crate::runtime_api::RuntimeApi;
use crate::variants::Variant;
use nix::time::ClockId;
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// The time between two readings of a process's CPU time that have to agree.
const SETTLING: Duration = Duration::from_millis(3);
/// After this many readings the last one counts, because a runtime may never become idle.
const READINGS_MAX: usize = 100;
/// A process that takes longer than this hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running function; it is killed on drop.
pub struct Process {
    child: Child,
    clock: ClockId,
    api: RuntimeApi,
    polls: u64,
    output: Output,
}

/// The standard output and standard error of a process.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Process {
    /// Starts the variant with exactly this environment, and waits until it asks for its first event.
    ///
    /// # Errors
    /// If it cannot be started, or ends or hangs before that.
    pub async fn start(variant: &Variant, environment: &BTreeMap<String, String>) -> Result<Self, Error> {
        let api = RuntimeApi::start().await?;
        let mut child = Command::new(&variant.program)
            .args(&variant.arguments)
            .current_dir(&variant.directory)
            .env_clear()
            .envs(environment)
            .envs(&variant.environment)
            .env("LAMBDA_TASK_ROOT", &variant.directory)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", variant.program.display()))?;
        let id = child.id().ok_or("the process ended during its start")?;
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(id)?))?;
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        let mut process = Self { child, clock, api, polls: 0, output };
        process.idle().await?;
        Ok(process)
    }

    /// Sends one event, returns the answer, and waits until the process asks for the next event.
    ///
    /// # Errors
    /// If it reports an error, ends or hangs.
    pub async fn invoke(&mut self, event: &Value) -> Result<Value, Error> {
        let answer = tokio::select! {
            answer = self.api.invoke(event) => answer,
            ended = self.child.wait() => Err(format!("it ended: {ended:?}").into()),
            () = tokio::time::sleep(TIMEOUT) => Err("no answer came".into()),
        };
        let answer = answer.map_err(|error: Error| self.complaint(&error.to_string()))?;
        self.idle().await?;
        Ok(answer)
    }

    /// Asks the process to end, and waits until it has.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn terminate(mut self) -> Result<(), Error> {
        let id = self.child.id().ok_or("the process has ended")?;
        nix::sys::signal::kill(Pid::from_raw(i32::try_from(id)?), nix::sys::signal::Signal::SIGTERM)?;
        tokio::time::timeout(TIMEOUT, self.child.wait()).await??;
        Ok(())
    }

    async fn idle(&mut self) -> Result<(), Error> {
        self.polls += 1;
        let polled = tokio::select! {
            polled = self.api.polled(self.polls) => polled,
            ended = self.child.wait() => Err(format!("it ended: {ended:?}").into()),
            () = tokio::time::sleep(TIMEOUT) => Err("it asked for no event".into()),
        };
        polled.map_err(|error: Error| self.complaint(&error.to_string()))
    }

    /// An error with the output of the process.
    pub fn complaint(&self, what: &str) -> Error {
        let text = self.output.0.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{what}; the function wrote: {}", String::from_utf8_lossy(&text)).into()
    }

    /// The CPU time of all threads since the start, including those that have ended, once it stops growing.
    ///
    /// # Errors
    /// If the process is gone.
    pub async fn cpu(&self) -> Result<Duration, Error> {
        let mut before = self.clock.now()?;
        for _ in 0..READINGS_MAX {
            tokio::time::sleep(SETTLING).await;
            let now = self.clock.now()?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before.into())
    }

    /// The same without waiting until it stops growing.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn cpu_so_far(&self) -> Result<Duration, Error> {
        Ok(self.clock.now()?.into())
    }

    /// The peak memory, in bytes.
    /// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
    ///
    /// # Errors
    /// If the process is gone.
    pub fn peak_memory_bytes(&self) -> Result<u64, Error> {
        let id = self.child.id().ok_or("the process has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kibibytes: u64 = line.trim().trim_end_matches("kB").trim_end().parse()?;
        Ok(kibibytes * 1024)
    }

    /// The number of bytes it has written so far.
    pub fn output_bytes(&self) -> usize {
        self.output.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Output {
    fn collect(&self, stream: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let output = self.clone();
        tokio::spawn(async move {
            let Some(mut stream) = stream else { return };
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                output.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..read]);
            }
        });
    }
}
