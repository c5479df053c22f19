//! Makes the function's [`App`] of what is around it.

use crate::App;
use lambda_http::Error;
use shared::clock::Clock;
use shared::error::chain;
use shared::ledger::DynamoLedger;
use shared::surroundings::Surroundings;

/// Connects before the first charge comes.
///
/// The TLS handshake happens while the function starts, with a whole processor, and not while a charge waits, with a
/// fraction of one (docs/performance.md). Where it fails, DynamoDB is away for the moment or has got another authority
/// since this was built: the function starts all the same, believes what the system does, and connects when asked.
///
/// # Errors
/// When a setting is missing or makes no sense.
pub async fn connected_app<C: Clock>(surroundings: Surroundings<C>) -> Result<App<DynamoLedger, C>, Error> {
    let aws = surroundings.aws.believing_amazon();
    let of_amazon = app(Surroundings { aws, ..surroundings.clone() })?;
    match of_amazon.ledger.connect().await {
        Ok(()) => Ok(of_amazon),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "not connected at the start");
            app(surroundings)
        }
    }
}

/// # Errors
/// When a setting is missing or makes no sense.
pub fn app<C: Clock>(surroundings: Surroundings<C>) -> Result<App<DynamoLedger, C>, Error> {
    Ok(App {
        ledger: surroundings.ledger()?,
        price_book: surroundings.environment.price_book()?,
        clock: surroundings.clock,
    })
}
