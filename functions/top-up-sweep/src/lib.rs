//! The run over all accounts that are due for a top-up. A schedule starts it every 30 minutes, and a timer continues it
//! if Lambda's time runs out first. Once every account was tried, unpaid attempts are followed up.

pub mod wiring;

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::domain::PriceBook;
use shared::ports::{
    Accounts, AskedCards, Consents, DueIndex, DueUnpaid, Payments, Purchases, SWEEP_PERIOD, SweepLogs, SweepPart,
    Timers, TopUps, Wake,
};
use shared::telemetry;
use shared::timers::wake_of_event;
use shared::use_cases::payments::{FollowUpSummary, SweepLimits, SweepSummary, follow_up, sweep, sweep_continue};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside:
        Capabilities<
            Ledger: Accounts + AskedCards + Consents + Purchases + TopUps + SweepLogs + DueIndex + DueUnpaid,
            Payments: Payments,
            Timers: Timers,
            PriceBook = PriceBook,
        >
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    /// Receives the counts, as one line of embedded metrics.
    pub emit: fn(&Value),
}

/// Attempts that run at once: as many as start in four seconds, which is about how long one takes. The payments adapter
/// enforces Stripe's own limits.
const CONCURRENCY: usize = 92;
/// The last attempt starts this long before Lambda ends the function. This is longer than one attempt takes, even if
/// each of its four calls is tried three times and times out each time.
const MARGIN: SignedDuration = SignedDuration::from_secs(240);

/// What a part of a sweep did, as the function's return value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub due: u64,
    pub paid: u64,
    pub declined: u64,
    pub action_required: u64,
    pub refused: u64,
    pub abandoned: u64,
    pub processing: u64,
    pub unknown: u64,
    pub unknown_for_an_hour: u64,
    pub skipped: u64,
    pub failed: u64,
    pub is_complete: bool,
    /// Whether a timer is set for the rest. Without one, the next sweep does the rest.
    pub is_continued: bool,
    /// What was done about unpaid attempts. `None` if the sweep itself ran out of time.
    pub unpaid: Option<FollowedUp>,
}

/// What was done about unpaid attempts and purchases by invoice: reminders, and their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FollowedUp {
    pub due: u64,
    pub reminded: u64,
    pub issued: u64,
    pub ended: u64,
    pub unknown: u64,
    pub skipped: u64,
    pub failed: u64,
    pub is_complete: bool,
}

/// Starts a sweep, or continues one.
///
/// # Errors
/// If the accounts that are due cannot be listed, or a timer's event cannot be parsed. Lambda reports the error.
pub async fn handle<O: Outside>(app: &App<O>, event: LambdaEvent<Value>) -> Result<Summary, Error> {
    let deadline = deadline(event.context.deadline, app.context.now())?;
    let part = match wake_of_event(&event.payload)? {
        Some(Wake::ContinueSweep(part)) => part,
        None => {
            let now = app.context.now();
            SweepPart::first(due_at(&event.payload, now), now)
        }
    };
    let begin_before = deadline.checked_sub(MARGIN)?.min(part.ends_at());
    let limits = SweepLimits { concurrency: CONCURRENCY, begin_before };
    let swept = sweep(&app.context, &part, limits).await?;
    let function = &event.context.invoked_function_arn;
    let is_continued = sweep_continue(&app.context, &part, &swept, function).await;
    let mut summary = Summary::new(swept.summary, is_continued);
    (app.emit)(&telemetry::embedded_metrics("top-up-sweep", &summary.counts(), app.context.now()));
    if !summary.is_complete {
        tracing::warn!(part = part.number, due = summary.due, is_continued, "the sweep ran out of time");
        return Ok(summary);
    }
    let unpaid = FollowedUp::of(follow_up(&app.context, begin_before).await?);
    // Most sweeps find none, and pay for no metrics of them.
    if unpaid.due > 0 {
        (app.emit)(&telemetry::embedded_metrics("unpaid-top-ups", &unpaid.counts(), app.context.now()));
    }
    summary.unpaid = Some(unpaid);
    Ok(summary)
}

/// The time at which Lambda ends the function.
///
/// cargo-lambda sends 600,000 to mean ten minutes from now, which as a timestamp would be in 1970. No function runs
/// longer than 15 minutes, so a value up to that can only be the time that is left.
fn deadline(milliseconds: u64, now: Timestamp) -> Result<Timestamp, Error> {
    const LONGEST_MS: u64 = 900_000;
    let start = if milliseconds <= LONGEST_MS { now } else { Timestamp::UNIX_EPOCH };
    Ok(start.checked_add(SignedDuration::from_millis(milliseconds.try_into()?))?)
}

/// The scheduled time of a sweep, so that a repeated or late event is the same sweep. An event that was sent manually,
/// or that is from another day, is a sweep of now.
fn due_at(payload: &Value, now: Timestamp) -> Timestamp {
    let time = payload["time"].as_str().and_then(|time| time.parse().ok());
    let is_of_now = |time: &Timestamp| (SignedDuration::ZERO..SWEEP_PERIOD).contains(&now.duration_since(*time));
    time.filter(is_of_now).unwrap_or(now)
}

impl Summary {
    fn new(summary: SweepSummary, is_continued: bool) -> Self {
        let SweepSummary { due, paid, declined, action_required, refused, abandoned, processing, .. } = summary;
        let SweepSummary { unknown, unknown_for_an_hour, skipped, failed, is_complete, .. } = summary;
        Self {
            due,
            paid,
            declined,
            action_required,
            refused,
            abandoned,
            processing,
            unknown,
            unknown_for_an_hour,
            skipped,
            failed,
            is_complete,
            is_continued,
            unpaid: None,
        }
    }

    fn counts(&self) -> [(&'static str, u64); 11] {
        [
            ("due", self.due),
            ("paid", self.paid),
            ("declined", self.declined),
            ("action_required", self.action_required),
            ("refused", self.refused),
            ("abandoned", self.abandoned),
            ("processing", self.processing),
            ("unknown", self.unknown),
            ("unknown_for_an_hour", self.unknown_for_an_hour),
            ("skipped", self.skipped),
            ("failed", self.failed),
        ]
    }
}

impl FollowedUp {
    fn of(summary: FollowUpSummary) -> Self {
        let FollowUpSummary { due, reminded, issued, ended, unknown, skipped, failed, is_cut_short } = summary;
        Self { due, reminded, issued, ended, unknown, skipped, failed, is_complete: !is_cut_short }
    }

    fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("due", self.due),
            ("reminded", self.reminded),
            ("issued", self.issued),
            ("ended", self.ended),
            ("unknown", self.unknown),
            ("skipped", self.skipped),
            ("failed", self.failed),
        ]
    }
}
