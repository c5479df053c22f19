//! Since when an attempt's invoice is unpaid, when something is due of it, and what happens after 30 days.
//!
//! The instants are derived from the attempt alone, so its item is in the index `due` exactly while its invoice can be
//! paid: whatever ends the pause writes the attempt.

use super::asked_card::CardFace;
use super::records::{TopUp, TopUpStatus};
use crate::domain::{Change, NoticeId, NoticeKind, PriceBook};
use jiff::{SignedDuration, Timestamp};

impl TopUp {
    /// Since when its invoice is unpaid and the account is paused. `None` if nothing can be paid, or nothing failed yet.
    pub fn unpaid_since(&self) -> Option<Timestamp> {
        match self.status {
            TopUpStatus::Declined(_) | TopUpStatus::ActionRequired => self.ended_at,
            TopUpStatus::Open
            | TopUpStatus::Processing
            | TopUpStatus::Paid
            | TopUpStatus::PartlyPaid
            | TopUpStatus::Refused(_)
            | TopUpStatus::Abandoned => None,
        }
    }

    /// When the next reminder is due, or the end of the pause.
    pub fn unpaid_due_at(&self) -> Option<Timestamp> {
        let wait = PriceBook::REMINDERS_AFTER.get(usize::from(self.reminders)).copied();
        Some(later(self.unpaid_since()?, wait.unwrap_or(PriceBook::UNPAID_MAX)))
    }

    /// Whether its invoice has been unpaid for so long that it is voided.
    pub fn is_given_up_at(&self, now: Timestamp) -> bool {
        self.unpaid_since().is_some_and(|since| later(since, PriceBook::UNPAID_MAX) <= now)
    }
}

pub(super) fn later(since: Timestamp, wait: SignedDuration) -> Timestamp {
    since.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// Turns automatic top-ups off and says so, if the attempt that is abandoned was unpaid for 30 days. A timer has ended the
/// pause then and not the customer, so no timer may charge the card again.
pub(super) fn give_up(change: &mut Change, top_up: &TopUp, notice: NoticeId, now: Timestamp) {
    if !top_up.is_given_up_at(now) {
        return;
    }
    if let Some(settings) = &mut change.account.auto_top_up {
        settings.is_enabled = false;
    }
    let (top_up, credits, price) = (top_up.id.clone(), top_up.credits, top_up.price);
    let kind = NoticeKind::TopUpAbandoned { top_up, credits, price, card: CardFace::default() };
    change.notices.extend(change.account.owed(notice, kind, now));
}
