//! Builds the function's [`App`] from its surroundings.

use crate::App;
use lambda_runtime::Error;
use serde_json::Value;
use shared::clock::Clock;
use shared::ledger::DynamoLedger;
use shared::pauses::RandomPauses;
use shared::ports::RandomIds;
use shared::stripe::{Settings, StripePayments};
use shared::surroundings::Surroundings;
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::marker::PhantomData;

/// The ports of the deployed function: DynamoDB and Stripe.
pub struct Deployed<C>(PhantomData<C>);

impl<C: Clock> Capabilities for Deployed<C> {
    type Ledger = DynamoLedger;
    type Payments = StripePayments;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = C;
    type Pauses = RandomPauses;
    type Ids = RandomIds;
    type PriceBook = Absent;
}

/// In Lambda, `emit` writes the counts to the log; the local cloud passes another function.
///
/// # Errors
/// If a setting is missing or invalid, or a secret cannot be read.
pub async fn app<C: Clock>(surroundings: Surroundings<C>, emit: fn(&Value)) -> Result<App<Deployed<C>>, Error> {
    let environment = &surroundings.environment;
    let stripe = surroundings.stripe_secret().await?;
    let context = Context {
        ledger: surroundings.ledger()?,
        payments: StripePayments::new(Settings::of(environment, stripe.api_key)?)?,
        mailer: Absent,
        timers: Absent,
        ids: RandomIds,
        price_book: Absent,
        pauses: RandomPauses,
        memory: Memory::none(),
        clock: surroundings.clock,
    };
    Ok(App { context, emit })
}
