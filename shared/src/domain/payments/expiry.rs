//! When a card expires.

use crate::domain::start_of_next_month;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// From this long before its end, a card is about to expire.
const EXPIRING: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The last month in which a card is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Its first day.
    month: Date,
}

impl Expiry {
    /// `None` for a month that does not exist.
    pub fn new(year: i16, month: i8) -> Option<Self> {
        Some(Self { month: Date::new(year, month, 1).ok()? })
    }

    /// As it is written: `2026-12`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        Self::new(year.parse().ok()?, month.parse().ok()?).filter(|expiry| expiry.to_string() == text)
    }

    pub fn first_day(self) -> Date {
        self.month
    }

    pub fn year(self) -> i16 {
        self.month.year()
    }

    pub fn month(self) -> i8 {
        self.month.month()
    }

    /// When the card stops being valid: at the end of the month, in UTC.
    pub fn ends_at(self) -> Timestamp {
        start_of_next_month(self.month).unwrap_or(Timestamp::MAX)
    }

    pub fn is_over_at(self, now: Timestamp) -> bool {
        self.ends_at() <= now
    }

    /// Whether it ends within thirty days, or has ended.
    pub fn is_near_at(self, now: Timestamp) -> bool {
        self.ends_at().duration_since(now) <= EXPIRING
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year(), self.month())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_card_is_valid_until_its_month_ends_and_expires_thirty_days_before() {
        let expiry = Expiry::new(2026, 12).unwrap();
        assert_eq!(expiry.ends_at(), instant("2027-01-01T00:00:00Z"));
        for (now, is_near, is_over) in [
            ("2026-12-01T23:59:59Z", false, false),
            ("2026-12-02T00:00:00Z", true, false),
            ("2026-12-31T23:59:59.999Z", true, false),
            ("2027-01-01T00:00:00Z", true, true),
        ] {
            assert_eq!((expiry.is_near_at(instant(now)), expiry.is_over_at(instant(now))), (is_near, is_over), "{now}");
        }
        assert_eq!(Expiry::new(2026, 13), None);
        assert_eq!((expiry.to_string(), Expiry::parse("2026-12")), ("2026-12".to_owned(), Some(expiry)));
        for text in ["2026-13", "2026-1", "2026", "+2026-12", "2026-12-01", ""] {
            assert_eq!(Expiry::parse(text), None, "{text}");
        }
        assert!(!Expiry::new(9999, 12).unwrap().is_over_at(instant("9000-01-01T00:00:00Z")));
    }
}
