//! The pauses of a running function.

use crate::ports::Pauses;
use std::time::Duration;

/// Waits on Tokio's clock for a time drawn by the system's random generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomPauses;

impl Pauses for RandomPauses {
    async fn pause(&self, longest: Duration) {
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
    }
}
