//! Claims: a customer names a payment whose credits are missing, and is told exactly what became of it.
//!
//! Nothing is granted here. What was paid is granted as a webhook grants it, and [`conclude`] says what was found.

use super::bought::Bought;
use super::payment::{CheckoutOutcome, TopUpOutcome};
use crate::domain::{CardPaymentId, Entry, InvoiceId, InvoiceNumber, PaymentIntentId, date_of, start_of};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// What a customer can name of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The number that is printed on an invoice and on our receipts.
    Receipt(InvoiceNumber),
    Invoice(InvoiceId),
    Payment(PaymentIntentId),
    /// The provider's own charge, which is a card payment.
    CardPayment(CardPaymentId),
    Card(CardStatement),
}

/// A line of a card statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardStatement {
    last4: String,
    date: Date,
    amount: i64,
}

impl CardStatement {
    /// Older payments are found by their receipt.
    pub const DAYS_MAX: i32 = 90;

    /// `None` unless `last4` is four digits and the amount is positive.
    pub fn new(last4: impl Into<String>, date: Date, amount: i64) -> Option<Self> {
        let last4 = last4.into();
        let is_valid = last4.len() == 4 && last4.bytes().all(|byte| byte.is_ascii_digit()) && amount > 0;
        is_valid.then_some(Self { last4, date, amount })
    }

    /// Whether a payment of that day may be looked for. A day that has begun anywhere on earth may be today's.
    pub fn is_searchable(date: Date, now: Timestamp) -> bool {
        let today = date_of(now);
        let first = today.checked_sub(Self::DAYS_MAX.days());
        let last = today.checked_add(1.day());
        first.is_ok_and(|first| first <= date) && last.is_ok_and(|last| date <= last)
    }

    /// The first instant at which the payment may have been made, and the first one after it: the day on the statement, the
    /// day before and the day after, because the statement says the day where the bank is.
    pub fn searched(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.date.checked_sub(1.day()).ok()?;
        let after = self.date.checked_add(2.days()).ok()?;
        Some((start_of(first)?, start_of(after)?))
    }

    /// The last four digits of the card.
    pub fn last4(&self) -> &str {
        &self.last4
    }

    /// In the minor unit, with tax.
    pub fn amount(&self) -> i64 {
        self.amount
    }
}

/// When an account asked for its payments last. Each question asks the payment provider several times, so that they are
/// bounded, however many functions run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimLog {
    /// Counts the changes of the log. 0 for a log that was never written, or has expired.
    pub revision: u64,
    /// Oldest first, at most [`ClaimLog::PER_HOUR_MAX`].
    pub asked_at: Vec<Timestamp>,
}

/// The account has asked too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account asked for its payments {} times within an hour", ClaimLog::PER_HOUR_MAX)]
pub struct TooManyClaims {
    pub now: Timestamp,
    /// When it may ask again.
    pub possible_at: Timestamp,
}

impl ClaimLog {
    pub const PER_HOUR_MAX: usize = 10;
    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    /// The log with a question that is asked now.
    ///
    /// # Errors
    /// [`TooManyClaims`]; nothing must be asked then.
    pub fn noting(&self, now: Timestamp) -> Result<Self, TooManyClaims> {
        let is_recent = |at: &&Timestamp| now.duration_since(**at) < Self::HOUR;
        let mut asked_at: Vec<Timestamp> = self.asked_at.iter().filter(is_recent).copied().collect();
        if let Some(first) = asked_at.first().filter(|_| asked_at.len() >= Self::PER_HOUR_MAX) {
            let possible_at = first.saturating_add(Self::HOUR).unwrap_or(Timestamp::MAX);
            return Err(TooManyClaims { now, possible_at });
        }
        asked_at.push(now);
        Ok(Self { revision: self.revision.saturating_add(1), asked_at })
    }

    /// From then on, the log says nothing any more.
    pub fn expires_at(&self) -> Timestamp {
        let last = self.asked_at.last().copied().unwrap_or(Timestamp::MIN);
        last.saturating_add(Self::HOUR).unwrap_or(Timestamp::MAX)
    }
}

/// What became of a claimed payment, in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundResult {
    /// A dispute holds its money at the moment. The entry, if its credits were granted.
    Disputed(Option<Box<Entry>>),
    /// A part of its money went back, or all. The entry, if its credits were granted.
    Refunded(Option<Box<Entry>>),
    /// Its credits were granted just now.
    Granted(Box<Entry>),
    /// Its credits had been granted before.
    AlreadyGranted(Box<Entry>),
    /// What it was made for had been paid by another payment already, so that it has to be refunded.
    PaidTwice,
    /// It is paid, but not as it was asked for. A person looks into it.
    InReview,
    Processing,
    NotPaid,
    /// It is paid and names this account, but no row knows what it was made for. Support is told.
    UnknownPayment,
    OfAnotherAccount,
    /// It was not made for credits of this deployment.
    NotOurs,
    /// The payment provider knows no such payment.
    NotFound,
}

impl FoundResult {
    /// Its name in the API. The meaning of a name never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::AlreadyGranted(_) => "already_granted",
            Self::Disputed(_) => "disputed",
            Self::Refunded(_) => "refunded",
            Self::PaidTwice => "paid_twice",
            Self::InReview => "in_review",
            Self::Processing => "processing",
            Self::NotPaid => "not_paid",
            Self::UnknownPayment => "unknown_payment",
            Self::OfAnotherAccount => "of_another_account",
            Self::NotOurs => "not_ours",
            Self::NotFound => "not_found",
        }
    }

    /// The entry that granted its credits.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Granted(entry) | Self::AlreadyGranted(entry) => Some(entry),
            Self::Disputed(entry) | Self::Refunded(entry) => entry.as_deref(),
            _ => None,
        }
    }
}

/// How far a payment has come at the payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Paid,
    Processing,
    NotPaid,
}

impl Progress {
    pub fn of_purchase(outcome: &CheckoutOutcome) -> Self {
        match outcome {
            CheckoutOutcome::Paid(_) | CheckoutOutcome::PaidInPart(_) => Self::Paid,
            CheckoutOutcome::Processing => Self::Processing,
            CheckoutOutcome::Open
            | CheckoutOutcome::Failed
            | CheckoutOutcome::Expired
            | CheckoutOutcome::Waiting { .. }
            | CheckoutOutcome::Voided => Self::NotPaid,
        }
    }

    /// An invoice that was never tried says nothing of its outcome, so what was received decides.
    pub fn of_top_up(outcome: &TopUpOutcome, received: i64) -> Self {
        match outcome {
            TopUpOutcome::Paid(_) | TopUpOutcome::PartlyPaid { .. } => Self::Paid,
            TopUpOutcome::Processing { .. } => Self::Processing,
            TopUpOutcome::Unknown if received > 0 => Self::Paid,
            TopUpOutcome::Declined { .. }
            | TopUpOutcome::ActionRequired { .. }
            | TopUpOutcome::Refused { .. }
            | TopUpOutcome::Abandoned
            | TopUpOutcome::Unknown => Self::NotPaid,
        }
    }
}

/// What is known of a claimed payment of the account, after it was applied as its event would have been.
#[derive(Clone, Debug)]
pub struct AppliedClaim<'a> {
    pub payment: Option<&'a PaymentIntentId>,
    pub invoice: Option<&'a InvoiceId>,
    pub progress: Progress,
    /// What it was made for, as it is stored now.
    pub bought: Option<&'a Bought>,
    /// The entry that grants the credits of that, as it is stored now.
    pub entry: Option<&'a Entry>,
    /// Whether that entry existed before.
    pub was_granted: bool,
}

/// Says what became of a payment of the account, the first of these that is true.
pub fn conclude(applied: &AppliedClaim<'_>) -> FoundResult {
    let Some(bought) = applied.bought else {
        return match applied.progress {
            Progress::Paid => FoundResult::UnknownPayment,
            Progress::Processing => FoundResult::Processing,
            Progress::NotPaid => FoundResult::NotPaid,
        };
    };
    let is_of_this = bought.is_of(applied.invoice, applied.payment);
    let entry = applied.entry.filter(|_| is_of_this).map(|entry| Box::new(entry.clone()));
    let returns = bought.reversed().returns;
    match (entry, applied.progress) {
        // A customer who got the money back does not need to hear that its credits were granted first.
        (entry, _) if is_of_this && returns.disputed() > 0 => FoundResult::Disputed(entry),
        (entry, _) if is_of_this && returns.refunded() > 0 => FoundResult::Refunded(entry),
        (Some(entry), _) if !applied.was_granted => FoundResult::Granted(entry),
        (Some(entry), _) => FoundResult::AlreadyGranted(entry),
        (None, Progress::Paid) if applied.entry.is_some() => FoundResult::PaidTwice,
        (None, Progress::Paid) => FoundResult::InReview,
        (None, Progress::Processing) => FoundResult::Processing,
        (None, Progress::NotPaid) => FoundResult::NotPaid,
    }
}

#[cfg(test)]
mod tests;
