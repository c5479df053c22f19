//! Finding the shortest run that still breaks a rule.

use crate::schedule::Schedule;
use crate::{Failure, play};

/// Removes as many steps as possible, in ever smaller pieces, so that a rule is still broken.
/// `None` if the schedule breaks no rule.
pub fn shrink(schedule: &Schedule) -> Option<(Schedule, Failure)> {
    let mut failure = play(schedule, false).err()?;
    let mut shortest = schedule.clone();
    let mut piece = shortest.steps.len().div_ceil(2);
    while piece > 0 {
        let mut start = 0;
        while start < shortest.steps.len() {
            let mut shorter = shortest.clone();
            shorter.steps.drain(start..(start + piece).min(shortest.steps.len()));
            match play(&shorter, false) {
                Err(still) => (shortest, failure) = (shorter, still),
                Ok(_) => start += piece,
            }
        }
        piece /= 2;
    }
    Some((shortest, failure))
}
