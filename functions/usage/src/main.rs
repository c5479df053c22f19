//! The Lambda function `usage`.

use lambda_runtime::{Error, run, service_fn};
use shared::surroundings::Surroundings;
use usage::{handle, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &wiring::app(Surroundings::of_process()?)?;
    run(service_fn(|event| handle(app, event))).await
}
