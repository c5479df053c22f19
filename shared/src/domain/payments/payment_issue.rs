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
        }
    }
}
