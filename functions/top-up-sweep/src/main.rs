//! The Lambda function `top-up-sweep`.

use lambda_runtime::{Error, run, service_fn};
use shared::surroundings::Surroundings;
use shared::telemetry;
use top_up_sweep::{handle, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &wiring::app(Surroundings::of_process()?, telemetry::emit).await?;
    run(service_fn(|event| handle(app, event))).await
}
