//! The Lambda function `purchases`: wiring only.

use lambda_http::{Error, run, service_fn};
use purchases::{App, handle};
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::links::LinkKey;
use shared::payments::StripePayments;
use shared::secrets::{secret_get, stripe_secret_get};
use shared::use_cases::ports::RandomUnique;
use shared::{config, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let aws = AwsEnvironment::from_environment()?;
    let secrets = aws::secrets_manager(&aws);
    let stripe = stripe_secret_get(&secrets, &config::required("STRIPE_SECRET_ID")?).await?;
    let link_secret = secret_get(&secrets, &config::required("LINK_SECRET_ID")?).await?;
    let app = &App {
        ledger: DynamoLedger::new(aws::dynamodb(&aws), config::required("TABLE_NAME")?, LedgerSettings::default()),
        payments: StripePayments::new(config::stripe(stripe.api_key)?)?,
        clock: SystemClock,
        unique: RandomUnique,
        price_book: config::price_book()?,
        links: LinkKey::new(link_secret)?,
    };
    run(service_fn(|request| async move { Ok::<_, Error>(handle(app, request).await) })).await
}
