//! Makes the function's [`App`] of what is around it.

use crate::App;
use lambda_runtime::Error;
use serde_json::Value;
use shared::aws;
use shared::clock::Clock;
use shared::domain::PriceBook;
use shared::ledger::DynamoLedger;
use shared::ports::RandomIds;
use shared::stripe::{Settings, StripePayments};
use shared::surroundings::Surroundings;
use shared::timers::{EventBridgeTimers, TimerSettings};
use shared::use_cases::{Absent, Capabilities, Context};
use std::marker::PhantomData;

/// What this function has of the outside once it runs: DynamoDB, Stripe and timers.
pub struct Deployed<C>(PhantomData<C>);

impl<C: Clock> Capabilities for Deployed<C> {
    type Ledger = DynamoLedger;
    type Payments = StripePayments;
    type Mailer = Absent;
    type Timers = EventBridgeTimers;
    type Clock = C;
    type Ids = RandomIds;
    type PriceBook = PriceBook;
}

/// Lambda reads the counts that `emit` writes; elsewhere they go elsewhere.
///
/// # Errors
/// When a setting is missing or makes no sense, or a secret cannot be had.
pub async fn app<C: Clock>(surroundings: Surroundings<C>, emit: fn(&Value)) -> Result<App<Deployed<C>>, Error> {
    let environment = &surroundings.environment;
    let stripe = surroundings.stripe_secret().await?;
    let context = Context {
        ledger: surroundings.ledger()?,
        payments: StripePayments::new(Settings::of(environment, stripe.api_key)?)?,
        mailer: Absent,
        timers: EventBridgeTimers::new(aws::scheduler(&surroundings.aws), TimerSettings::of(environment)?),
        ids: RandomIds,
        price_book: environment.price_book()?,
        clock: surroundings.clock,
    };
    Ok(App { context, emit })
}
