//! What an account consumed on one day (UTC).

use crate::domain::Credits;
use crate::domain::calendar::date_of;
use jiff::Timestamp;
use jiff::civil::Date;

/// The counters of one day. The first change after midnight closes the day that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageDay {
    /// The day, in UTC.
    pub date: Date,
    /// How many charges were posted.
    pub charges: u64,
    /// Credits taken by those charges, not reduced by restores.
    pub credits_charged: Credits,
    /// Credits given back on this day, for charges of this or an earlier day.
    pub credits_restored: Credits,
}

impl UsageDay {
    /// The day of an instant, with all counters at zero.
    pub fn starting(now: Timestamp) -> Self {
        Self { date: date_of(now), charges: 0, credits_charged: Credits::ZERO, credits_restored: Credits::ZERO }
    }

    /// The day to count on, and the day that this closes, if any.
    /// If the clock runs behind, the day that is already open counts, so that no day is opened twice.
    pub fn at(&self, now: Timestamp) -> (Self, Option<Self>) {
        if date_of(now) > self.date { (Self::starting(now), Some(self.clone())) } else { (self.clone(), None) }
    }

    pub(in crate::domain) fn count_charge(&mut self, credits: Credits) {
        self.charges = self.charges.saturating_add(1);
        self.credits_charged = self.credits_charged.plus(credits).unwrap_or(Credits::MAX);
    }

    pub(in crate::domain) fn count_restore(&mut self, credits: Credits) {
        self.credits_restored = self.credits_restored.plus(credits).unwrap_or(Credits::MAX);
    }
}
