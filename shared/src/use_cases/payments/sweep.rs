//! The run over all accounts that are due for a top-up.
//!
//! A sweep is done in parts, since the process that does one is ended after a while: the first by schedule, each
//! further one by a timer that the part before has set. A part begins where the one before stopped, so that accounts
//! whose outcome stays unknown do not keep it from the others, and no part is begun that would meet the next sweep:
//! two at work at once would ask Stripe twice as fast as either may.

use super::record_outcome::RecordOutcomeError;
use super::top_up::{ToppedUp, top_up};
use crate::domain::{AccountId, PriceBook, TopUpStatus};
use crate::error::chain;
use crate::ports::{
    Accounts, DueCursor, DueIndex, IdGenerator, LedgerError, Payments, Remainder, SweepPart, Timer, TimerName, Timers,
    TopUps, Turn, Wake,
};
use crate::use_cases::{Capabilities, Context, StoreError};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

/// From setting a timer to its instant: longer than setting it takes with all tries, since a timer for an instant that
/// has passed is refused.
const TIMER_LEAD: SignedDuration = SignedDuration::from_secs(15);

/// So many attempts are under way at first, and with each that ends one more may be: connections are opened and
/// partitions warmed up bit by bit, and what a process does at its start does not reach Stripe in one go.
const AT_ONCE_FIRST: usize = 10;

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
    /// The payment provider takes no payment of the customer for good: somebody has to look.
    pub refused: u64,
    pub abandoned: u64,
    /// A bank debit is under way, which takes days.
    pub processing: u64,
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
pub async fn sweep<C>(context: &Context<C>, part: &SweepPart, limits: SweepLimits) -> Result<Swept, StoreError>
where
    C: Capabilities<Ledger: Accounts + TopUps + DueIndex, Payments: Payments, Ids: IdGenerator, PriceBook = PriceBook>,
{
    let mut due = Due::new(context, part, limits.begin_before);
    let mut summary = SweepSummary::default();
    let mut attempts = FuturesUnordered::new();
    let mut listed = Ok(());
    let mut at_once = limits.concurrency.min(AT_ONCE_FIRST);
    loop {
        while attempts.len() < at_once && listed.is_ok() {
            match due.next().await {
                Ok(Some(account)) => {
                    attempts.push(attempt(context, account));
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
pub async fn sweep_continue<C: Capabilities<Timers: Timers>>(
    context: &Context<C>,
    part: &SweepPart,
    swept: &Swept,
    function: &str,
) -> bool {
    let at = context.now().saturating_add(TIMER_LEAD).unwrap_or(Timestamp::MAX);
    if swept.summary.is_complete || swept.summary.due == 0 || at >= part.ends_at() {
        return false;
    }
    let number = part.number.saturating_add(1);
    let next = SweepPart { number, remainder: swept.remainder.clone(), ..*part };
    let name = TimerName::of_sweep(&next);
    let timer = Timer { name, at, function: function.to_owned(), wake: Wake::ContinueSweep(next) };
    match context.timers.timer_set(&timer).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(timer.name = %timer.name, error = %chain(&error), "the sweep's next part could not be set");
            false
        }
    }
}

/// The due accounts of a remainder, one page of each shard in turn: when time ends early, every shard has had its
/// share. One page is held at a time, however many accounts are due.
struct Due<'a, C: Capabilities> {
    context: &'a Context<C>,
    due_by: Timestamp,
    begin_before: Timestamp,
    remainder: Remainder,
    /// The page at hand: whose turn it is, what is left of it, and where the shard goes on.
    page: Option<(Turn, std::vec::IntoIter<AccountId>, Option<DueCursor>)>,
}

impl<'a, C: Capabilities<Ledger: DueIndex>> Due<'a, C> {
    fn new(context: &'a Context<C>, part: &SweepPart, begin_before: Timestamp) -> Self {
        Self { context, due_by: part.due_by, begin_before, remainder: part.remainder.clone(), page: None }
    }

    /// `None` at the end of the time or of the accounts.
    async fn next(&mut self) -> Result<Option<AccountId>, LedgerError> {
        while self.context.now() < self.begin_before {
            if let Some((turn, accounts, next)) = &mut self.page {
                if let Some(account) = accounts.next() {
                    return Ok(Some(account));
                }
                let after = next.take();
                self.remainder.0.extend(after.map(|after| Turn { shard: turn.shard, after: Some(after) }));
            }
            self.page = None;
            let Some(turn) = self.remainder.0.pop_front() else { break };
            let page = self.context.ledger.due_accounts(turn.shard, self.due_by, turn.after.clone()).await?;
            self.page = Some((turn, page.accounts.into_iter(), page.next));
        }
        Ok(None)
    }

    /// A page that was not begun to its end is listed again, last of all: whatever keeps its accounts due, the other
    /// shards get on.
    fn remainder(self) -> Remainder {
        let Remainder(mut turns) = self.remainder;
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

async fn attempt<C>(context: &Context<C>, account: AccountId) -> Result<ToppedUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + TopUps, Payments: Payments, Ids: IdGenerator, PriceBook = PriceBook>,
{
    let attempted = top_up(context, &account).await;
    match &attempted {
        Ok(topped_up) => tracing::info!(account.id = %account, outcome = ?topped_up, "swept"),
        Err(error) => tracing::error!(account.id = %account, error = %chain(error), "the account could not be swept"),
    }
    attempted
}

impl SweepSummary {
    fn count(&mut self, attempted: Result<ToppedUp, RecordOutcomeError>) {
        let counter = match attempted {
            Ok(ToppedUp::Skipped(_)) => &mut self.skipped,
            Ok(ToppedUp::Attempted(TopUpStatus::Paid | TopUpStatus::PartlyPaid)) => &mut self.paid,
            Ok(ToppedUp::Attempted(TopUpStatus::Declined(_))) => &mut self.declined,
            Ok(ToppedUp::Attempted(TopUpStatus::ActionRequired)) => &mut self.action_required,
            Ok(ToppedUp::Attempted(TopUpStatus::Refused(_))) => &mut self.refused,
            Ok(ToppedUp::Attempted(TopUpStatus::Abandoned)) => &mut self.abandoned,
            Ok(ToppedUp::Attempted(TopUpStatus::Processing)) => &mut self.processing,
            Ok(ToppedUp::Attempted(TopUpStatus::Open)) => &mut self.unknown,
            Err(_) => &mut self.failed,
        };
        *counter += 1;
        self.due += 1;
    }
}
