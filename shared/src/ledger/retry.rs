//! The retry policy for a transaction that conflicts with others on the same account.

use std::time::Duration;

/// The limits for the tries of one commit.
///
/// The SDK's own retries after timeouts, 5xx and throttling come on top; the SDK does not retry a cancelled transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// How many times a transaction is sent, including the first time; at least 1.
    pub tries_max: u32,
    /// The commit gives up after this time, even if a request is under way; its outcome is then unknown.
    pub elapsed_max: Duration,
    /// The longest delay before the first retry; it doubles with each retry.
    pub delay_base: Duration,
    /// The longest delay before any retry.
    pub delay_max: Duration,
}

impl Default for RetrySettings {
    /// Five seconds, which the tries roughly fill. A charge has ten before its function is stopped, and may need a second
    /// commit after a lost race.
    fn default() -> Self {
        Self {
            tries_max: 32,
            elapsed_max: Duration::from_secs(5),
            delay_base: Duration::from_millis(10),
            delay_max: Duration::from_millis(400),
        }
    }
}

impl RetrySettings {
    /// A random delay after this many failed tries, from zero to the longest ("full jitter"), so that transactions that
    /// collided do not collide again: <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>.
    pub(super) fn delay(&self, tries: u32) -> Duration {
        self.delay_longest(tries).mul_f64(fastrand::f64())
    }

    fn delay_longest(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        self.delay_base.saturating_mul(doubled).min(self.delay_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let settings = RetrySettings::default();
        let longest = [1, 2, 3, 6, 7, 100].map(|tries| settings.delay_longest(tries).as_millis());
        assert_eq!(longest, [10, 20, 40, 320, 400, 400]);
        assert!((1..100).all(|tries| settings.delay(tries) <= settings.delay_max));
    }
}
