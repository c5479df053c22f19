//! What every use case works with.

use crate::clock::Clock;
use crate::ports::IdGenerator;
use jiff::{SignedDuration, Timestamp};

/// Which types stand for the outside in one function, in a test or in the simulation.
///
/// A function that lacks a capability names [`Absent`] for it, so that a use case which needs it does not compile there.
pub trait Capabilities: Send + Sync + 'static {
    type Ledger: Send + Sync;
    type Payments: Send + Sync;
    type Mailer: Send + Sync;
    type Timers: Send + Sync;
    type Clock: Clock;
    type Ids: Send + Sync;
    type PriceBook: Send + Sync;
}

/// A capability that a function does not have: it implements no port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Absent;

/// The outside, as far as a function has it.
#[derive(Debug)]
pub struct Context<C: Capabilities> {
    pub ledger: C::Ledger,
    pub payments: C::Payments,
    pub mailer: C::Mailer,
    pub timers: C::Timers,
    pub clock: C::Clock,
    pub ids: C::Ids,
    pub price_book: C::PriceBook,
}

/// How often a decision is made again because somebody else changed the account first.
/// One of the contenders succeeds in every round, so this many at once are served without an error.
const DECISIONS_MAX: u32 = 100;

/// How long deciding again goes on. With the last commit's own bound it stays within what a client waits for.
const DECIDING_TIME_MAX: SignedDuration = SignedDuration::from_secs(4);

impl<C: Capabilities> Context<C> {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The rounds in which a change may be decided: neither too many nor for too long.
    pub(super) fn rounds(&self) -> impl Iterator<Item = u32> {
        let started_at = self.now();
        (0..DECISIONS_MAX).take_while(move |_| self.now().duration_since(started_at) < DECIDING_TIME_MAX)
    }
}

impl<C: Capabilities<Ids: IdGenerator>> Context<C> {
    /// A new id of any kind, made of bits that nobody else has.
    pub(super) fn mint<I>(&self, id_of_bits: fn(u128) -> I, now: Timestamp) -> I {
        id_of_bits(self.ids.generate(now))
    }
}
