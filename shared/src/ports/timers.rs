//! One-time timers.

use super::sweep_part::SweepPart;
use jiff::Timestamp;
use std::error::Error;
use std::fmt;
use std::future::Future;

/// One-time timers, which wake a function at a given time and tell it what to do.
///
/// A timer fires at least once, up to a minute late, and is then deleted, so that its name can be used again.
/// The woken function must tolerate being woken twice.
pub trait Timers: Send + Sync {
    /// Sets a timer. If one of that name is already set, it stays as it is, and this succeeds too.
    ///
    /// # Errors
    /// [`TimersError::Unavailable`] when a retry may succeed, or the timer may already be set;
    /// [`TimersError::Rejected`] when a retry would not help.
    fn timer_set(&self, timer: &Timer) -> impl Future<Output = Result<(), TimersError>> + Send;
}

/// Which function is woken, when, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub name: TimerName,
    /// Rounded up to the second. A time in the past is rejected.
    pub at: Timestamp,
    /// The function that is woken, by its name on the platform.
    pub function: String,
    pub wake: Wake,
}

/// The name of a timer, derived from its purpose: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerName(String);

impl TimerName {
    /// The same name for every invocation that sets the timer of this part.
    pub fn of_sweep(part: &SweepPart) -> Self {
        Self(format!("sweep-{}-{}", part.started_at.as_second(), part.number))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TimerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A sweep ran out of time before it was finished.
    ContinueSweep(SweepPart),
}

/// The timer is not known to be set.
#[derive(Debug, thiserror::Error)]
pub enum TimersError {
    #[error("timers cannot be set at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the timer was rejected")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
}
