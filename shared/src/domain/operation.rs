//! What customers pay for: an operation of the company's API, how much of it, and the price of that.

use super::{Credits, OperationName, PriceBookVersion};

/// How the amount of an operation is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// The length of a recording, in milliseconds.
    DurationMs,
    /// A limit in minutes that the caller declares before the operation runs.
    MaxMinutes,
    /// A number of anything: characters, tokens, images, requests.
    Quantity,
}

impl Measure {
    pub const ALL: [Self; 3] = [Self::DurationMs, Self::MaxMinutes, Self::Quantity];

    /// Its name in code, table, API and price book.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DurationMs => "duration_ms",
            Self::MaxMinutes => "max_minutes",
            Self::Quantity => "quantity",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// The largest amount that a price book may allow: 31 days of audio, or 10¹² of anything.
    pub const fn amount_max(self) -> i64 {
        match self {
            Self::DurationMs => 2_678_400_000,
            Self::MaxMinutes => 44_640,
            Self::Quantity => 1_000_000_000_000,
        }
    }

    /// The largest amount that is allowed if a price book does not say: one day of audio, or 10⁹ of anything.
    /// More is rather a mistake in units.
    pub const fn amount_max_default(self) -> i64 {
        match self {
            Self::DurationMs => 86_400_000,
            Self::MaxMinutes => 1_440,
            Self::Quantity => 1_000_000_000,
        }
    }
}

/// An operation, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    pub name: OperationName,
    pub measure: Measure,
    /// At least 1.
    pub amount: i64,
}

/// How the price of an operation is computed, as it stood in the price book at that time. A charge keeps it, so that it
/// can be explained after the price has changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PriceLine {
    pub version: PriceBookVersion,
    /// Credits per unit.
    pub credits_per_unit: i64,
    /// How much of the measure is one unit: 60,000 where a minute is priced and milliseconds are measured.
    pub unit_size: i64,
    /// The minimum price of one operation, in credits.
    pub credits_min: i64,
}

impl PriceLine {
    /// The exact price rounded **up** to a whole credit, at least the minimum.
    pub fn price_of(&self, amount: i64) -> Credits {
        let credits = self.rounded_up(amount).max(i128::from(self.credits_min));
        i64::try_from(credits).ok().and_then(Credits::new).unwrap_or(Credits::MAX)
    }

    fn rounded_up(&self, amount: i64) -> i128 {
        let unit_size = i128::from(self.unit_size.max(1));
        let exact = i128::from(self.credits_per_unit).saturating_mul(i128::from(amount));
        let part = i128::from(exact.rem_euclid(unit_size) > 0);
        exact.div_euclid(unit_size).saturating_add(part)
    }

    /// Whether the amount by itself would cost less than the minimum.
    pub fn is_minimum(&self, amount: i64) -> bool {
        self.rounded_up(amount) < i128::from(self.credits_min)
    }

    /// The amount that the credits pay for: the amount itself, or as much as the minimum covers.
    pub fn billed_amount(&self, amount: i64) -> i64 {
        if self.is_minimum(amount) { self.amount_max(self.price_of(amount)) } else { amount }
    }

    /// The largest amount that costs no more than these credits, which are at least the minimum.
    pub fn amount_max(&self, credits: Credits) -> i64 {
        let credits_per_unit = i128::from(self.credits_per_unit.max(1));
        let exact = i128::from(credits.get()).saturating_mul(i128::from(self.unit_size));
        i64::try_from(exact.div_euclid(credits_per_unit)).unwrap_or(i64::MAX)
    }
}

/// An operation with the price that it has in a book.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PricedOperation {
    pub operation: Operation,
    pub price: PriceLine,
}

impl PricedOperation {
    /// What it costs.
    pub fn credits(&self) -> Credits {
        self.price.price_of(self.operation.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_rounded_up_to_a_whole_credit_and_at_least_the_minimum() {
        for (credits_per_unit, unit_size, credits_min, amount, credits) in [
            (1, 1, 1, 1, 1),
            (3, 1_000, 1, 1, 1),
            (3, 1_000, 1, 1_000, 3),
            (3, 1_000, 1, 1_001, 4),
            (3, 1_000, 5, 1_001, 5),
            (1, 1_000_000_000, 1, 1_000_000_000_000, 1_000),
            (1_000_000, 1, 1, 1_000_000_000_000, Credits::MAX.get()),
        ] {
            let version = PriceBookVersion::parse("1").unwrap();
            let line = PriceLine { version, credits_per_unit, unit_size, credits_min };
            assert_eq!(line.price_of(amount).get(), credits, "{credits_per_unit} per {unit_size}, {amount}");
        }
    }

    #[test]
    fn the_minimum_bills_as_much_as_it_covers() {
        for (credits_per_unit, unit_size, credits_min, amount, billed) in [
            (10, 60_000, 10, 1, 60_000),
            (10, 60_000, 10, 54_000, 60_000),
            (10, 60_000, 10, 54_001, 54_001),
            (10, 60_000, 10, 90_001, 90_001),
            (3, 1_000, 5, 1, 1_666),
            (1, 1, 1, 1, 1),
        ] {
            let version = PriceBookVersion::parse("1").unwrap();
            let line = PriceLine { version, credits_per_unit, unit_size, credits_min };
            assert_eq!(line.billed_amount(amount), billed, "{credits_per_unit} per {unit_size}, {amount}");
            assert_eq!(line.price_of(billed), line.price_of(amount));
        }
    }

    #[test]
    fn a_measure_has_one_name() {
        for measure in Measure::ALL {
            assert_eq!(Measure::of_name(measure.name()), Some(measure));
            assert!(measure.amount_max_default() <= measure.amount_max());
        }
        assert_eq!(Measure::of_name("minutes"), None);
    }
}
