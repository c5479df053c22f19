//! The only clock of the local cloud. It runs or stands still, and it can be moved forward.

use jiff::{SignedDuration, Timestamp};
use shared::clock::{Clock, SystemClock};
use std::sync::{Arc, Mutex, PoisonError};

/// A clock that a person or a test moves. Clones share the same clock.
#[derive(Clone, Debug)]
pub struct MovableClock(Arc<Mutex<Reading>>);

#[derive(Clone, Copy, Debug)]
enum Reading {
    /// How far it was moved ahead of the machine's clock.
    Running(SignedDuration),
    Standing(Timestamp),
}

/// A clock moves forward only, so that past events never lie in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock moves forward only, and not beyond the year 9999")]
pub struct NotForward;

impl MovableClock {
    /// Runs with the machine's clock.
    pub fn running() -> Self {
        Self(Arc::new(Mutex::new(Reading::Running(SignedDuration::ZERO))))
    }

    /// Stands still until it is moved.
    pub fn standing(at: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Reading::Standing(at))))
    }

    /// A clock that stands runs from now on.
    pub fn start(&self) {
        let ahead = self.now().duration_since(SystemClock.now());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Reading::Running(ahead);
    }

    /// # Errors
    /// [`NotForward`]; the clock does not move.
    pub fn advance(&self, by: SignedDuration) -> Result<Timestamp, NotForward> {
        if by.is_negative() || self.now().checked_add(by).is_err() {
            return Err(NotForward);
        }
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *reading = match *reading {
            Reading::Running(ahead) => Reading::Running(ahead.checked_add(by).ok_or(NotForward)?),
            Reading::Standing(at) => Reading::Standing(at.checked_add(by).map_err(|_| NotForward)?),
        };
        drop(reading);
        Ok(self.now())
    }

    /// # Errors
    /// [`NotForward`] for a time that has passed; the clock does not move.
    pub fn advance_to(&self, instant: Timestamp) -> Result<Timestamp, NotForward> {
        self.advance(instant.duration_since(self.now()))
    }

    /// The same clock, in the type that the stand-ins take.
    pub fn shared(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Reading::Running(ahead) => SystemClock.now().saturating_add(ahead).unwrap_or(Timestamp::MAX),
            Reading::Standing(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_clock_moves_forward_and_never_back() {
        let clock = MovableClock::standing(Timestamp::UNIX_EPOCH);
        let copy = clock.clone();
        clock.advance(SignedDuration::from_hours(6)).unwrap();
        assert_eq!(copy.now().as_second(), 21_600);
        assert_eq!(clock.advance(SignedDuration::from_secs(-1)), Err(NotForward));
        assert_eq!(clock.advance_to(Timestamp::UNIX_EPOCH), Err(NotForward));
        assert_eq!(clock.advance(SignedDuration::MAX), Err(NotForward));
        assert_eq!(copy.now().as_second(), 21_600);
    }
}
