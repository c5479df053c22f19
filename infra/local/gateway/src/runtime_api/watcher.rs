//! Observes the processes while they run, and can kill one at any moment.
//!
//! In AWS a process may end at any instant: out of memory, a failing host, a time limit. Here a [`Watcher`] decides
//! which process ends, and when.

use std::fmt;
use std::time::Duration;

/// Notified of every stage of every process.
pub trait Watcher: fmt::Debug + Send + Sync {
    /// A stage begins. Its process is killed by SIGKILL once the stage has lasted for the returned duration; `None`
    /// never kills it.
    fn begins(&self, stage: &Stage) -> Option<Duration>;

    /// The stage has ended, `lasted` after it began.
    fn ends(&self, stage: &Stage, lasted: Duration, ending: Ending);
}

/// The current activity of a process.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The name of the binary.
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
    /// The next stage began, or an answer arrived.
    Completed,
    /// The watcher killed the process.
    Killed,
    /// The process ended by itself.
    Exited,
}
