//! Builds the function's [`App`] from its surroundings.

use crate::App;
use lambda_http::Error;
use serde_json::Value;
use shared::clock::Clock;
use shared::domain::PriceBook;
use shared::error::chain;
use shared::http::AccountRateLimiter;
use shared::ledger::DynamoLedger;
use shared::ledger::direct::DirectClient;
use shared::pauses::RandomPauses;
use shared::ports::RandomIds;
use shared::surroundings::Surroundings;
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Absent, Capabilities, Context, Memory, MemorySettings};
use std::hint::black_box;
use std::marker::PhantomData;

/// What the first charge takes from the heap and from the stack, and a third more.
const HEAP_BYTES: usize = 96 * 1024;
const STACK_BYTES: usize = 48 * 1024;

/// The ports of the deployed function: DynamoDB and nothing else.
pub struct Deployed<C>(PhantomData<C>);

impl<C: Clock> Capabilities for Deployed<C> {
    type Ledger = DynamoLedger<DirectClient>;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = C;
    type Pauses = RandomPauses;
    type Ids = RandomIds;
    type PriceBook = PriceBook;
}

/// Connects before the first charge arrives.
///
/// The TLS handshake happens while the function starts and has a whole CPU, rather than during a charge, which has a
/// fraction of one (docs/performance.md). If it fails, DynamoDB is unavailable, or its certificate has another root
/// than those built in. The function then starts anyway, trusts the system's roots, and connects on first use.
///
/// # Errors
/// If a setting is missing or invalid.
pub async fn connected_app<C: Clock>(
    surroundings: Surroundings<C>,
    emit: fn(&Value),
) -> Result<App<Deployed<C>>, Error> {
    let of_amazon = app_trusting(surroundings.clone(), emit, true)?;
    let connected = match of_amazon.context.ledger.connect().await {
        Ok(()) => of_amazon,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "could not connect at startup");
            app(surroundings, emit)?
        }
    };
    touch_memory();
    Ok(connected)
}

/// Uses as much memory as the first charge will, and gives it back to the allocator.
///
/// The kernel maps a page when it is first touched. It would interrupt the first charge for each of about twenty-five
/// pages.
#[inline(never)]
fn touch_memory() {
    drop(black_box(vec![1_u8; HEAP_BYTES]));
    black_box([1_u8; STACK_BYTES]);
}

/// In Lambda, `emit` writes the counts to the log; the local cloud passes another function.
///
/// # Errors
/// If a setting is missing or invalid.
pub fn app<C: Clock>(surroundings: Surroundings<C>, emit: fn(&Value)) -> Result<App<Deployed<C>>, Error> {
    app_trusting(surroundings, emit, false)
}

fn app_trusting<C: Clock>(
    surroundings: Surroundings<C>,
    emit: fn(&Value),
    trusts_amazon_alone: bool,
) -> Result<App<Deployed<C>>, Error> {
    let limiter = AccountRateLimiter::of(&surroundings.environment)?;
    let context = Context {
        ledger: surroundings.direct_ledger(trusts_amazon_alone)?,
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        ids: RandomIds,
        price_book: surroundings.environment.price_book()?,
        pauses: RandomPauses,
        memory: Memory::new(MemorySettings::CHARGING),
        clock: surroundings.clock,
    };
    let refusals = RefusalLog::in_lane(fastrand::u8(..RefusalLog::LANES));
    Ok(App { context, limiter, refusals, emit })
}
