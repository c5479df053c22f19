//! Makes the function's [`App`] of what is around it.

use crate::App;
use lambda_runtime::Error;
use serde_json::Value;
use shared::aws;
use shared::clock::Clock;
use shared::ledger::DynamoLedger;
use shared::payments::{Settings, StripePayments};
use shared::surroundings::Surroundings;
use shared::timers::{EventBridgeTimers, TimerSettings};
use shared::use_cases::ports::RandomUnique;

/// Lambda reads the counts that `emit` writes; elsewhere they go elsewhere.
///
/// # Errors
/// When a setting is missing or makes no sense, or a secret cannot be had.
pub async fn app<C: Clock>(
    surroundings: Surroundings<C>,
    emit: fn(&Value),
) -> Result<App<DynamoLedger, StripePayments, EventBridgeTimers, C, RandomUnique>, Error> {
    let environment = &surroundings.environment;
    let stripe = surroundings.stripe_secret().await?;
    Ok(App {
        ledger: surroundings.ledger()?,
        payments: StripePayments::new(Settings::of(environment, stripe.api_key)?)?,
        timers: EventBridgeTimers::new(aws::scheduler(&surroundings.aws), TimerSettings::of(environment)?),
        unique: RandomUnique,
        price_book: environment.price_book()?,
        emit,
        clock: surroundings.clock,
    })
}
