//! The configuration that a function was deployed with. This is the only place that reads the environment.

use crate::domain::price_book::{AutoTopUpLimits, InvalidPriceBook, WrongLine};
use crate::domain::{
    Amount, Credits, Currency, Measure, OperationName, OperationPrice, Package, PackageId, PriceBook, PriceBookVersion,
};
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// A setting that is missing or invalid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {name} must be {expected}")]
    Invalid { name: &'static str, expected: &'static str },
    #[error("PRICE_BOOK is not valid")]
    PriceBook(#[from] PriceBookError),
}

/// A price book that cannot be used, and where it is wrong.
#[derive(Debug, thiserror::Error)]
pub enum PriceBookError {
    #[error("{0}")]
    NotJson(#[from] serde_json::Error),
    /// An unknown field, or a value of the wrong type: the first such place, with line and column.
    #[error("{0}")]
    Unreadable(#[from] serde_path_to_error::Error<serde_json::Error>),
    #[error("version must be another than {}, which is the built-in book", PriceBook::REFERENCE_VERSION)]
    ReferenceVersion,
    /// Nothing could be sold from it.
    #[error("{0}")]
    Invalid(#[from] InvalidPriceBook),
}

/// The environment variables of a function.
#[derive(Clone, Debug)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// Explicit variables, for a function that shares its process with others.
    pub fn of(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }

    /// The value of a variable that must be set.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] if it is unset or empty.
    pub fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing(name))
    }

    /// The value of a variable; `None` if it is unset or empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// A switch that is off unless it is set.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for anything but `true` and `false`.
    pub fn flag(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.optional(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ConfigError::Invalid { name, expected: "true or false" }),
        }
    }

    /// The price book of this deployment: the reference price book with the overrides in `PRICE_BOOK`.
    ///
    /// # Errors
    /// [`ConfigError`] if the overrides cannot be parsed or are not valid.
    pub fn price_book(&self) -> Result<PriceBook, ConfigError> {
        match self.optional("PRICE_BOOK") {
            Some(text) => Ok(parse_price_book(&text)?),
            None => Ok(PriceBook::reference()),
        }
    }
}

/// The reference price book with the parts that a JSON object overrides, under the object's own version.
///
/// # Errors
/// [`PriceBookError`] if the overrides cannot be parsed or are not valid.
pub fn parse_price_book(text: &str) -> Result<PriceBook, PriceBookError> {
    let IgnoredAny = serde_json::from_str(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let overrides: PriceBookOverrides = serde_path_to_error::deserialize(&mut json)?;
    if overrides.version.0.as_str() == PriceBook::REFERENCE_VERSION {
        return Err(PriceBookError::ReferenceVersion);
    }
    let mut book = PriceBook { version: overrides.version.0, ..PriceBook::reference() };
    let mut amounts =
        Amounts { currency: overrides.currency.map_or(book.currency, |currency| currency.0), wrong: vec![] };
    book.currency = amounts.currency;
    book.minimum_charge = amounts.minimum_charge(overrides.minimum_charge);
    if let Some(operations) = overrides.operations {
        book.operations = operations.into_iter().map(OperationOverride::into_operation).collect();
    }
    if let Some(packages) = overrides.packages {
        let minimum = book.minimum_charge;
        let packages = packages.into_iter().enumerate();
        book.packages = packages
            .map(|(position, package)| {
                let price = amounts.read(&format!("packages[{position}].price"), package.price, minimum);
                Package { id: package.package.0, credits: package.credits.0, price }
            })
            .collect();
    }
    if let Some(limits) = overrides.auto_top_up {
        let LimitsOverride { threshold_min, threshold_max, target_min, target_max, gap_min } = limits;
        book.auto_top_up = AutoTopUpLimits { threshold_min, threshold_max, target_min, target_max, gap_min };
    }
    if let Some(price_per_credit) = overrides.price_per_credit {
        book.price_per_credit = amounts.read("price_per_credit", price_per_credit, amounts.smallest());
    }
    Ok(book.checked_beside(amounts.wrong)?)
}

/// Reads amounts in the minor unit of the book's currency, and collects those that the currency does not have.
struct Amounts {
    currency: Currency,
    wrong: Vec<WrongLine>,
}

impl Amounts {
    /// A wrong amount is reported once, and `instead` takes its place so that the rest of the book can be checked.
    fn read(&mut self, place: &str, minor: i64, instead: Amount) -> Amount {
        Amount::new(self.currency, minor).unwrap_or_else(|| {
            let range = self.currency.describe_range(0, Amount::MINOR_MAX);
            self.wrong.push(WrongLine { place: place.into(), expected: format!("{range}, not {minor}") });
            instead
        })
    }

    /// The book's own minimum charge, or Stripe's.
    fn minimum_charge(&mut self, named: Option<i64>) -> Amount {
        let (currency, smallest) = (self.currency, self.smallest());
        let Some(minor) = named.or(currency.minimum_charge()) else {
            let expected = format!("given, because Stripe names no minimum charge for {currency}");
            self.wrong.push(WrongLine { place: "minimum_charge".into(), expected });
            return smallest;
        };
        let stripes = currency.minimum_charge().and_then(|minor| Amount::new(currency, minor));
        self.read("minimum_charge", minor, stripes.unwrap_or(smallest))
    }

    fn smallest(&self) -> Amount {
        Amount::new(self.currency, self.currency.step()).expect("a currency has its own step")
    }
}

/// The JSON of a price book. `GET /v1/price-book` answers with the same names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceBookOverrides {
    version: Parsed<PriceBookVersion>,
    currency: Option<Parsed<Currency>>,
    minimum_charge: Option<i64>,
    operations: Option<Vec<OperationOverride>>,
    packages: Option<Vec<PackageOverride>>,
    auto_top_up: Option<LimitsOverride>,
    price_per_credit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationOverride {
    operation: Parsed<OperationName>,
    description: String,
    measure: Parsed<Measure>,
    credits_per_unit: i64,
    #[serde(default = "one")]
    unit_size: i64,
    #[serde(default = "one")]
    credits_min: i64,
    #[serde(default = "one")]
    amount_min: i64,
    amount_max: Option<i64>,
}

impl OperationOverride {
    fn into_operation(self) -> OperationPrice {
        let measure = self.measure.0;
        OperationPrice {
            name: self.operation.0,
            description: self.description,
            measure,
            credits_per_unit: self.credits_per_unit,
            unit_size: self.unit_size,
            credits_min: self.credits_min,
            amount_min: self.amount_min,
            amount_max: self.amount_max.unwrap_or(measure.amount_max_default()),
        }
    }
}

fn one() -> i64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackageOverride {
    package: Parsed<PackageId>,
    credits: Parsed<Credits>,
    price: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsOverride {
    threshold_min: i64,
    threshold_max: i64,
    target_min: i64,
    target_max: i64,
    gap_min: i64,
}

/// A value of the domain, which knows no serde. An invalid one is reported with its place.
struct Parsed<T>(T);

macro_rules! parsed {
    ($type:ty, $json:ty, $parse:expr) => {
        impl<'de> Deserialize<'de> for Parsed<$type> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let parse: fn($json) -> Result<$type, String> = $parse;
                parse(<$json>::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
            }
        }
    };
}

parsed!(PriceBookVersion, String, |text| PriceBookVersion::parse(text).map_err(|error| error.to_string()));
parsed!(OperationName, String, |text| OperationName::parse(text).map_err(|error| error.to_string()));
parsed!(PackageId, String, |text| PackageId::parse(text).map_err(|error| error.to_string()));
parsed!(Measure, String, |text| {
    let names = || Measure::ALL.map(Measure::name).join(", ");
    Measure::of_name(&text).ok_or_else(|| format!("measure must be one of {}", names()))
});
parsed!(Credits, i64, |number| Credits::new(number).ok_or("must be within ±10¹⁵ credits".into()));
parsed!(Currency, String, |text| Currency::parse(&text).map_err(|error| error.to_string()));

#[cfg(test)]
mod tests {
    use super::*;

    const SPEECH: &str = r#"{
        "version": "2026-12",
        "operations": [{
            "operation": "speech", "description": "Speech, per 1,000 characters", "measure": "quantity",
            "credits_per_unit": 3, "unit_size": 1000
        }]
    }"#;

    #[test]
    fn a_price_book_overrides_only_what_it_names() {
        let book = parse_price_book(SPEECH).unwrap();
        let speech = book.operation("speech").unwrap();
        assert_eq!(book.price(speech, 1_001).unwrap().credits().get(), 4);
        assert_eq!((speech.credits_min, speech.amount_min, speech.amount_max), (1, 1, 1_000_000_000));
        assert_eq!((book.version.as_str(), book.operations.len()), ("2026-12", 1));
        assert_eq!(
            (&book.packages, book.price_per_credit),
            (&PriceBook::reference().packages, PriceBook::reference().price_per_credit)
        );
        let packages = r#"{"version":"2","packages":[{"package":"small","credits":100,"price":90}]}"#;
        let book = parse_price_book(packages).unwrap();
        assert_eq!((book.packages.len(), book.operations), (1, PriceBook::reference().operations));
    }

    #[test]
    fn an_invalid_price_book_is_refused_with_its_place() {
        let speech = |from: &str, to: &str| SPEECH.replace(from, to);
        for (text, why) in [
            (String::new(), "EOF while parsing a value at line 1 column 0"),
            ("[]".into(), "invalid length 0"),
            ("{}".into(), "missing field `version`"),
            (format!("{SPEECH} x"), "trailing characters at line 7"),
            (r#"{"version":"a b"}"#.into(), "version: version must be 1 to 32 characters"),
            (r#"{"version":"reference-1"}"#.into(), "version must be another than reference-1"),
            (r#"{"version":"1","dubbing":{}}"#.into(), "dubbing: unknown field `dubbing`"),
            (r#"{"version":"1","price_per_credit":1.5}"#.into(), "price_per_credit: invalid type"),
            (speech("\"quantity\"", "\"minutes\""), "operations[0].measure: measure must be one of duration_ms, max"),
            (speech("\"speech\"", "\"Speech!\""), "operations[0].operation: operation must be 1 to 40 characters"),
            (speech("\"credits_per_unit\": 3, ", ""), "operations[0]: missing field `credits_per_unit` at line 6"),
            (
                speech("1000", "\"1000\""),
                "operations[0].unit_size: invalid type: string \"1000\", expected i64 at line 5",
            ),
            (speech("1000", "0"), "operations[0].unit_size must be from 1 to 1000000000, not 0"),
            (
                r#"{"version":"1","packages":[{"package":"small","credits":100,"price":1}]}"#.into(),
                "packages[0].price must be from 50 to 999999999999, not 1",
            ),
        ] {
            let error = parse_price_book(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}, not {why}");
        }
    }

    #[test]
    fn a_book_in_another_currency_names_its_own_prices() {
        let yen = r#"{"version":"1","currency":"jpy","price_per_credit":1,
            "packages":[{"package":"small","credits":1000,"price":1200}]}"#;
        let book = parse_price_book(yen).unwrap();
        assert_eq!((book.currency.code(), book.minimum_charge.minor()), ("JPY", 50));
        assert_eq!((book.packages[0].price.to_string().as_str(), book.price_per_credit.minor()), ("¥1,200", 1));
        let dinars = yen.replace("jpy", "KWD").replace("1200", "3120").replace(":1,", ":10,\"minimum_charge\":160,");
        let book = parse_price_book(&dinars).unwrap();
        assert_eq!((book.minimum_charge.minor(), book.packages[0].price.to_string()), (160, "KWD\u{a0}3.120".into()));
    }

    /// Every wrong amount is named by its place, together with what else is wrong.
    #[test]
    fn amounts_that_the_currency_does_not_have_are_refused_with_their_places() {
        let book = |currency: &str, rest: &str, prices: &[i64]| {
            let packages: Vec<_> = (0..)
                .zip(prices)
                .map(|(number, price)| format!(r#"{{"package":"p{number}","credits":100,"price":{price}}}"#))
                .collect();
            let packages = packages.join(",");
            let text = format!(r#"{{"version":"1","currency":"{currency}","packages":[{packages}]{rest}}}"#);
            parse_price_book(&text).map(|_| ()).map_err(|error| error.to_string())
        };
        let minimum = r#","minimum_charge":7000,"price_per_credit":100"#;
        for (currency, rest, prices, expected) in [
            ("ISK", minimum, &[7_000, 50_000][..], Ok(())),
            (
                "ISK",
                minimum,
                &[7_000, 50_000, 50_050],
                Err("packages[2].price must be from 0 to 999999999999 in steps of 100, not 50050"),
            ),
            (
                "ISK",
                minimum,
                &[6_900],
                Err("packages[0].price must be from 7000 to 999999999999 in steps of 100, not 6900"),
            ),
            (
                "UGX",
                minimum,
                &[7_001],
                Err("packages[0].price must be from 0 to 999999999999 in steps of 100, not 7001"),
            ),
            (
                "ISK",
                r#","price_per_credit":100"#,
                &[7_000],
                Err("minimum_charge must be given, because Stripe names no minimum charge for ISK"),
            ),
            (
                "ISK",
                r#","minimum_charge":7050,"price_per_credit":150"#,
                &[1],
                Err("minimum_charge must be from 0 to 999999999999 in steps of 100, not 7050; \
                     packages[0].price must be from 0 to 999999999999 in steps of 100, not 1; \
                     price_per_credit must be from 0 to 999999999999 in steps of 100, not 150"),
            ),
            (
                "KWD",
                r#","minimum_charge":160,"price_per_credit":3"#,
                &[3_120],
                Err("price_per_credit must be from 0 to 999999999999 in steps of 10, not 3"),
            ),
            (
                "JPY",
                r#","minimum_charge":49,"price_per_credit":1"#,
                &[50],
                Err("minimum_charge must be from 50 to 1000000000, not 49"),
            ),
            (
                "JPY",
                r#","price_per_credit":1"#,
                &[49],
                Err("packages[0].price must be from 50 to 999999999999, not 49"),
            ),
            ("JPY", "", &[50], Err("price_per_credit must be given in JPY, because the built-in one is in USD")),
            ("eur", r#","price_per_credit":1"#, &[50, 999_999_999_999], Ok(())),
            (
                "eur",
                r#","price_per_credit":1"#,
                &[1_000_000_000_000, -1],
                Err("packages[0].price must be from 0 to 999999999999, not 1000000000000; \
                     packages[1].price must be from 0 to 999999999999, not -1"),
            ),
            (
                "JPY",
                r#","price_per_credit":1,"minimum_charge":2000"#,
                &[2_000],
                Err("auto_top_up.gap_min must be from 1999 to 100000000, not 1000"),
            ),
        ] {
            assert_eq!(book(currency, rest, prices), expected.map_err(str::to_owned), "{currency} {rest} {prices:?}");
        }
        for (currency, why) in [
            ("IRR", "currency: \"IRR\" is not the code of a currency that Stripe charges in"),
            ("HRK", "currency: Stripe no longer charges in HRK"),
            ("US", "currency: \"US\" is not the code of a currency that Stripe charges in"),
        ] {
            let error = book(currency, minimum, &[7_000]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
