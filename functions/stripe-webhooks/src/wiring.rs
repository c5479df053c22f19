//! Makes the function's [`App`] of what is around it.

use crate::App;
use lambda_http::Error;
use serde_json::Value;
use shared::clock::Clock;
use shared::ledger::DynamoLedger;
use shared::payments::{Secret, Settings, StripePayments};
use shared::surroundings::Surroundings;
use shared::use_cases::ports::RandomUnique;

/// Lambda reads the counts that `emit` writes; elsewhere they go elsewhere.
///
/// # Errors
/// When a setting is missing or makes no sense, or a secret cannot be had.
pub async fn app<C: Clock>(
    surroundings: Surroundings<C>,
    emit: fn(&Value),
) -> Result<App<DynamoLedger, StripePayments, C, RandomUnique>, Error> {
    let stripe = surroundings.stripe_secret().await?;
    Ok(App {
        ledger: surroundings.ledger()?,
        payments: StripePayments::new(Settings::of(&surroundings.environment, stripe.api_key)?.waited_for())?,
        unique: RandomUnique,
        secrets: stripe.webhook_secrets.into_iter().map(Secret::new).collect(),
        emit,
        clock: surroundings.clock,
    })
}
