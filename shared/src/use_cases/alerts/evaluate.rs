//! The run over all accounts whose balance has left its bounds.

use super::due_accounts::{AlertsError, AlertsSummary, Duty, evaluate_all};
use crate::domain::alerts::{AlertsDue, decide_alerts};
use crate::domain::usage::{DAYS_NEEDED, forecast};
use crate::domain::{Account, AccountId, NoticeId, Periods, PriceBook};
use crate::ports::{
    Accounts, AlertRows, DueAlerts, DueCursor, DuePage, Entries, EntryList, LedgerError, Shard, UsageFolds, UsageRows,
};
use crate::use_cases::usage::{FoldLimits, read_usage};
use crate::use_cases::{Capabilities, Context, StoreError, Updated};
use jiff::Timestamp;
use std::sync::Arc;

trait_alias! {
    /// The ports of an evaluation.
    pub trait AlertsLedger: Accounts + AlertRows + UsageRows + EntryList + Entries + UsageFolds
}

/// Evaluates all accounts that are due. None begins after `begin_before`.
///
/// # Errors
/// Only if a shard cannot be listed. The others have been worked on by then.
pub async fn evaluate_alerts<C: Capabilities<Ledger: AlertsLedger + DueAlerts, PriceBook = PriceBook>>(
    context: &Context<C>,
    begin_before: Timestamp,
) -> Result<AlertsSummary, StoreError> {
    evaluate_all::<C, LowBalance>(context, begin_before).await
}

/// The balance left its bounds.
struct LowBalance;

impl<C: Capabilities<Ledger: AlertsLedger + DueAlerts, PriceBook = PriceBook>> Duty<C> for LowBalance {
    const NAME: &'static str = "alerts";

    async fn due(
        context: &Context<C>,
        shard: Shard,
        due_by: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, LedgerError> {
        context.ledger.due_alerts(shard, due_by, after).await
    }

    async fn evaluate(context: &Context<C>, account: &AccountId) -> Result<Option<u64>, AlertsError> {
        evaluate(context, account).await
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
