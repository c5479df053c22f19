//! The only place that reads the system clock.
//! Everything else takes `now` as an argument, so that a test or the local cloud can set it.

use jiff::Timestamp;

/// Returns the current time.
pub trait Clock: Clone + Send + Sync + 'static {
    /// The current time, in UTC.
    fn now(&self) -> Timestamp;
}

/// The system clock, which deployed functions use. It is truncated to the millisecond, the precision of the table, so
/// that a replayed answer shows the same time as the first one.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl<F: Fn() -> Timestamp + Clone + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}
