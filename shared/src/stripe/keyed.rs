//! Requests with an idempotency key, and the recovery when that key can no longer be used.
//!
//! Stripe stores the first answer to a key for a day, even a 500: <https://docs.stripe.com/api/idempotent_requests>.
//! Retrying under that key is pointless, and only Stripe's objects show whether the request had an effect. Stripe also
//! refuses a key that was sent before with other parameters, such as those of an earlier deployment. In both cases we
//! look for the effect, and send the request under the next key only if it had none. The keys are derived only from our
//! ids, so that a repeated call goes through the same keys.

use super::client::Client;
use super::error::StripeError;
use crate::error::chain;
use std::future::Future;
use std::time::Duration;
use stripe_client_core::{IdempotencyKey, RequestStrategy, StripeRequest};

/// How many keys may fail in one call. During an outage each call uses up a few more keys, and a call after the outage
/// still finds an unused one.
const FAILURES_MAX: u32 = 2;
/// The number of keys, which is more than all sweeps and looks use up while a top-up is open.
const KEYS_MAX: u32 = 200;

/// Sends the request under `key`. `effect` looks up what a failed request did, if it had an effect.
///
/// # Errors
/// [`StripeError`] of the request or of `effect`.
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
            Err(error) if (error.is_stored_failure() || error.is_key_of_other_parameters()) && used < KEYS_MAX => {
                tracing::warn!(
                    error = chain(&error),
                    "the key can no longer be used; looking up the effect of its request"
                );
                if let Some(answer) = effect().await? {
                    return Ok(answer);
                }
                failures += u32::from(error.is_stored_failure() && !error.is_earlier_failure());
                if failures == FAILURES_MAX {
                    return Err(error);
                }
            }
            answer => return answer,
        }
    }
}

fn idempotent(key: String) -> RequestStrategy {
    let key = IdempotencyKey::new(key).expect("made of ids of at most 64 characters, below Stripe's 255");
    RequestStrategy::Idempotent(key)
}
