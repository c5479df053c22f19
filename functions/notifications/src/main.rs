//! The Lambda function `notifications`.

use lambda_runtime::{Error, run, service_fn};
use notifications::{handle, wiring};
use shared::surroundings::Surroundings;
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &wiring::app(Surroundings::of_process()?, telemetry::emit).await?;
    run(service_fn(|event| handle(app, event))).await
}
