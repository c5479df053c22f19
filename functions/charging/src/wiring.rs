//! Makes the function's [`App`] of what is around it.

use crate::App;
use lambda_http::Error;
use shared::clock::Clock;
use shared::domain::PriceBook;
use shared::error::chain;
use shared::ledger::DynamoLedger;
use shared::surroundings::Surroundings;
use shared::use_cases::{Absent, Capabilities, Context};
use std::marker::PhantomData;

/// What this function has of the outside once it runs: DynamoDB and nothing else.
pub struct Deployed<C>(PhantomData<C>);

impl<C: Clock> Capabilities for Deployed<C> {
    type Ledger = DynamoLedger;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = C;
    type Ids = Absent;
    type PriceBook = PriceBook;
}

/// Connects before the first charge comes.
///
/// The TLS handshake happens while the function starts and has a whole processor, and not while a charge waits with a
/// fraction of one (docs/performance.md). If it fails, DynamoDB is unavailable or its certificate has another root than
/// when this was built: the function starts all the same, trusts the system's roots, and connects on first use.
///
/// # Errors
/// When a setting is missing or makes no sense.
pub async fn connected_app<C: Clock>(surroundings: Surroundings<C>) -> Result<App<Deployed<C>>, Error> {
    let aws = surroundings.aws.trusting_amazon_alone();
    let of_amazon = app(Surroundings { aws, ..surroundings.clone() })?;
    match of_amazon.context.ledger.connect().await {
        Ok(()) => Ok(of_amazon),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "not connected at the start");
            app(surroundings)
        }
    }
}

/// # Errors
/// When a setting is missing or makes no sense.
pub fn app<C: Clock>(surroundings: Surroundings<C>) -> Result<App<Deployed<C>>, Error> {
    let context = Context {
        ledger: surroundings.ledger()?,
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        ids: Absent,
        price_book: surroundings.environment.price_book()?,
        clock: surroundings.clock,
    };
    Ok(App { context })
}
