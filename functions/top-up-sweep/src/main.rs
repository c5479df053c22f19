//! The Lambda function `top-up-sweep`: wiring only.

use lambda_runtime::{Error, run, service_fn};
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::ports::RandomIds;
use shared::secrets::stripe_secret_get;
use shared::stripe::{Settings, StripePayments};
use shared::telemetry;
use shared::timers::{EventBridgeTimers, TimerSettings};
use top_up_sweep::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::of_process();
    telemetry::start(&environment);
    let aws = AwsEnvironment::of(&environment)?;
    let stripe = stripe_secret_get(&aws::secrets_manager(&aws), &environment.required("STRIPE_SECRET_ID")?).await?;
    let app = &App {
        ledger: DynamoLedger::new(aws::dynamodb(&aws), environment.required("TABLE_NAME")?, LedgerSettings::default()),
        payments: StripePayments::new(Settings::of(&environment, stripe.api_key)?)?,
        timers: EventBridgeTimers::new(aws::scheduler(&aws), TimerSettings::of(&environment)?),
        clock: SystemClock,
        unique: RandomIds,
        price_book: environment.price_book()?,
        emit: telemetry::emit,
    };
    run(service_fn(|event| handle(app, event))).await
}
