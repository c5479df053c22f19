//! Every number of the product: the prices of operations, the packages, and the bounds of automatic top-ups.
//!
//! A company overrides the book by configuration; [`PriceBook::reference`] is the book of the audio API.

use super::{
    Amount, Credits, Currency, Measure, Operation, OperationName, OutOfRange, PackageId, PriceBookVersion, PriceLine,
    PricedOperation, within,
};
use jiff::SignedDuration;
use std::fmt;
use std::ops::RangeInclusive;

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
    /// The currency of every price in the book.
    pub currency: Currency,
    /// The least that a card is charged: at least Stripe's minimum for the currency, if it names one. Stripe's minimum
    /// is that of the currency in which the company is paid out, so a company may need more.
    pub minimum_charge: Amount,
    /// Everything that can be charged, 1 to 100 operations.
    pub operations: Vec<OperationPrice>,
    pub packages: Vec<Package>,
    pub auto_top_up: AutoTopUpLimits,
    /// The price of one credit in an automatic top-up. It is a multiple of the currency's step, and so is every top-up.
    pub price_per_credit: Amount,
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
    /// The most credits that support may give or take at once.
    pub const ADJUSTMENT_MAX: Credits = Credits::constant(10_000_000);
    /// The largest opening balance that may be imported, owed by the company or to it.
    pub const IMPORT_MAX: Credits = Credits::constant(1_000_000_000);
    /// The most that tax may add to an automatic top-up, in percent. It is above every sales and value-added tax.
    /// Not configurable, because the text that customers consent to states the sum: another number needs a new version
    /// of the text.
    pub const TAX_PERCENT_MAX: i64 = 30;
    /// Stripe may forget an idempotency key after 24 hours, so an older attempt is only looked up and never sent again.
    /// <https://docs.stripe.com/api/idempotent_requests>
    pub const TOP_UP_SEND_WINDOW: SignedDuration = SignedDuration::from_hours(20);
    /// How often a customer may ask to pay an attempt's open invoice now. Card networks fine shops that ask more often:
    /// Visa allows 15 tries of a declined payment in 30 days.
    pub const TOP_UP_RETRIES_MAX: u32 = 15;
    /// When a customer is reminded of a payment issue, counted from its beginning.
    pub const REMINDERS_AFTER: [SignedDuration; 3] =
        [SignedDuration::from_hours(24), SignedDuration::from_hours(3 * 24), SignedDuration::from_hours(7 * 24)];
    /// After this time, the invoice of an unpaid attempt is voided.
    pub const UNPAID_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
    /// How many days a customer may choose to have for paying an invoice.
    pub const DAYS_UNTIL_DUE: RangeInclusive<u8> = 7..=60;
    /// How many days it is, unless the customer chooses.
    pub const DAYS_UNTIL_DUE_DEFAULT: u8 = 30;
    /// How many unpaid purchases by invoice an account may have. Each is credit that the company's books show as owed.
    pub const UNPAID_INVOICES_MAX: u8 = 3;
    /// When a customer is reminded of an unpaid invoice, counted from its due date.
    pub const INVOICE_REMINDERS: [SignedDuration; 3] =
        [SignedDuration::from_hours(-3 * 24), SignedDuration::from_hours(24), SignedDuration::from_hours(7 * 24)];
    /// So long after its due date an unpaid invoice is voided. It is longer than any bank transfer takes.
    pub const INVOICE_GRACE: SignedDuration = SignedDuration::from_hours(14 * 24);
    /// A run finishes an invoice that the customer's own request did not finish in this time.
    pub const INVOICE_ISSUED_WITHIN: SignedDuration = SignedDuration::from_mins(15);
    /// How often a purchase with a page or an attempt is looked at while it is under way: up to which age, and after which time.
    pub const LOOKS: [(SignedDuration, SignedDuration); 2] = [
        (SignedDuration::from_hours(1), SignedDuration::from_mins(5)),
        (SignedDuration::from_hours(24), SignedDuration::from_hours(1)),
    ];
    /// The same of what is older, and of purchases by invoice.
    pub const LOOKS_LAST: SignedDuration = SignedDuration::from_hours(6);
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
        let usd = |cents| Amount::new(Currency::USD, cents).expect("the reference prices are below Stripe's maximum");
        let package = |credits: i64| Package {
            id: PackageId::parse(format!("credits_{credits}")).expect("credits_ and digits make a package id"),
            credits: Credits::constant(credits),
            price: usd(credits),
        };
        Self {
            version: PriceBookVersion::parse(Self::REFERENCE_VERSION).expect("letters and a digit make a version"),
            currency: Currency::USD,
            minimum_charge: usd(50),
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
            price_per_credit: usd(1),
        }
    }

    /// # Errors
    /// [`InvalidPriceBook`], which names every invalid number.
    pub fn checked(self) -> Result<Self, InvalidPriceBook> {
        self.checked_beside(vec![])
    }

    /// Reports together what its reader has already found wrong and what else is.
    ///
    /// # Errors
    /// [`InvalidPriceBook`], which names everything that is wrong.
    pub fn checked_beside(self, wrong: Vec<WrongLine>) -> Result<Self, InvalidPriceBook> {
        let mut check = Check(wrong);
        check.minimum_charge(&self);
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
            check.at_least(format!("{place}.price"), package.price, self.minimum_charge);
            let is_repeated = self.packages.iter().take(position).any(|earlier| earlier.id == package.id);
            check.that(!is_repeated, format!("{place}.id"), "listed once");
        }
        check.prices_in_the_currency(&self);
        check.auto_top_up(&self);
        if check.0.is_empty() { Ok(self) } else { Err(InvalidPriceBook(check.0)) }
    }

    /// The operation with this name, if it is sold.
    pub fn operation(&self, name: &str) -> Option<&OperationPrice> {
        self.operations.iter().find(|operation| operation.name.as_str() == name)
    }

    /// The names of all operations, for an error: `dubbing, training`. They are only written out if it is shown.
    pub fn operation_names(&self) -> impl fmt::Display {
        fmt::from_fn(|formatter| {
            for (position, operation) in self.operations.iter().enumerate() {
                formatter.write_str(if position == 0 { "" } else { ", " })?;
                formatter.write_str(operation.name.as_str())?;
            }
            Ok(())
        })
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

    /// What the cheapest operation costs in its smallest amount: a balance below this pays for nothing.
    pub fn cheapest(&self) -> Credits {
        let least = |operation: &OperationPrice| operation.line(self.version.clone()).price_of(operation.amount_min);
        self.operations.iter().map(least).min().unwrap_or(Credits::ZERO)
    }

    pub fn package(&self, id: &PackageId) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == *id)
    }

    /// What this many credits cost outside a package. `None` above Stripe's maximum for one payment.
    pub fn price_of_credits(&self, credits: Credits) -> Option<Amount> {
        self.price_per_credit.times(credits.get())
    }

    /// What an automatic top-up of this many credits costs. `None` if one payment cannot be that large or that small.
    pub fn top_up_price(&self, credits: Credits) -> Option<Amount> {
        self.price_of_credits(credits).filter(|price| self.minimum_charge.is_at_most(*price))
    }

    /// The most credits that an automatic top-up can buy for an amount. `None` in another currency.
    pub fn credits_for(&self, amount: Amount) -> Option<Credits> {
        let per_credit = self.price_per_credit;
        let is_priced = amount.currency() == per_credit.currency() && per_credit.minor() > 0;
        is_priced.then(|| amount.minor().checked_div(per_credit.minor()).and_then(Credits::new)).flatten()
    }

    /// The price of the smallest automatic top-up, below which a monthly cap does not lower one.
    pub fn smallest_top_up_price(&self) -> Amount {
        let gap = Credits::new(self.auto_top_up.gap_min).and_then(|gap| self.top_up_price(gap));
        gap.unwrap_or(self.minimum_charge)
    }

    /// The least distance of a target above its threshold. The smallest top-up buys one credit more than that, because it
    /// opens only below the threshold, and it must not cost less than the minimum charge.
    fn smallest_gap(&self) -> i64 {
        let (minimum, per_credit) = (self.minimum_charge, self.price_per_credit);
        if minimum.currency() != per_credit.currency() {
            return 1;
        }
        minimum.minor().saturating_sub(1).div_euclid(per_credit.minor().max(1)).max(1)
    }

    /// The most that an automatic top-up of this price may charge a card, with tax, brought down to an amount that the
    /// currency has. `None` above Stripe's maximum.
    pub fn with_tax_max(price: Amount) -> Option<Amount> {
        let percent = Self::TAX_PERCENT_MAX.saturating_add(100);
        let hundredths = price.minor().checked_mul(percent)?;
        Amount::at_most(price.currency(), hundredths.div_euclid(100))
    }

    /// The most that automatic top-ups to this target can cost in one day, with tax.
    pub fn worst_case_per_day(&self, target: i64) -> Option<Amount> {
        Self::with_tax_max(self.price_of_credits(Credits::new(target)?)?)?.times(Self::TOP_UPS_PER_DAY)
    }
}

/// The most that one credit, or the minimum charge, may be in the minor unit.
const MINOR_MAX_PER_UNIT: i64 = 1_000_000_000;

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

    fn minimum_charge(&mut self, book: &PriceBook) {
        let least = book.currency.minimum_charge().unwrap_or(book.currency.step());
        self.minor_within("minimum_charge", book.minimum_charge, (least, MINOR_MAX_PER_UNIT));
    }

    /// Only the built-in packages and the built-in price of a credit can be in another currency than the book.
    /// Only the built-in prices can be in another currency than the book.
    fn prices_in_the_currency(&mut self, book: &PriceBook) {
        let (currency, built_in) = (book.currency, Currency::USD);
        if book.price_per_credit.currency() == currency {
            self.minor_within("price_per_credit", book.price_per_credit, (currency.step(), MINOR_MAX_PER_UNIT));
        } else {
            let expected = format!("given in {currency}, because the built-in one is in {built_in}");
            self.that(false, "price_per_credit", expected);
        }
        let all_are = book.packages.iter().all(|package| package.price.currency() == currency);
        self.that(all_are, "packages", format!("given in {currency}, because the built-in ones are in {built_in}"));
    }

    fn at_least(&mut self, place: String, price: Amount, minimum: Amount) {
        if price.currency() == minimum.currency() {
            self.minor_within(&place, price, (minimum.minor(), Amount::MINOR_MAX));
        }
    }

    fn minor_within(&mut self, place: &str, amount: Amount, (min, max): (i64, i64)) {
        let minor = amount.minor();
        let range = amount.currency().describe_range(min, max);
        self.that((min..=max).contains(&minor), place, format!("{range}, not {minor}"));
    }

    fn auto_top_up(&mut self, book: &PriceBook) {
        let limits = book.auto_top_up;
        self.within("auto_top_up.threshold_min", limits.threshold_min, 1, 100_000_000);
        self.within("auto_top_up.gap_min", limits.gap_min, book.smallest_gap(), 100_000_000);
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

    fn usd(cents: i64) -> Amount {
        Amount::new(Currency::USD, cents).unwrap()
    }

    fn isk(hundredths: i64) -> Amount {
        Amount::new(Currency::parse("ISK").unwrap(), hundredths).unwrap()
    }

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
        let broken: [(&str, Break); 22] = [
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
            ("packages[0].price must be from 50 to 999999999999, not 49", |book| {
                book.packages[0].price = usd(49);
            }),
            ("packages[1].id must be listed once", |book| book.packages[1].id = book.packages[0].id.clone()),
            ("minimum_charge must be from 50 to 1000000000, not 49", |book| book.minimum_charge = usd(49)),
            ("packages[0].price must be from 600 to 999999999999, not 500", |book| book.minimum_charge = usd(600)),
            ("price_per_credit must be from 1 to 1000000000, not 0", |book| book.price_per_credit = usd(0)),
            ("auto_top_up.gap_min must be from 49 to 100000000, not 48", |book| book.auto_top_up.gap_min = 48),
            (
                "price_per_credit must be given in ISK, because the built-in one is in USD; packages must be given in \
                 ISK, because the built-in ones are in USD",
                |book| (book.currency, book.minimum_charge) = (isk(7_000).currency(), isk(7_000)),
            ),
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
        book.price_per_credit = usd(0);
        assert_eq!(book.checked().unwrap_err().0.len(), 2, "all are named together");
    }

    /// R37: Stripe would not charge less, and call the invoice paid.
    #[test]
    fn no_top_up_of_a_valid_book_costs_less_than_the_minimum_charge() {
        for (per_credit, minimum) in [(1, 50), (1, 51), (3, 100), (7, 700), (49, 50), (50, 50), (51, 50)] {
            let mut book = PriceBook::reference();
            (book.price_per_credit, book.minimum_charge) = (usd(per_credit), usd(minimum));
            book.packages.truncate(0);
            let smallest = book.smallest_gap();
            let costs = |gap: i64| per_credit * (gap + 1);
            assert!(costs(smallest) >= minimum, "{per_credit} {minimum}");
            assert!(smallest == 1 || costs(smallest - 1) < minimum, "no larger gap is required than necessary");
            let credits = |gap: i64| Credits::constant(gap + 1);
            assert!(book.top_up_price(credits(smallest)).is_some());
            assert!(smallest == 1 || book.top_up_price(credits(smallest - 1)).is_none());
        }
    }

    /// Every currency: what the book can ask for is what Stripe can charge, whatever a customer chooses.
    #[test]
    fn every_amount_of_a_valid_book_is_one_that_the_currency_has() {
        for currency in Currency::all() {
            let amount = |minor| Amount::new(currency, minor).unwrap();
            let least = currency.minimum_charge().unwrap_or(currency.step());
            let mut book = PriceBook::reference();
            (book.currency, book.minimum_charge) = (currency, amount(least));
            book.price_per_credit = amount(3 * currency.step());
            book.packages.truncate(1);
            book.packages[0].price = amount(least);
            book.auto_top_up.gap_min = book.auto_top_up.gap_min.max(book.smallest_gap());
            book.auto_top_up.target_max = 200_000;
            let book = book.checked().unwrap_or_else(|error| panic!("{currency}: {error}"));
            for credits in [book.auto_top_up.gap_min + 1, 12_345, 100_001, 200_000] {
                let price = book.top_up_price(Credits::constant(credits)).unwrap();
                let in_all = PriceBook::with_tax_max(price).unwrap();
                for amount in [price, in_all, in_all.times(PriceBook::TOP_UPS_PER_DAY).unwrap()] {
                    assert_eq!((amount.minor() % currency.step(), amount.currency()), (0, currency));
                }
                assert!(in_all.minor() <= price.minor() * 130 / 100 && book.minimum_charge.is_at_most(price));
            }
        }
    }
}
