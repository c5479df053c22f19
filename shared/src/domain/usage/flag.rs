//! What support has to look at: a sign of unusual usage, or a payment that nobody here knows.

use crate::domain::payments::PaidFor;
use crate::domain::{AccountId, Credits, InvoiceId, OutboundEvent, PaymentIntentId};
use jiff::Timestamp;
use jiff::civil::Date;

/// What a flag is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlagKind {
    ChargesPerHour,
    CreditsPerDay,
    /// A payment with our metadata of which no row knows.
    UnknownPayment,
}

impl FlagKind {
    /// Those that are about usage.
    pub const ALL: [Self; 2] = [Self::ChargesPerHour, Self::CreditsPerDay];

    /// Its name in table and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChargesPerHour => "charges_per_hour",
            Self::CreditsPerDay => "credits_per_day",
            Self::UnknownPayment => "unknown_payment",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::UnknownPayment]).find(|kind| kind.name() == name)
    }
}

/// A sign of unusual usage, at most one of each kind for each day of an account, or an unknown payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    pub account: AccountId,
    pub kind: FlagKind,
    /// The day (UTC) that was unusual, or on which the payment was found.
    pub date: Date,
    /// The hour (UTC), if it is about one.
    pub hour: Option<i8>,
    /// What was counted when the flag was raised; of a payment, what was paid, in the minor unit of its currency.
    pub value: i64,
    /// The median of the days before, and the median distance from it.
    pub median: i64,
    pub spread: i64,
    /// More than this is unusual.
    pub threshold: i64,
    pub raised_at: Timestamp,
    /// The payment, if it is about one.
    pub payment: Option<FlaggedPayment>,
}

/// The payment that a flag is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlaggedPayment {
    /// What its metadata names.
    pub paid_for: PaidFor,
    pub payment_intent: Option<PaymentIntentId>,
    pub invoice: Option<InvoiceId>,
    /// As the payment provider spells it.
    pub currency: String,
}

/// A flag's place among all, which tells it from every other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlagPlace {
    pub raised_at: Timestamp,
    pub account: AccountId,
    pub date: Date,
    pub kind: FlagKind,
}

impl Flag {
    pub fn place(&self) -> FlagPlace {
        let Self { account, kind, date, raised_at, .. } = self;
        FlagPlace { raised_at: *raised_at, account: account.clone(), date: *date, kind: *kind }
    }

    /// What other systems are told. A busy hour is for support alone.
    pub fn event(&self) -> Option<OutboundEvent> {
        let is_of_credits = self.kind == FlagKind::CreditsPerDay;
        let credits = [Credits::new(self.value)?, Credits::new(self.median.max(0))?];
        is_of_credits.then(|| OutboundEvent::of_unusual_day(&self.account, self.date, credits, self.raised_at))
    }
}
