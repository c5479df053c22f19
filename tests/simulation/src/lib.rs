//! A deterministic simulation of faults over the real use cases.
//!
//! The use cases run unchanged against a ledger, a Stripe and a mailer in memory. Every call to those waits until a
//! schedule, grown from one number, has decided what becomes of it; after every step the rules are checked, and at the
//! end, with the faults over and everything repeated that was lost, so is that nothing was forgotten.
//! The same seed is the same run, to the letter.
//!
//! Nothing here asks the machine for the time, for randomness, or for a thread.

/// With the feature `mutants`, the use cases are those with bugs to switch on.
#[cfg(feature = "mutants")]
extern crate mutants as shared;

mod bugs;
mod cores;
mod digest;
pub mod ledger;
mod names;
mod outside;
mod request;
mod rules;
mod run;
mod schedule;
mod shrink;
mod stripe;
mod told;
mod workflows;
mod world;

pub use cores::on_all_cores;
pub use digest::{Digest, digest};
pub use schedule::Schedule;
pub use shrink::shrink;
pub use workflows::{Enumerated, Fault, WORKFLOWS, Workflow};
pub use world::Fate;

use run::Run;

/// A run that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule, in words.
    pub rule: String,
    /// What happened, line by line; empty unless it was asked for.
    pub story: Vec<String>,
}

/// Plays a schedule, and writes down what happens if it `is_told`.
///
/// # Errors
/// [`Failure`] with the first broken rule.
pub fn play(schedule: &Schedule, is_told: bool) -> Result<Vec<String>, Failure> {
    let mut run = Run::new(is_told);
    let played = schedule.play(&mut run);
    let story = run.world().desk().story.take().unwrap_or_default();
    match played {
        Ok(()) => Ok(story),
        Err(rule) => Err(Failure { rule, story }),
    }
}

/// A run allocates ids and records by the thousand; this allocator takes a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
