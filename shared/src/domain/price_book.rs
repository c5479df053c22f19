//! Every number of the product: the prices of operations, the packages, and the bounds of automatic top-ups.
//!
//! A company overrides the book by configuration; [`PriceBook::reference`] is the book of the audio API.

use super::{
    Amount, Credits, Currency, Measure, Operation, OperationName, OutOfRange, PackageId, PriceBookVersion, PriceLine,
    PricedOperation, within,
};
use jiff::SignedDuration;

/// The price of one operation, and how much of it can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationPrice {
    pub name: OperationName,
    /// What it is, for people: 1 to 100 characters.
    pub description: String,
    pub measure: Measure,
    /// Credits per unit, 1 to 1,000,000.
    pub credits_per_unit: i64,
    /// How much of the measure is one unit, 1 to 1,000,000,000.
    pub unit_size: i64,
    /// The minimum price of one operation, in credits, 1 to 1,000,000.
    pub credits_min: i64,
    /// The smallest amount of one operation, at least 1.
    pub amount_min: i64,
    /// The largest amount of one operation, at most [`Measure::amount_max`].
    pub amount_max: i64,
}

impl OperationPrice {
    fn line(&self, version: PriceBookVersion) -> PriceLine {
        let Self { credits_per_unit, unit_size, credits_min, .. } = *self;
        PriceLine { version, credits_per_unit, unit_size, credits_min }
    }
}

/// Credits sold at one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub id: PackageId,
    pub credits: Credits,
    pub price: Amount,
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
    /// Kept with every charge. A company changes it with every change of a price.
    pub version: PriceBookVersion,
    /// Everything that can be charged, 1 to 100 operations.
    pub operations: Vec<OperationPrice>,
    pub packages: Vec<Package>,
    pub auto_top_up: AutoTopUpLimits,
    /// The price of one credit in an automatic top-up, in cents.
    pub cents_per_credit: i64,
}

/// A price book that nothing can be sold from, and everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidPriceBook(pub Vec<WrongLine>);

/// A place in the price book, such as `operations[2].credits_min`, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} must be {expected}")]
pub struct WrongLine {
    pub place: String,
    pub expected: String,
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
    /// The version of the built-in book. A company's own book needs another one.
    pub const REFERENCE_VERSION: &str = "reference-1";
    /// The most operations in one book.
    pub const OPERATIONS_MAX: usize = 100;
    /// The most packages in one book.
    pub const PACKAGES_MAX: usize = 50;
    /// The most that one operation may cost, in credits.
    pub const OPERATION_CREDITS_MAX: i64 = 1_000_000_000;

    /// The audio API's book: 10 credits per minute, one credit = one US cent.
    pub fn reference() -> Self {
        let operation = |name: &str, description: &str, measure: Measure, unit_size| OperationPrice {
            name: OperationName::parse(name).expect("lower-case letters make a name"),
            description: description.into(),
            measure,
            credits_per_unit: 10,
            unit_size,
            credits_min: 10,
            amount_min: 1,
            amount_max: measure.amount_max_default(),
        };
        let package = |credits: i64| Package {
            id: PackageId::parse(format!("credits_{credits}")).expect("credits_ and digits make a package id"),
            credits: Credits::constant(credits),
            price: Amount::new(Currency::USD, credits).expect("the reference packages cost less than Stripe's maximum"),
        };
        Self {
            version: PriceBookVersion::parse(Self::REFERENCE_VERSION).expect("letters and a digit make a version"),
            operations: vec![
                operation("dubbing", "Voice dubbing, per minute of audio", Measure::DurationMs, 60_000),
                operation("training", "Voice training, per minute declared", Measure::MaxMinutes, 1),
            ],
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
    /// [`InvalidPriceBook`], which names every invalid number.
    pub fn checked(self) -> Result<Self, InvalidPriceBook> {
        let mut check = Check(vec![]);
        check.count("operations", self.operations.len(), Self::OPERATIONS_MAX);
        for (position, operation) in self.operations.iter().enumerate() {
            let place = format!("operations[{position}]");
            check.operation(&place, operation);
            let is_repeated = self.operations.iter().take(position).any(|earlier| earlier.name == operation.name);
            check.that(!is_repeated, format!("{place}.name"), "listed once");
        }
        check.count("packages", self.packages.len(), Self::PACKAGES_MAX);
        for (position, package) in self.packages.iter().enumerate() {
            let place = format!("packages[{position}]");
            check.within(format!("{place}.credits"), package.credits.get(), 1, 100_000_000);
            // Stripe's minimum charge in US dollars:
            // <https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>.
            check.within(format!("{place}.price_cents"), package.price.minor(), 50, Amount::MINOR_MAX);
            let is_repeated = self.packages.iter().take(position).any(|earlier| earlier.id == package.id);
            check.that(!is_repeated, format!("{place}.id"), "listed once");
        }
        check.within("cents_per_credit", self.cents_per_credit, 1, 1_000_000);
        check.auto_top_up(&self);
        if check.0.is_empty() { Ok(self) } else { Err(InvalidPriceBook(check.0)) }
    }

    /// The operation with this name, if it is sold.
    pub fn operation(&self, name: &str) -> Option<&OperationPrice> {
        self.operations.iter().find(|operation| operation.name.as_str() == name)
    }

    /// This amount of an operation of this book, with its price.
    ///
    /// # Errors
    /// [`OutOfRange`] with the measure and the operation's bounds.
    pub fn price(&self, operation: &OperationPrice, amount: i64) -> Result<PricedOperation, OutOfRange> {
        let OperationPrice { ref name, measure, amount_min, amount_max, .. } = *operation;
        let amount = within(measure.name(), amount, amount_min, amount_max)?;
        let asked = Operation { name: name.clone(), measure, amount };
        Ok(PricedOperation { operation: asked, price: operation.line(self.version.clone()) })
    }

    pub fn package(&self, id: &PackageId) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == *id)
    }

    /// What an automatic top-up of this many credits costs, or `None` above Stripe's maximum for one payment.
    pub fn top_up_price(&self, credits: Credits) -> Option<Amount> {
        credits.get().checked_mul(self.cents_per_credit).and_then(|minor| Amount::new(Currency::USD, minor))
    }

    /// The most that an automatic top-up of this price may charge a card, with tax. `None` above Stripe's maximum.
    pub fn with_tax_max(price: Amount) -> Option<Amount> {
        let percent = Self::TAX_PERCENT_MAX.saturating_add(100);
        price.minor().checked_mul(percent).map(|hundredths| hundredths.div_euclid(100)).and_then(|minor| Amount::new(Currency::USD, minor))
    }

    /// The most that automatic top-ups to this target can cost in one day, with tax.
    pub fn worst_case_per_day(&self, target: i64) -> Option<Amount> {
        Self::with_tax_max(self.top_up_price(Credits::new(target)?)?)?.times(Self::TOP_UPS_PER_DAY)
    }
}

/// Collects what is wrong with a book.
struct Check(Vec<WrongLine>);

impl Check {
    fn that(&mut self, holds: bool, place: impl Into<String>, expected: impl Into<String>) {
        if !holds {
            self.0.push(WrongLine { place: place.into(), expected: expected.into() });
        }
    }

    fn within(&mut self, place: impl Into<String>, value: i64, min: i64, max: i64) {
        self.that((min..=max).contains(&value), place, format!("from {min} to {max}, not {value}"));
    }

    fn count(&mut self, place: &str, count: usize, max: usize) {
        self.that((1..=max).contains(&count), place, format!("1 to {max} lines, not {count}"));
    }

    fn operation(&mut self, place: &str, operation: &OperationPrice) {
        let measure = operation.measure;
        let characters = operation.description.chars().count();
        let is_readable = (1..=100).contains(&characters) && !operation.description.chars().any(char::is_control);
        self.that(is_readable, format!("{place}.description"), "1 to 100 characters, none of them a control character");
        self.within(format!("{place}.credits_per_unit"), operation.credits_per_unit, 1, 1_000_000);
        self.within(format!("{place}.unit_size"), operation.unit_size, 1, 1_000_000_000);
        self.within(format!("{place}.credits_min"), operation.credits_min, 1, 1_000_000);
        self.within(format!("{place}.amount_min"), operation.amount_min, 1, operation.amount_max.max(1));
        self.within(format!("{place}.amount_max"), operation.amount_max, 1, measure.amount_max());
        // The version does not change the price.
        let version = PriceBookVersion::parse("1").expect("a digit is a version");
        let most = operation.line(version).price_of(operation.amount_max).get();
        self.that(
            most <= PriceBook::OPERATION_CREDITS_MAX,
            format!("{place}.amount_max"),
            format!("so small that it costs at most {} credits, not {most}", PriceBook::OPERATION_CREDITS_MAX),
        );
    }

    fn auto_top_up(&mut self, book: &PriceBook) {
        let limits = book.auto_top_up;
        self.within("auto_top_up.threshold_min", limits.threshold_min, 1, 100_000_000);
        self.within("auto_top_up.gap_min", limits.gap_min, 50, 100_000_000);
        self.that(limits.threshold_min <= limits.threshold_max, "auto_top_up.threshold_max", "at least threshold_min");
        self.that(limits.target_min <= limits.target_max, "auto_top_up.target_max", "at least target_min");
        // Otherwise no target would be far enough above any threshold.
        let lowest = limits.threshold_min.saturating_add(limits.gap_min);
        self.that(lowest <= limits.target_max, "auto_top_up.target_max", "at least threshold_min + gap_min");
        self.that(
            book.worst_case_per_day(limits.target_max).is_some(),
            "auto_top_up.target_max",
            format!(
                "so small that it does not cost more than Stripe takes in one payment {} times a day, with tax",
                PriceBook::TOP_UPS_PER_DAY
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(name: &str, amount: i64) -> i64 {
        let book = PriceBook::reference();
        book.price(book.operation(name).unwrap(), amount).unwrap().credits().get()
    }

    #[test]
    fn dubbing_costs_ten_credits_a_minute_rounded_up_and_at_least_ten() {
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
            assert_eq!(price("dubbing", duration_ms), credits, "{duration_ms} ms");
        }
    }

    #[test]
    fn training_costs_ten_credits_for_each_minute_declared() {
        for (max_minutes, credits) in [(1, 10), (5, 50), (10, 100), (30, 300), (60, 600), (1_440, 14_400)] {
            assert_eq!(price("training", max_minutes), credits, "{max_minutes} min");
        }
    }

    #[test]
    fn operations_outside_their_range_name_the_field_and_the_range() {
        let book = PriceBook::reference();
        let refused = |name: &str, amount| {
            let error = book.price(book.operation(name).unwrap(), amount).unwrap_err();
            (error.field, error.min, error.max)
        };
        for duration_ms in [0, -1, 86_400_001, i64::MAX, i64::MIN] {
            assert_eq!(refused("dubbing", duration_ms), ("duration_ms", 1, 86_400_000));
        }
        for max_minutes in [0, -5, 1_441] {
            assert_eq!(refused("training", max_minutes), ("max_minutes", 1, 1_440));
        }
        assert_eq!(book.operation("cloning"), None);
    }

    #[test]
    fn a_priced_operation_keeps_the_version_and_the_line_of_the_book() {
        let book = PriceBook::reference();
        let priced = book.price(book.operation("dubbing").unwrap(), 90_000).unwrap();
        assert_eq!(priced.price.version, book.version);
        let PriceLine { credits_per_unit, unit_size, credits_min, .. } = priced.price;
        assert_eq!((credits_per_unit, unit_size, credits_min), (10, 60_000, 10));
        assert_eq!((priced.operation.name.as_str(), priced.operation.amount), ("dubbing", 90_000));
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
    fn a_book_that_cannot_be_sold_from_is_refused_and_every_wrong_line_is_named() {
        type Break = fn(&mut PriceBook);
        let broken: [(&str, Break); 17] = [
            ("operations must be 1 to 100 lines, not 0", |book| book.operations.clear()),
            ("operations[0].credits_per_unit must be from 1 to 1000000, not 0", |book| {
                book.operations[0].credits_per_unit = 0;
            }),
            ("operations[1].unit_size must be from 1 to 1000000000, not 0", |book| book.operations[1].unit_size = 0),
            ("operations[1].credits_min must be from 1 to 1000000, not 0", |book| book.operations[1].credits_min = 0),
            ("operations[0].amount_min must be from 1 to 86400000, not 0", |book| book.operations[0].amount_min = 0),
            ("operations[0].amount_min must be from 1 to 9, not 10", |book| {
                (book.operations[0].amount_min, book.operations[0].amount_max) = (10, 9);
            }),
            ("operations[1].amount_max must be from 1 to 44640, not 44641", |book| {
                book.operations[1].amount_max = 44_641;
            }),
            (
                "operations[1].amount_max must be so small that it costs at most 1000000000 credits, not 1440000000",
                |book| book.operations[1].credits_per_unit = 1_000_000,
            ),
            ("operations[1].name must be listed once", |book| {
                book.operations[1].name = book.operations[0].name.clone();
            }),
            ("operations[0].description must be 1 to 100 characters, none of them a control character", |book| {
                book.operations[0].description.clear();
            }),
            ("packages must be 1 to 50 lines, not 0", |book| book.packages.clear()),
            ("packages[0].price_cents must be from 50 to 999999999999, not 49", |book| {
                book.packages[0].price = Amount::new(Currency::USD, 49).unwrap();
            }),
            ("packages[1].id must be listed once", |book| book.packages[1].id = book.packages[0].id.clone()),
            ("packages[2].credits must be from 1 to 100000000, not 0", |book| book.packages[2].credits = Credits::ZERO),
            ("auto_top_up.threshold_max must be at least threshold_min", |book| book.auto_top_up.threshold_max = 99),
            ("auto_top_up.target_max must be at least threshold_min + gap_min", |book| {
                book.auto_top_up.gap_min = 99_901;
            }),
            (
                "auto_top_up.target_max must be so small that it does not cost more than Stripe takes in one payment 4 \
                 times a day, with tax",
                |book| book.auto_top_up.target_max = 200_000_000_000,
            ),
        ];
        for (why, break_it) in broken {
            let mut book = PriceBook::reference();
            break_it(&mut book);
            assert_eq!(book.checked().unwrap_err().to_string(), why);
        }
        let mut book = PriceBook::reference();
        book.operations[1].unit_size = 0;
        book.cents_per_credit = 0;
        assert_eq!(book.checked().unwrap_err().0.len(), 2, "all are named together");
    }
}
