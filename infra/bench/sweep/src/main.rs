//! A benchmark of the sweep with a million accounts: the deployed function as a separate process, with the embedded
//! DynamoDB and a Stripe that counts and limits its calls.
//!
//! Everything runs in real time: the function lives for 15 minutes, sweeps start every 30, and Stripe accepts 25 calls
//! to one endpoint and 100 in total within any second. The results are printed to standard output, one per line, and
//! the process fails if a limit is missed.

mod accounts;
mod cloud;
mod measure;
mod stripe;
mod webhooks;

use clap::Parser;
use cloud::Cloud;
use measure::Report;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

/// Sweeps a table of many accounts and measures it.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Accounts in the table, including those that are due.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: usize,
    /// Accounts that are due for a top-up.
    #[arg(long, default_value_t = 1_000)]
    due: usize,
    /// Calls a second to each of Stripe's endpoints; the default is that of the template.
    #[arg(long)]
    rate: Option<u32>,
    /// The latency of Stripe in percent of the assumed one: 300 ms to create an invoice, 200 for its item, 500 to
    /// finalize it and 1,200 to charge the card.
    #[arg(long, default_value_t = 100)]
    latency: u32,
    /// The directory of the compiled function: `DIR/top-up-sweep/bootstrap` or `DIR/top-up-sweep`.
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

/// Prints progress or a result.
fn say(text: &str) {
    // A closed pipe is not an error.
    let _ = writeln!(stdout().lock(), "{text}");
}
