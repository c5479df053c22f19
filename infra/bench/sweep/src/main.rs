//! How a sweep fares among a million accounts: the function that is deployed, as a process of its own, against the
//! embedded DynamoDB and a Stripe that counts and limits what it is asked.
//!
//! Nothing is faster than it would be: the function lives fifteen minutes, sweeps begin every thirty, and Stripe takes
//! 25 calls of an endpoint and 100 in all within any second. The results go to standard output, one line each, and the
//! process fails where a promise is not kept.

mod accounts;
mod cloud;
mod measure;
mod stripe;

use clap::Parser;
use cloud::Cloud;
use measure::Report;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

/// Sweeps a table of many accounts, and measures what that takes.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Accounts in the table, those that are due included.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: usize,
    /// Accounts that are due for a top-up.
    #[arg(long, default_value_t = 1_000)]
    due: usize,
    /// Calls a second to each of Stripe's endpoints; without, as the template deploys it.
    #[arg(long)]
    rate: Option<u32>,
    /// How long Stripe takes over each call, in percent of what it is taken to take: 300 ms to make an invoice, 200 for
    /// its item, 500 to finalize it and 1,200 to charge the card.
    #[arg(long, default_value_t = 100)]
    latency: u32,
    /// Where the compiled function is: `DIR/top-up-sweep/bootstrap` or `DIR/top-up-sweep`.
    #[arg(long)]
    functions: PathBuf,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(report) if report.is_kept() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<Report, Error> {
    say(&format!("{arguments:?}"));
    let cloud = Cloud::start(&arguments).await?;
    let table = cloud.table();
    let loading = tokio::time::Instant::now();
    accounts::load(&cloud.aws.dynamodb, &table, arguments.accounts, arguments.due).await?;
    say(&format!("loaded {} accounts in {} s", arguments.accounts, loading.elapsed().as_secs()));
    let mut report = cloud.sweep_until_done(arguments.due).await?;
    report.topped_up = accounts::topped_up(&cloud.aws.dynamodb, &table, arguments.due).await?;
    report.paid = cloud.stripe.customers_paid_once();
    say(&report.to_string());
    Ok(report)
}

/// Progress and results alike: a run is read by people.
fn say(text: &str) {
    // Whoever closed the pipe does not want to know.
    let _ = writeln!(stdout().lock(), "{text}");
}
