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

/// Why the payment provider takes no automatic payment of this customer, however often it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// The customer was deleted there.
    CustomerDeleted,
    /// Something of the customer's waits there in another currency.
    OtherCurrency,
    /// The tax cannot be told, since nobody knows where the customer is.
    NoTaxLocation,
    /// The invoice asks for another price than the frozen one: the customer has a discount, say.
    OtherPrice,
    /// With tax, or with a debt from before, it asks for more than the customer agreed to.
    AboveConsent,
}

/// Why a card was declined, as far as it helps the customer.
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
    /// The word for it in table, API and page.
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

    /// The word for it in table, API and page; its meaning never changes.
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

    /// The word for it in table, API and page; its meaning never changes.
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
