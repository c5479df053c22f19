//! `prepaid`: the whole product on this machine.
//!
//! Without a subcommand it serves until it is interrupted; `demo` plays the main story, `quote` prices files,
//! `check-price-book` checks a company's prices before they are deployed, and `support` calls the routes of support.

use clap::{Parser, Subcommand};
use jiff::civil::Date;
use lambda_http::Error;
use prepaid_local::clock::MovableClock;
use prepaid_local::cloud::{LocalCloud, Options};
use prepaid_local::first_steps::{FirstSteps, first_steps};
use prepaid_local::openapi::describe;
use prepaid_local::operations::{PlannedOperation, operation_of_audio, read_operations};
use prepaid_local::price_books::{self, PriceBookFile};
use prepaid_local::support::{self, SupportArguments};
use prepaid_local::{demo, prove, quote, ready_made, verify};
use shared::aws::AwsEnvironment;
use shared::clock::{Clock, SystemClock};
use shared::config::Environment;
use shared::domain::{AccountId, InvalidId, PriceBook};
use shared::surroundings::Surroundings;
use std::io::{Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
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
    /// Sell from this price book instead of the built-in one: JSON as in docs/billing-rules.md.
    #[arg(long)]
    price_book: Option<PathBuf>,
    /// Run the compiled functions in this directory (target/lambda) instead of the ones in this process.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// Start without the ready-made accounts that the Billing Dashboard shows at first.
    #[arg(long)]
    empty: bool,
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
        /// Use the prices of this book instead of the built-in one: JSON as in docs/billing-rules.md.
        #[arg(long)]
        price_book: Option<PathBuf>,
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the API's description, with the operations of a price book, as JSON.
    Openapi {
        #[arg(long)]
        price_book: Option<PathBuf>,
    },
    /// Find an account, adjust it, restrict it: the routes of support, here or of a deployed stack.
    Support(SupportArguments),
    /// Verify the ledger of an account: hashes, sums and the balance. Ends with 1 if something does not fit.
    Verify {
        #[arg(long, value_parser = parse_account)]
        account: AccountId,
        /// The address of the API.
        #[arg(long, env = "PREPAID_URL", default_value = "http://127.0.0.1:8700")]
        url: String,
        /// A token of the customer or of a service.
        #[arg(long, env = "PREPAID_TOKEN", hide_env_values = true)]
        token: String,
    },
    /// Prove every payment of a period against the table and the Stripe that the environment names, in both directions.
    /// Ends with 1 at the first gap.
    Prove {
        /// The first day (UTC), as YYYY-MM-DD.
        #[arg(long)]
        from: Date,
        /// The last day.
        #[arg(long)]
        to: Date,
    },
    /// Check a price book, and print it as the deployment's parameter PriceBook takes it.
    CheckPriceBook { file: PathBuf },
}

fn parse_account(text: &str) -> Result<AccountId, InvalidId> {
    AccountId::parse(text)
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
        Some(Command::Quote { price_book, files }) => print_quote(price_book, &files).map(|()| true),
        Some(Command::Openapi { price_book }) => print_openapi(price_book).map(|()| true),
        Some(Command::Support(arguments)) => {
            support::run(&arguments, &mut stdin().lock(), &mut stdout()).await.map(|()| true)
        }
        Some(Command::Verify { account, url, token }) => {
            verify::verify(verify::Access { url: &url, token: &token }, account.as_str(), &mut stdout()).await
        }
        Some(Command::Prove { from, to }) => prove_payments((from, to)).await,
        Some(Command::CheckPriceBook { file }) => check_price_book(&file).map(|()| true),
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

/// Not by `Surroundings::of_process`, which logs as a function does.
async fn prove_payments(days: (Date, Date)) -> Result<bool, Error> {
    let environment = Environment::of_process();
    let aws = AwsEnvironment::of(&environment)?;
    prove::prove(Surroundings { environment, aws, clock: SystemClock }, days, &mut stdout()).await
}

fn print_quote(price_book: Option<PathBuf>, files: &[PathBuf]) -> Result<(), Error> {
    Ok(quote::quote(files, &chosen(price_book)?, &mut stdout().lock())?)
}

fn print_openapi(price_book: Option<PathBuf>) -> Result<(), Error> {
    Ok(writeln!(stdout(), "{:#}", describe(&chosen(price_book)?))?)
}

fn chosen(price_book: Option<PathBuf>) -> Result<PriceBook, Error> {
    match price_book {
        Some(file) => Ok(price_books::read(&file)?.book),
        None => Ok(PriceBook::reference()),
    }
}

fn check_price_book(file: &Path) -> Result<(), Error> {
    let PriceBookFile { book, json } = price_books::read(file)?;
    let (operations, packages) = (book.operations.len(), book.packages.len());
    writeln!(stderr(), "Version {} sells {operations} operations and {packages} packages.", book.version)?;
    Ok(writeln!(stdout(), "{json}")?)
}

async fn play_demo(operations: Option<PathBuf>, audio: &[PathBuf]) -> Result<bool, Error> {
    let price_book = PriceBook::reference();
    let example = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/operations.csv");
    let list = operations.or_else(|| audio.is_empty().then(example));
    let mut planned: Vec<PlannedOperation> = match list {
        Some(file) => read_operations(&file, &price_book)?,
        None => vec![],
    };
    for file in audio {
        planned.push(operation_of_audio(file, &price_book)?);
    }
    demo::play(&planned, &mut stdout()).await
}

async fn serve(options: Serve) -> Result<(), Error> {
    let Serve { port, data, price_book, functions, empty } = options;
    let file = price_book.map(|file| price_books::read(&file)).transpose()?;
    let (book, price_book) = match file {
        Some(PriceBookFile { book, json }) => (book, Some(json)),
        None => (PriceBook::reference(), None),
    };
    let FirstSteps { purchase, charge } = first_steps(&book);
    // The accounts' past needs a clock of its own and the prices of the built-in book.
    let has_ready_made = !empty && data.is_none() && price_book.is_none() && functions.is_none();
    let now = SystemClock.now();
    let clock = if has_ready_made {
        MovableClock::standing(now.saturating_sub(ready_made::PAST)?)
    } else {
        MovableClock::running()
    };
    let started = LocalCloud::start(Options { port, data, functions, price_book, ..Options::new(clock) }).await?;
    if has_ready_made {
        ready_made::make(&started, now).await?;
        started.clock.start();
    }
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
{dashboard}
Tokens:

  export SERVICE_TOKEN={service}

  export CUSTOMER_TOKEN={customer}

  export PREPAID_URL={api} PREPAID_TOKEN={support}      # for cargo run -- support

Try it:

  curl -s {api}/v1/accounts -H \"Authorization: Bearer $SERVICE_TOKEN\" \\
       -d '{{\"account\":\"acme\",\"email\":\"owner@acme.example\"}}'

  curl -s {api}/v1/accounts/acme/purchases -H \"Authorization: Bearer $CUSTOMER_TOKEN\" \\
       -H 'Idempotency-Key: buy-1' -d '{purchase}'      # open its checkout_url, pay with 4242 4242 4242 4242

  curl -s {api}/v1/accounts/acme/charges -H \"Authorization: Bearer $SERVICE_TOKEN\" \\
       -H 'Idempotency-Key: job-1' -d '{charge}'
",
        api = urls.api,
        stripe = urls.stripe,
        aws = urls.aws,
        dashboard = if has_ready_made {
            format!("  Dashboard        {}/_local/dashboard/studio\n", urls.api)
        } else {
            String::new()
        },
        service = started.service_token(),
        customer = started.customer_token("acme"),
        support = started.token("operator", &["credits/support"]),
    )?;
    out.flush()?;
    Ok(tokio::signal::ctrl_c().await?)
}
