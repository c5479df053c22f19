//! The stored records of payments: purchases, top-up attempts, settings and consents. Only values; the decisions are
//! elsewhere.

use super::by_invoice::ByInvoice;
use super::monthly_cap::MonthlyCap;
use super::payment_issue::{DeclineReason, RefusalReason};
use super::returned::{Refund, Reversed};
use crate::domain::{
    AccountId, Actor, Amount, CheckoutSessionId, ConsentId, Consenter, Credits, CustomerId, IdempotencyKey, InvoiceId,
    PackageId, PaymentIntentId, PaymentMethodId, PurchaseId, TopUpId,
};
use jiff::Timestamp;

/// One purchase, from the choice of a package to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub id: PurchaseId,
    pub account: AccountId,
    /// The key of the customer's request that opened it.
    pub key: IdempotencyKey,
    pub package: PackageId,
    /// Frozen when it was opened, even if the price book changes later.
    pub credits: Credits,
    /// Before tax, also frozen.
    pub price: Amount,
    pub status: PurchaseStatus,
    pub checkout: Option<Checkout>,
    pub checkout_opened_at: Option<Timestamp>,
    /// The customer's default card when the page was opened.
    pub default_card: Option<PaymentMethodId>,
    pub payment_intent: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    /// How it is paid by invoice. `None` for one that is paid on a page.
    pub by_invoice: Option<ByInvoice>,
    pub opened_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// What went back of its payment.
    pub reversed: Reversed,
    /// The refunds that support asked for, in their order.
    pub refunds: Vec<Refund>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PurchaseStatus {
    Open,
    /// The customer completed the page, and the bank takes days to pay.
    Processing,
    Paid,
    /// The bank declined, days after the customer completed the page.
    Failed,
    Expired,
    /// Its invoice was voided, and nothing was paid.
    Voided,
    /// The payment does not match what was asked for. Nothing is granted until a person has investigated.
    InReview,
}

/// Stripe's page on which a purchase is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    pub session: CheckoutSessionId,
    pub url: String,
}

/// One attempt. Its credits and price are frozen when it is opened, and stored before Stripe is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    pub id: TopUpId,
    pub account: AccountId,
    pub customer: CustomerId,
    /// The saved card when it was opened, if there was one.
    pub payment_method: Option<PaymentMethodId>,
    pub credits: Credits,
    /// Before tax.
    pub price: Amount,
    pub status: TopUpStatus,
    pub invoice: Option<InvoiceId>,
    pub payment_intent: Option<PaymentIntentId>,
    pub opened_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// How often the customer asked to pay its invoice now.
    pub retries: u32,
    /// How many of the reminders were sent or passed over.
    pub reminders: u8,
    /// What went back of its payment.
    pub reversed: Reversed,
    /// The refunds that support asked for, in their order.
    pub refunds: Vec<Refund>,
}

/// A customer's request to pay an attempt's open invoice now, stored before Stripe is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpRetry {
    /// The key of the customer's request.
    pub key: IdempotencyKey,
    pub account: AccountId,
    pub top_up: TopUpId,
    /// The card that the request named. `None`: the default.
    pub named: Option<PaymentMethodId>,
    /// The card that is charged, whichever is the default when the request is repeated.
    pub card: PaymentMethodId,
    pub asked_at: Timestamp,
    /// What became of it. [`TopUpStatus::Open`] while that is not known.
    pub status: TopUpStatus,
}

/// The status of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopUpStatus {
    /// The outcome is not known yet; the same attempt is tried again.
    Open,
    /// A bank debit is in progress, which takes days. The attempt is neither sent again nor closed in the meantime.
    Processing,
    Paid,
    /// A part was paid and granted. The company credited the rest, and the attempt is closed.
    PartlyPaid,
    Declined(DeclineReason),
    /// The customer's bank requires a confirmation (3D Secure).
    ActionRequired,
    /// The payment provider will never accept this payment from the customer; there is nothing left to pay.
    Refused(RefusalReason),
    /// Closed without a payment. The invoice is void, or none was created.
    Abandoned,
}

impl TopUpStatus {
    /// Whether no other attempt can open before this one has ended.
    pub fn is_under_way(self) -> bool {
        match self {
            Self::Open | Self::Processing => true,
            Self::Paid | Self::PartlyPaid => false,
            Self::Declined(_) | Self::ActionRequired | Self::Refused(_) | Self::Abandoned => false,
        }
    }
}

/// The settings that the customer chose last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUp {
    pub is_enabled: bool,
    /// A balance strictly below this is topped up.
    pub threshold: Credits,
    /// The balance that a top-up restores.
    pub target: Credits,
    /// The most that top-ups may cost in a month, if the customer set that.
    pub cap: Option<MonthlyCap>,
    /// Who agreed to these settings.
    pub consent: Consent,
}

/// Who agreed, when and to which text. The text itself is in the [`ConsentRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub id: ConsentId,
    pub text_version: u32,
    /// `None` once it was erased.
    pub accepted_by: Option<Consenter>,
    pub accepted_at: Timestamp,
    /// The maximum price of one top-up, before tax, that the text stated. No more is charged, even if the price book
    /// changes.
    pub price_max: Amount,
}

/// The full text of a consent, kept permanently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRecord {
    pub consent: Consent,
    pub threshold: Credits,
    pub target: Credits,
    /// Before tax.
    pub max_per_month: Option<Amount>,
    pub text: String,
    /// How the top-ups that were agreed to here were turned off. `None` while they are on, and if the customer agreed to
    /// other settings before.
    pub turned_off: Option<TurnedOff>,
}

/// Why they were turned off, if they are. An earlier release did not keep that.
pub fn turned_off(settings: Option<&AutoTopUp>, consent: Option<&ConsentRecord>) -> Option<OffReason> {
    settings.filter(|settings| !settings.is_enabled)?;
    Some(consent?.turned_off.as_ref()?.because)
}

/// When automatic top-ups were turned off, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedOff {
    pub at: Timestamp,
    pub because: OffReason,
    /// Who asked for it. `None` if nobody did or that is not known, and once it was erased.
    pub by: Option<Actor>,
}

/// Why automatic top-ups were turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffReason {
    /// Somebody asked for it.
    Requested,
    /// No card is left that could be asked.
    LastCardRemoved,
    /// The invoice of an attempt was unpaid for so long that it was voided.
    UnpaidFor30Days,
}

impl OffReason {
    pub const ALL: [Self; 3] = [Self::Requested, Self::LastCardRemoved, Self::UnpaidFor30Days];

    /// Its name in table and API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::LastCardRemoved => "last_card_removed",
            Self::UnpaidFor30Days => "unpaid_for_30_days",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl AutoTopUp {
    /// Threshold and target.
    pub fn credits(&self) -> (i64, i64) {
        (self.threshold.get(), self.target.get())
    }
}

impl PurchaseStatus {
    const ALL: [Self; 7] =
        [Self::Open, Self::Processing, Self::Paid, Self::Failed, Self::Expired, Self::Voided, Self::InReview];

    /// Its name in table, API and page. The meaning of a name never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Processing => "processing",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Voided => "voided",
            Self::InReview => "in_review",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.name() == name)
    }
}

impl TopUpStatus {
    /// Its name in table, API and page, without the reason.
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
