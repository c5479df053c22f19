//! Tops up every account that is due, each time the schedule fires.
//!
//! EventBridge Scheduler delivers at least once and Lambda repeats a failed run, so two sweeps may overlap:
//! which of them tops an account up is decided account by account, by the ledger.

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use shared::clock::Clock;
use shared::domain::PriceBook;
use shared::telemetry;
use shared::use_cases::ports::{Ledger, Payments, Unique};
use shared::use_cases::sweep::{SweepLimits, SweepSummary, sweep};

/// What the function needs of the outside.
pub struct App<L, P, C, U> {
    pub ledger: L,
    pub payments: P,
    pub clock: C,
    pub unique: U,
    pub price_book: PriceBook,
    /// Where the counts go, as one line of embedded metrics.
    pub emit: fn(&serde_json::Value),
}

/// Attempts under way at once; Stripe's own limit is kept by the payments adapter.
const CONCURRENCY: usize = 10;
/// No attempt is begun later than this before Lambda ends the function: longer than one attempt takes, even if each
/// of its four calls is tried three times and times out each time.
const MARGIN: SignedDuration = SignedDuration::from_secs(240);

/// What a sweep did, as the function returns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub due: u64,
    pub paid: u64,
    pub declined: u64,
    pub action_required: u64,
    pub abandoned: u64,
    pub unknown: u64,
    pub skipped: u64,
    pub failed: u64,
    pub is_complete: bool,
}

/// Sweeps once. What the schedule sends along is not needed: what is due is read from the ledger.
///
/// # Errors
/// When the accounts that are due cannot be listed, so that the schedule's retry policy applies.
pub async fn handle<L: Ledger, P: Payments, C: Clock, U: Unique>(
    app: &App<L, P, C, U>,
    event: LambdaEvent<serde_json::Value>,
) -> Result<Summary, Error> {
    let limits = SweepLimits {
        concurrency: CONCURRENCY,
        deadline: deadline(event.context.deadline, app.clock.now())?,
        margin: MARGIN,
    };
    let summary = sweep(&app.ledger, &app.payments, &app.price_book, &app.unique, &app.clock, limits).await?;
    let summary = Summary::from(summary);
    (app.emit)(&telemetry::embedded_metrics("top-up-sweep", &summary.counts(), app.clock.now()));
    if !summary.is_complete {
        tracing::warn!(due = summary.due, "the sweep ran out of time; the next one goes on");
    }
    Ok(summary)
}

/// When Lambda ends the function.
///
/// cargo-lambda says 600,000 where it means ten minutes from now, which would be over since 1970. No function runs
/// longer than 15 minutes, so what is no more than that can only be a time that is left.
fn deadline(milliseconds: u64, now: Timestamp) -> Result<Timestamp, Error> {
    const LONGEST_MS: u64 = 900_000;
    let start = if milliseconds <= LONGEST_MS { now } else { Timestamp::UNIX_EPOCH };
    Ok(start.checked_add(SignedDuration::from_millis(milliseconds.try_into()?))?)
}

impl Summary {
    fn counts(&self) -> [(&'static str, u64); 8] {
        [
            ("due", self.due),
            ("paid", self.paid),
            ("declined", self.declined),
            ("action_required", self.action_required),
            ("abandoned", self.abandoned),
            ("unknown", self.unknown),
            ("skipped", self.skipped),
            ("failed", self.failed),
        ]
    }
}

impl From<SweepSummary> for Summary {
    fn from(summary: SweepSummary) -> Self {
        let SweepSummary { due, paid, declined, action_required, abandoned, unknown, skipped, failed, is_complete } =
            summary;
        Self { due, paid, declined, action_required, abandoned, unknown, skipped, failed, is_complete }
    }
}
