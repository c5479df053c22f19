//! Days and months in UTC.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The day of an instant (UTC).
pub fn date_of(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// The first day of an instant's month (UTC).
pub fn month_of(instant: Timestamp) -> Date {
    date_of(instant).first_of_month()
}

/// The hour of an instant's day, 0 to 23.
pub(in crate::domain) fn hour_of(instant: Timestamp) -> i8 {
    instant.to_zoned(TimeZone::UTC).hour()
}

/// The first instant after a day (UTC). `None` only at the end of the calendar.
pub fn start_of_next_day(day: Date) -> Option<Timestamp> {
    start_of(day.checked_add(1.day()).ok()?)
}

/// The first instant after a day's month (UTC). `None` only at the end of the calendar.
pub fn start_of_next_month(day: Date) -> Option<Timestamp> {
    start_of(day.first_of_month().checked_add(1.month()).ok()?)
}

/// The first instant of a day (UTC). `None` only at the end of the calendar.
pub fn start_of(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    #[test]
    fn a_period_ends_when_the_calendar_says() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        for (date, tomorrow, next_month) in [
            ("2026-01-31", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"),
            ("2028-02-28", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2026-12-31", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(start_of_next_day(day(date)), tomorrow.parse().ok());
            assert_eq!(start_of_next_month(day(date)), next_month.parse().ok());
        }
        assert_eq!(start_of_next_day(date_of(at(86_399))), Some(at(86_400)));
    }
}
