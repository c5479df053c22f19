//! Faults that a test requests: what the network or Stripe itself may do to a request.

use serde::Deserialize;

use crate::error::ApiError;
use crate::objects::invoice;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum FaultAction {
    /// The request is carried out and stored under the idempotency key; the connection closes without an answer.
    LoseAnswer,
    /// The request is not carried out; the connection closes without an answer.
    LoseRequest,
    /// 429 before anything is done; the key does not remember it: <https://docs.stripe.com/rate-limits>.
    RateLimit,
    /// 500 and nothing is done; the key remembers it: <https://docs.stripe.com/api/idempotent_requests>.
    InternalError,
    /// 500 although everything was done; the key remembers the 500.
    InternalErrorAfterEffect,
    /// 503 before anything is done; the key does not remember it.
    Unavailable,
    /// 400 and nothing is done. A retry gets the same answer, and the key remembers it.
    Refuse { refusal: DefiniteRefusal },
    /// The request waits this long before it starts; its key is in use in the meantime.
    Latency { milliseconds: u64 },
}

/// Why Stripe refuses permanently: <https://docs.stripe.com/error-codes>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefiniteRefusal {
    /// The customer was deleted.
    CustomerMissing,
    /// The card was detached, or belongs to another customer.
    PaymentMethodMissing,
    /// The customer has something pending in another currency.
    CurrenciesCombined,
    /// Automatic tax, but the customer's location is unknown.
    CustomerTaxLocationInvalid,
    /// Automatic tax, but the account has not set it up.
    StripeTaxInactive,
    AmountTooSmall,
    AmountTooLarge,
    /// The kind of payment method does not support the currency.
    PaymentMethodCurrencyMismatch,
    /// A parameter that this version of the API does not have.
    ParameterUnknown,
    /// The account is not allowed to do this at all; the envelope has no code.
    Unexplained,
}

impl DefiniteRefusal {
    pub(crate) fn error(self) -> ApiError {
        let invalid = |code, message: &str| ApiError::invalid_state(Some(code), message);
        match self {
            Self::CustomerMissing => ApiError::no_such("customer", "cus_deleted", Some("customer")),
            Self::PaymentMethodMissing => ApiError::no_such("PaymentMethod", "pm_foreign", Some("payment_method")),
            Self::CurrenciesCombined => ApiError::currencies_combined("eur"),
            Self::CustomerTaxLocationInvalid => invoice::no_tax_location(),
            Self::StripeTaxInactive => invalid("stripe_tax_inactive", "Automatic tax is not set up on this account."),
            Self::AmountTooSmall => invalid("amount_too_small", "The amount is below what can be charged."),
            Self::AmountTooLarge => invalid("amount_too_large", "The amount is above what can be charged."),
            Self::PaymentMethodCurrencyMismatch => {
                invalid("payment_method_currency_mismatch", "The payment method pays nothing in this currency.")
            }
            Self::ParameterUnknown => invalid("parameter_unknown", "Received unknown parameter: chosen_by_a_test"),
            Self::Unexplained => ApiError::invalid_state(None, "Your account cannot currently make this request."),
        }
    }
}

/// A fault for the next `count` requests that match.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fault {
    /// `None` for any method.
    pub method: Option<String>,
    /// A path whose segments may be `*`, such as `/v1/invoices/*/pay`.
    pub path: String,
    #[serde(flatten)]
    pub action: FaultAction,
    #[serde(default = "once")]
    pub count: u32,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// For one request.
    pub fn once(method: &str, path: &str, action: FaultAction) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), action, count: 1 }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && path_matches(&self.path, path)
    }
}

/// Whether `path` matches a pattern whose segments may be `*`.
#[must_use]
pub fn path_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    pattern.split('/').all(|wanted| segments.next().is_some_and(|segment| wanted == "*" || wanted == segment))
        && segments.next().is_none()
}

/// Faults that any request of the API may get, by chance. The same seed gives the same ones to the same requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFaults {
    pub seed: u64,
    /// How many requests in a hundred are carried out without an answer.
    #[serde(default)]
    pub lost_answers: u8,
    /// How many of the others, in a hundred, are answered 500; half of those are carried out all the same.
    #[serde(default)]
    pub internal_errors: u8,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    wanted: Vec<Fault>,
    random: Option<(RandomFaults, fastrand::Rng)>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.wanted.push(fault);
    }

    pub(crate) fn set_random(&mut self, random: RandomFaults) {
        self.random = Some((random, fastrand::Rng::with_seed(random.seed)));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The oldest matching fault, whose count is reduced by one; without one, a random fault.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<FaultAction> {
        self.wanted.retain(|fault| fault.count > 0);
        let Some(fault) = self.wanted.iter_mut().find(|fault| fault.matches(method, path)) else {
            return self.at_random();
        };
        fault.count -= 1;
        Some(fault.action)
    }

    fn at_random(&mut self) -> Option<FaultAction> {
        let (faults, numbers) = self.random.as_mut()?;
        if numbers.u8(..100) < faults.lost_answers {
            return Some(FaultAction::LoseAnswer);
        }
        let is_error = numbers.u8(..100) < faults.internal_errors;
        let error = if numbers.bool() { FaultAction::InternalError } else { FaultAction::InternalErrorAfterEffect };
        is_error.then_some(error)
    }
}
