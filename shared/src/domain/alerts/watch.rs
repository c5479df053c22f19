//! The bounds within which a balance crosses no level.

use crate::domain::Credits;

/// A balance of at least `from` and below `to` needs no evaluation. `None` is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    pub from: Option<Credits>,
    pub to: Option<Credits>,
}

impl Watch {
    /// No bounds: an evaluation is due already, and sets new ones.
    pub const NONE: Self = Self { from: None, to: None };

    pub fn holds(self, balance: Credits) -> bool {
        self.from.is_none_or(|from| from <= balance) && self.to.is_none_or(|to| balance < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_is_within_the_bounds_from_the_lower_one_to_below_the_upper_one() {
        let credits = |credits| Some(Credits::constant(credits));
        let watch = Watch { from: credits(10), to: credits(20) };
        for (balance, expected) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(watch.holds(Credits::constant(balance)), expected, "{balance}");
        }
        for balance in [Credits::MAX, Credits::MAX.negated()] {
            assert!(Watch::NONE.holds(balance));
            assert_eq!(Watch { from: None, ..watch }.holds(balance), balance.is_negative());
            assert_eq!(Watch { to: None, ..watch }.holds(balance), !balance.is_negative());
        }
    }
}
