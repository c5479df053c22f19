//! The numbers of one period, or of one operation or spender within it.

use crate::domain::Measure;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Sums over entries. A sum saturates at the limits of an `i64`, which no ledger reaches.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct UsageCounts {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl UsageCounts {
            /// The name of each number in the API.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// The numbers, in the order of [`Self::NAMES`].
            pub fn values(&self) -> impl Iterator<Item = i64> {
                [$(self.$name),*].into_iter()
            }

            #[must_use]
            pub fn plus(&self, other: &Self) -> Self {
                Self { $($name: self.$name.saturating_add(other.$name),)* }
            }

            #[must_use]
            pub fn minus(&self, other: &Self) -> Self {
                Self { $($name: self.$name.saturating_sub(other.$name),)* }
            }
        }
    };
}

counts! {
    /// How many charges were taken.
    charges,
    /// The length that was charged, less what captures for less gave back.
    duration_ms,
    /// The same in declared minutes.
    max_minutes,
    /// The same in any other unit.
    quantity,
    /// Credits that charges took.
    credits_charged,
    /// Credits that captures for less than the charge gave back.
    credits_captured_back,
    /// Credits that voids gave back.
    credits_voided,
    /// Credits that came back because a pending charge expired.
    credits_expired,
    /// Credits that restores gave back.
    credits_restored,
    /// Credits that the customer bought.
    credits_purchased,
    /// Credits that automatic top-ups bought.
    credits_topped_up,
    /// Credits that support gave by adjustments, less those that it took.
    credits_adjusted,
    /// Credits that were brought over from another system, less debts.
    credits_imported,
    /// Credits that were taken back because their payment went back, less those that were given back again.
    credits_reversed,
}

impl UsageCounts {
    /// Credits that were spent: taken by charges and not given back.
    pub fn credits_spent(&self) -> i64 {
        let given_back = [self.credits_captured_back, self.credits_voided, self.credits_expired, self.credits_restored];
        given_back.into_iter().fold(self.credits_charged, i64::saturating_sub)
    }

    /// What the entries add up to.
    pub fn credits_moved(&self) -> i64 {
        // Every number is named, so that a new one cannot be left out by mistake.
        let Self {
            charges: _,
            duration_ms: _,
            max_minutes: _,
            quantity: _,
            credits_charged: _,
            credits_captured_back: _,
            credits_voided: _,
            credits_expired: _,
            credits_restored: _,
            credits_purchased,
            credits_topped_up,
            credits_adjusted,
            credits_imported,
            credits_reversed,
        } = *self;
        let kept = credits_purchased.saturating_add(credits_topped_up).saturating_sub(credits_reversed);
        let received = [kept, credits_adjusted, credits_imported];
        received.into_iter().fold(self.credits_spent().saturating_neg(), i64::saturating_add)
    }

    /// The numbers of credits. The others are zero.
    #[must_use]
    pub fn credits_alone(&self) -> Self {
        Self { charges: 0, duration_ms: 0, max_minutes: 0, quantity: 0, ..*self }
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// An amount of an operation, in its measure.
    pub(super) fn of_amount(measure: Measure, amount: i64) -> Self {
        let zero = Self::default();
        match measure {
            Measure::DurationMs => Self { duration_ms: amount, ..zero },
            Measure::MaxMinutes => Self { max_minutes: amount, ..zero },
            Measure::Quantity => Self { quantity: amount, ..zero },
        }
    }
}
