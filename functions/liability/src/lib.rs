//! Closes the days of the liability: what the company owes its customers in credits. A schedule starts it every 15
//! minutes, and most runs find that nothing is to be done.

pub mod wiring;

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::ports::{Directory, EntryList, History, LiabilityRows, UsageRows};
use shared::telemetry;
use shared::use_cases::liability::{CloseLimits, CloseSummary, close_days};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: Capabilities<Ledger: Directory + EntryList + History + LiabilityRows + UsageRows>
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    /// Receives the counts, as one line of embedded metrics.
    pub emit: fn(&Value),
}

/// For this long a run begins pages. The next run does the rest.
const RUN_TIME_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What a run did, as the function's return value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub days: u64,
    pub accounts: u64,
    pub disagreeing: u64,
    pub negative: u64,
    pub is_complete: bool,
}

/// Closes every day that has passed and is not closed yet.
///
/// # Errors
/// If a day cannot be closed at the moment. Lambda reports the error, and the next run goes on.
pub async fn handle<O: Outside>(app: &App<O>, _event: LambdaEvent<Value>) -> Result<Summary, Error> {
    let begin_before = app.context.now().saturating_add(RUN_TIME_MAX).unwrap_or(Timestamp::MAX);
    let summary = Summary::of(close_days(&app.context, CloseLimits::DEFAULT, begin_before).await?);
    // Most runs find nothing to do, and pay for no metrics.
    if summary != Summary::NOTHING {
        (app.emit)(&telemetry::embedded_metrics("liability", &summary.counts(), app.context.now()));
    }
    Ok(summary)
}

impl Summary {
    const NOTHING: Self = Self { days: 0, accounts: 0, disagreeing: 0, negative: 0, is_complete: true };

    fn of(summary: CloseSummary) -> Self {
        let CloseSummary { days, accounts, disagreeing, negative, is_cut_short } = summary;
        Self { days, accounts, disagreeing, negative, is_complete: !is_cut_short }
    }

    fn counts(&self) -> [(&'static str, u64); 4] {
        [
            ("days", self.days),
            ("accounts", self.accounts),
            ("disagreeing", self.disagreeing),
            ("negative", self.negative),
        ]
    }
}
