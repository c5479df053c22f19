//! The run over all accounts that are due for a top-up.

use super::StoreError;
use super::ports::{DueCursor, Ledger, Payments, Shard, Unique};
use super::settle::SettleError;
use super::top_up::{ToppedUp, top_up};
use crate::clock::Clock;
use crate::domain::{AccountId, PriceBook, TopUpStatus};
use crate::telemetry::chain;
use futures::StreamExt;
use futures::stream;
use jiff::{SignedDuration, Timestamp};

/// How a sweep is bounded.
#[derive(Clone, Copy, Debug)]
pub struct SweepLimits {
    /// Attempts under way at once, at least 1. Stripe's own limit is kept by the payments adapter.
    pub concurrency: usize,
    /// The instant at which the process is ended.
    pub deadline: Timestamp,
    /// No attempt is begun later than this before the deadline; longer than one attempt takes.
    pub margin: SignedDuration,
}

/// What a sweep did. `due` is the sum of all the others but `is_complete`.
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
    /// Whether every due account was tried. What is left is due in the next sweep.
    pub is_complete: bool,
}

/// Tries every account that is due. One account's failure stops no other.
///
/// # Errors
/// Only when the accounts that are due cannot be listed; what was begun before has been carried on.
pub async fn sweep<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    limits: SweepLimits,
) -> Result<SweepSummary, StoreError> {
    let mut summary = SweepSummary { is_complete: true, ..SweepSummary::default() };
    let started_at = clock.now();
    for shard in Shard::all() {
        let mut cursor: Option<DueCursor> = None;
        loop {
            let page = ledger.due_accounts(shard, started_at, cursor).await?;
            let mut attempts = stream::iter(page.accounts)
                .map(|account| async move {
                    let is_late = clock.now().duration_since(limits.deadline) > -limits.margin;
                    if is_late {
                        None
                    } else {
                        Some(attempt(ledger, payments, price_book, unique, clock, &account).await)
                    }
                })
                .buffer_unordered(limits.concurrency);
            while let Some(attempted) = attempts.next().await {
                match attempted {
                    Some(attempted) => summary.count(attempted),
                    None => summary.is_complete = false,
                }
            }
            cursor = page.next;
            if cursor.is_none() || !summary.is_complete {
                break;
            }
        }
        if !summary.is_complete {
            break;
        }
    }
    Ok(summary)
}

async fn attempt<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
) -> Result<ToppedUp, SettleError> {
    let attempted = top_up(ledger, payments, price_book, unique, clock, account).await;
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
