//! What is stored about payments: purchases, top-up attempts, settings and consents. Values alone, decided elsewhere.

use super::payment_issue::{DeclineReason, RefusalReason};
use crate::domain::{
    AccountId, Cents, CheckoutSessionId, ConsentId, Consenter, Credits, CustomerId, IdempotencyKey, InvoiceId,
    PackageId, PaymentIntentId, PaymentMethodId, PurchaseId, TopUpId,
};
use jiff::Timestamp;

/// One purchase, from the choice of a package to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub id: PurchaseId,
    pub account: AccountId,
    /// Under which the customer's request opened it.
    pub key: IdempotencyKey,
    pub package: PackageId,
    /// Frozen when it was opened, whatever the price book says later.
    pub credits: Credits,
    /// Before tax, frozen likewise.
    pub price: Cents,
    pub status: PurchaseStatus,
    pub checkout: Option<Checkout>,
    pub checkout_opened_at: Option<Timestamp>,
    /// The customer's default card when the page was opened.
    pub default_card: Option<PaymentMethodId>,
    pub payment_intent: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    pub opened_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PurchaseStatus {
    Open,
    /// The page was completed, and the customer's bank takes days to pay.
    Processing,
    Paid,
    /// The bank refused, days after the page was completed.
    Failed,
    Expired,
    /// Paid otherwise than asked for: nothing is granted before somebody has looked.
    InReview,
}

/// Stripe's page on which a purchase is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    pub session: CheckoutSessionId,
    pub url: String,
}

/// One attempt. What it charges is frozen when it is opened, and stored before Stripe is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    pub id: TopUpId,
    pub account: AccountId,
    pub customer: CustomerId,
    /// The saved card at the time of opening, if there was one.
    pub payment_method: Option<PaymentMethodId>,
    pub credits: Credits,
    /// Before tax.
    pub price: Cents,
    pub status: TopUpStatus,
    pub invoice: Option<InvoiceId>,
    pub payment_intent: Option<PaymentIntentId>,
    pub opened_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopUpStatus {
    /// The outcome is not known yet: the same attempt is asked again.
    Open,
    /// A bank debit is under way, which takes days: nothing is asked or closed meanwhile.
    Processing,
    Paid,
    /// A part was paid and granted; the rest was credited by the company, and is closed.
    PartlyPaid,
    Declined(DeclineReason),
    /// The customer's bank wants a confirmation (3D Secure).
    ActionRequired,
    /// The payment provider takes no payment of this customer for good; nothing can be paid.
    Refused(RefusalReason),
    /// Closed without a payment; the invoice is void or never came to be.
    Abandoned,
}

impl TopUpStatus {
    /// Whether it holds its account: no other attempt opens before it has ended.
    pub fn is_under_way(self) -> bool {
        match self {
            Self::Open | Self::Processing => true,
            Self::Paid | Self::PartlyPaid => false,
            Self::Declined(_) | Self::ActionRequired | Self::Refused(_) | Self::Abandoned => false,
        }
    }
}

/// The settings as chosen last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUp {
    pub is_enabled: bool,
    /// A balance strictly below this is topped up.
    pub threshold: Credits,
    /// The balance a top-up fills up to.
    pub target: Credits,
    /// Who agreed to these settings.
    pub consent: Consent,
}

/// Who agreed, when and to which text; the text itself is kept in the [`ConsentRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub id: ConsentId,
    pub text_version: u32,
    pub accepted_by: Consenter,
    pub accepted_at: Timestamp,
    /// The most that the text said one top-up costs, before tax. Whatever the price book says later, no more is taken.
    pub price_max: Cents,
}

/// A consent word for word, kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRecord {
    pub consent: Consent,
    pub threshold: Credits,
    pub target: Credits,
    pub text: String,
}

impl PurchaseStatus {
    const ALL: [Self; 6] = [Self::Open, Self::Processing, Self::Paid, Self::Failed, Self::Expired, Self::InReview];

    /// The word for it in table, API and page; its meaning never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Processing => "processing",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::InReview => "in_review",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.name() == name)
    }
}

impl TopUpStatus {
    /// The word for it in table, API and page, without the reason.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Processing => "processing",
            Self::Paid => "paid",
            Self::PartlyPaid => "partly_paid",
            Self::Declined(_) => "declined",
            Self::ActionRequired => "action_required",
            Self::Refused(_) => "refused",
            Self::Abandoned => "abandoned",
        }
    }
}
