//! The Lambda function `charging`: wiring only.

use charging::{App, handle};
use lambda_http::{Error, run, service_fn};
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::of_process();
    telemetry::start(&environment);
    let aws = AwsEnvironment::of(&environment)?;
    let app = &App {
        ledger: DynamoLedger::new(aws::dynamodb(&aws), environment.required("TABLE_NAME")?, LedgerSettings::default()),
        clock: SystemClock,
        price_book: environment.price_book()?,
    };
    run(service_fn(|request| async move { Ok::<_, Error>(handle(app, request).await) })).await
}
