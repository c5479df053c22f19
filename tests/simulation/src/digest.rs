//! The behavior of runs as two numbers: two versions of the code with the same numbers behave the same, seed by seed.
//!
//! The sum over several seeds does not depend on which core played which seed.

use crate::run::Run;
use crate::schedule::Schedule;
use crate::world::World;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::ops::AddAssign;

/// The digest of one run, or the sum over several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The hash of every line of the story: requests, calls, their fates, and answers, in order.
    steps: u128,
    /// The hash of the final state of the ledger and of Stripe. It does not depend on the wording of the story.
    ends: u128,
}

/// Plays the schedule of a seed and hashes everything that happens, including a broken rule.
pub fn digest(seed: u64) -> Digest {
    let mut run = Run::new(true);
    let (mut steps, mut ends) = (Sha256::new(), Sha256::new());
    for sum in [&mut steps, &mut ends] {
        sum.update(seed.to_be_bytes());
    }
    let played = Schedule::new(seed).play(&mut run);
    let mut desk = run.world().desk();
    for line in desk.story.take().into_iter().flatten().chain(played.err()) {
        add_line(&mut steps, &line);
    }
    drop(desk);
    for line in end(run.world()) {
        add_line(&mut ends, &line);
    }
    Digest { steps: number(steps), ends: number(ends) }
}

/// Every account with its records and its objects at Stripe.
fn end(world: &World) -> Vec<String> {
    let mut lines = vec![];
    let tables = world.ledger.tables();
    for account in tables.accounts() {
        let (balance, open) = (account.balance.get(), account.open_top_up.as_ref());
        let is_enabled = account.auto_top_up.as_ref().map(|settings| settings.is_enabled);
        let words = (account.version, account.seq, balance, is_enabled, open, account.last_top_up_at);
        lines.push(format!("{} {words:?}", account.id));
    }
    for partition in tables.partitions.values() {
        for (origin, entry) in &partition.entries {
            let credits = (entry.credits.get(), entry.balance_after.get());
            lines.push(format!("{origin:?} {} {credits:?} {}", entry.seq, entry.created_at));
        }
        for pending in partition.pending.values() {
            lines.push(format!("{} {:?}", pending.charge, pending.end));
        }
        for purchase in partition.purchases.values() {
            lines.push(format!("{} {:?} {:?}", purchase.id, purchase.status, purchase.invoice));
        }
        for top_up in partition.top_ups.values() {
            lines.push(format!("{} {:?} {:?} {:?}", top_up.id, top_up.status, top_up.invoice, top_up.ended_at));
        }
        for row in partition.usage_rows.values() {
            lines.push(format!("{:?} {} {:?}", row.period, row.through_seq, row.total));
        }
        for notice in partition.notices.values() {
            lines.push(format!("{} {:?}", notice.id, notice.sent_at));
        }
        for event in partition.outbox.values() {
            lines.push(format!("{} {:?}", event.id, event.kind));
        }
    }
    let stripe = world.stripe();
    for invoice in &stripe.invoices {
        let (id, asks) = (&invoice.id, invoice.off_session_asks);
        lines.push(format!("{id} {} {:?} {asks} {:?}", invoice.top_up, invoice.status, invoice.last_answer));
    }
    lines.extend(stripe.sessions.iter().map(|session| format!("{} {:?}", session.id, session.status)));
    lines
}

fn add_line(sum: &mut Sha256, line: &str) {
    sum.update(line);
    sum.update("\n");
}

fn number(sum: Sha256) -> u128 {
    sum.finalize().iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        self.steps = self.steps.wrapping_add(other.steps);
        self.ends = self.ends.wrapping_add(other.ends);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "steps {:032x}, ends {:032x}", self.steps, self.ends)
    }
}
