//! A look into the processes while they run, and the power to end one in the middle.
//!
//! In AWS a process may end at any instant: out of memory, a failing host, a time limit. Here a [`Watcher`] decides
//! which process does, and when.

use std::fmt;
use std::time::Duration;

/// Told of every stage of every process.
pub trait Watcher: fmt::Debug + Send + Sync {
    /// A stage begins. Once it has lasted as long as is answered, its process is killed by SIGKILL; `None` lets it be.
    fn begins(&self, stage: &Stage) -> Option<Duration>;

    /// The stage is over, `lasted` after it began.
    fn ends(&self, stage: &Stage, lasted: Duration, ending: Ending);
}

/// What a process is doing.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Name of the binary.
    pub function: String,
    pub kind: StageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StageKind {
    /// From the start of the process until it asks for its first invocation.
    Init,
    /// The first invocation of its process.
    FirstInvocation,
    LaterInvocation,
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The next stage was reached, or an answer came.
    Completed,
    /// The watcher's time was over first.
    Killed,
    /// The process ended by itself.
    Exited,
}
