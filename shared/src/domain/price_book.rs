//! Every number of the product: the prices of operations, the packages, and the bounds of automatic top-ups.
//!
//! A company overrides the book by configuration; [`PriceBook::reference`] is the book of the audio API.

use super::{Cents, Credits, OutOfRange, PackageId, within};
use jiff::SignedDuration;

/// An operation that a company's service charges for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Voice dubbing of audio with this duration.
    Dubbing { duration_ms: i64 },
    /// Voice training, charged by the limit that the caller declares.
    Training { max_minutes: i64 },
}

impl Operation {
    /// One day of audio, in milliseconds. A longer duration is more likely a mistake in units than a recording.
    pub const DURATION_MS_MAX: i64 = 86_400_000;
    /// One day, in minutes.
    pub const MAX_MINUTES_MAX: i64 = 1_440;

    /// # Errors
    /// [`OutOfRange`] unless the duration is from 1 ms to one day.
    pub fn dubbing(duration_ms: i64) -> Result<Self, OutOfRange> {
        within("duration_ms", duration_ms, 1, Self::DURATION_MS_MAX).map(|duration_ms| Self::Dubbing { duration_ms })
    }

    /// # Errors
    /// [`OutOfRange`] unless the limit is from 1 minute to one day.
    pub fn training(max_minutes: i64) -> Result<Self, OutOfRange> {
        within("max_minutes", max_minutes, 1, Self::MAX_MINUTES_MAX).map(|max_minutes| Self::Training { max_minutes })
    }

    /// Its name in code, table, API and page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dubbing { .. } => "dubbing",
            Self::Training { .. } => "training",
        }
    }
}

/// The price of one operation: per minute of audio, counted by the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Credits per minute, 1 to 1,000,000.
    pub credits_per_minute: i64,
    /// The minimum price of one operation, in credits, 1 to 1,000,000.
    pub credits_min: i64,
}

/// Credits sold at one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub id: PackageId,
    pub credits: Credits,
    pub price: Cents,
}

/// The bounds of a customer's settings for automatic top-ups, in credits, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoTopUpLimits {
    pub threshold_min: i64,
    pub threshold_max: i64,
    pub target_min: i64,
    pub target_max: i64,
    /// The minimum distance of the target above the threshold.
    pub gap_min: i64,
}

/// All prices and bounds of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceBook {
    pub dubbing: Rate,
    pub training: Rate,
    pub packages: Vec<Package>,
    pub auto_top_up: AutoTopUpLimits,
    /// The price of one credit in an automatic top-up, in cents.
    pub cents_per_credit: i64,
}

/// A price book that cannot be used for sales.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPriceBook {
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    #[error("package {0} is listed twice")]
    DuplicatePackage(PackageId),
    #[error("auto_top_up.threshold_min must not exceed threshold_max, nor target_min exceed target_max")]
    EmptyRange,
    #[error(
        "the largest top-up, {credits} credits, must not cost more than Stripe takes in one payment four times a day"
    )]
    TopUpTooLarge { credits: i64 },
}

impl PriceBook {
    /// At most one automatic top-up per account in this time, counted from the opening of the last attempt.
    /// Not configurable, because the text that customers consent to says "at most 4 times a day".
    pub const TOP_UP_INTERVAL: SignedDuration = SignedDuration::from_hours(6);
    /// The same limit as a number of attempts per day.
    pub const TOP_UPS_PER_DAY: i64 = 4;
    /// The most that tax may add to an automatic top-up, in percent. It is above every sales and value-added tax.
    /// Not configurable, because the text that customers consent to states the sum: another number needs a new version
    /// of the text.
    pub const TAX_PERCENT_MAX: i64 = 30;
    /// Stripe may forget an idempotency key after 24 hours, so an older attempt is only looked up and never sent again.
    /// <https://docs.stripe.com/api/idempotent_requests>
    pub const TOP_UP_SEND_WINDOW: SignedDuration = SignedDuration::from_hours(20);

    /// The audio API's book: 10 credits per minute, one credit = one US cent.
    pub fn reference() -> Self {
        let rate = Rate { credits_per_minute: 10, credits_min: 10 };
        let package = |credits: i64| Package {
            id: PackageId::parse(format!("credits_{credits}")).expect("credits_ and digits make a package id"),
            credits: Credits::constant(credits),
            price: Cents::new(credits).expect("the reference packages cost less than Stripe's maximum"),
        };
        Self {
            dubbing: rate,
            training: rate,
            packages: [500, 5_000, 50_000, 125_000].map(package).into(),
            auto_top_up: AutoTopUpLimits {
                threshold_min: 100,
                threshold_max: 99_000,
                target_min: 1_100,
                target_max: 100_000,
                gap_min: 1_000,
            },
            cents_per_credit: 1,
        }
    }

    /// # Errors
    /// [`InvalidPriceBook`], which names the first invalid number.
    pub fn checked(self) -> Result<Self, InvalidPriceBook> {
        for (per_minute, minimum, rate) in [
            ("dubbing.credits_per_minute", "dubbing.credits_min", self.dubbing),
            ("training.credits_per_minute", "training.credits_min", self.training),
        ] {
            within(per_minute, rate.credits_per_minute, 1, 1_000_000)?;
            within(minimum, rate.credits_min, 1, 1_000_000)?;
        }
        for (position, package) in self.packages.iter().enumerate() {
            within("packages.credits", package.credits.get(), 1, 100_000_000)?;
            // Stripe's minimum charge in US dollars:
            // <https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>.
            within("packages.price_cents", package.price.get(), 50, Cents::MAX.get())?;
            if self.packages.iter().take(position).any(|earlier| earlier.id == package.id) {
                return Err(InvalidPriceBook::DuplicatePackage(package.id.clone()));
            }
        }
        within("cents_per_credit", self.cents_per_credit, 1, 1_000_000)?;
        let limits = self.auto_top_up;
        within("auto_top_up.threshold_min", limits.threshold_min, 1, 100_000_000)?;
        within("auto_top_up.gap_min", limits.gap_min, 50, 100_000_000)?;
        if limits.threshold_min > limits.threshold_max || limits.target_min > limits.target_max {
            return Err(InvalidPriceBook::EmptyRange);
        }
        if self.worst_case_per_day(limits.target_max).is_none() {
            return Err(InvalidPriceBook::TopUpTooLarge { credits: limits.target_max });
        }
        Ok(self)
    }

    /// What the operation costs: the exact price rounded **up** to a whole credit, at least the rate's minimum.
    pub fn price_of(&self, operation: Operation) -> Credits {
        let (rate, duration_ms) = match operation {
            Operation::Dubbing { duration_ms } => (self.dubbing, duration_ms),
            Operation::Training { max_minutes } => (self.training, max_minutes.saturating_mul(MS_PER_MINUTE)),
        };
        let exact_per_ms = i128::from(rate.credits_per_minute).saturating_mul(i128::from(duration_ms));
        let whole = exact_per_ms.div_euclid(i128::from(MS_PER_MINUTE));
        let part = i128::from(exact_per_ms.rem_euclid(i128::from(MS_PER_MINUTE)) > 0);
        let credits = whole.saturating_add(part).max(i128::from(rate.credits_min));
        i64::try_from(credits).ok().and_then(Credits::new).unwrap_or(Credits::MAX)
    }

    pub fn package(&self, id: &PackageId) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == *id)
    }

    /// What an automatic top-up of this many credits costs, or `None` above Stripe's maximum for one payment.
    pub fn top_up_price(&self, credits: Credits) -> Option<Cents> {
        credits.get().checked_mul(self.cents_per_credit).and_then(Cents::new)
    }

    /// The most that an automatic top-up of this price may charge a card, with tax. `None` above Stripe's maximum.
    pub fn with_tax_max(price: Cents) -> Option<Cents> {
        let percent = Self::TAX_PERCENT_MAX.saturating_add(100);
        price.get().checked_mul(percent).map(|hundredths| hundredths.div_euclid(100)).and_then(Cents::new)
    }

    /// The most that automatic top-ups to this target can cost in one day, with tax.
    pub fn worst_case_per_day(&self, target: i64) -> Option<Cents> {
        Self::with_tax_max(self.top_up_price(Credits::new(target)?)?)?.times(Self::TOP_UPS_PER_DAY)
    }
}

const MS_PER_MINUTE: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dubbing_costs_ten_credits_a_minute_rounded_up_and_at_least_ten() {
        let book = PriceBook::reference();
        for (duration_ms, credits) in [
            (1, 10),
            (30_000, 10),
            (60_000, 10),
            (60_001, 11),
            (66_000, 11),
            (66_001, 12),
            (90_000, 15),
            (180_000, 30),
            (600_000, 100),
            (86_400_000, 14_400),
        ] {
            assert_eq!(book.price_of(Operation::dubbing(duration_ms).unwrap()).get(), credits, "{duration_ms} ms");
        }
    }

    #[test]
    fn training_costs_ten_credits_for_each_minute_declared() {
        let book = PriceBook::reference();
        for (max_minutes, credits) in [(1, 10), (5, 50), (10, 100), (30, 300), (60, 600), (1_440, 14_400)] {
            assert_eq!(book.price_of(Operation::training(max_minutes).unwrap()).get(), credits, "{max_minutes} min");
        }
    }

    #[test]
    fn operations_outside_their_range_name_the_field_and_the_range() {
        for duration_ms in [0, -1, 86_400_001, i64::MAX, i64::MIN] {
            let error = Operation::dubbing(duration_ms).unwrap_err();
            assert_eq!((error.field, error.min, error.max), ("duration_ms", 1, 86_400_000));
        }
        for max_minutes in [0, -5, 1_441] {
            let error = Operation::training(max_minutes).unwrap_err();
            assert_eq!((error.field, error.min, error.max), ("max_minutes", 1, 1_440));
        }
    }

    #[test]
    fn the_reference_book_is_valid_and_sells_the_four_packages() {
        let book = PriceBook::reference().checked().unwrap();
        let prices: Vec<_> =
            book.packages.iter().map(|package| (package.credits.get(), package.price.to_string())).collect();
        assert_eq!(
            prices,
            [
                (500, "$5.00".into()),
                (5_000, "$50.00".into()),
                (50_000, "$500.00".into()),
                (125_000, "$1,250.00".into())
            ]
        );
        assert_eq!(book.worst_case_per_day(100_000).unwrap().to_string(), "$5,200.00");
    }

    #[test]
    fn a_book_that_cannot_be_sold_from_is_refused() {
        type Break = fn(&mut PriceBook);
        let broken: [(&str, Break); 6] = [
            ("free", |book| book.dubbing.credits_per_minute = 0),
            ("no minimum", |book| book.training.credits_min = 0),
            ("below Stripe's minimum", |book| book.packages[0].price = Cents::new(49).unwrap()),
            ("twice the same package", |book| book.packages[1].id = book.packages[0].id.clone()),
            ("no threshold possible", |book| book.auto_top_up.threshold_max = 99),
            ("too large for Stripe", |book| book.auto_top_up.target_max = 30_000_000),
        ];
        for (why, break_it) in broken {
            let mut book = PriceBook::reference();
            break_it(&mut book);
            assert!(book.checked().is_err(), "{why}");
        }
    }
}
