//! Where a row of refused requests is stored.

use jiff::Timestamp;

/// A row's place among those of its account: a minute, counted since 1970, and one of its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefusalPlace {
    minute: i64,
    slot: u8,
}

impl RefusalPlace {
    /// The rows that an account may have in one minute, however many requests are refused.
    pub const SLOTS: u8 = 16;
    const MINUTE_MAX: i64 = 9_999_999_999;

    /// `None` outside of what a row can have.
    pub fn new(minute: i64, slot: u8) -> Option<Self> {
        let is_valid = (0..=Self::MINUTE_MAX).contains(&minute) && slot < Self::SLOTS;
        is_valid.then_some(Self { minute, slot })
    }

    /// The first place of the minute of this instant.
    pub fn first_of(instant: Timestamp) -> Self {
        Self { minute: instant.as_second().div_euclid(60).clamp(0, Self::MINUTE_MAX), slot: 0 }
    }

    pub fn minute(self) -> i64 {
        self.minute
    }

    pub fn slot(self) -> u8 {
        self.slot
    }
}
