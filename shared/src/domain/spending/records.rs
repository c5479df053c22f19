//! The stored values of stops and limits, and how a limit counts. The decisions are elsewhere.

use crate::domain::calendar::date_of;
use crate::domain::{Actor, Credits, Spender};
use jiff::Timestamp;
use jiff::civil::Date;

/// Which limit, in order of precedence: the one that holds longest comes first, so that no answer promises a date on
/// which another limit would still refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitName {
    SpenderTotal,
    AccountMonth,
    SpenderMonth,
    AccountDay,
    SpenderDay,
}

impl LimitName {
    pub const ALL: [Self; 5] =
        [Self::SpenderTotal, Self::AccountMonth, Self::SpenderMonth, Self::AccountDay, Self::SpenderDay];

    /// Its name in table, API and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::SpenderTotal => "spender_total",
            Self::AccountMonth => "account_month",
            Self::SpenderMonth => "spender_month",
            Self::AccountDay => "account_day",
            Self::SpenderDay => "spender_day",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// Whether each spender has a limit of this kind, and not the account.
    pub fn is_of_spender(self) -> bool {
        matches!(self, Self::SpenderTotal | Self::SpenderMonth | Self::SpenderDay)
    }
}

/// Whether the customer has stopped all spending, as the account knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending {
    pub is_stopped: bool,
    /// When it was stopped or allowed again. It is also the key of the [`SpendingChange`] that says by whom.
    pub changed_at: Timestamp,
}

/// Who stopped spending or allowed it again, and when. Each is kept permanently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendingChange {
    pub is_stopped: bool,
    pub changed_by: Actor,
    pub changed_at: Timestamp,
}

/// A limit and what counts against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What may be spent in one period. 0 means nothing.
    pub max: Credits,
    /// What was spent in this period, without what was given back.
    pub used: Credits,
    /// Charges with a larger `seq` count in this period.
    pub after_seq: u64,
}

/// The limits of an account or a spender. An account has none in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub day: Option<Limit>,
    pub month: Option<Limit>,
    /// In all, since it was set.
    pub total: Option<Limit>,
}

/// The limits of one spender of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpenderLimits {
    pub spender: Spender,
    /// The day (UTC) to which the counters belong.
    pub date: Date,
    pub limits: Limits,
}

/// What a customer chooses: the credits of each limit, and `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub day: Option<Credits>,
    pub month: Option<Credits>,
    pub total: Option<Credits>,
}

impl SpenderLimits {
    /// The limits at an instant.
    pub fn at(&self, now: Timestamp, seq: u64) -> Self {
        let today = date_of(now).max(self.date);
        Self { date: today, limits: self.limits.turned(self.date, today, seq), spender: self.spender.clone() }
    }
}

impl Limit {
    /// What may still be spent in this period. Zero if the limit was lowered below what was spent.
    pub fn left(&self) -> Credits {
        self.max.minus(self.used).filter(|left| !left.is_negative()).unwrap_or(Credits::ZERO)
    }

    /// The counter at the start of a period.
    fn restarted(self, after_seq: u64) -> Self {
        Self { used: Credits::ZERO, after_seq, ..self }
    }

    pub(super) fn count(&mut self, credits: Credits) {
        self.used = self.used.plus(credits).unwrap_or(Credits::MAX);
    }

    /// Gives credits of a charge back, if the charge with this `seq` was counted in this period.
    pub(super) fn give_back(&mut self, charge_seq: u64, credits: Credits) {
        if charge_seq > self.after_seq {
            self.used = self.used.minus(credits).unwrap_or(Credits::ZERO).max(Credits::ZERO);
        }
    }
}

impl Limits {
    /// The counters on a later day. An earlier day changes nothing: a clock that runs behind opens no period again.
    pub(in crate::domain) fn turned(self, from: Date, to: Date, seq: u64) -> Self {
        if to <= from {
            return self;
        }
        let is_new_month = (from.year(), from.month()) != (to.year(), to.month());
        let restarted = |limit: Limit| limit.restarted(seq);
        Self {
            day: self.day.map(restarted),
            month: if is_new_month { self.month.map(restarted) } else { self.month },
            total: self.total,
        }
    }

    pub(in crate::domain) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Limit> {
        [&mut self.day, &mut self.month, &mut self.total].into_iter().flatten()
    }

    /// The limits with other bounds. A limit that stays keeps its counter; a new one starts at zero, with the next
    /// charge.
    pub(super) fn revised(self, bounds: Bounds, seq: u64) -> Self {
        let revise = |limit: Option<Limit>, max: Option<Credits>| {
            let fresh = |max| Limit { max, used: Credits::ZERO, after_seq: seq };
            max.map(|max| limit.map_or(fresh(max), |limit| Limit { max, ..limit }))
        };
        Self {
            day: revise(self.day, bounds.day),
            month: revise(self.month, bounds.month),
            total: revise(self.total, bounds.total),
        }
    }

    pub(super) fn bounds(self) -> Bounds {
        let max = |limit: Limit| limit.max;
        Bounds { day: self.day.map(max), month: self.month.map(max), total: self.total.map(max) }
    }
}
