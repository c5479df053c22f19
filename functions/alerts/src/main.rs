//! The Lambda function `alerts`.

use alerts::{handle, wiring};
use lambda_runtime::{Error, run, service_fn};
use shared::surroundings::Surroundings;
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &wiring::app(Surroundings::of_process()?, telemetry::emit)?;
    run(service_fn(|event| handle(app, event))).await
}
