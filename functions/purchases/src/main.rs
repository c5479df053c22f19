//! The Lambda function `purchases`: wiring only.

use lambda_http::Error;
use purchases::{App, handle};
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::http::serve;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::links::LinkKey;
use shared::ports::RandomIds;
use shared::secrets::{secret_get, stripe_secret_get};
use shared::stripe::{Settings, StripePayments};
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::of_process();
    telemetry::start(&environment);
    let aws = AwsEnvironment::of(&environment)?;
    let secrets = aws::secrets_manager(&aws);
    let stripe = stripe_secret_get(&secrets, &environment.required("STRIPE_SECRET_ID")?).await?;
    let link_secret = secret_get(&secrets, &environment.required("LINK_SECRET_ID")?).await?;
    let app: &'static _ = Box::leak(Box::new(App {
        ledger: DynamoLedger::new(aws::dynamodb(&aws), environment.required("TABLE_NAME")?, LedgerSettings::default()),
        payments: StripePayments::new(Settings::of(&environment, stripe.api_key)?.waited_for())?,
        clock: SystemClock,
        unique: RandomIds,
        price_book: environment.price_book()?,
        links: LinkKey::new(link_secret)?,
    }));
    serve(|request| handle(app, request)).await
}
