//! The run over all accounts whose balance has left its bounds.
//!
//! It runs every minute, and the next run is the continuation of one that had no time left: what was evaluated is not in
//! the index any more. The shards are worked on side by side, and an account that cannot be evaluated is passed by.

use crate::domain::alerts::{AlertsDue, decide_alerts};
use crate::domain::usage::{DAYS_NEEDED, forecast};
use crate::domain::{Account, AccountId, NoticeId, Periods, PriceBook};
use crate::error::chain;
use crate::ports::{Accounts, AlertRows, DueAlerts, Entries, EntryList, LedgerError, Shard, UsageFolds, UsageRows};
use crate::use_cases::shards::on_all_shards;
use crate::use_cases::usage::{FoldLimits, ReadUsageError, read_usage};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use std::ops::AddAssign;
use std::sync::Arc;

/// Accounts of one shard that are evaluated at the same time.
const ACCOUNTS_AT_ONCE: usize = 4;

/// The ports of an evaluation.
pub trait AlertsLedger: Accounts + AlertRows + UsageRows + EntryList + Entries + UsageFolds {}

impl<L: Accounts + AlertRows + UsageRows + EntryList + Entries + UsageFolds> AlertsLedger for L {}

/// What a run did, in accounts. `due` is the sum of `evaluated`, `skipped` and `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertsSummary {
    pub due: u64,
    pub evaluated: u64,
    /// E-mails and events that became owed.
    pub told: u64,
    /// Evaluated by another run in the meantime.
    pub skipped: u64,
    /// The log says why. The next run tries again.
    pub failed: u64,
    /// Whether time ran out first. The next run does the rest.
    pub is_cut_short: bool,
}

/// Why an account could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for AlertsError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}

impl From<ReadUsageError> for AlertsError {
    fn from(error: ReadUsageError) -> Self {
        match error {
            ReadUsageError::NotFound(error) => error.into(),
            ReadUsageError::Ledger(error) => error.into(),
        }
    }
}

/// Evaluates all accounts that are due. None begins after `begin_before`.
///
/// # Errors
/// Only if a shard cannot be listed. The others have been worked on by then.
pub async fn evaluate_alerts<C: Capabilities<Ledger: AlertsLedger + DueAlerts, PriceBook = PriceBook>>(
    context: &Context<C>,
    begin_before: Timestamp,
) -> Result<AlertsSummary, StoreError> {
    let run = Run { context, due_by: context.now(), begin_before };
    on_all_shards("the accounts with alerts that are due", |shard| run.evaluate_shard(shard)).await
}

struct Run<'a, C: Capabilities> {
    context: &'a Context<C>,
    due_by: Timestamp,
    begin_before: Timestamp,
}

impl<C: Capabilities<Ledger: AlertsLedger + DueAlerts, PriceBook = PriceBook>> Run<'_, C> {
    async fn evaluate_shard(&self, shard: Shard) -> Result<AlertsSummary, LedgerError> {
        let mut sum = AlertsSummary::default();
        let mut after = None;
        loop {
            let page = self.context.ledger.due_alerts(shard, self.due_by, after).await?;
            let accounts = stream::iter(page.accounts);
            let mut evaluated =
                accounts.map(|account| async move { self.evaluate(&account).await }).buffer_unordered(ACCOUNTS_AT_ONCE);
            while let Some(summary) = evaluated.next().await {
                sum += summary;
            }
            if page.next.is_none() || sum.is_cut_short {
                return Ok(sum);
            }
            after = page.next;
        }
    }

    async fn evaluate(&self, account: &AccountId) -> AlertsSummary {
        if self.context.now() >= self.begin_before {
            return AlertsSummary { is_cut_short: true, ..AlertsSummary::default() };
        }
        let due = AlertsSummary { due: 1, ..AlertsSummary::default() };
        match evaluate(self.context, account).await {
            Ok(Some(told)) => AlertsSummary { evaluated: 1, told, ..due },
            Ok(None) => AlertsSummary { skipped: 1, ..due },
            Err(error) => {
                tracing::error!(account.id = %account, error = %chain(&error), "alerts could not be evaluated");
                AlertsSummary { failed: 1, ..due }
            }
        }
    }
}

/// How many e-mails and events became owed. `None` if the account is not due any more.
async fn evaluate<C: Capabilities<Ledger: AlertsLedger, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<Option<u64>, AlertsError> {
    let read = |current: Arc<Account>| async move {
        let due_at = context.ledger.alerts_due_get(&current.id).await?;
        let alerts = context.ledger.alerts_get(&current.id).await?.unwrap_or_default();
        let credits_per_day = match due_at {
            Some(_) if alerts.needs_average() => credits_per_day(context, &current).await?,
            _ => None,
        };
        Ok::<_, AlertsError>(AlertsDue { due_at, alerts, credits_per_day })
    };
    let decide = |account: &Account, due: &AlertsDue, now| {
        Ok(decide_alerts(account, due, &context.price_book, context.mint(NoticeId::mint, now), now))
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => {
            let told = change.notices.len() + change.events.len();
            tracing::info!(account.id = %account, told, "alerts evaluated");
            Ok(Some(told as u64))
        }
        Updated::Unchanged(..) | Updated::Duplicate(_) => Ok(None),
    }
}

/// What the account spends on a day: the larger average of the forecast, so that a customer is told too early rather than
/// too late. `None` if it has no recent usage. Nothing is folded here.
async fn credits_per_day<C: Capabilities<Ledger: AlertsLedger>>(
    context: &Context<C>,
    account: &Account,
) -> Result<Option<i64>, AlertsError> {
    let now = context.now();
    let Some(periods) = Periods::days_through(now, DAYS_NEEDED) else { return Ok(None) };
    let usage = read_usage(context, &account.id, periods, FoldLimits::of(0)).await?;
    let averages = forecast(account, &usage.rows, now).averages;
    Ok(averages.iter().map(|average| average.credits_per_day()).max().filter(|per_day| *per_day > 0))
}

impl AddAssign for AlertsSummary {
    fn add_assign(&mut self, other: Self) {
        self.due += other.due;
        self.evaluated += other.evaluated;
        self.told += other.told;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.is_cut_short |= other.is_cut_short;
    }
}
