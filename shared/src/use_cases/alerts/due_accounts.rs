//! A run over the accounts that are in an index because something is to be told.
//!
//! It runs every minute, and the next run is the continuation of one that had no time left: what was evaluated is not in
//! the index any more. The shards are worked on side by side, and an account that cannot be evaluated is passed by.

use crate::domain::AccountId;
use crate::error::chain;
use crate::ports::{DueCursor, DuePage, LedgerError, Shard};
use crate::use_cases::shards::on_all_shards;
use crate::use_cases::usage::ReadUsageError;
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use std::future::Future;
use std::ops::AddAssign;

/// Accounts of one shard that are evaluated at the same time.
const ACCOUNTS_AT_ONCE: usize = 4;

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

/// What is told, and which accounts are due for it.
pub(super) trait Duty<C: Capabilities> {
    /// What cannot be listed or evaluated, for the log.
    const NAME: &'static str;

    fn due(
        context: &Context<C>,
        shard: Shard,
        due_by: Timestamp,
        after: Option<DueCursor>,
    ) -> impl Future<Output = Result<DuePage, LedgerError>> + Send;

    /// How many e-mails and events became owed. `None` if the account is not due any more.
    fn evaluate(
        context: &Context<C>,
        account: &AccountId,
    ) -> impl Future<Output = Result<Option<u64>, AlertsError>> + Send;
}

/// Evaluates all accounts that are due. None begins after `begin_before`.
///
/// # Errors
/// Only if a shard cannot be listed. The others have been worked on by then.
pub(super) async fn evaluate_all<C: Capabilities, D: Duty<C>>(
    context: &Context<C>,
    begin_before: Timestamp,
) -> Result<AlertsSummary, StoreError> {
    let due_by = context.now();
    on_all_shards(D::NAME, |shard| evaluate_shard::<C, D>(context, shard, (due_by, begin_before))).await
}

async fn evaluate_shard<C: Capabilities, D: Duty<C>>(
    context: &Context<C>,
    shard: Shard,
    (due_by, begin_before): (Timestamp, Timestamp),
) -> Result<AlertsSummary, LedgerError> {
    let mut sum = AlertsSummary::default();
    let mut after = None;
    loop {
        let page = D::due(context, shard, due_by, after).await?;
        let accounts = stream::iter(page.accounts);
        let mut evaluated = accounts
            .map(|account| async move { evaluate::<C, D>(context, &account, begin_before).await })
            .buffer_unordered(ACCOUNTS_AT_ONCE);
        while let Some(summary) = evaluated.next().await {
            sum += summary;
        }
        if page.next.is_none() || sum.is_cut_short {
            return Ok(sum);
        }
        after = page.next;
    }
}

async fn evaluate<C: Capabilities, D: Duty<C>>(
    context: &Context<C>,
    account: &AccountId,
    begin_before: Timestamp,
) -> AlertsSummary {
    if context.now() >= begin_before {
        return AlertsSummary { is_cut_short: true, ..AlertsSummary::default() };
    }
    let due = AlertsSummary { due: 1, ..AlertsSummary::default() };
    match D::evaluate(context, account).await {
        Ok(Some(told)) => AlertsSummary { evaluated: 1, told, ..due },
        Ok(None) => AlertsSummary { skipped: 1, ..due },
        Err(error) => {
            tracing::error!(account.id = %account, error = %chain(&error), "{} could not be evaluated", D::NAME);
            AlertsSummary { failed: 1, ..due }
        }
    }
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
