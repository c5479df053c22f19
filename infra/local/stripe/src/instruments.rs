//! Payment instruments: Stripe's test cards, one row each, and the test bank accounts of [`crate::debits`].
//!
//! <https://docs.stripe.com/testing>

use jiff::SignedDuration;

use crate::debits::DEBITS;
use crate::error::ApiError;

/// The `type` of a payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Card,
    UsBankAccount,
    SepaDebit,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Card, Self::UsBankAccount, Self::SepaDebit];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::UsBankAccount => "us_bank_account",
            Self::SepaDebit => "sepa_debit",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The only currency of a bank debit; cards accept all currencies.
    pub(crate) fn takes(self, currency: &str) -> bool {
        match self {
            Self::Card => true,
            Self::UsBankAccount => currency == "usd",
            Self::SepaDebit => currency == "eur",
        }
    }
}

/// When the bank answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settlement {
    AtOnce,
    After(SignedDuration),
    Never,
}

/// The bank's answer to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approve,
    Decline(&'static Decline),
}

/// When the bank requires authentication: <https://docs.stripe.com/testing#three-ds-cards>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication {
    Never,
    /// For the first payment or setup. Off-session payments after a setup pass.
    UnlessSetUp,
    Always,
    /// Only if its customer is present.
    OnSessionOnly,
}

/// <https://docs.stripe.com/disputes/how-disputes-work>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DisputeKind {
    /// The money is withdrawn until the bank has decided.
    Chargeback,
    /// The bank only inquires; the money stays.
    Inquiry,
}

/// <https://docs.stripe.com/testing#refunds>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefundStart {
    Succeeded,
    Pending,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decline {
    pub(crate) code: &'static str,
    pub(crate) decline_code: Option<&'static str>,
    message: &'static str,
    is_of_card: bool,
}

impl Decline {
    pub(crate) fn error(&self) -> ApiError {
        if self.is_of_card {
            ApiError::card(self.code, self.decline_code, self.message)
        } else {
            ApiError::invalid_state(Some(self.code), self.message)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Instrument {
    /// For a card, its alias without the prefix `pm_card_` or `tok_`, and without the brand in front of a behavior.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) number: &'static str,
    /// For a bank account, the bank's name.
    pub(crate) brand: &'static str,
    pub(crate) settlement: Settlement,
    pub(crate) authentication: Authentication,
    /// Whether it can be saved with a customer.
    pub(crate) on_attach: Verdict,
    pub(crate) on_payment: Verdict,
    /// The dispute that each successful payment causes immediately.
    pub(crate) dispute: Option<DisputeKind>,
    /// The status that a refund of its payments begins with.
    pub(crate) refund: RefundStart,
}

impl Instrument {
    pub(crate) fn last4(&self) -> &'static str {
        &self.number[self.number.len() - 4..]
    }

    /// Finds it by the id of a test payment method or token, such as `pm_card_visa` and `tok_visa`.
    pub(crate) fn by_alias(alias: &str) -> Option<&'static Self> {
        if let Some(debit) = DEBITS.iter().find(|debit| debit.name == alias) {
            return Some(debit);
        }
        let name = alias.strip_prefix("pm_card_").or_else(|| alias.strip_prefix("tok_"))?;
        let behaviour = name.strip_prefix("visa_").unwrap_or(name);
        CARDS.iter().find(|card| card.name == name || card.name == behaviour)
    }

    /// Finds it by a card number, an account number or an IBAN, with or without spaces.
    pub(crate) fn by_number(number: &str) -> Option<&'static Self> {
        let plain: String = number.chars().filter(char::is_ascii_alphanumeric).collect();
        CARDS.iter().chain(DEBITS).find(|instrument| instrument.number.eq_ignore_ascii_case(&plain))
    }
}

/// A card whose payments succeed; the base of every row.
pub(crate) const fn instrument(name: &'static str, number: &'static str, brand: &'static str) -> Instrument {
    Instrument {
        name,
        kind: Kind::Card,
        number,
        brand,
        settlement: Settlement::AtOnce,
        authentication: Authentication::Never,
        on_attach: Verdict::Approve,
        on_payment: Verdict::Approve,
        dispute: None,
        refund: RefundStart::Succeeded,
    }
}

const fn declining(name: &'static str, number: &'static str, decline: &'static Decline) -> Instrument {
    Instrument {
        on_attach: Verdict::Decline(decline),
        on_payment: Verdict::Decline(decline),
        ..instrument(name, number, "visa")
    }
}

const fn authenticating(name: &'static str, number: &'static str, authentication: Authentication) -> Instrument {
    Instrument { authentication, ..instrument(name, number, "visa") }
}

const fn declined(code: &'static str, decline_code: Option<&'static str>, message: &'static str) -> Decline {
    Decline { code, decline_code, message, is_of_card: true }
}

/// Reported days after the payment was started, and not as a card error.
pub(crate) const fn refused_by_bank(code: &'static str, message: &'static str) -> Decline {
    Decline { code, decline_code: None, message, is_of_card: false }
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

static CARDS: &[Instrument] = &[
    instrument("visa", "4242424242424242", "visa"),
    instrument("visa_debit", "4000056655665556", "visa"),
    instrument("mastercard", "5555555555554444", "mastercard"),
    instrument("amex", "378282246310005", "amex"),
    Instrument {
        on_payment: Verdict::Decline(&GENERIC),
        ..instrument("chargeCustomerFail", "4000000000000341", "visa")
    },
    Instrument { dispute: Some(DisputeKind::Chargeback), ..instrument("createDispute", "4000000000000259", "visa") },
    Instrument {
        dispute: Some(DisputeKind::Inquiry),
        ..instrument("createDisputeInquiry", "4000000000001976", "visa")
    },
    Instrument { refund: RefundStart::Pending, ..instrument("pendingRefund", "4000000000007726", "visa") },
    instrument("refundFail", "4000000000005126", "visa"),
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
    Instrument {
        authentication: Authentication::Always,
        on_payment: Verdict::Decline(&FUNDS),
        ..instrument("authenticationRequiredChargeDeclinedInsufficientFunds", "4000008260003178", "visa")
    },
    Instrument {
        authentication: Authentication::Always,
        on_payment: Verdict::Decline(&GENERIC),
        ..instrument("threeDSecureRequiredChargeDeclined", "4000008400001629", "visa")
    },
];
