//! The Lambda function `charging`: wiring only.

use charging::{App, handle};
use lambda_http::Error;
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::error::chain;
use shared::http::serve;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::of_process();
    telemetry::start(&environment);
    let aws = AwsEnvironment::of(&environment)?;
    let table = environment.required("TABLE_NAME")?;
    let app: &'static _ = Box::leak(Box::new(App {
        ledger: connected(&aws, &table).await,
        clock: SystemClock,
        price_book: environment.price_book()?,
    }));
    serve(|request| handle(app, request)).await
}

/// The TLS handshake happens while the function starts, with a whole processor, and not while a charge waits, with a
/// fraction of one (docs/performance.md). Where it fails, DynamoDB is away for the moment or has got another authority
/// since this was built: the function starts all the same, believes what the system does, and connects when asked.
async fn connected(aws: &AwsEnvironment, table: &str) -> DynamoLedger {
    let ledger = |aws: &AwsEnvironment| DynamoLedger::new(aws::dynamodb(aws), table, LedgerSettings::default());
    let of_amazon = ledger(&aws.believing_amazon());
    match of_amazon.connect().await {
        Ok(()) => of_amazon,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "not connected at the start");
            ledger(aws)
        }
    }
}
