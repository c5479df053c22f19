//! The payment provider's own list of events. It is read as a whole, and not only what was not delivered: without any
//! webhook, nothing counts as undelivered.
//!
//! Events are applied as webhooks are, so one that a webhook has applied costs one read. What fails is kept as a row of
//! its own, so that it neither holds up the others nor is lost once the list does not show it any more.

use super::super::apply_event::{Applied, ApplyEventError, apply_event};
use super::run::{Reconciling, Run};
use crate::error::chain;
use crate::ports::{
    EventList, EventsPass, EventsPlace, FailedEvent, FailedEvents, LedgerError, ListedEvent, PaymentsError,
};
use crate::use_cases::Context;
use jiff::{SignedDuration, Timestamp};

/// The list reaches back so far: <https://docs.stripe.com/api/events>.
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Each pass begins so long before the end of the one before. Events are dated to the second and by another clock, and
/// may be listed later than they are dated.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
/// After this time without any event, a pass is written down all the same.
const WRITTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// A webhook that is this late is counted as missing. Usually it is here within seconds.
const WEBHOOK_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// If more events fail for the first time in one run, something else is wrong, and the run leaves the rest to the next one.
const KEPT_MAX: u32 = 10;
/// How long after its first failure an event is tried again. The time doubles with each failure.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(5);
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(6);
/// From this number of failures on, an event counts as failing. An outage of minutes does not get there.
const FAILING_FROM: u32 = 3;

/// Applies the events since the last pass, or goes on with a pass that was interrupted.
///
/// # Errors
/// Those of the ledger. How far the pass got is not kept then.
pub(super) async fn read_events<C: Reconciling>(context: &Context<C>, run: &mut Run) -> Result<(), LedgerError> {
    let rest = run.reconciled.events_rest.take();
    let (mut has_listed, mut kept) = (rest.is_some(), 0);
    let mut pass = rest.unwrap_or_else(|| next_pass(run));
    loop {
        let page = match context.payments.events_page(&pass).await {
            Ok(page) => page,
            // The event that the page follows is not listed any more. What was applied is applied once.
            Err(PaymentsError::NotFound { .. }) if pass.place.after.is_some() => {
                pass.place = EventsPlace::default();
                continue;
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the list of events cannot be read");
                run.summary.is_blind = true;
                run.reconciled.events_rest = has_listed.then_some(pass);
                return Ok(());
            }
        };
        for event in &page.events {
            has_listed = true;
            if kept > KEPT_MAX || context.now() >= run.events_before {
                run.summary.is_cut_short = true;
                run.reconciled.events_rest = Some(pass);
                return Ok(());
            }
            kept += u32::from(apply(context, run, event).await?);
        }
        match page.next {
            Some(next) => pass.place = next,
            None => break,
        }
    }
    let through = run.reconciled.events_through;
    let is_long_ago = through.is_none_or(|through| pass.until.duration_since(through) >= WRITTEN_AFTER);
    if has_listed || is_long_ago {
        run.reconciled.events_through = Some(pass.until);
    }
    Ok(())
}

fn next_pass(run: &Run) -> EventsPass {
    let first = run.started_at.saturating_sub(LISTED_FOR).unwrap_or(Timestamp::MIN);
    let from = match run.reconciled.events_through {
        Some(through) => through.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN),
        None => first,
    };
    if from < first {
        tracing::error!(reconciled.through = %from, "there was no reconciliation for so long that events may be missing");
    }
    EventsPass { from, until: run.started_at, place: EventsPlace::default() }
}

/// Returns whether the event failed for the first time.
async fn apply<C: Reconciling>(context: &Context<C>, run: &mut Run, event: &ListedEvent) -> Result<bool, LedgerError> {
    match apply_event(context, &event.id, &event.subject).await {
        Ok(applied) => {
            count(run, applied, event);
            Ok(false)
        }
        Err(error) => {
            warn(&error, event);
            run.summary.failed += 1;
            let failed = FailedEvent { event: event.clone(), tries: 1, due_at: retry_at(run, 1) };
            context.ledger.failed_event_put_new(&failed).await
        }
    }
}

/// Tries the events again that failed before.
///
/// # Errors
/// Those of the ledger.
pub(super) async fn retry_failed<C: Reconciling>(context: &Context<C>, run: &mut Run) -> Result<(), LedgerError> {
    for id in context.ledger.due_failed_events(run.started_at).await? {
        if context.now() >= run.begin_before {
            run.summary.is_cut_short = true;
            return Ok(());
        }
        let Some(failed) = context.ledger.failed_event_get(&id).await? else { continue };
        if failed.due_at > run.started_at {
            continue;
        }
        match apply_event(context, &id, &failed.event.subject).await {
            Ok(applied) => {
                count(run, applied, &failed.event);
                context.ledger.failed_event_delete(&id).await?;
            }
            Err(error) => {
                warn(&error, &failed.event);
                let tries = failed.tries.saturating_add(1);
                run.summary.failed += 1;
                run.summary.failing += u64::from(tries >= FAILING_FROM);
                let failed_again = FailedEvent { tries, due_at: retry_at(run, tries), ..failed };
                context.ledger.failed_event_put(&failed_again).await?;
            }
        }
    }
    Ok(())
}

fn retry_at(run: &Run, tries: u32) -> Timestamp {
    let minutes = RETRY_AFTER.as_mins().saturating_mul(1 << tries.saturating_sub(1).min(16));
    let wait = SignedDuration::from_mins(minutes).min(RETRY_AFTER_MAX);
    run.started_at.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

fn count(run: &mut Run, applied: Applied, event: &ListedEvent) {
    match applied {
        Applied::Before | Applied::Ignored => return,
        Applied::Flagged => run.summary.flagged += 1,
        Applied::Now => {}
    }
    run.summary.applied += 1;
    let is_late = run.started_at.duration_since(event.created_at) >= WEBHOOK_WITHIN;
    run.summary.found += u64::from(is_late);
    tracing::info!(event.id = %event.id, ?applied, is_late, "an event of the list is applied");
}

/// What a person has to look at is an error.
fn warn(error: &ApplyEventError, event: &ListedEvent) {
    match error {
        ApplyEventError::Mismatch(_) | ApplyEventError::BalanceOutOfRange(_) => {
            tracing::error!(event.id = %event.id, error = %chain(error), "an event of the list cannot be applied");
        }
        ApplyEventError::Outside(_) => {
            tracing::warn!(event.id = %event.id, error = %chain(error), "an event of the list could not be applied");
        }
    }
}
