//! One-time timers.

use super::sweep_part::SweepPart;
use jiff::Timestamp;
use std::error::Error;
use std::fmt;
use std::future::Future;

/// One-time timers: at an instant a function is woken and told what to do.
///
/// A timer goes off at least once, up to a minute late, and is then forgotten, so that its name may be set again.
/// Whoever is woken has to bear being woken twice.
pub trait Timers: Send + Sync {
    /// Sets a timer. Where one of that name is set already, that one stays as it is, which is success too.
    ///
    /// # Errors
    /// [`TimersError::Unavailable`] when it may be set later, or is set without our knowing;
    /// [`TimersError::Rejected`] when asking again would not help.
    fn timer_set(&self, timer: &Timer) -> impl Future<Output = Result<(), TimersError>> + Send;
}

/// Who is woken when, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub name: TimerName,
    /// Kept to the second, rounded up. One that has passed is refused.
    pub at: Timestamp,
    /// The function that is woken, as the platform that runs it names it.
    pub function: String,
    pub wake: Wake,
}

/// What a timer is known by, made of what it is for: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerName(String);

impl TimerName {
    /// The same for every invocation that sets the timer of this part.
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
    /// A sweep ran out of its process's time.
    ContinueSweep(SweepPart),
}

/// The timer is not known to be set.
#[derive(Debug, thiserror::Error)]
pub enum TimersError {
    #[error("timers cannot be set now")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the timer was refused")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
}
