//! The levels that a customer chose, and what was told of each.

use crate::domain::{Credits, OutOfRange, within};
use jiff::Timestamp;

/// A level of the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertLevel {
    Credits(Credits),
    /// As many credits as the account spends on so many days, on average.
    DaysLeft(i64),
}

impl AlertLevel {
    /// The level in credits, at what the account spends on a day. `None` if it spends nothing.
    pub fn in_credits(self, credits_per_day: Option<i64>) -> Option<Credits> {
        match self {
            Self::Credits(credits) => Some(credits),
            Self::DaysLeft(days) => {
                let credits = credits_per_day.filter(|per_day| *per_day > 0)?.saturating_mul(days);
                Some(Credits::new(credits).unwrap_or(Credits::MAX))
            }
        }
    }

    /// Its name in table, API and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credits(_) => "credits",
            Self::DaysLeft(_) => "days_left",
        }
    }

    /// The number of credits or of days.
    pub fn number(self) -> i64 {
        match self {
            Self::Credits(credits) => credits.get(),
            Self::DaysLeft(days) => days,
        }
    }

    /// # Errors
    /// [`OutOfRange`].
    pub fn credits(credits: i64) -> Result<Self, OutOfRange> {
        let credits = within("credits", credits, 1, Alerts::CREDITS_MAX)?;
        Ok(Self::Credits(Credits::new(credits).unwrap_or(Credits::MAX)))
    }

    /// # Errors
    /// [`OutOfRange`].
    pub fn days_left(days: i64) -> Result<Self, OutOfRange> {
        within("days_left", days, 1, Alerts::DAYS_MAX).map(Self::DaysLeft)
    }
}

/// Whether a crossing of a level is still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertState {
    /// Whether the next balance below the level is a crossing. Not after one was told, until the balance has risen well
    /// above the level.
    pub is_armed: bool,
    pub told_at: Option<Timestamp>,
}

impl AlertState {
    /// A new level is told even if the balance is below it already.
    pub const NEW: Self = Self { is_armed: true, told_at: None };
}

/// A level with its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelAlert {
    pub level: AlertLevel,
    pub is_on: bool,
    pub state: AlertState,
}

/// What a customer chose about a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChoice {
    pub level: AlertLevel,
    pub is_on: bool,
}

/// The alerts of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// At most [`Self::LEVELS_MAX`], no two the same.
    pub levels: Vec<LevelAlert>,
    /// Whether the next balance that pays for nothing is told.
    pub is_exhaustion_armed: bool,
    /// Since when a crossing is not told because a top-up is about to cure it.
    pub waiting_since: Option<Timestamp>,
}

impl Default for Alerts {
    /// Those of an account of which nothing is stored.
    fn default() -> Self {
        Self { levels: vec![], is_exhaustion_armed: true, waiting_since: None }
    }
}

impl Alerts {
    pub const LEVELS_MAX: usize = 5;
    pub const CREDITS_MAX: i64 = 1_000_000_000_000;
    pub const DAYS_MAX: i64 = 365;

    pub fn needs_average(&self) -> bool {
        self.levels.iter().any(|alert| alert.is_on && matches!(alert.level, AlertLevel::DaysLeft(_)))
    }

    pub(super) fn chosen(&self) -> Vec<LevelChoice> {
        self.levels.iter().map(|alert| LevelChoice { level: alert.level, is_on: alert.is_on }).collect()
    }

    /// What was told of a level stays, unless the level is turned on just now.
    pub(super) fn state_of(&self, choice: LevelChoice) -> AlertState {
        let known = self.levels.iter().find(|alert| alert.level == choice.level && alert.is_on && choice.is_on);
        known.map_or(AlertState::NEW, |alert| alert.state)
    }
}
