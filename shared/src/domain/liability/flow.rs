//! From one sum of balances to a later one.

use crate::domain::UsageCounts;
use std::iter::Sum;

/// What was there, what came and went, and what is left. It adds up, unless entries were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The sum of the balances before.
    pub opening: i64,
    /// The balances with which accounts of an earlier release were listed.
    pub brought_forward: i64,
    /// The sums of the entries. Only its credits are filled in.
    pub moved: UsageCounts,
    /// The sum of the balances afterwards.
    pub outstanding: i64,
}

impl Flow {
    /// How much more is left than the entries say. Zero if everything agrees.
    pub fn difference(&self) -> i64 {
        let expected = [self.opening, self.brought_forward, self.moved.credits_moved()];
        expected.into_iter().fold(self.outstanding, i64::saturating_sub)
    }

    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            opening: self.opening.saturating_add(other.opening),
            brought_forward: self.brought_forward.saturating_add(other.brought_forward),
            moved: self.moved.plus(&other.moved),
            outstanding: self.outstanding.saturating_add(other.outstanding),
        }
    }

    /// What came after an earlier flow that began at the same moment as this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            opening: earlier.outstanding,
            brought_forward: self.brought_forward.saturating_sub(earlier.brought_forward),
            moved: self.moved.minus(&earlier.moved),
            outstanding: self.outstanding,
        }
    }
}

impl Sum for Flow {
    fn sum<I: Iterator<Item = Self>>(flows: I) -> Self {
        flows.fold(Self::default(), |sum, flow| sum.plus(&flow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(credits_purchased: i64, credits_charged: i64) -> UsageCounts {
        UsageCounts { credits_purchased, credits_charged, ..UsageCounts::default() }
    }

    #[test]
    fn a_flow_agrees_if_its_entries_explain_what_is_left() {
        let flow = Flow { opening: 100, brought_forward: 7, moved: moved(50, 30), outstanding: 127 };
        assert_eq!(flow.difference(), 0);
        assert_eq!(Flow { outstanding: 130, ..flow }.difference(), 3);
    }

    #[test]
    fn a_month_is_what_came_after_the_month_before() {
        let first = Flow { opening: 0, brought_forward: 7, moved: moved(50, 30), outstanding: 27 };
        let both = Flow { opening: 0, brought_forward: 9, moved: moved(60, 35), outstanding: 34 };
        let second = both.since(&first);
        assert_eq!(second, Flow { opening: 27, brought_forward: 2, moved: moved(10, 5), outstanding: 34 });
        assert_eq!(second.difference(), 0);
    }
}
