//! The Lambda function `portal`.

use lambda_http::Error;
use portal::{handle, wiring};
use shared::http::serve;
use shared::surroundings::Surroundings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app: &'static _ = Box::leak(Box::new(wiring::app(Surroundings::of_process()?).await?));
    serve(|request| handle(app, request)).await
}
