//! Makes the function's [`App`] of what is around it.

use crate::App;
use lambda_runtime::Error;
use shared::aws;
use shared::clock::Clock;
use shared::email::SesMailer;
use shared::ledger::DynamoLedger;
use shared::surroundings::Surroundings;

/// # Errors
/// When a setting is missing or makes no sense, or a secret cannot be had.
pub async fn app<C: Clock>(surroundings: Surroundings<C>) -> Result<App<DynamoLedger, SesMailer, C>, Error> {
    let environment = &surroundings.environment;
    Ok(App {
        ledger: surroundings.ledger()?,
        mailer: SesMailer::new(aws::ses(&surroundings.aws), environment.required("SENDER")?),
        links: surroundings.link_key().await?,
        public_url: environment.required("PUBLIC_URL")?,
        clock: surroundings.clock,
    })
}
