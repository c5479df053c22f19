//! Evaluates the alerts of accounts whose balance has left its bounds, and tells customers that their card expires. A
//! schedule starts it every minute.
//!
//! It sends nothing: e-mails and events become owed, and `functions/notifications` does what is owed.

pub mod wiring;

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::domain::PriceBook;
use shared::ports::DueAlerts;
use shared::telemetry;
use shared::use_cases::alerts::{AlertsLedger, AlertsSummary, CardsLedger, evaluate_alerts, warn_of_expiring_cards};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: Capabilities<Ledger: AlertsLedger + DueAlerts + CardsLedger, PriceBook = PriceBook>
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
    pub evaluated: u64,
    pub told: u64,
    pub skipped: u64,
    pub failed: u64,
    pub is_complete: bool,
}

/// Evaluates what is due.
///
/// # Errors
/// If the accounts that are due cannot be listed; those of the other kind are evaluated all the same. Lambda reports the
/// error.
pub async fn handle<O: Outside>(app: &App<O>, _event: LambdaEvent<Value>) -> Result<Summary, Error> {
    let begin_before = app.context.now().saturating_add(RUN_TIME_MAX).unwrap_or(Timestamp::MAX);
    let alerts = evaluate_alerts(&app.context, begin_before).await;
    let cards = warn_of_expiring_cards(&app.context, begin_before).await;
    let mut sum = alerts?;
    sum += cards?;
    let summary = Summary::of(sum);
    // A minute in which nothing is due pays for no metrics.
    if summary.due > 0 {
        (app.emit)(&telemetry::embedded_metrics("alerts", &summary.counts(), app.context.now()));
    }
    if !summary.is_complete {
        tracing::warn!(due = summary.due, "the run ran out of time");
    }
    Ok(summary)
}

impl Summary {
    fn of(summary: AlertsSummary) -> Self {
        let AlertsSummary { due, evaluated, told, skipped, failed, is_cut_short } = summary;
        Self { due, evaluated, told, skipped, failed, is_complete: !is_cut_short }
    }

    fn counts(&self) -> [(&'static str, u64); 5] {
        [
            ("due", self.due),
            ("evaluated", self.evaluated),
            ("told", self.told),
            ("skipped", self.skipped),
            ("failed", self.failed),
        ]
    }
}
