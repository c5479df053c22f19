//! The Lambda function `notifications`: wiring only.

use lambda_runtime::{Error, run, service_fn};
use notifications::{App, handle};
use shared::aws::{self, AwsEnvironment};
use shared::clock::SystemClock;
use shared::config::Environment;
use shared::email::SesMailer;
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::links::LinkKey;
use shared::secrets::secret_get;
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::of_process();
    telemetry::start(&environment);
    let aws = AwsEnvironment::of(&environment)?;
    let link_secret = secret_get(&aws::secrets_manager(&aws), &environment.required("LINK_SECRET_ID")?).await?;
    let app = &App {
        ledger: DynamoLedger::new(aws::dynamodb(&aws), environment.required("TABLE_NAME")?, LedgerSettings::default()),
        mailer: SesMailer::new(aws::ses(&aws), environment.required("SENDER")?),
        clock: SystemClock,
        links: LinkKey::new(link_secret)?,
        public_url: environment.required("PUBLIC_URL")?,
    };
    run(service_fn(|event| handle(app, event))).await
}
