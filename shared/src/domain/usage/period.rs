//! Days and months, in UTC.

use crate::domain::calendar::date_of;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

/// How long the period of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    Day,
    Month,
}

impl Granularity {
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// Its name in API and table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|granularity| granularity.name() == name)
    }
}

/// A day, or a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    granularity: Granularity,
    first: Date,
}

impl Period {
    /// The period that a day lies in.
    pub fn of_date(granularity: Granularity, date: Date) -> Self {
        let first = match granularity {
            Granularity::Day => date,
            Granularity::Month => date.first_of_month(),
        };
        Self { granularity, first }
    }

    /// The period that an instant lies in (UTC).
    pub fn of(granularity: Granularity, instant: Timestamp) -> Self {
        Self::of_date(granularity, date_of(instant))
    }

    /// The day and the month of an instant.
    pub(super) fn all_of(instant: Timestamp) -> [Self; 2] {
        Granularity::ALL.map(|granularity| Self::of(granularity, instant))
    }

    pub fn granularity(self) -> Granularity {
        self.granularity
    }

    /// Its first day.
    pub fn first(self) -> Date {
        self.first
    }

    /// The period that follows. `None` only at the end of the calendar.
    pub fn next(self) -> Option<Self> {
        let length = match self.granularity {
            Granularity::Day => 1.day(),
            Granularity::Month => 1.month(),
        };
        Some(Self { first: self.first.checked_add(length).ok()?, ..self })
    }
}

/// Consecutive days or months, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    first: Period,
    last: Period,
}

impl Periods {
    /// The periods that two days and all between them lie in. `None` if the second day is before the first.
    pub fn new(granularity: Granularity, from: Date, to: Date) -> Option<Self> {
        let [first, last] = [from, to].map(|date| Period::of_date(granularity, date));
        (from <= to).then_some(Self { first, last })
    }

    /// The periods of these instants. `None` if there are none.
    pub fn spanning(granularity: Granularity, instants: impl Iterator<Item = Timestamp> + Clone) -> Option<Self> {
        let (earliest, latest) = (instants.clone().min()?, instants.max()?);
        Some(Self { first: Period::of(granularity, earliest), last: Period::of(granularity, latest) })
    }

    /// The day of an instant, and so many days before it. `None` only at an end of the calendar.
    pub fn days_through(instant: Timestamp, before: i32) -> Option<Self> {
        let last = date_of(instant);
        Self::new(Granularity::Day, last.checked_sub(before.days()).ok()?, last)
    }

    pub fn first(self) -> Period {
        self.first
    }

    pub fn last(self) -> Period {
        self.last
    }

    pub fn granularity(self) -> Granularity {
        self.first.granularity
    }

    pub fn contains(self, period: Period) -> bool {
        period.granularity == self.granularity() && (self.first..=self.last).contains(&period)
    }

    /// Each of them, in order.
    pub fn each(self) -> impl Iterator<Item = Period> {
        std::iter::successors(Some(self.first), |period| period.next()).take_while(move |period| *period <= self.last)
    }
}
