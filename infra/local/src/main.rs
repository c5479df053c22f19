//! `prepaid`: the whole product on this machine.
//!
//! Without a subcommand it serves until it is interrupted; `demo` plays the main story; `quote` prices files.

use clap::{Parser, Subcommand};
use lambda_http::Error;
use prepaid_local::clock::MovableClock;
use prepaid_local::cloud::{LocalCloud, Options};
use prepaid_local::operations::{PlannedOperation, operation_of_audio, read_operations};
use prepaid_local::{demo, quote};
use shared::domain::PriceBook;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

/// Prepaid on this machine: the API, Stripe, e-mail and the schedules, in one process on loopback.
#[derive(Parser)]
#[command(name = "prepaid", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(clap::Args)]
struct Serve {
    /// The API's port on 127.0.0.1; the Stripe and AWS stand-ins use the next two. 0 picks free ports.
    #[arg(long, default_value_t = 8700)]
    port: u16,
    /// Keep the table in this directory instead of in memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Run the compiled functions in this directory (target/lambda) instead of the ones in this process.
    #[arg(long)]
    functions: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Play the main story: buy, charge, run low, top up; then a declined card and 3D Secure.
    Demo {
        /// A list of operations to charge: CSV with the columns operation, duration_ms, max_minutes, reference.
        #[arg(long)]
        operations: Option<PathBuf>,
        /// Audio files to dub. They are charged after the list.
        audio: Vec<PathBuf>,
    },
    /// Print what files would cost: audio files, or CSV lists of operations.
    Quote {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).init();
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        None => serve(arguments.serve).await.map(|()| true),
        Some(Command::Demo { operations, audio }) => play_demo(operations, &audio).await,
        Some(Command::Quote { files }) => {
            let quoted = quote::quote(&files, &PriceBook::reference(), &mut stdout().lock());
            quoted.map(|()| true).map_err(Error::from)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            let _ = writeln!(stderr(), "The books do not balance.");
            ExitCode::FAILURE
        }
        Err(error) => {
            let _ = writeln!(stderr(), "{}", shared::error::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn play_demo(operations: Option<PathBuf>, audio: &[PathBuf]) -> Result<bool, Error> {
    let mut planned: Vec<PlannedOperation> = match (&operations, audio.is_empty()) {
        (Some(file), _) => read_operations(file)?,
        (None, true) => {
            read_operations(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/operations.csv").as_ref())?
        }
        (None, false) => vec![],
    };
    for file in audio {
        planned.push(operation_of_audio(file)?);
    }
    demo::play(&planned, &mut stdout()).await
}

async fn serve(options: Serve) -> Result<(), Error> {
    let Serve { port, data, functions } = options;
    let started = LocalCloud::start(Options { port, data, functions, ..Options::new(MovableClock::running()) }).await?;
    started.run();
    let urls = &started.urls;
    let out = &mut stdout();
    writeln!(
        out,
        "Prepaid runs on this machine. Stop it with Ctrl-C.

  API              {api}
  Start page       {api}/_local/
  Stripe stand-in  {stripe}
  E-mail inbox     {aws}/inbox
  AWS stand-ins    {aws}   (AWS_ENDPOINT_URL for cargo-lambda and the AWS CLI)

Tokens:

  export SERVICE_TOKEN={service}

  export CUSTOMER_TOKEN={customer}

Try it:

  curl -s {api}/v1/accounts -H \"Authorization: Bearer $SERVICE_TOKEN\" \\
       -d '{{\"account\":\"acme\",\"email\":\"owner@acme.example\"}}'

  curl -s {api}/v1/accounts/acme/purchases -H \"Authorization: Bearer $CUSTOMER_TOKEN\" \\
       -H 'Idempotency-Key: buy-1' -d '{{\"package\":\"credits_5000\"}}'      # open its checkout_url, pay with 4242 4242 4242 4242

  curl -s {api}/v1/accounts/acme/charges -H \"Authorization: Bearer $SERVICE_TOKEN\" \\
       -H 'Idempotency-Key: job-1' -d '{{\"operation\":\"dubbing\",\"duration_ms\":90000}}'
",
        api = urls.api,
        stripe = urls.stripe,
        aws = urls.aws,
        service = started.service_token(),
        customer = started.customer_token("acme"),
    )?;
    out.flush()?;
    Ok(tokio::signal::ctrl_c().await?)
}
