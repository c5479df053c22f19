//! A sign of unusual usage.

use crate::domain::{AccountId, Credits, OutboundEvent};
use jiff::Timestamp;
use jiff::civil::Date;

/// What was unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlagKind {
    ChargesPerHour,
    CreditsPerDay,
}

impl FlagKind {
    pub const ALL: [Self; 2] = [Self::ChargesPerHour, Self::CreditsPerDay];

    /// Its name in table and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChargesPerHour => "charges_per_hour",
            Self::CreditsPerDay => "credits_per_day",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A sign of unusual usage: at most one of each kind for each day of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    pub account: AccountId,
    pub kind: FlagKind,
    /// The day (UTC) that was unusual.
    pub date: Date,
    /// The hour (UTC), if it is about one.
    pub hour: Option<i8>,
    /// What was counted when the flag was raised.
    pub value: i64,
    /// The median of the days before, and the median distance from it.
    pub median: i64,
    pub spread: i64,
    /// More than this is unusual.
    pub threshold: i64,
    pub raised_at: Timestamp,
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
