//! The two integer units of money: credits, which customers spend, and cents, which Stripe moves.

use std::fmt;

/// A number of credits. It is negative only in an entry that took credits, or as a balance after a reversal.
///
/// The range is ±10¹⁵, far within that of an `i64`, so that the sum of two never overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

impl Credits {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// `None` outside ±10¹⁵.
    pub const fn new(credits: i64) -> Option<Self> {
        if credits > Self::MAX.0 || credits < -Self::MAX.0 { None } else { Some(Self(credits)) }
    }

    /// For amounts written in code.
    ///
    /// # Panics
    /// At compile time, when used in a constant that is out of range.
    pub const fn constant(credits: i64) -> Self {
        match Self::new(credits) {
            Some(credits) => credits,
            None => panic!("a constant amount of credits must be within ±10¹⁵"),
        }
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The sum, or `None` outside ±10¹⁵.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// The difference, or `None` outside ±10¹⁵.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    /// With thousands separators: `1,250`.
    pub fn grouped(self) -> String {
        grouped(self.0)
    }

    /// The same amount with the opposite sign. The range is symmetric, so this always exists.
    pub const fn negated(self) -> Self {
        Self(self.0.wrapping_neg())
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A price in US cents, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(i64);

impl Cents {
    /// Stripe's largest amount has eight digits: <https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>.
    pub const MAX: Self = Self(99_999_999);

    /// `None` below zero or above [`Cents::MAX`].
    pub const fn new(cents: i64) -> Option<Self> {
        if cents < 0 || cents > Self::MAX.0 { None } else { Some(Self(cents)) }
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    /// The price multiplied by this count, or `None` above [`Cents::MAX`].
    pub fn times(self, count: i64) -> Option<Self> {
        self.0.checked_mul(count).and_then(Self::new)
    }
}

impl fmt::Display for Cents {
    /// US dollars, always with both decimals: `$1,250.00`, `$12.50`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, cents) = (self.0.div_euclid(100), self.0.rem_euclid(100));
        write!(formatter, "${}.{cents:02}", grouped(dollars))
    }
}

/// With thousands separators: `-1,234,567`.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && digits.len().saturating_sub(position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_outside_the_range_do_not_exist() {
        assert_eq!(Credits::MAX.plus(Credits::constant(1)), None);
        assert_eq!(Credits::MAX.negated().minus(Credits::constant(1)), None);
        assert_eq!(Credits::MAX.minus(Credits::MAX), Some(Credits::ZERO));
        assert_eq!(Credits::new(i64::MIN), None);
    }

    #[test]
    fn credits_are_grouped_by_thousands() {
        for (credits, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (125_000, "125,000"), (-1_234_567, "-1,234,567")]
        {
            assert_eq!(Credits::constant(credits).grouped(), text);
        }
    }

    #[test]
    fn dollars_are_grouped_and_always_have_two_decimals() {
        for (cents, text) in [
            (0, "$0.00"),
            (5, "$0.05"),
            (500, "$5.00"),
            (1_250, "$12.50"),
            (125_000, "$1,250.00"),
            (40_000_000, "$400,000.00"),
        ] {
            assert_eq!(Cents::new(cents).unwrap().to_string(), text);
        }
        assert_eq!(Cents::new(-1), None);
        assert_eq!(Cents::new(100_000_000), None);
    }
}
