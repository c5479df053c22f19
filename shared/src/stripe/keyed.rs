//! Requests under a key of ours, and the way out where Stripe remembers a failure of its own under that key.
//!
//! Stripe keeps the first answer of a key for a day, a 500 too: <https://docs.stripe.com/api/idempotent_requests>.
//! Such a request is over, but whether it did anything only the objects say. So they are asked, and the same request
//! goes out under the next key only where nothing was done. The keys follow from our ids alone, so that whoever
//! repeats the whole takes the same way.

use super::client::Client;
use super::error::StripeError;
use crate::error::chain;
use std::future::Future;
use std::time::Duration;
use stripe_client_core::{IdempotencyKey, RequestStrategy, StripeRequest};

/// So many keys may fail in one call. While Stripe goes on failing, each call uses up a few more, and one that comes
/// after the outage still finds a key that is good.
const FAILURES_MAX: u32 = 2;
/// So many keys in turn, which is more than all the sweeps of the time in which an attempt is sent use up.
const KEYS_MAX: u32 = 100;

/// Sends the request under `key`; `effect` answers what a failed one has done all the same, if it did anything.
///
/// # Errors
/// Those of Stripe, of the request or of `effect`.
pub(super) async fn send<Answer, Effect>(
    client: &Client,
    key: &str,
    timeout: Option<Duration>,
    request: &(impl StripeRequest + Sync),
    effect: impl Fn() -> Effect,
) -> Result<Answer, StripeError>
where
    Answer: miniserde::Deserialize,
    Effect: Future<Output = Result<Option<Answer>, StripeError>>,
{
    let (mut used, mut failures) = (0, 0);
    loop {
        let key = if used == 0 { key.to_owned() } else { format!("{key}:{used}") };
        let mut sent = request.build().customize().request_strategy(idempotent(key));
        if let Some(timeout) = timeout {
            sent = sent.timeout(timeout);
        }
        used += 1;
        match sent.send(client).await {
            Err(error) if error.is_remembered_failure() && used < KEYS_MAX => {
                tracing::warn!(error = chain(&error), "Stripe remembers a failure of its own; its objects are asked");
                if let Some(answer) = effect().await? {
                    return Ok(answer);
                }
                failures += u32::from(!error.is_failure_of_old());
                if failures == FAILURES_MAX {
                    return Err(error);
                }
            }
            answer => return answer,
        }
    }
}

/// For requests that may be made twice without harm.
pub(super) async fn nothing<Answer>() -> Result<Option<Answer>, StripeError> {
    Ok(None)
}

fn idempotent(key: String) -> RequestStrategy {
    let key = IdempotencyKey::new(key).expect("made of ids of at most 64 characters, below Stripe's 255");
    RequestStrategy::Idempotent(key)
}
