//! How long and how often a transaction is tried that meets others on the same account.

use std::time::Duration;

/// Bounds of the tries of one commit.
///
/// They come on top of what the SDK does by itself after timeouts, 5xx and throttling; the SDK does not try a
/// cancelled transaction again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// How many times a transaction is sent, the first one included; at least 1.
    pub attempts_max: u32,
    /// After this long the commit gives up, even with a request under way, whose outcome then is unknown.
    pub elapsed_max: Duration,
    /// The longest wait before the second try; twice as long before each further one.
    pub delay_base: Duration,
    /// No wait is longer than this.
    pub delay_max: Duration,
}

impl Default for RetrySettings {
    /// Five seconds, which the attempts about fill: a charge has ten before its function is stopped, and a decision
    /// made again commits again.
    fn default() -> Self {
        Self {
            attempts_max: 32,
            elapsed_max: Duration::from_secs(5),
            delay_base: Duration::from_millis(10),
            delay_max: Duration::from_millis(400),
        }
    }
}

impl RetrySettings {
    /// A random wait after so many failed tries, anything from zero to the longest ("full jitter"), so that those
    /// who collided do not collide again: <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>.
    pub(super) fn delay(&self, attempts: u32) -> Duration {
        self.delay_longest(attempts).mul_f64(fastrand::f64())
    }

    fn delay_longest(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        self.delay_base.saturating_mul(doubled).min(self.delay_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let settings = RetrySettings::default();
        let longest = [1, 2, 3, 6, 7, 100].map(|attempts| settings.delay_longest(attempts).as_millis());
        assert_eq!(longest, [10, 20, 40, 320, 400, 400]);
        assert!((1..100).all(|attempts| settings.delay(attempts) <= settings.delay_max));
    }
}
