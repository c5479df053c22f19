//! The only place that asks the machine what time it is.
//! Everything else takes `now` as an argument, so that a test or the local cloud can move it.

use jiff::Timestamp;

/// Tells the present instant.
pub trait Clock: Clone + Send + Sync + 'static {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock, used by deployed functions: to the millisecond, which is what is stored, so that a replayed
/// answer shows the same instant as the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that asks the machine")]
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
