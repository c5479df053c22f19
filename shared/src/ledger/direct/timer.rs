//! The time limit of one try.

use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that stays armed from one try to the next.
///
/// To arm a timer that fires before all others, Tokio interrupts its own wait for the network with a system call, and
/// goes through another round of that wait. So the timer of the try before is taken over as it is. It fires too early
/// for this one, at most once, and is then moved on.
#[derive(Default)]
pub struct KeptTimer(Mutex<Option<Pin<Box<Sleep>>>>);

/// There was no result in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no response within {0:?}")]
pub struct TimedOut(Duration);

impl KeptTimer {
    /// # Errors
    /// [`TimedOut`] once the limit has passed.
    pub async fn within<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, TimedOut> {
        let mut future = pin!(future);
        let deadline = Instant::now() + limit;
        let mut timer = self.take(deadline);
        loop {
            tokio::select! {
                biased;
                result = &mut future => {
                    self.keep(timer);
                    return Ok(result);
                }
                () = &mut timer => {
                    if deadline <= Instant::now() {
                        return Err(TimedOut(limit));
                    }
                    timer.as_mut().reset(deadline);
                }
            }
        }
    }

    /// A timer that fires at the deadline or before. If another try has the kept one, it is a new one.
    fn take(&self, deadline: Instant) -> Pin<Box<Sleep>> {
        let kept = self.kept().take().filter(|timer| !timer.is_elapsed() && timer.deadline() <= deadline);
        kept.unwrap_or_else(|| Box::pin(sleep_until(deadline)))
    }

    fn keep(&self, timer: Pin<Box<Sleep>>) {
        *self.kept() = Some(timer);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Pin<Box<Sleep>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tokio::time::sleep;

    const LIMIT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn a_kept_timer_does_not_shorten_the_next_try() {
        let timer = KeptTimer::default();
        timer.within(LIMIT, sleep(Duration::from_secs(1))).await.unwrap();
        let begun = Instant::now();
        assert_eq!(timer.within(LIMIT, pending::<()>()).await, Err(TimedOut(LIMIT)));
        assert_eq!(begun.elapsed(), LIMIT);
        timer.within(LIMIT, sleep(Duration::from_millis(2_999))).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn tries_side_by_side_have_a_limit_each() {
        let timer = KeptTimer::default();
        let begun = Instant::now();
        let (first, second) = tokio::join!(timer.within(LIMIT, pending::<()>()), async {
            sleep(Duration::from_secs(1)).await;
            timer.within(LIMIT, pending::<()>()).await
        });
        assert_eq!((first, second), (Err(TimedOut(LIMIT)), Err(TimedOut(LIMIT))));
        assert_eq!(begun.elapsed(), Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_fired_between_two_tries_is_replaced() {
        let timer = KeptTimer::default();
        timer.within(LIMIT, ready(())).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        let begun = Instant::now();
        assert_eq!(timer.within(LIMIT, pending::<()>()).await, Err(TimedOut(LIMIT)));
        assert_eq!(begun.elapsed(), LIMIT);
    }
}
