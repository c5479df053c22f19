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
