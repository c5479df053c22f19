//! Why automatic top-ups are paused, and the words a customer is told it in.

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

/// What happened and what helps, in words for somebody who knows no billing jargon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainWords {
    pub reason: &'static str,
    pub remedy: &'static str,
}

impl PaymentIssueKind {
    /// The word for it in table, API and page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Declined(_) => "declined",
            Self::ActionRequired => "action_required",
        }
    }

    pub fn in_plain_words(self) -> PlainWords {
        match self {
            Self::Declined(reason) => reason.in_plain_words(),
            Self::ActionRequired => PlainWords {
                reason: "Your bank asks you to confirm the payment (3D Secure).",
                remedy: "Confirm the payment on the page that the e-mail leads to, or pay there with another card.",
            },
        }
    }
}

impl DeclineReason {
    pub fn in_plain_words(self) -> PlainWords {
        let (reason, remedy) = match self {
            Self::InsufficientFunds => (
                "Your bank says that there is not enough money available for it.",
                "Make sure that the card has enough money behind it, or pay with another card.",
            ),
            Self::ExpiredCard => ("The saved card has expired.", "Pay with a card that is still valid."),
            Self::IncorrectCardData => (
                "Your bank says that the details of the saved card are not right: \
                 its number, its expiry date or its security code.",
                "Enter the details again, or pay with another card.",
            ),
            Self::CardNotSupported => (
                "The saved card cannot be used for this kind of payment.",
                "Pay with another card, or ask your bank to allow such payments.",
            ),
            Self::LimitExceeded => (
                "It is more than the limit of the saved card allows.",
                "Ask your bank to raise the limit, or pay with another card.",
            ),
            Self::ProcessingError => (
                "An error occurred while your bank was asked. It may be over by now.",
                "Try again, or pay with another card.",
            ),
            Self::NoCard => {
                ("No card is saved for your account, or the saved one was removed.", "Pay with a card of your choice.")
            }
            Self::Generic => (
                "Your bank refused it. The reason is known to your bank alone.",
                "Ask your bank about it, or pay with another card.",
            ),
        };
        PlainWords { reason, remedy }
    }
}
