//! The run over all pending charges whose time is up.
//!
//! It runs every minute, and the next run is the continuation of one that had no time left: what has expired is not in
//! the index any more. So nothing has to be handed over from run to run. The shards are worked on side by side, and a
//! charge that cannot be expired is passed by, so that none holds up the others.

use super::limits_of;
use crate::domain::charging::{PendingCharge, decide_expiry};
use crate::domain::spending::Payer;
use crate::domain::{Account, AccountId, BalanceOutOfRange, IdempotencyKey, SpenderLimits};
use crate::error::chain;
use crate::ports::{Accounts, DueCharge, DueCharges, LedgerError, PendingCharges, Shard, Spenders};
use crate::use_cases::shards::on_all_shards;
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// Accounts of one shard whose charges are expired at the same time.
const ACCOUNTS_AT_ONCE: usize = 4;

/// Charges of one account that expire in one transaction. Each is an entry, a record and perhaps the limits of its
/// spender; with the account that is within the limit of 100 items.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
const CHARGES_AT_ONCE: usize = 32;

/// What a run did, in charges. `due` is the sum of `expired`, `skipped` and `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpirySummary {
    pub due: u64,
    pub expired: u64,
    /// Captured, voided or expired by another request in the meantime.
    pub skipped: u64,
    /// The log says why. The next run tries again.
    pub failed: u64,
    /// Whether time ran out first. The next run does the rest.
    pub is_cut_short: bool,
}

/// Why charges of an account could not be expired.
#[derive(Debug, thiserror::Error)]
pub enum ExpiryError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] BalanceOutOfRange),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives back the credits of all pending charges whose time is up. No transaction begins after `begin_before`.
///
/// # Errors
/// Only if a shard cannot be listed. The others have been worked on by then.
pub async fn expire_charges<C: Capabilities<Ledger: Accounts + PendingCharges + Spenders + DueCharges>>(
    context: &Context<C>,
    begin_before: Timestamp,
) -> Result<ExpirySummary, StoreError> {
    let run = Run { context, due_by: context.now(), begin_before };
    on_all_shards("the charges that are due", |shard| run.expire_shard(shard)).await
}

struct Run<'a, C: Capabilities> {
    context: &'a Context<C>,
    due_by: Timestamp,
    begin_before: Timestamp,
}

impl<C: Capabilities<Ledger: Accounts + PendingCharges + Spenders + DueCharges>> Run<'_, C> {
    async fn expire_shard(&self, shard: Shard) -> Result<ExpirySummary, LedgerError> {
        let mut sum = ExpirySummary::default();
        let mut after = None;
        loop {
            if self.is_time_up() {
                sum.is_cut_short = true;
                return Ok(sum);
            }
            let page = self.context.ledger.due_charges(shard, self.due_by, after).await?;
            let accounts = stream::iter(by_account(page.charges));
            let mut expired = accounts
                .map(|(account, charges)| async move { self.expire_account(&account, &charges).await })
                .buffer_unordered(ACCOUNTS_AT_ONCE);
            while let Some(summary) = expired.next().await {
                sum += summary;
            }
            if page.next.is_none() {
                return Ok(sum);
            }
            after = page.next;
        }
    }

    fn is_time_up(&self) -> bool {
        self.context.now() >= self.begin_before
    }

    async fn expire_account(&self, account: &AccountId, charges: &[IdempotencyKey]) -> ExpirySummary {
        let mut sum = ExpirySummary::default();
        for charges in charges.chunks(CHARGES_AT_ONCE) {
            if self.is_time_up() {
                sum.is_cut_short = true;
                break;
            }
            sum += self.expire_together(account, charges).await;
        }
        sum
    }

    /// One after the other if they cannot expire in one transaction, so that one charge does not hold up the others.
    async fn expire_together(&self, account: &AccountId, charges: &[IdempotencyKey]) -> ExpirySummary {
        match expire(self.context, account, charges).await {
            Ok(Some(expired)) => ExpirySummary::of(charges.len(), expired),
            Ok(None) if charges.len() == 1 => ExpirySummary::of(1, 0),
            Err(error) if charges.len() == 1 || is_retryable(&error) => failed(account, charges, &error),
            Ok(None) | Err(_) => {
                let mut sum = ExpirySummary::default();
                for charge in charges.chunks(1) {
                    sum += Box::pin(self.expire_together(account, charge)).await;
                }
                sum
            }
        }
    }
}

/// How many of these charges expired just now. `None` if another request ended one of them at the same moment.
async fn expire<C: Capabilities<Ledger: Accounts + PendingCharges + Spenders>>(
    context: &Context<C>,
    account: &AccountId,
    charges: &[IdempotencyKey],
) -> Result<Option<usize>, ExpiryError> {
    let read = |current| async move {
        let reads = charges.iter().map(|charge| context.ledger.pending_charge_get(account, charge));
        let pending = try_join_all(reads).await.map_err(StoreError::from)?;
        let pending: Vec<PendingCharge> = pending.into_iter().flatten().collect();
        let spenders: BTreeSet<_> = pending.iter().filter_map(|pending| pending.spender.as_ref()).collect();
        let limits = limits_of(context, current, spenders).await?;
        Ok::<_, ExpiryError>((pending, limits))
    };
    let decide = |account: &Account, (pending, limits): &(Vec<PendingCharge>, Vec<SpenderLimits>), now| {
        Ok(decide_expiry(Payer { account, limits }, pending, now)?)
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => {
            tracing::info!(account.id = %account, charges = change.entries.len(), "expired");
            Ok(Some(change.entries.len()))
        }
        Updated::Unchanged(..) => Ok(Some(0)),
        Updated::Duplicate(_) => Ok(None),
    }
}

fn failed(account: &AccountId, charges: &[IdempotencyKey], error: &ExpiryError) -> ExpirySummary {
    tracing::error!(account.id = %account, charges = charges.len(), error = %chain(error), "charges could not be expired");
    let count = charges.len() as u64;
    ExpirySummary { due: count, failed: count, ..ExpirySummary::default() }
}

fn is_retryable(error: &ExpiryError) -> bool {
    matches!(error, ExpiryError::Store(error) if error.is_retryable())
}

fn by_account(charges: Vec<DueCharge>) -> BTreeMap<AccountId, Vec<IdempotencyKey>> {
    let mut accounts = BTreeMap::<_, Vec<_>>::new();
    for DueCharge { account, charge, .. } in charges {
        accounts.entry(account).or_default().push(charge);
    }
    accounts
}

impl ExpirySummary {
    fn of(due: usize, expired: usize) -> Self {
        let (due, expired) = (due as u64, expired as u64);
        Self { due, expired, skipped: due.saturating_sub(expired), ..Self::default() }
    }
}

impl AddAssign for ExpirySummary {
    fn add_assign(&mut self, other: Self) {
        self.due += other.due;
        self.expired += other.expired;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.is_cut_short |= other.is_cut_short;
    }
}
