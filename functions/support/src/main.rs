//! The Lambda function `support`.

use lambda_http::Error;
use shared::http::serve;
use shared::surroundings::Surroundings;
use support::{handle, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app: &'static _ = Box::leak(Box::new(wiring::app(Surroundings::of_process()?).await?));
    serve(|request| handle(app, request)).await
}
