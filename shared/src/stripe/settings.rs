//! The settings for calls to Stripe: those that a deployment chooses, and those that are fixed.

use crate::config::{ConfigError, Environment};
use secrecy::SecretString;
use std::num::NonZeroU32;
use std::time::Duration;

/// The settings for calls to Stripe.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL of the API, without `/v1`: [`Settings::API_BASE`], or the local stand-in.
    pub api_base: String,
    pub api_key: SecretString,
    /// The rate limit for each endpoint; the limit for all of them is four times as high. Calls beyond it wait. Stripe
    /// allows 25 and 100 a second in live mode: <https://docs.stripe.com/rate-limits>. `None` means no limit.
    pub endpoint_calls_per_second: Option<NonZeroU32>,
    /// How long one try of a call may take.
    pub timeout: Duration,
    /// How long one try of charging a card may take; banks are slow.
    pub pay_timeout: Duration,
    /// How many times a call that is safe to retry is sent, including the first time.
    pub tries_max: NonZeroU32,
    /// The longest delay before the first retry; it doubles with each retry, up to two seconds.
    pub backoff: Duration,
    /// The page that a customer returns to from a payment page; the purchase is added as a query parameter.
    /// Without it, no payment page can be opened.
    pub return_url: Option<String>,
    /// Whether Stripe Tax adds tax to invoices and payment pages: <https://docs.stripe.com/tax>.
    pub automatic_tax: bool,
    /// The name of this deployment, which its objects at Stripe carry, so that it leaves those of others alone.
    pub deployment: Option<String>,
    /// Whether payment pages of purchases ask for the company's name, its address and its tax id:
    /// <https://docs.stripe.com/tax/checkout/tax-ids>.
    pub collect_tax_id: bool,
}

impl Settings {
    pub const API_BASE: &'static str = "https://api.stripe.com";

    /// Stripe itself, with the default limits, no return URL, no tax and no tax ids.
    pub fn new(api_key: SecretString) -> Self {
        Self {
            api_base: Self::API_BASE.to_owned(),
            api_key,
            endpoint_calls_per_second: Some(const { NonZeroU32::new(15).expect("15 is not zero") }),
            timeout: Duration::from_secs(10),
            pay_timeout: Duration::from_secs(30),
            tries_max: const { NonZeroU32::new(3).expect("3 is not zero") },
            backoff: Duration::from_millis(500),
            return_url: None,
            automatic_tax: false,
            deployment: None,
            collect_tax_id: false,
        }
    }

    /// The settings of this deployment: `STRIPE_API_BASE`, `STRIPE_ENDPOINT_CALLS_PER_SECOND`, `STRIPE_AUTOMATIC_TAX`,
    /// `STRIPE_COLLECT_TAX_ID`, `DEPLOYMENT` and `RETURN_URL`, each optional.
    ///
    /// # Errors
    /// [`ConfigError`] if the number of calls or a boolean is invalid.
    pub fn of(environment: &Environment, api_key: SecretString) -> Result<Self, ConfigError> {
        let mut settings = Self::new(api_key);
        if let Some(api_base) = environment.optional("STRIPE_API_BASE") {
            settings.api_base = api_base;
        }
        if let Some(rate) = environment.optional("STRIPE_ENDPOINT_CALLS_PER_SECOND") {
            let (name, expected) = ("STRIPE_ENDPOINT_CALLS_PER_SECOND", "a whole number; 0 for no limit");
            let rate = rate.parse().map_err(|_| ConfigError::Invalid { name, expected })?;
            settings.endpoint_calls_per_second = NonZeroU32::new(rate);
        }
        settings.automatic_tax = environment.flag("STRIPE_AUTOMATIC_TAX")?;
        settings.collect_tax_id = environment.flag("STRIPE_COLLECT_TAX_ID")?;
        settings.deployment = environment.optional("DEPLOYMENT");
        settings.return_url = environment.optional("RETURN_URL");
        Ok(settings)
    }

    /// For a function that a caller waits for. Even two calls that use up their time end before API Gateway stops waiting,
    /// after 30 seconds, and before Stripe stops waiting for the response to an event. There is no rate limit: such a
    /// function makes few calls, one after the other, and the limit of a sweep leaves room for them.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
    #[must_use]
    pub fn interactive(self) -> Self {
        Self {
            endpoint_calls_per_second: None,
            timeout: Duration::from_secs(5),
            tries_max: const { NonZeroU32::new(2).expect("2 is not zero") },
            ..self
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    #[error("the base URL of Stripe's API must be an http or https URL without a query")]
    ApiBase,
    #[error("a live API key must not be sent without encryption")]
    LiveKeyUnencrypted,
    #[error("the API key has characters that are not valid in a header")]
    ApiKey,
    #[error("the return URL must be an http or https URL")]
    ReturnUrl,
}
