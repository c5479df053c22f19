//! Builds the function's [`App`] from its surroundings.

use crate::App;
use lambda_runtime::Error;
use serde_json::Value;
use shared::aws;
use shared::clock::Clock;
use shared::email::SesMailer;
use shared::event_bus::EventBridgeBus;
use shared::ledger::DynamoLedger;
use shared::pauses::RandomPauses;
use shared::ports::RandomIds;
use shared::surroundings::Surroundings;
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::marker::PhantomData;

/// The ports of the deployed function: DynamoDB and SES, and EventBridge beside them.
pub struct Deployed<C>(PhantomData<C>);

impl<C: Clock> Capabilities for Deployed<C> {
    type Ledger = DynamoLedger;
    type Payments = Absent;
    type Mailer = SesMailer;
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
pub async fn app<C: Clock>(
    surroundings: Surroundings<C>,
    emit: fn(&Value),
) -> Result<App<Deployed<C>, EventBridgeBus>, Error> {
    let environment = &surroundings.environment;
    let links = surroundings.link_key().await?;
    let public_url = environment.required("PUBLIC_URL")?;
    let bus = EventBridgeBus::new(aws::event_bridge(&surroundings.aws), environment.required("EVENT_BUS")?);
    let context = Context {
        ledger: surroundings.ledger()?,
        payments: Absent,
        mailer: SesMailer::new(
            aws::ses(&surroundings.aws),
            environment.required("SENDER")?,
            environment.required("CONFIGURATION_SET")?,
        ),
        timers: Absent,
        ids: RandomIds,
        price_book: Absent,
        pauses: RandomPauses,
        memory: Memory::none(),
        clock: surroundings.clock,
    };
    Ok(App { context, bus, links, public_url, emit })
}
