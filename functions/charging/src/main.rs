//! The Lambda function `charging`: wiring only.

use charging::{App, handle};
use lambda_http::{Error, run, service_fn};
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::{config, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let aws = AwsEnvironment::from_environment()?;
    let app = &App {
        ledger: DynamoLedger::new(aws::dynamodb(&aws), config::required("TABLE_NAME")?, LedgerSettings::default()),
        clock: SystemClock,
        price_book: config::price_book()?,
    };
    run(service_fn(|request| async move { Ok::<_, Error>(handle(app, request).await) })).await
}
