//! Gives back the credits of pending charges that nobody captured in time. A schedule starts it every minute.

pub mod wiring;

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::ports::{Accounts, DueCharges, PendingCharges, Spenders};
use shared::telemetry;
use shared::use_cases::charging::{ExpirySummary, expire_charges};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: Capabilities<Ledger: Accounts + PendingCharges + Spenders + DueCharges>
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    /// Receives the counts, as one line of embedded metrics.
    pub emit: fn(&Value),
}

/// For this long a run begins transactions. Then the next run is about to begin, and does the rest.
const RUN_TIME_MAX: SignedDuration = SignedDuration::from_secs(50);

/// What a run did, as the function's return value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub due: u64,
    pub expired: u64,
    pub skipped: u64,
    pub failed: u64,
    pub is_complete: bool,
}

/// Expires what is due.
///
/// # Errors
/// If the charges that are due cannot be listed. Lambda reports the error.
pub async fn handle<O: Outside>(app: &App<O>, _event: LambdaEvent<Value>) -> Result<Summary, Error> {
    let begin_before = app.context.now().saturating_add(RUN_TIME_MAX).unwrap_or(Timestamp::MAX);
    let summary = Summary::of(expire_charges(&app.context, begin_before).await?);
    // A minute without expiries, which most are, pays for no metrics.
    if summary.due > 0 {
        (app.emit)(&telemetry::embedded_metrics("charge-expiry", &summary.counts(), app.context.now()));
    }
    if !summary.is_complete {
        tracing::warn!(due = summary.due, "the run ran out of time");
    }
    Ok(summary)
}

impl Summary {
    fn of(summary: ExpirySummary) -> Self {
        let ExpirySummary { due, expired, skipped, failed, is_cut_short } = summary;
        Self { due, expired, skipped, failed, is_complete: !is_cut_short }
    }

    fn counts(&self) -> [(&'static str, u64); 4] {
        [("due", self.due), ("expired", self.expired), ("skipped", self.skipped), ("failed", self.failed)]
    }
}
