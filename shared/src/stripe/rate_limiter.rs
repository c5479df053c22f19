//! A rate limiter for calls to Stripe, with one limit per endpoint and one for all calls together.
//!
//! Stripe enforces both limits and answers 429 beyond them: <https://docs.stripe.com/rate-limits>.
//! Unused permits are not saved up for a burst, so no second sees more than the rate plus one.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A top-up attempt calls this many endpoints once each, so this total rate keeps all of them equally busy.
const ENDPOINTS_PER_TOP_UP: u32 = 4;
/// The name of the limit that every call counts against; no path looks like it.
const TOTAL: &str = "total";

/// One limit per endpoint and one for the total. Permits are given first come, first served, evenly spaced.
#[derive(Debug)]
pub(super) struct RateLimiter {
    calls_per_second: NonZeroU32,
    limits: Mutex<HashMap<String, Limit>>,
}

type Limit = Arc<tokio::sync::Mutex<Permits>>;

impl RateLimiter {
    /// `calls_per_second` to each endpoint, and four times as many in total.
    pub(super) fn new(calls_per_second: NonZeroU32) -> Self {
        Self { calls_per_second, limits: Mutex::default() }
    }

    /// Waits until a call to this path is permitted.
    ///
    /// The lock on the endpoint's limit is held until then, so at most one call per endpoint waits for the total limit.
    /// If more could wait there, they would exceed their endpoint's rate as soon as the other endpoints fell idle.
    pub(super) async fn acquire_permit(&self, path: &str) {
        let period = Duration::from_secs(1) / self.calls_per_second.get();
        let own = self.limit(endpoint(path), period);
        let total = self.limit(TOTAL.to_owned(), period / ENDPOINTS_PER_TOP_UP);
        let mut own = own.lock().await;
        sleep_until(own.next_at).await;
        let mut total = total.lock().await;
        sleep_until(total.next_at).await;
        total.give();
        own.give();
    }

    fn limit(&self, name: String, period: Duration) -> Limit {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(tokio::sync::Mutex::new(Permits { period, next_at: Instant::now() }));
        Arc::clone(limits.entry(name).or_insert_with(new))
    }
}

/// The permits of one limit, a period apart.
#[derive(Debug)]
struct Permits {
    period: Duration,
    next_at: Instant,
}

impl Permits {
    /// Gives the permit that is due. One that is late delays the next one only by what exceeds half a period: timers always
    /// wake a little late, and a sum of such delays would lower the rate.
    fn give(&mut self) {
        let earliest = Instant::now().checked_sub(self.period / 2);
        self.next_at = earliest.map_or(self.next_at, |earliest| self.next_at.max(earliest)) + self.period;
    }
}

/// A path with its ids replaced, whatever the method: `/invoices/*/pay`. An id has digits or capitals, a name has neither.
fn endpoint(path: &str) -> String {
    let is_id = |segment: &str| segment.contains(|character: char| !matches!(character, 'a'..='z' | '_'));
    let path = path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').map(|segment| if is_id(segment) { "*" } else { segment }).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use futures::{StreamExt, stream};
    use tokio::time::Instant;

    #[test]
    fn ids_and_queries_are_not_part_of_the_endpoint() {
        for (path, expected) in [
            ("/invoices", "/invoices"),
            ("/invoices?limit=100", "/invoices"),
            ("/invoices/in_1Mt2x/pay", "/invoices/*/pay"),
            ("/invoices/in_42?expand[0]=payments", "/invoices/*"),
            ("/payment_methods/pm_card_visa4/attach", "/payment_methods/*/attach"),
            ("/checkout/sessions/cs_test_a1/expire", "/checkout/sessions/*/expire"),
        ] {
            assert_eq!(endpoint(path), expected);
        }
    }

    /// When each of these calls gets its permit at 20 a second, if all of them ask at once.
    async fn permitted(paths: impl Iterator<Item = String>) -> Vec<Instant> {
        let limiter = &limiter();
        let permitted = paths.map(|path| async move {
            limiter.acquire_permit(&path).await;
            Instant::now()
        });
        join_all(permitted).await
    }

    fn limiter() -> RateLimiter {
        RateLimiter::new(NonZeroU32::new(20).unwrap())
    }

    /// The most within any second.
    fn most_in_a_second(instants: &[Instant]) -> usize {
        let within = |from: &Instant| {
            let second = *from..*from + Duration::from_secs(1);
            instants.iter().filter(|at| second.contains(at)).count()
        };
        instants.iter().map(within).max().unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_is_called_at_its_rate_from_the_first_call_on() {
        let permitted = permitted((0..60).map(|number| format!("/invoices/in_{number}/pay"))).await;
        assert!(permitted.is_sorted(), "first come, first served");
        assert!(most_in_a_second(&permitted) <= 21, "{}", most_in_a_second(&permitted));
        let took = permitted[59].duration_since(permitted[0]);
        assert!((2_950..3_100).contains(&took.as_millis()), "59 times 50 ms: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn permits_that_are_a_little_late_do_not_lower_the_rate() {
        let (limiter, mut permitted) = (limiter(), vec![]);
        for milliseconds in [65, 10].repeat(30) {
            limiter.acquire_permit("/invoices").await;
            permitted.push(Instant::now());
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        let took = permitted[59].duration_since(permitted[0]);
        assert!((2_950..2_980).contains(&took.as_millis()), "59 times 50 ms: {took:?}");
        assert!(most_in_a_second(&permitted) <= 21, "{}", most_in_a_second(&permitted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_followed_by_a_burst() {
        let limiter = limiter();
        limiter.acquire_permit("/invoices").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let resumed = Instant::now();
        for _ in 0..3 {
            limiter.acquire_permit("/invoices").await;
        }
        // Half a period is made up for, whatever the pause.
        assert!(resumed.elapsed() >= Duration::from_millis(75), "{:?}", resumed.elapsed());
    }

    /// At first more calls are waiting than the total limit permits; at the end only those to the last endpoint remain.
    #[tokio::test(start_paused = true)]
    async fn an_endpoint_keeps_its_rate_when_the_others_fall_idle() {
        let limiter = &limiter();
        let top_ups = (0..300).map(|_| async move {
            let mut permitted = vec![];
            for path in ["a", "b", "c", "d", "e"] {
                limiter.acquire_permit(path).await;
                permitted.push(Instant::now());
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
            permitted
        });
        let top_ups: Vec<Vec<Instant>> = stream::iter(top_ups).buffer_unordered(80).collect().await;
        for call in 0..5 {
            let mut permitted: Vec<Instant> = top_ups.iter().map(|permitted| permitted[call]).collect();
            permitted.sort();
            assert!(most_in_a_second(&permitted) <= 22, "call {call}: {}", most_in_a_second(&permitted));
        }
        let mut permitted = top_ups.concat();
        permitted.sort();
        assert!(most_in_a_second(&permitted) <= 81, "{}", most_in_a_second(&permitted));
    }

    #[tokio::test(start_paused = true)]
    async fn endpoints_do_not_wait_for_each_other_below_the_total_limit() {
        for endpoints in [4, 10] {
            let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
            let permitted = permitted((0..40 * endpoints).map(|number| names[number % endpoints].to_owned())).await;
            let most = most_in_a_second(&permitted);
            assert!((70..=81).contains(&most), "{endpoints}: {most}");
        }
    }
}
