//! The run over all accounts that are due for a top-up.
//!
//! A sweep is done in parts, since the process that does one is ended after a while: the first by schedule, each
//! further one by a timer that the part before has set. A part begins where the one before stopped, so that accounts
//! whose outcome stays unknown do not keep it from the others, and no part is begun that would meet the next sweep:
//! two at work at once would ask Stripe twice as fast as either may.

use super::StoreError;
use super::ports::{DueCursor, Ledger, LedgerError, Payments, Shard, Timer, TimerName, Timers, Unique, Wake};
use super::settle::SettleError;
use super::top_up::{ToppedUp, top_up};
use crate::clock::Clock;
use crate::domain::{AccountId, PriceBook, TopUpStatus};
use crate::error::chain;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;

/// From one sweep to the next, as `template.yaml` schedules them.
pub const PERIOD: SignedDuration = SignedDuration::from_mins(30);
/// So long before the next sweep nothing is begun any more: what is under way ends, and the next may come as much as a
/// minute before its time by this one's clock.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
const HANDOVER: SignedDuration = SignedDuration::from_secs(60);
/// From setting a timer to its instant: longer than setting it takes with all tries, since a timer for an instant that
/// has passed is refused.
const TIMER_LEAD: SignedDuration = SignedDuration::from_secs(15);

/// So many attempts are under way at first, and with each that ends one more may be: connections are opened and
/// partitions warmed up bit by bit, and what a process does at its start does not reach Stripe in one go.
const AT_ONCE_FIRST: usize = 10;

/// One part of a sweep: what is still to be done of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepPart {
    /// When the sweep was due, the same for all its parts.
    pub started_at: Timestamp,
    /// Accounts that become due later wait for the next sweep. So do those whose attempt this sweep has opened without
    /// learning the outcome: from then on they count as due since that instant.
    pub due_by: Timestamp,
    /// 0 for the part that the schedule begins.
    pub number: u32,
    pub remainder: Remainder,
}

impl SweepPart {
    /// All of a sweep that was due at `started_at` and is begun now.
    pub fn first(started_at: Timestamp, now: Timestamp) -> Self {
        Self { started_at, due_by: now, number: 0, remainder: Remainder::everything() }
    }

    /// From this instant on the sweep begins nothing more, whichever part it is in.
    pub fn ends_at(&self) -> Timestamp {
        self.started_at.saturating_add(PERIOD - HANDOVER).unwrap_or(Timestamp::MAX)
    }
}

/// The shards that a sweep is not through with, in the order of their turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remainder(pub VecDeque<Turn>);

/// What is left of a shard: everything after the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub shard: Shard,
    pub after: Option<DueCursor>,
}

impl Remainder {
    /// Every shard from its start.
    pub fn everything() -> Self {
        Self(Shard::all().map(|shard| Turn { shard, after: None }).collect())
    }
}

/// How a part is bounded.
#[derive(Clone, Copy, Debug)]
pub struct SweepLimits {
    /// Attempts under way at once, at least 1. Stripe's own limits are kept by the payments adapter.
    pub concurrency: usize,
    /// From this instant on no attempt is begun; those under way are carried on.
    pub begin_before: Timestamp,
}

/// What a part of a sweep did, and what it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    pub summary: SweepSummary,
    /// Empty if every due account was tried.
    pub remainder: Remainder,
}

/// What a part of a sweep did. `due` is the sum of all the others but `is_complete`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepSummary {
    pub due: u64,
    pub paid: u64,
    pub declined: u64,
    pub action_required: u64,
    pub abandoned: u64,
    /// Nothing is known yet: the next sweep asks again.
    pub unknown: u64,
    /// Another sweep was first, or the account was no longer due.
    pub skipped: u64,
    /// Something of ours went wrong; the log says what.
    pub failed: u64,
    /// Whether every due account was tried.
    pub is_complete: bool,
}

/// Tries the accounts that are due, as long as there is time. One account's failure stops no other.
///
/// # Errors
/// Only when the accounts that are due cannot be listed; what was begun before has been carried on.
pub async fn sweep<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    part: &SweepPart,
    limits: SweepLimits,
) -> Result<Swept, StoreError> {
    let mut due = Due::new(ledger, clock, part, limits.begin_before);
    let mut summary = SweepSummary::default();
    let mut attempts = FuturesUnordered::new();
    let mut listed = Ok(());
    let mut at_once = limits.concurrency.min(AT_ONCE_FIRST);
    loop {
        while attempts.len() < at_once && listed.is_ok() {
            match due.next().await {
                Ok(Some(account)) => {
                    attempts.push(attempt(ledger, payments, price_book, unique, clock, account));
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "the accounts that are due could not be listed");
                    listed = Err(error);
                }
            }
        }
        match attempts.next().await {
            Some(attempted) => {
                summary.count(attempted);
                at_once = limits.concurrency.min(at_once + 1);
            }
            None => break,
        }
    }
    listed?;
    let remainder = due.remainder();
    summary.is_complete = remainder.0.is_empty();
    Ok(Swept { summary, remainder })
}

/// Sets the timer for the part after this one, and says whether it is set. A failure is logged and no more: the next
/// sweep finds the same accounts due.
///
/// There is no further part where nothing is left, where this one got to no account at all, or where the next sweep
/// is near. A part that comes twice sets one timer, as it has one name.
pub async fn sweep_continue<T: Timers>(
    timers: &T,
    part: &SweepPart,
    swept: &Swept,
    function: &str,
    now: Timestamp,
) -> bool {
    let at = now.saturating_add(TIMER_LEAD).unwrap_or(Timestamp::MAX);
    if swept.summary.is_complete || swept.summary.due == 0 || at >= part.ends_at() {
        return false;
    }
    let number = part.number.saturating_add(1);
    let next = SweepPart { number, remainder: swept.remainder.clone(), ..*part };
    let name = TimerName::of_sweep(&next);
    let timer = Timer { name, at, function: function.to_owned(), wake: Wake::ContinueSweep(next) };
    match timers.timer_set(&timer).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(timer.name = %timer.name, error = %chain(&error), "the sweep's next part could not be set");
            false
        }
    }
}

/// The due accounts of a remainder, one page of each shard in turn: when time ends early, every shard has had its
/// share. One page is held at a time, however many accounts are due.
struct Due<'a, L, C> {
    ledger: &'a L,
    clock: &'a C,
    due_by: Timestamp,
    begin_before: Timestamp,
    turns: VecDeque<Turn>,
    /// The page at hand: whose turn it is, what is left of it, and where the shard goes on.
    page: Option<(Turn, std::vec::IntoIter<AccountId>, Option<DueCursor>)>,
}

impl<'a, L: Ledger, C: Clock> Due<'a, L, C> {
    fn new(ledger: &'a L, clock: &'a C, part: &SweepPart, begin_before: Timestamp) -> Self {
        Self { ledger, clock, due_by: part.due_by, begin_before, turns: part.remainder.0.clone(), page: None }
    }

    /// `None` at the end of the time or of the accounts.
    async fn next(&mut self) -> Result<Option<AccountId>, LedgerError> {
        while self.clock.now() < self.begin_before {
            if let Some((turn, accounts, next)) = &mut self.page {
                if let Some(account) = accounts.next() {
                    return Ok(Some(account));
                }
                let after = next.take();
                self.turns.extend(after.map(|after| Turn { shard: turn.shard, after: Some(after) }));
            }
            self.page = None;
            let Some(turn) = self.turns.pop_front() else { break };
            let page = self.ledger.due_accounts(turn.shard, self.due_by, turn.after.clone()).await?;
            self.page = Some((turn, page.accounts.into_iter(), page.next));
        }
        Ok(None)
    }

    /// A page that was not begun to its end is listed again, last of all: whatever keeps its accounts due, the other
    /// shards get on.
    fn remainder(self) -> Remainder {
        let mut turns = self.turns;
        if let Some((turn, accounts, next)) = self.page {
            if accounts.as_slice().is_empty() {
                turns.extend(next.map(|after| Turn { shard: turn.shard, after: Some(after) }));
            } else {
                turns.push_back(turn);
            }
        }
        Remainder(turns)
    }
}

async fn attempt<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    account: AccountId,
) -> Result<ToppedUp, SettleError> {
    let attempted = top_up(ledger, payments, price_book, unique, clock, &account).await;
    match &attempted {
        Ok(topped_up) => tracing::info!(account.id = %account, outcome = ?topped_up, "swept"),
        Err(error) => tracing::error!(account.id = %account, error = %chain(error), "the account could not be swept"),
    }
    attempted
}

impl SweepSummary {
    fn count(&mut self, attempted: Result<ToppedUp, SettleError>) {
        let counter = match attempted {
            Ok(ToppedUp::Skipped(_)) => &mut self.skipped,
            Ok(ToppedUp::Attempted(TopUpStatus::Paid)) => &mut self.paid,
            Ok(ToppedUp::Attempted(TopUpStatus::Declined(_))) => &mut self.declined,
            Ok(ToppedUp::Attempted(TopUpStatus::ActionRequired)) => &mut self.action_required,
            Ok(ToppedUp::Attempted(TopUpStatus::Abandoned)) => &mut self.abandoned,
            Ok(ToppedUp::Attempted(TopUpStatus::Open)) => &mut self.unknown,
            Err(_) => &mut self.failed,
        };
        *counter += 1;
        self.due += 1;
    }
}
