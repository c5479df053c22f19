//! Waiting before a refused change is decided again.

use std::future::Future;
use std::time::Duration;

/// Waits for a random time.
pub trait Pauses: Send + Sync + 'static {
    /// Waits for any time from zero to `longest` ("full jitter"), so that requests that collided do not collide again:
    /// <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>.
    fn pause(&self, longest: Duration) -> impl Future<Output = ()> + Send;
}

/// Never waits. Enough for a store that one caller uses at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPauses;

impl Pauses for NoPauses {
    async fn pause(&self, _longest: Duration) {}
}
