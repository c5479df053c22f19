//! How Stripe is reached: what a deployment chooses, and what it does not.

use super::Secret;
use crate::config::{ConfigError, Environment};
use std::num::NonZeroU32;
use std::time::Duration;

/// How Stripe is reached and asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API is, without `/v1`: [`Settings::API_BASE`], or the local stand-in.
    pub api_base: String,
    pub api_key: Secret,
    /// Calls to one endpoint beyond this wait, and to all together beyond four times as many. Stripe takes 25 and 100
    /// a second in live mode: <https://docs.stripe.com/rate-limits>. `None` where no call waits for its turn.
    pub endpoint_calls_per_second: Option<NonZeroU32>,
    /// How long one attempt at a call may take.
    pub timeout: Duration,
    /// How long one attempt at charging a card may take; banks are slow.
    pub pay_timeout: Duration,
    /// How often a call that is safe to repeat is sent, the first time included.
    pub attempts_max: NonZeroU32,
    /// The longest pause before the second attempt; it doubles with each, up to two seconds.
    pub backoff: Duration,
    /// The page a customer comes back to from a payment page; the purchase is added as a query.
    /// Without it no payment page can be opened.
    pub return_url: Option<String>,
    /// Whether Stripe Tax adds tax to invoices and payment pages: <https://docs.stripe.com/tax>.
    pub automatic_tax: bool,
}

impl Settings {
    pub const API_BASE: &'static str = "https://api.stripe.com";

    /// Stripe itself, with ordinary limits, no page to return to and no tax.
    pub fn new(api_key: Secret) -> Self {
        Self {
            api_base: Self::API_BASE.to_owned(),
            api_key,
            endpoint_calls_per_second: Some(const { NonZeroU32::new(15).expect("15 is not zero") }),
            timeout: Duration::from_secs(10),
            pay_timeout: Duration::from_secs(30),
            attempts_max: const { NonZeroU32::new(3).expect("3 is not zero") },
            backoff: Duration::from_millis(500),
            return_url: None,
            automatic_tax: false,
        }
    }

    /// As this deployment reaches Stripe: by `STRIPE_API_BASE`, `STRIPE_ENDPOINT_CALLS_PER_SECOND`,
    /// `STRIPE_AUTOMATIC_TAX` and `RETURN_URL`, each optional.
    ///
    /// # Errors
    /// [`ConfigError`] where the number of calls is none, or the switch neither on nor off.
    pub fn of(environment: &Environment, api_key: String) -> Result<Self, ConfigError> {
        let mut settings = Self::new(Secret::new(api_key));
        if let Some(api_base) = environment.optional("STRIPE_API_BASE") {
            settings.api_base = api_base;
        }
        if let Some(rate) = environment.optional("STRIPE_ENDPOINT_CALLS_PER_SECOND") {
            let (name, expected) = ("STRIPE_ENDPOINT_CALLS_PER_SECOND", "a whole number of at least 1");
            let rate = rate.parse().map_err(|_| ConfigError::Invalid { name, expected })?;
            settings.endpoint_calls_per_second = Some(rate);
        }
        settings.automatic_tax = match environment.optional("STRIPE_AUTOMATIC_TAX").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(ConfigError::Invalid { name: "STRIPE_AUTOMATIC_TAX", expected: "true or false" }),
        };
        settings.return_url = environment.optional("RETURN_URL");
        Ok(settings)
    }

    /// For a function that somebody waits for: even two calls that both fail end before API Gateway stops waiting,
    /// after 30 seconds, and before Stripe stops waiting for the answer to an event. Its few calls come one after the
    /// other and wait for no turn: they are what a sweep leaves room for.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
    #[must_use]
    pub fn waited_for(self) -> Self {
        Self {
            endpoint_calls_per_second: None,
            timeout: Duration::from_secs(5),
            attempts_max: const { NonZeroU32::new(2).expect("2 is not zero") },
            ..self
        }
    }
}

/// Settings that Stripe cannot be reached with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    #[error("Stripe's address is not an http or https URL without a query")]
    ApiBase,
    #[error("a live key is never sent without encryption")]
    LiveKeyInTheOpen,
    #[error("the API key has characters that no header carries")]
    ApiKey,
    #[error("the page to return to is not an http or https URL")]
    ReturnUrl,
}
