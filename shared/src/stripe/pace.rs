//! How fast Stripe is asked: so many calls a second of each endpoint, and so many in all, one after the other.
//!
//! Stripe counts both, and answers 429 beyond: <https://docs.stripe.com/rate-limits>.
//! No burst makes up for a rest, so that in no second there are more than the rate and one.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// An attempt asks so many endpoints once each, and the rate in all keeps them equally busy.
const ENDPOINTS_OF_AN_ATTEMPT: u32 = 4;
/// The lane that every call takes; no path looks like it.
const ALL: &str = "all";

/// The lanes that calls queue up in. First come, first served, so that calls do not bunch up on the way to Stripe.
#[derive(Debug)]
pub(super) struct Pace {
    calls_per_second: NonZeroU32,
    lanes: Mutex<HashMap<String, Lane>>,
}

type Lane = Arc<tokio::sync::Mutex<Interval>>;

impl Pace {
    /// `calls_per_second` of each endpoint, and four times as many in all.
    pub(super) fn new(calls_per_second: NonZeroU32) -> Self {
        Self { calls_per_second, lanes: Mutex::default() }
    }

    /// Waits until a call to this path may go.
    ///
    /// Its endpoint's lane is held until it goes, so that one call of each endpoint at most waits for all. Were there
    /// more, those of one endpoint would go faster than it may be asked as soon as the others have none left.
    pub(super) async fn turn(&self, path: &str) {
        let period = Duration::from_secs(1) / self.calls_per_second.get();
        let (own, all) =
            (self.lane(endpoint(path), period), self.lane(ALL.to_owned(), period / ENDPOINTS_OF_AN_ATTEMPT));
        let mut own = own.lock().await;
        own.tick().await;
        all.lock().await.tick().await;
    }

    fn lane(&self, name: String, period: Duration) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(name).or_insert_with(|| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Arc::new(tokio::sync::Mutex::new(ticks))
        });
        Arc::clone(lane)
    }
}

/// A path without its ids, whatever the method: `/invoices/*/pay`. An id has digits or capitals, a name has neither.
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
    fn ids_and_queries_make_no_endpoint_of_their_own() {
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

    /// When each of these calls goes, all asked for at once at 20 a second.
    async fn turns(paths: impl Iterator<Item = String>) -> Vec<Instant> {
        let pace = &Pace::new(NonZeroU32::new(20).unwrap());
        let turns = paths.map(|path| async move {
            pace.turn(&path).await;
            Instant::now()
        });
        join_all(turns).await
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
    async fn an_endpoint_is_asked_at_its_rate_from_the_first_call_on() {
        let turns = turns((0..60).map(|number| format!("/invoices/in_{number}/pay"))).await;
        assert!(turns.is_sorted(), "first come, first served");
        assert!(most_in_a_second(&turns) <= 21, "{}", most_in_a_second(&turns));
        let took = turns[59].duration_since(turns[0]);
        assert!((2_950..3_100).contains(&took.as_millis()), "59 times 50 ms: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_not_made_up_for() {
        let pace = Pace::new(NonZeroU32::new(20).unwrap());
        pace.turn("/invoices").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let rested = Instant::now();
        for _ in 0..3 {
            pace.turn("/invoices").await;
        }
        assert!(rested.elapsed() >= Duration::from_millis(100), "{:?}", rested.elapsed());
    }

    /// While the first of its calls are still coming, more are asked for than all together may be; in the end only the
    /// last ones are left.
    #[tokio::test(start_paused = true)]
    async fn an_endpoint_keeps_its_rate_when_the_others_have_nothing_left_to_ask() {
        let pace = &Pace::new(NonZeroU32::new(20).unwrap());
        let attempts = (0..300).map(|_| async move {
            let mut went = vec![];
            for path in ["a", "b", "c", "d", "e"] {
                pace.turn(path).await;
                went.push(Instant::now());
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
            went
        });
        let attempts: Vec<Vec<Instant>> = stream::iter(attempts).buffer_unordered(80).collect().await;
        for call in 0..5 {
            let mut went: Vec<Instant> = attempts.iter().map(|attempt| attempt[call]).collect();
            went.sort();
            assert!(most_in_a_second(&went) <= 22, "call {call}: {}", most_in_a_second(&went));
        }
        let mut went = attempts.concat();
        went.sort();
        assert!(most_in_a_second(&went) <= 81, "{}", most_in_a_second(&went));
    }

    #[tokio::test(start_paused = true)]
    async fn endpoints_do_not_wait_for_each_other_until_all_together_are_too_many() {
        for endpoints in [4, 10] {
            let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
            let turns = turns((0..40 * endpoints).map(|number| names[number % endpoints].to_owned())).await;
            let most = most_in_a_second(&turns);
            assert!((70..=81).contains(&most), "{endpoints}: {most}");
        }
    }
}
