//! Stripe's test cards, one row each: <https://docs.stripe.com/testing>.

use crate::error::ApiError;

/// What the bank says to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approve,
    Decline(&'static Decline),
}

/// When the bank asks its customer to authenticate: <https://docs.stripe.com/testing#three-ds-cards>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication {
    Never,
    /// On the first payment or set-up; off-session payments after a set-up pass.
    UnlessSetUp,
    Always,
    /// Only while its customer is present.
    OnSessionOnly,
}

/// <https://docs.stripe.com/disputes/how-disputes-work>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DisputeKind {
    /// The money leaves until the bank has decided.
    Chargeback,
    /// The bank only asks; the money stays.
    Inquiry,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decline {
    pub(crate) code: &'static str,
    pub(crate) decline_code: Option<&'static str>,
    message: &'static str,
}

impl Decline {
    pub(crate) fn error(&self) -> ApiError {
        ApiError::card(self.code, self.decline_code, self.message)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestCard {
    /// Without `pm_card_` (or `tok_`) and the brand in front of a behaviour.
    name: &'static str,
    pub(crate) number: &'static str,
    pub(crate) brand: &'static str,
    pub(crate) authentication: Authentication,
    /// Whether it can be saved with a customer.
    pub(crate) on_attach: Verdict,
    pub(crate) on_payment: Verdict,
    /// How its payments are disputed as soon as they succeed.
    pub(crate) dispute: Option<DisputeKind>,
}

impl TestCard {
    pub(crate) fn last4(&self) -> &'static str {
        &self.number[self.number.len() - 4..]
    }

    /// By the id of a test payment method or token, such as `pm_card_visa` and `tok_visa`.
    pub(crate) fn by_alias(alias: &str) -> Option<&'static Self> {
        let name = alias.strip_prefix("pm_card_").or_else(|| alias.strip_prefix("tok_"))?;
        let behaviour = name.strip_prefix("visa_").unwrap_or(name);
        CARDS.iter().find(|card| card.name == name || card.name == behaviour)
    }

    /// By a number as typed, with or without spaces.
    pub(crate) fn by_number(number: &str) -> Option<&'static Self> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        CARDS.iter().find(|card| card.number == digits)
    }
}

const fn card(name: &'static str, number: &'static str, brand: &'static str) -> TestCard {
    TestCard {
        name,
        number,
        brand,
        authentication: Authentication::Never,
        on_attach: Verdict::Approve,
        on_payment: Verdict::Approve,
        dispute: None,
    }
}

const fn declining(name: &'static str, number: &'static str, decline: &'static Decline) -> TestCard {
    TestCard {
        on_attach: Verdict::Decline(decline),
        on_payment: Verdict::Decline(decline),
        ..card(name, number, "visa")
    }
}

const fn authenticating(name: &'static str, number: &'static str, authentication: Authentication) -> TestCard {
    TestCard { authentication, ..card(name, number, "visa") }
}

const fn declined(code: &'static str, decline_code: Option<&'static str>, message: &'static str) -> Decline {
    Decline { code, decline_code, message }
}

static GENERIC: Decline = declined("card_declined", Some("generic_decline"), "The card was declined.");
static FUNDS: Decline = declined("card_declined", Some("insufficient_funds"), "The card has insufficient funds.");
static LOST: Decline = declined("card_declined", Some("lost_card"), "The card was declined.");
static STOLEN: Decline = declined("card_declined", Some("stolen_card"), "The card was declined.");
static VELOCITY: Decline =
    declined("card_declined", Some("card_velocity_exceeded"), "The card was declined: too many payments in a row.");
static EXPIRED: Decline = declined("expired_card", None, "The card has expired.");
static CVC: Decline = declined("incorrect_cvc", None, "The card's security code is wrong.");
static PROCESSING: Decline = declined("processing_error", None, "The card could not be processed; try again later.");

static CARDS: &[TestCard] = &[
    card("visa", "4242424242424242", "visa"),
    card("visa_debit", "4000056655665556", "visa"),
    card("mastercard", "5555555555554444", "mastercard"),
    card("amex", "378282246310005", "amex"),
    TestCard { on_payment: Verdict::Decline(&GENERIC), ..card("chargeCustomerFail", "4000000000000341", "visa") },
    TestCard { dispute: Some(DisputeKind::Chargeback), ..card("createDispute", "4000000000000259", "visa") },
    TestCard { dispute: Some(DisputeKind::Inquiry), ..card("createDisputeInquiry", "4000000000001976", "visa") },
    declining("chargeDeclined", "4000000000000002", &GENERIC),
    declining("chargeDeclinedInsufficientFunds", "4000000000009995", &FUNDS),
    declining("chargeDeclinedLostCard", "4000000000009987", &LOST),
    declining("chargeDeclinedStolenCard", "4000000000009979", &STOLEN),
    declining("chargeDeclinedVelocityLimitExceeded", "4000000000006975", &VELOCITY),
    declining("chargeDeclinedExpiredCard", "4000000000000069", &EXPIRED),
    declining("chargeDeclinedIncorrectCvc", "4000000000000127", &CVC),
    declining("chargeDeclinedProcessingError", "4000000000000119", &PROCESSING),
    authenticating("threeDSecureOptional", "4000000000003055", Authentication::Never),
    authenticating("threeDSecure2Required", "4000000000003220", Authentication::Always),
    authenticating("authenticationRequired", "4000002760003184", Authentication::Always),
    authenticating("authenticationRequiredOnSetup", "4000002500003155", Authentication::UnlessSetUp),
    authenticating("authenticationRequiredSetupForOffSession", "4000003800000446", Authentication::OnSessionOnly),
    TestCard {
        authentication: Authentication::Always,
        on_payment: Verdict::Decline(&FUNDS),
        ..card("authenticationRequiredChargeDeclinedInsufficientFunds", "4000008260003178", "visa")
    },
    TestCard {
        authentication: Authentication::Always,
        on_payment: Verdict::Decline(&GENERIC),
        ..card("threeDSecureRequiredChargeDeclined", "4000008400001629", "visa")
    },
];
