//! The Lambda function `charging`.

use charging::{after_answer, handle, wiring};
use lambda_http::Error;
use shared::http::serve_and_then;
use shared::surroundings::Surroundings;
use shared::telemetry::emit;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app: &'static _ = Box::leak(Box::new(wiring::connected_app(Surroundings::of_process()?, emit).await?));
    serve_and_then(|request| handle(app, request), || after_answer(app)).await
}
