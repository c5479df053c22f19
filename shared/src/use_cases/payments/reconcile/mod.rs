//! The reconciliation: whatever no webhook told is found by reading the payment provider's list of events, and by looking
//! at what is under way. Both go through what webhooks and customers' checks go through.

mod events;
mod looks;
mod run;

pub use run::{ReconcileSummary, Reconciling};

use crate::ports::Reconciliations;
use crate::use_cases::{Context, StoreError};
use events::{read_events, retry_failed};
use jiff::Timestamp;
use looks::look;
use run::Run;

/// Applies what was missed. Nothing begins after `begin_before`; the next run does the rest.
///
/// How far it got is written once, at the end, and only if it is farther than before. So a run that dies is repeated, and
/// of two runs at once one is written; what is applied twice is applied once.
///
/// # Errors
/// If the ledger cannot be read or written.
pub async fn reconcile<C: Reconciling>(
    context: &Context<C>,
    begin_before: Timestamp,
) -> Result<ReconcileSummary, StoreError> {
    let before = context.ledger.reconciled_get().await?;
    let started_at = context.now();
    let half = begin_before.duration_since(started_at) / 2;
    let mut run = Run {
        started_at,
        events_before: started_at.saturating_add(half).unwrap_or(begin_before),
        begin_before,
        reconciled: before.clone(),
        summary: ReconcileSummary::default(),
    };
    read_events(context, &mut run).await?;
    retry_failed(context, &mut run).await?;
    look(context, &mut run).await?;
    if run.reconciled != before {
        run.reconciled.revision = before.revision.saturating_add(1);
        if !context.ledger.reconciled_put(&run.reconciled).await? {
            tracing::info!("another reconciliation was first");
        }
    }
    Ok(run.summary)
}
