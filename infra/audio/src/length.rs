//! An exact length: a number of frames at a sample rate.

use std::num::NonZeroU64;

/// A frame is one sample of every channel. At 44,100 frames per second, 44,100 frames last one second.
///
/// If the rate changes within a file, the rate here is a common multiple of all its rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    frames: u64,
    rate: NonZeroU64,
}

/// The greatest rate for sums of lengths with several rates. It is far above the common multiple of the rates of MPEG.
const RATE_MAX: u64 = 1_000_000_000_000;

impl Length {
    /// `None` for a rate of 0.
    #[must_use]
    pub fn new(frames: u64, rate: u64) -> Option<Self> {
        Some(Self { frames, rate: NonZeroU64::new(rate)? })
    }

    #[must_use]
    pub fn frames(self) -> u64 {
        self.frames
    }

    /// Frames per second.
    #[must_use]
    pub fn rate(self) -> u64 {
        self.rate.get()
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self.frames == 0
    }

    /// Rounded up, since prices count every started millisecond; `u64::MAX` if it does not fit.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        let thousandths = u128::from(self.frames).saturating_mul(1_000);
        u64::try_from(thousandths.div_ceil(u128::from(self.rate.get()))).unwrap_or(u64::MAX)
    }

    /// The exact sum, at a common multiple of both rates; `None` if that is too large.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let common = least_common_multiple(self.rate, other.rate)?;
        let scaled = |length: Self| length.frames.checked_mul(common.get().checked_div(length.rate.get())?);
        Some(Self { frames: scaled(self)?.checked_add(scaled(other)?)?, rate: common })
    }

    /// Whether the two differ by no more than `tolerance`.
    pub(crate) fn is_within(self, tolerance: Self, other: Self) -> bool {
        self.is_at_most(other, tolerance) && other.is_at_most(self, tolerance)
    }

    /// Whether this is at most the sum of `other` and `tolerance`.
    pub(crate) fn is_at_most(self, other: Self, tolerance: Self) -> bool {
        other.plus(tolerance).is_some_and(|most| {
            let product = |one: Self, two: Self| u128::from(one.frames).saturating_mul(u128::from(two.rate.get()));
            product(self, most) <= product(most, self)
        })
    }
}

fn least_common_multiple(one: NonZeroU64, other: NonZeroU64) -> Option<NonZeroU64> {
    let (mut divisor, mut rest) = (one.get(), other.get());
    while let Some(next) = divisor.checked_rem(rest) {
        (divisor, rest) = (rest, next);
    }
    let multiple = one.get().checked_div(divisor)?.checked_mul(other.get())?;
    NonZeroU64::new(multiple).filter(|multiple| multiple.get() <= RATE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(frames: u64, rate: u64) -> Length {
        Length::new(frames, rate).unwrap()
    }

    #[test]
    fn a_started_millisecond_counts() {
        for (frames, ms) in [(0, 0), (1, 1), (8, 1), (9, 2), (480_000, 60_000), (480_001, 60_001)] {
            assert_eq!(length(frames, 8_000).milliseconds(), ms, "{frames} frames");
        }
        assert_eq!(length(u64::MAX, 1).milliseconds(), u64::MAX);
    }

    #[test]
    fn lengths_of_different_rates_add_up_exactly() {
        let sum = length(44_101, 44_100).plus(length(12_000, 8_000)).unwrap();
        assert_eq!(sum.rate(), 3_528_000);
        assert_eq!(sum.frames(), 44_101 * 80 + 12_000 * 441);
        assert_eq!(length(3, 8_000).plus(length(4, 8_000)), Some(length(7, 8_000)));
    }

    #[test]
    fn a_tolerance_counts_on_both_sides_and_no_further() {
        let (frame, second) = (length(1_024, 44_100), length(48_000, 48_000));
        assert!(length(44_100 + 1_024, 44_100).is_within(frame, second));
        assert!(length(44_100 - 1_024, 44_100).is_within(frame, second));
        assert!(!length(44_100 + 1_025, 44_100).is_within(frame, second));
        assert!(!length(44_100 - 1_025, 44_100).is_within(frame, second));
    }
}
