//! The two integers of money: credits, which customers spend, and amounts, which Stripe moves.

use super::currency::{Currency, grouped};
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
        let sign = if self.is_negative() { "-" } else { "" };
        format!("{sign}{}", grouped(self.0.unsigned_abs()))
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

/// An amount of money: a price, or the limit of one. Never negative, and always an amount that Stripe can charge: a
/// multiple of its currency's step, and at most twelve digits of the minor unit.
///
/// An amount carries its currency, so two amounts of different currencies are never equal, and neither is at most the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amount {
    currency: Currency,
    minor: i64,
}

impl Amount {
    /// Stripe takes up to twelve digits from most cards (American Express takes nine):
    /// <https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>.
    /// Programs that read numbers of JSON as floats stay exact up to 2⁵³.
    pub const MINOR_MAX: i64 = 999_999_999_999;

    /// An amount in the currency's minor unit. `None` if it is negative, above [`Amount::MINOR_MAX`] or not a multiple of
    /// the currency's step.
    pub fn new(currency: Currency, minor: i64) -> Option<Self> {
        let is_valid = (0..=Self::MINOR_MAX).contains(&minor) && currency.down_to_step(minor) == minor;
        is_valid.then_some(Self { currency, minor })
    }

    /// The largest amount that is not above this number of minor units.
    pub fn at_most(currency: Currency, minor: i64) -> Option<Self> {
        Self::new(currency, currency.down_to_step(minor))
    }

    pub fn currency(self) -> Currency {
        self.currency
    }

    /// In the currency's minor unit, as Stripe counts it.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// Whether both have the same currency and this one is not larger.
    pub fn is_at_most(self, other: Self) -> bool {
        self.currency == other.currency && self.minor <= other.minor
    }

    /// The amount multiplied by this count, or `None` above [`Amount::MINOR_MAX`].
    pub fn times(self, count: i64) -> Option<Self> {
        self.minor.checked_mul(count).and_then(|minor| Self::new(self.currency, minor))
    }

    /// With the currency's code, for consents and receipts: `$1,250.00 USD`.
    pub fn with_code(self) -> String {
        self.currency.format_with_code(self.minor)
    }
}

impl fmt::Display for Amount {
    /// As people read it: `$1,250.00`, `¥1,250`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.currency.format(self.minor))
    }
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
    fn an_amount_is_a_multiple_of_its_step_within_twelve_digits() {
        let [usd, isk, kwd] = ["USD", "ISK", "KWD"].map(|code| Currency::parse(code).unwrap());
        for (currency, minor, is_valid) in [
            (usd, 0, true),
            (usd, 1, true),
            (usd, -1, false),
            (usd, 999_999_999_999, true),
            (usd, 1_000_000_000_000, false),
            (isk, 500, true),
            (isk, 550, false),
            (kwd, 5_120, true),
            (kwd, 5_124, false),
        ] {
            assert_eq!(Amount::new(currency, minor).is_some(), is_valid, "{minor} {currency}");
        }
        assert_eq!(Amount::at_most(kwd, 5_129), Amount::new(kwd, 5_120));
        assert_eq!(Amount::at_most(usd, -1), None);
        assert_eq!(Amount::new(usd, 250_000_000_000).unwrap().times(4), None);
        const { assert!(Amount::MINOR_MAX < 1 << 53, "exact in JSON") };
    }

    #[test]
    fn amounts_of_two_currencies_cannot_be_compared() {
        let [usd, eur] = [Currency::USD, Currency::parse("EUR").unwrap()];
        let [one_usd, two_usd, two_eur] =
            [(usd, 100), (usd, 200), (eur, 200)].map(|(currency, minor)| Amount::new(currency, minor).unwrap());
        assert!(one_usd.is_at_most(two_usd) && two_usd.is_at_most(two_usd) && !two_usd.is_at_most(one_usd));
        assert!(!one_usd.is_at_most(two_eur) && !two_eur.is_at_most(one_usd) && two_usd != two_eur);
    }
}
