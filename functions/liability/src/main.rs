//! The Lambda function `liability`.

// A page of accounts is read inside streams inside one another, which makes deeply nested types.
#![recursion_limit = "256"]

use lambda_runtime::{Error, run, service_fn};
use liability::{handle, wiring};
use shared::surroundings::Surroundings;
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &wiring::app(Surroundings::of_process()?, telemetry::emit)?;
    run(service_fn(|event| handle(app, event))).await
}
