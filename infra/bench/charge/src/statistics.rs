//! Medians and their confidence intervals.

use fastrand::Rng;

/// The number of bootstrap samples.
const RESAMPLES: usize = 10_000;
/// Any fixed number, so that the same rounds give the same interval.
const SEED: u64 = 20_261_122;

/// An estimate and the 95 % interval around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub estimate: f64,
    pub high: f64,
}

/// The middle value, or the mean of the two in the middle. 0 for no values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (length, middle) if length % 2 == 1 => sorted[middle],
        (_, middle) => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The ratio of two medians with a bootstrap interval: whole rounds are drawn with replacement, because a disturbance
/// affects both values of a round, and the interval is the middle 95 % of the resulting ratios.
///
/// Both lists have one value per round, in the same order.
pub fn ratio_of_medians(dividends: &[f64], divisors: &[f64]) -> Interval {
    let rounds = dividends.len().min(divisors.len());
    let mut random = Rng::with_seed(SEED);
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<usize> = (0..rounds).map(|_| random.usize(..rounds)).collect();
            let of = |values: &[f64]| median(&drawn.iter().map(|round| values[*round]).collect::<Vec<_>>());
            of(dividends) / of(divisors)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    Interval {
        low: ratios[RESAMPLES / 40],
        estimate: median(&dividends[..rounds]) / median(&divisors[..rounds]),
        high: ratios[RESAMPLES - 1 - RESAMPLES / 40],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_value_whatever_the_order() {
        for (values, expected) in
            [(&[][..], 0.0), (&[7.0], 7.0), (&[9.0, 1.0], 5.0), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 3.0, 2.0], 2.5)]
        {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn rounds_that_agree_leave_no_doubt() {
        let interval = ratio_of_medians(&[60.0; 15], &[2.0; 15]);
        assert_eq!(interval, Interval { low: 30.0, estimate: 30.0, high: 30.0 });
    }

    /// A machine that was slow in some rounds slowed both values, so a ratio of pairs is not affected.
    #[test]
    fn a_slow_round_that_slows_both_changes_no_ratio() {
        let divisors: Vec<f64> = (1..=15).map(f64::from).collect();
        let dividends: Vec<f64> = divisors.iter().map(|value| value * 8.0).collect();
        assert_eq!(ratio_of_medians(&dividends, &divisors), Interval { low: 8.0, estimate: 8.0, high: 8.0 });
    }

    #[test]
    fn the_interval_holds_the_ratio_and_widens_with_the_noise() {
        let noisy = |spread: f64| {
            let mut random = Rng::with_seed(7);
            let values: Vec<f64> = (0..15).map(|_| 100.0 + spread * (random.f64() - 0.5)).collect();
            ratio_of_medians(&values, &[2.0; 15])
        };
        let (calm, wild) = (noisy(1.0), noisy(50.0));
        for interval in [calm, wild] {
            assert!(interval.low < interval.estimate && interval.estimate < interval.high, "{interval:?}");
            assert!(interval.low < 50.0 && 50.0 < interval.high, "{interval:?}");
        }
        assert!(wild.high - wild.low > 10.0 * (calm.high - calm.low), "{calm:?} {wild:?}");
    }

    /// For values from a known distribution, about 19 of 20 intervals must contain its median.
    #[test]
    fn the_interval_holds_the_truth_about_as_often_as_it_says() {
        let mut random = Rng::with_seed(1);
        let held = (0..40).filter(|_| {
            let dividends: Vec<f64> = (0..15).map(|_| 10.0 + random.f64()).collect();
            let interval = ratio_of_medians(&dividends, &[1.0; 15]);
            interval.low <= 10.5 && 10.5 <= interval.high
        });
        assert!((35..=40).contains(&held.count()));
    }
}
