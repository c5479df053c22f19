//! Finds what no webhook told: reads Stripe's list of events, and looks at what is open. Then it warns of disputes that
//! have to be answered soon. A schedule starts it every five minutes, and most runs find nothing.

pub mod wiring;

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::ports::OpenDisputes;
use shared::telemetry;
use shared::use_cases::payments::{ReconcileSummary, Reconciling, reconcile, warn_of_due_disputes};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: Reconciling + Capabilities<Ledger: OpenDisputes>
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    /// Receives the counts, as one line of embedded metrics.
    pub emit: fn(&Value),
}

/// For this long a run begins something. The rest of Lambda's time is for what is under way, such as a card payment.
const RUN_TIME_MAX: SignedDuration = SignedDuration::from_mins(4);

/// What a run did, as the function's return value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub applied: u64,
    pub found: u64,
    pub unknown_payments: u64,
    pub looked: u64,
    pub failed: u64,
    pub failing: u64,
    /// Disputes that have to be answered within three days, and of which this run warns.
    pub disputes_due: u64,
    /// Whether Stripe's list of events could be read.
    pub is_listed: bool,
    pub is_complete: bool,
}

/// Applies what was missed.
///
/// # Errors
/// If the table cannot be read or written. Lambda reports the error, and the next run goes on.
pub async fn handle<O: Outside>(app: &App<O>, _event: LambdaEvent<Value>) -> Result<Summary, Error> {
    let begin_before = app.context.now().saturating_add(RUN_TIME_MAX).unwrap_or(Timestamp::MAX);
    let reconciled = reconcile(&app.context, begin_before).await?;
    // Afterwards: what the list of events has just told may have answered or closed one.
    let disputes_due = warn_of_due_disputes(&app.context).await?;
    let summary = Summary { disputes_due, ..Summary::of(reconciled) };
    // Most runs find nothing, and pay for no metrics.
    if summary != Summary::of(ReconcileSummary::default()) {
        (app.emit)(&telemetry::embedded_metrics("reconciliation", &summary.counts(), app.context.now()));
    }
    if !summary.is_complete {
        tracing::warn!(applied = summary.applied, looked = summary.looked, "the run did not get to the end");
    }
    Ok(summary)
}

impl Summary {
    fn of(summary: ReconcileSummary) -> Self {
        let ReconcileSummary { applied, found, flagged, looked, failed, failing, is_blind, is_cut_short } = summary;
        Self {
            applied,
            found,
            unknown_payments: flagged,
            looked,
            failed,
            failing,
            disputes_due: 0,
            is_listed: !is_blind,
            is_complete: !is_cut_short,
        }
    }

    fn counts(&self) -> [(&'static str, u64); 8] {
        [
            ("applied", self.applied),
            ("found", self.found),
            ("unknown_payments", self.unknown_payments),
            ("looked", self.looked),
            ("failed", self.failed),
            ("failing", self.failing),
            ("disputes_due", self.disputes_due),
            ("behind", u64::from(!self.is_listed || !self.is_complete)),
        ]
    }
}
