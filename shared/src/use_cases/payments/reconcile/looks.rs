//! Looks at what is under way, in case no event ever tells that it has ended.
//!
//! When something is looked at follows from when it was opened, so a look that finds nothing writes nothing about it.

use super::super::check_purchase::check_purchase;
use super::super::top_up::continue_top_up;
use super::run::{Reconciling, Run};
use crate::domain::PurchaseStatus;
use crate::domain::payments::{Invoiced, is_look_at_invoices_due, is_look_due};
use crate::error::chain;
use crate::ports::{DueLooks, DueUnpaid, LedgerError, LooksRest, Shard, Unpaid, UnpaidPage};
use crate::use_cases::Context;
use jiff::Timestamp;

/// The shards of what has a page or is an attempt, and then those of what has an invoice.
const PARTS: u8 = 2 * Shard::COUNT;

/// Looks at everything of which a look is due, or goes on with a round that was interrupted.
///
/// # Errors
/// If a page cannot be listed. How far the round got is not kept then.
pub(super) async fn look<C: Reconciling>(context: &Context<C>, run: &mut Run) -> Result<(), LedgerError> {
    let since = run.reconciled.looks_through.unwrap_or(Timestamp::UNIX_EPOCH);
    let rest = run.reconciled.looks_rest.take();
    let mut has_looked = rest.is_some();
    let mut round = rest.unwrap_or(LooksRest { until: run.started_at, part: 0, after: None });
    while round.part < PARTS {
        let page = page(context, &round, since).await?;
        for open in page.unpaid {
            if is_due(&round, &open, since) {
                if context.now() >= run.begin_before {
                    run.summary.is_cut_short = true;
                    run.reconciled.looks_rest = Some(round);
                    return Ok(());
                }
                has_looked = true;
                look_at(context, run, &open).await;
            }
            round.after = Some(open);
        }
        round.after = page.next;
        if round.after.is_none() {
            round.part += 1;
        }
    }
    // Until something is looked at, the same looks are due as before, so nothing has to be written.
    if has_looked {
        run.reconciled.looks_through = Some(round.until);
    }
    Ok(())
}

fn is_of_invoices(round: &LooksRest) -> bool {
    round.part >= Shard::COUNT
}

/// The next page of what may have to be looked at.
async fn page<C: Reconciling>(
    context: &Context<C>,
    round: &LooksRest,
    since: Timestamp,
) -> Result<UnpaidPage, LedgerError> {
    let shard = Shard::of(round.part.into());
    if !is_of_invoices(round) {
        return context.ledger.due_looks(shard, round.until, round.after.clone()).await;
    }
    if !is_look_at_invoices_due((shard.get(), Shard::COUNT), since, round.until) {
        return Ok(UnpaidPage { unpaid: vec![], next: None });
    }
    context.ledger.due_unpaid(shard, Timestamp::MAX, round.after.clone()).await
}

fn is_due(round: &LooksRest, open: &Unpaid, since: Timestamp) -> bool {
    match (&open.what, is_of_invoices(round)) {
        (_, false) => is_look_due(open.due_at, since, round.until),
        (Invoiced::Purchase(_), true) => true,
        // It was declined, and is followed up.
        (Invoiced::TopUp(_), true) => false,
    }
}

async fn look_at<C: Reconciling>(context: &Context<C>, run: &mut Run, open: &Unpaid) {
    let Unpaid { account, what, .. } = open;
    let ended = match what {
        Invoiced::Purchase(purchase) => check_purchase(context, account, purchase)
            .await
            .map(|purchase| !matches!(purchase.status, PurchaseStatus::Open | PurchaseStatus::Processing)),
        Invoiced::TopUp(top_up) => continue_top_up(context, account, top_up)
            .await
            .map(|attempt| attempt.is_some_and(|attempt| !attempt.status.is_under_way())),
    };
    run.summary.looked += 1;
    match ended {
        Ok(has_ended) => {
            run.summary.found += u64::from(has_ended);
            if has_ended {
                tracing::info!(account.id = %account, open.id = what.id(), "a look found that it has ended");
            }
        }
        Err(error) => {
            run.summary.failed += 1;
            tracing::error!(account.id = %account, open.id = what.id(), error = %chain(&error), "what is open could not be looked at");
        }
    }
}
