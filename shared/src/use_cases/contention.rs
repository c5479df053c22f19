//! How long a request waits for others that change the same account, and when it gives up.

use super::StoreError;
use crate::ports::LedgerError;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long a change is decided again. With the last pause and the last commit's own limit of four seconds, this is less
/// than the ten that a client waits.
const DECIDING_TIME_MAX: SignedDuration = SignedDuration::from_secs(5);

/// The pauses between them take about as long as the time above, so the loop also ends in time under a clock that stands
/// still.
const REFUSALS_MAX: u32 = 32;

/// The longest pause after the first refusal; it doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(10);

/// The longest pause of all. Longer ones would leave a free account unused, shorter ones let more requests collide
/// (docs/performance.md).
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// Why a change was not written, although it may be when it is decided again.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another change was written first.
    LostRace,
    /// The transaction conflicted with another one, or was throttled.
    Conflict(LedgerError),
}

/// The refusals of one request so far.
#[derive(Debug)]
pub(super) struct Contention {
    started_at: Timestamp,
    refusals: u32,
}

impl Contention {
    pub fn new(started_at: Timestamp) -> Self {
        Self { started_at, refusals: 0 }
    }

    /// The longest pause before the next try.
    ///
    /// # Errors
    /// After the limits above: the last refusal.
    pub fn next_pause(&mut self, refused: Refused, now: Timestamp) -> Result<Duration, StoreError> {
        self.refusals += 1;
        tracing::debug!(refusals = self.refusals, ?refused, "waiting for other changes of the account");
        if self.refusals < REFUSALS_MAX && now.duration_since(self.started_at) < DECIDING_TIME_MAX {
            return Ok(longest_pause(self.refusals));
        }
        Err(match refused {
            Refused::LostRace => StoreError::Contended,
            Refused::Conflict(error) => error.into(),
        })
    }
}

fn longest_pause(refusals: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(refusals.saturating_sub(1));
    PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut contention = Contention::new(at(0));
        let mut longest = || contention.next_pause(Refused::LostRace, at(4)).unwrap().as_millis();
        assert_eq!([(); 8].map(|()| longest()), [10, 20, 40, 80, 160, 320, 400, 400]);
    }

    #[test]
    fn a_request_gives_up_after_five_seconds_and_even_if_the_clock_stands_still() {
        let mut contention = Contention::new(at(0));
        assert!(contention.next_pause(Refused::LostRace, at(5)).is_err());
        let mut contention = Contention::new(at(0));
        let pauses = (0..REFUSALS_MAX).map(|_| contention.next_pause(Refused::LostRace, at(0)).is_ok());
        assert_eq!(pauses.filter(|is_going_on| *is_going_on).count(), 31);
    }

    #[test]
    fn the_last_refusal_is_the_answer() {
        let conflict = LedgerError::Unavailable { operation: "commit", source: "conflict".into() };
        let answer = |refused| Contention::new(at(0)).next_pause(refused, at(5)).unwrap_err();
        assert!(matches!(answer(Refused::LostRace), StoreError::Contended));
        assert!(matches!(answer(Refused::Conflict(conflict)), StoreError::Ledger(LedgerError::Unavailable { .. })));
    }
}
