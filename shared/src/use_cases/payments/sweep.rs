//! The run over all accounts that are due for a top-up.
//!
//! A sweep runs in parts because Lambda limits how long one invocation may run. The schedule starts the first part, and
//! a timer that each part sets starts the next one. A part begins where the previous one stopped, so that accounts
//! whose outcome stays unknown do not hold up the others. No part starts that would overlap with the next sweep: two at
//! once would call Stripe at twice the allowed rate.

use super::record_outcome::RecordOutcomeError;
use super::top_up::{ToppedUp, top_up};
use crate::domain::{AccountId, PriceBook, TopUpStatus};
use crate::error::chain;
use crate::ports::{
    Accounts, AskedCards, Consents, DueCursor, DueIndex, LedgerError, Payments, Remainder, SweepLogs, SweepPart, Timer,
    TimerName, Timers, TopUps, Turn, Wake,
};
use crate::use_cases::{Capabilities, Context, StoreError};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

/// How far in the future a timer is set. This is longer than all tries to set it take, because a timer in the past is
/// refused.
const TIMER_LEAD: SignedDuration = SignedDuration::from_secs(15);

/// The number of attempts that run at once at first. Each attempt that ends allows one more, so that connections open
/// and partitions warm up gradually, and the start of a process does not reach Stripe as one burst.
const AT_ONCE_FIRST: usize = 10;

/// From this age on, an attempt whose outcome is unknown is counted apart: by then at least two sweeps have asked about it.
const LONG_UNKNOWN: SignedDuration = SignedDuration::from_hours(1);

/// The limits of a part.
#[derive(Clone, Copy, Debug)]
pub struct SweepLimits {
    /// Attempts that run at once, at least 1. The payments adapter enforces Stripe's own limits.
    pub concurrency: usize,
    /// No attempt starts after this instant; those that are running finish.
    pub begin_before: Timestamp,
}

/// What a part of a sweep did, and what it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    pub summary: SweepSummary,
    /// Empty if every due account was tried.
    pub remainder: Remainder,
}

/// What a part of a sweep did. `due` is the sum of all the others except `unknown_for_an_hour` and `is_complete`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepSummary {
    pub due: u64,
    pub paid: u64,
    pub declined: u64,
    pub action_required: u64,
    /// The payment provider will never accept this payment from the customer; a person has to investigate.
    pub refused: u64,
    pub abandoned: u64,
    /// A bank debit is in progress, which takes days.
    pub processing: u64,
    /// The outcome is unknown; the next sweep tries again.
    pub unknown: u64,
    /// Those of them that were opened an hour ago or earlier, so that several sweeps have asked.
    pub unknown_for_an_hour: u64,
    /// Another sweep was first, or the account was no longer due.
    pub skipped: u64,
    /// Prepaid itself failed; the log says why.
    pub failed: u64,
    /// Whether every due account was tried.
    pub is_complete: bool,
}

/// Tries the accounts that are due while there is time. One account's failure does not stop the others.
///
/// # Errors
/// Only if the accounts that are due cannot be listed. Attempts that were already running have finished.
pub async fn sweep<C>(context: &Context<C>, part: &SweepPart, limits: SweepLimits) -> Result<Swept, StoreError>
where
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + TopUps + SweepLogs + DueIndex,
            Payments: Payments,
            PriceBook = PriceBook,
        >,
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
                summary.count(attempted, context.now());
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

/// Sets the timer for the next part, and says whether it is set. A failure is only logged, because the next sweep finds
/// the same accounts due.
///
/// There is no next part if nothing is left, if this part tried no account, or if the next sweep is near. A part that
/// runs twice sets one timer, because both runs use the same name.
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

/// The due accounts of a remainder, one page of each shard in turn, so that every shard gets its share if time runs
/// out. Only one page is in memory at a time, however many accounts are due.
struct Due<'a, C: Capabilities> {
    context: &'a Context<C>,
    due_by: Timestamp,
    begin_before: Timestamp,
    remainder: Remainder,
    /// The current page: the shard and where it began, what is left of it, and where the shard continues.
    page: Option<(Turn, std::vec::IntoIter<AccountId>, Option<DueCursor>)>,
}

impl<'a, C: Capabilities<Ledger: DueIndex>> Due<'a, C> {
    fn new(context: &'a Context<C>, part: &SweepPart, begin_before: Timestamp) -> Self {
        Self { context, due_by: part.due_by, begin_before, remainder: part.remainder.clone(), page: None }
    }

    /// `None` when time is up or no accounts are left.
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

    /// A page that was not finished is listed again, after all other shards, so that accounts that stay due do not hold
    /// up the other shards.
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
    C: Capabilities<
            Ledger: Accounts + AskedCards + Consents + TopUps + SweepLogs,
            Payments: Payments,
            PriceBook = PriceBook,
        >,
{
    let attempted = top_up(context, &account).await;
    match &attempted {
        Ok(ToppedUp::Skipped(not_due)) => tracing::info!(account.id = %account, skipped = ?not_due, "swept"),
        Ok(ToppedUp::Attempted(attempt)) => tracing::info!(account.id = %account, outcome = ?attempt.status, "swept"),
        Err(error) => tracing::error!(account.id = %account, error = %chain(error), "the account could not be swept"),
    }
    attempted
}

impl SweepSummary {
    fn count(&mut self, attempted: Result<ToppedUp, RecordOutcomeError>, now: Timestamp) {
        self.due += 1;
        let counter = match attempted {
            Err(_) => &mut self.failed,
            Ok(ToppedUp::Skipped(_)) => &mut self.skipped,
            Ok(ToppedUp::Attempted(attempt)) => match attempt.status {
                TopUpStatus::Paid | TopUpStatus::PartlyPaid => &mut self.paid,
                TopUpStatus::Declined(_) => &mut self.declined,
                TopUpStatus::ActionRequired => &mut self.action_required,
                TopUpStatus::Refused(_) => &mut self.refused,
                TopUpStatus::Abandoned => &mut self.abandoned,
                TopUpStatus::Processing => &mut self.processing,
                TopUpStatus::Open => {
                    let is_old = now.duration_since(attempt.opened_at) >= LONG_UNKNOWN;
                    self.unknown_for_an_hour += u64::from(is_old);
                    &mut self.unknown
                }
            },
        };
        *counter += 1;
    }
}
