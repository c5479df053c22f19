//! Makes the function's [`App`] of what is around it.

use crate::App;
use lambda_http::Error;
use shared::clock::Clock;
use shared::ledger::DynamoLedger;
use shared::payments::{Settings, StripePayments};
use shared::surroundings::Surroundings;
use shared::use_cases::ports::RandomUnique;

/// # Errors
/// When a setting is missing or makes no sense, or a secret cannot be had.
pub async fn app<C: Clock>(
    surroundings: Surroundings<C>,
) -> Result<App<DynamoLedger, StripePayments, C, RandomUnique>, Error> {
    let stripe = surroundings.stripe_secret().await?;
    Ok(App {
        ledger: surroundings.ledger()?,
        payments: StripePayments::new(Settings::of(&surroundings.environment, stripe.api_key)?.waited_for())?,
        unique: RandomUnique,
        price_book: surroundings.environment.price_book()?,
        links: surroundings.link_key().await?,
        clock: surroundings.clock,
    })
}
