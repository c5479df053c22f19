//! What the company's other systems are told: an event, written with the change that caused it and published afterwards.
//!
//! It is published at least once, under an id that is made of its cause, so that a receiver can tell a repetition.

use super::alerts::AlertLevel;
use super::payments::{PaidFor, PaymentIssueKind, ReturnReason};
use super::spending::LimitName;
use super::{AccountId, Amount, Credits, OutboundEventId, PackageId, PurchaseId, RestrictionReason, Spender, TopUpId};
use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use std::fmt::Display;

/// One event, with everything that it has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundEvent {
    pub id: OutboundEventId,
    pub account: AccountId,
    pub kind: OutboundEventKind,
    pub created_at: Timestamp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboundEventKind {
    /// The balance fell below levels that the customer chose.
    CreditsLow { balance: Credits, levels: Vec<AlertLevel> },
    /// The balance fell below what the cheapest operation costs.
    CreditsExhausted { balance: Credits, required: Credits },
    /// A purchase was paid.
    PurchasePaid { purchase: PurchaseId, package: PackageId, credits: Credits, price: Amount, balance: Credits },
    /// An automatic top-up was paid, or a part of it.
    TopUpPaid { top_up: TopUpId, credits: Credits, price: Amount, balance: Credits },
    /// Credits were taken back because their payment went back, or were given back again.
    CreditsReversed {
        paid_for: PaidFor,
        because: ReturnReason,
        /// Negative if they were taken back.
        credits: Credits,
        balance: Credits,
        /// Whether automatic top-ups are paused for it from then on.
        is_paused: bool,
    },
    /// Automatic top-ups are paused, because this attempt failed.
    TopUpPaused { top_up: TopUpId, issue: PaymentIssueKind },
    /// The pause that this attempt caused is over.
    TopUpResumed { top_up: TopUpId },
    /// The bank wants the customer to confirm a payment (3D Secure).
    PaymentActionRequired { top_up: TopUpId, credits: Credits, price: Amount },
    /// A charge was refused because of a limit, for the first time in its period.
    LimitReached(ReachedLimit),
    /// Support blocks the account's charges for a time.
    AccountRestricted { reason: RestrictionReason, until: Timestamp },
    /// A day's consumption is far above the account's own past.
    UsageUnusual { date: Date, credits: Credits, credits_usual: Credits },
}

/// A limit that refused a charge, in one of its periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedLimit {
    pub limit: LimitName,
    /// Whose limit it is, if it is not the account's.
    pub spender: Option<Spender>,
    pub max: Credits,
    /// When the next period starts. `None` for a limit in all.
    pub starts_again_at: Option<Timestamp>,
}

impl OutboundEventKind {
    /// Its name in table and on the bus. The meaning of a name never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreditsLow { .. } => "credits.low",
            Self::CreditsExhausted { .. } => "credits.exhausted",
            Self::PurchasePaid { .. } => "purchase.paid",
            Self::TopUpPaid { .. } => "top_up.paid",
            Self::CreditsReversed { .. } => "credits.reversed",
            Self::TopUpPaused { .. } => "top_up.paused",
            Self::TopUpResumed { .. } => "top_up.resumed",
            Self::PaymentActionRequired { .. } => "payment.action_required",
            Self::LimitReached(_) => "limit.reached",
            Self::AccountRestricted { .. } => "account.restricted",
            Self::UsageUnusual { .. } => "usage.unusual",
        }
    }
}

impl OutboundEvent {
    /// The event in this place of a change, whose id is made of the account's version: a version is committed once.
    pub(super) fn of_change(
        (account, version, place): (&AccountId, u64, usize),
        kind: OutboundEventKind,
        now: Timestamp,
    ) -> Self {
        let id = id_of(&[account, &"change", &version, &place]);
        Self { id, account: account.clone(), kind, created_at: now }
    }

    /// The event of a limit that refused a charge. Its id is that of the limit and its period, whichever charge was the
    /// first. A limit that is set to another number is another limit.
    pub fn of_limit(account: &AccountId, reached: ReachedLimit, refused_at: Timestamp) -> Self {
        let ReachedLimit { limit, spender, max, starts_again_at } = &reached;
        let period = starts_again_at.map(|instant| instant.to_string()).unwrap_or_default();
        let spender = spender.as_ref().map(Spender::as_str).unwrap_or_default();
        let id = id_of(&[account, &"limit", &limit.name(), &spender, max, &period]);
        Self { id, account: account.clone(), kind: OutboundEventKind::LimitReached(reached), created_at: refused_at }
    }
}

impl OutboundEvent {
    /// The event of a day on which the account spends far more than in its own past: one for each day.
    pub fn of_unusual_day(
        account: &AccountId,
        date: Date,
        [credits, credits_usual]: [Credits; 2],
        raised_at: Timestamp,
    ) -> Self {
        let id = id_of(&[account, &"unusual", &date]);
        let kind = OutboundEventKind::UsageUnusual { date, credits, credits_usual };
        Self { id, account: account.clone(), kind, created_at: raised_at }
    }
}

/// The id of a cause: the same parts always have the same id. A line break is in none of them.
fn id_of(parts: &[&dyn Display]) -> OutboundEventId {
    let mut cause = Sha256::new_with_prefix("prepaid event 1");
    for part in parts {
        cause.update(format!("\n{part}"));
    }
    let hash: [u8; 32] = cause.finalize().into();
    OutboundEventId::mint(hash.first_chunk().map_or(0, |bits| u128::from_be_bytes(*bits)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::IdempotencyKey;
    use crate::domain::samples::*;

    #[test]
    fn a_limit_has_one_event_in_each_period() {
        let reached = |spender: &str, max: i64, day: i64| ReachedLimit {
            limit: LimitName::SpenderDay,
            spender: Spender::parse(spender).ok(),
            max: Credits::constant(max),
            starts_again_at: Some(at(day * 86_400)),
        };
        let id = |reached: ReachedLimit, now: i64| OutboundEvent::of_limit(&account().id, reached, at(now)).id;
        let first = id(reached("key-1", 10, 1), 5);
        assert_eq!(first, id(reached("key-1", 10, 1), 6));
        let month = ReachedLimit { limit: LimitName::SpenderMonth, ..reached("key-1", 10, 1) };
        for other in [reached("key-2", 10, 1), reached("key-1", 11, 1), reached("key-1", 10, 2), month] {
            assert_ne!(first, id(other.clone(), 5), "{other:?}");
        }
        let key = IdempotencyKey::parse(first.as_str());
        assert!(key.is_ok(), "a receiver can use it as an idempotency key");
    }
}
