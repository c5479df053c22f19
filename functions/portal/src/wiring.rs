//! Builds the function's [`App`] from its surroundings.

use crate::App;
use crate::branding::Branding;
use crate::return_urls::ReturnUrls;
use lambda_http::Error;
use shared::clock::Clock;
use shared::domain::PriceBook;
use shared::http::AccountRateLimiter;
use shared::ledger::DynamoLedger;
use shared::pauses::RandomPauses;
use shared::ports::RandomIds;
use shared::stripe::StripePayments;
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
    type PriceBook = PriceBook;
}

/// # Errors
/// If a setting is missing or invalid, or a secret cannot be read.
pub async fn app<C: Clock>(surroundings: Surroundings<C>) -> Result<App<Deployed<C>>, Error> {
    let stripe = surroundings.stripe_secret().await?;
    let links = surroundings.link_key().await?;
    let limiter = AccountRateLimiter::of(&surroundings.environment)?;
    let branding = Branding::of(&surroundings.environment)?;
    let return_urls = ReturnUrls::of(&surroundings.environment)?;
    let public_url = surroundings.environment.optional("PUBLIC_URL");
    let offers_invoices = surroundings.environment.flag("STRIPE_INVOICES")?;
    let context = Context {
        ledger: surroundings.ledger()?,
        payments: surroundings.interactive_payments(stripe.api_key)?,
        mailer: Absent,
        timers: Absent,
        ids: RandomIds,
        price_book: surroundings.environment.price_book()?,
        pauses: RandomPauses,
        memory: Memory::none(),
        clock: surroundings.clock,
    };
    Ok(App { context, limiter, links, branding, return_urls, public_url, offers_invoices })
}
