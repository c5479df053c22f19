//! The Lambda function `stripe-webhooks`: wiring only.

use lambda_http::Error;
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::http::serve;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::ports::RandomIds;
use shared::secrets::stripe_secret_get;
use shared::stripe::{Secret, Settings, StripePayments};
use shared::telemetry;
use stripe_webhooks::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::of_process();
    telemetry::start(&environment);
    let aws = AwsEnvironment::of(&environment)?;
    let stripe = stripe_secret_get(&aws::secrets_manager(&aws), &environment.required("STRIPE_SECRET_ID")?).await?;
    let app: &'static _ = Box::leak(Box::new(App {
        ledger: DynamoLedger::new(aws::dynamodb(&aws), environment.required("TABLE_NAME")?, LedgerSettings::default()),
        payments: StripePayments::new(Settings::of(&environment, stripe.api_key)?.waited_for())?,
        clock: SystemClock,
        unique: RandomIds,
        secrets: stripe.webhook_secrets.into_iter().map(Secret::new).collect(),
    }));
    serve(|request| handle(app, request)).await
}
