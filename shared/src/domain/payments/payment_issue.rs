//! Why automatic top-ups are paused.

use crate::domain::TopUpId;
use jiff::Timestamp;

/// Why automatic top-ups are paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentIssue {
    pub kind: PaymentIssueKind,
    /// The attempt whose payment or voiding ends the pause.
    pub top_up: TopUpId,
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentIssueKind {
    Declined(DeclineReason),
    ActionRequired,
    Refused(RefusalReason),
}

/// Why the payment provider will never accept this automatic payment, however often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// The customer was deleted at the payment provider.
    CustomerDeleted,
    /// The customer has something pending there in another currency.
    OtherCurrency,
    /// The tax cannot be calculated, since the customer's location is unknown.
    NoTaxLocation,
    /// The invoice has another price than the frozen one, for example because the customer has a discount.
    OtherPrice,
    /// With tax, or with an earlier debt, the invoice is for more than the customer agreed to.
    AboveConsent,
}

/// Why a card was declined, as far as that helps the customer.
///
/// A lost or stolen card is [`DeclineReason::Generic`] on purpose: <https://docs.stripe.com/declines/codes>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeclineReason {
    InsufficientFunds,
    ExpiredCard,
    IncorrectCardData,
    CardNotSupported,
    LimitExceeded,
    ProcessingError,
    /// No card was saved, or the saved one was removed.
    NoCard,
    Generic,
}

impl PaymentIssueKind {
    /// Its name in table, API and page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Declined(_) => "declined",
            Self::ActionRequired => "action_required",
            Self::Refused(_) => "refused",
        }
    }
}

impl DeclineReason {
    const ALL: [Self; 8] = [
        Self::InsufficientFunds,
        Self::ExpiredCard,
        Self::IncorrectCardData,
        Self::CardNotSupported,
        Self::LimitExceeded,
        Self::ProcessingError,
        Self::NoCard,
        Self::Generic,
    ];

    /// Its name in table, API and page. The meaning of a name never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCardData => "incorrect_card_data",
            Self::CardNotSupported => "card_not_supported",
            Self::LimitExceeded => "limit_exceeded",
            Self::ProcessingError => "processing_error",
            Self::NoCard => "no_card",
            Self::Generic => "generic",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.name() == name)
    }
}

impl RefusalReason {
    const ALL: [Self; 5] =
        [Self::CustomerDeleted, Self::OtherCurrency, Self::NoTaxLocation, Self::OtherPrice, Self::AboveConsent];

    /// Its name in table, API and page. The meaning of a name never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::CustomerDeleted => "customer_deleted",
            Self::OtherCurrency => "other_currency",
            Self::NoTaxLocation => "no_tax_location",
            Self::OtherPrice => "other_price",
            Self::AboveConsent => "above_consent",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.name() == name)
    }
}
