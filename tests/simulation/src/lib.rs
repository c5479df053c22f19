//! A deterministic fault simulation of the real use cases.
//!
//! The use cases run unchanged against an in-memory ledger, Stripe and mailer. Every call to them waits until a
//! schedule, generated from a seed, decides its fate. The rules are checked after every step, and once more at the end,
//! when the faults are over and every lost request was repeated. The same seed always gives exactly the same run.
//!
//! Nothing here reads the system clock, draws system randomness, or starts a thread.

/// With the feature `mutants`, this is the copy of `shared` whose bugs can be switched on.
#[cfg(feature = "mutants")]
extern crate mutants as shared;

mod alerts;
mod bugs;
mod chain;
mod claims;
mod contacts;
mod cores;
mod digest;
mod disputes;
mod expiring;
pub mod hot_accounts;
mod invoices;
pub mod ledger;
mod liability;
mod limits;
mod names;
mod outside;
mod pay_links;
mod portal;
mod reconciliation;
mod refunds;
mod remembered;
mod request;
mod returns;
mod rules;
mod run;
mod schedule;
mod shrink;
mod stripe;
mod told;
mod usage;
mod wallet;
mod workflows;
mod world;

pub use cores::on_all_cores;
pub use digest::{Digest, digest};
pub use returns::{LIVES, play_life};
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
    /// The log of the run, line by line; empty unless it was requested.
    pub story: Vec<String>,
}

/// Plays a schedule, and logs it if `is_told`.
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

/// A run allocates thousands of ids and records; this allocator takes a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
