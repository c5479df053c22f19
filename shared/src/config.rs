//! The configuration that a function was deployed with. This is the only place that reads the environment.

use crate::domain::price_book::{AutoTopUpLimits, InvalidPriceBook, Rate};
use crate::domain::{Cents, Credits, InvalidId, Package, PackageId, PriceBook};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A setting that is missing or invalid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {name} must be {expected}")]
    Invalid { name: &'static str, expected: &'static str },
    #[error("PRICE_BOOK cannot be parsed")]
    PriceBookUnreadable(#[source] serde_json::Error),
    #[error("PRICE_BOOK is not a valid price book")]
    PriceBookInvalid(#[from] InvalidPriceBook),
    #[error("PRICE_BOOK has an invalid package id")]
    PackageInvalid(#[from] InvalidId),
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

    /// The price book of this deployment: the reference price book with the overrides in `PRICE_BOOK`.
    ///
    /// # Errors
    /// [`ConfigError`] if the overrides cannot be parsed or are not valid.
    pub fn price_book(&self) -> Result<PriceBook, ConfigError> {
        self.optional("PRICE_BOOK").map_or_else(|| Ok(PriceBook::reference()), |text| parse_price_book(&text))
    }
}

/// The reference price book with the parts that a JSON object overrides.
///
/// # Errors
/// [`ConfigError`] if the overrides cannot be parsed or are not valid.
pub fn parse_price_book(text: &str) -> Result<PriceBook, ConfigError> {
    let overrides: PriceBookOverrides = serde_json::from_str(text).map_err(ConfigError::PriceBookUnreadable)?;
    let mut book = PriceBook::reference();
    if let Some(rate) = overrides.dubbing {
        book.dubbing = Rate { credits_per_minute: rate.credits_per_minute, credits_min: rate.credits_min };
    }
    if let Some(rate) = overrides.training {
        book.training = Rate { credits_per_minute: rate.credits_per_minute, credits_min: rate.credits_min };
    }
    if let Some(packages) = overrides.packages {
        book.packages = packages.into_iter().map(PackageOverride::into_package).collect::<Result<_, _>>()?;
    }
    if let Some(limits) = overrides.auto_top_up {
        let LimitsOverride { threshold_min, threshold_max, target_min, target_max, gap_min } = limits;
        book.auto_top_up = AutoTopUpLimits { threshold_min, threshold_max, target_min, target_max, gap_min };
    }
    if let Some(cents_per_credit) = overrides.cents_per_credit {
        book.cents_per_credit = cents_per_credit;
    }
    Ok(book.checked()?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceBookOverrides {
    dubbing: Option<RateOverride>,
    training: Option<RateOverride>,
    packages: Option<Vec<PackageOverride>>,
    auto_top_up: Option<LimitsOverride>,
    cents_per_credit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateOverride {
    credits_per_minute: i64,
    credits_min: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackageOverride {
    id: String,
    credits: i64,
    price_cents: i64,
}

impl PackageOverride {
    fn into_package(self) -> Result<Package, ConfigError> {
        let invalid = |expected| ConfigError::Invalid { name: "PRICE_BOOK", expected };
        Ok(Package {
            id: PackageId::parse(self.id)?,
            credits: Credits::new(self.credits).ok_or(invalid("packages of at most 10¹⁵ credits"))?,
            price: Cents::new(self.price_cents).ok_or(invalid("packages of 0 to 99999999 cents"))?,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_book_overrides_only_what_it_names() {
        let book = parse_price_book(r#"{"dubbing":{"credits_per_minute":20,"credits_min":5}}"#).unwrap();
        assert_eq!(book.dubbing, Rate { credits_per_minute: 20, credits_min: 5 });
        assert_eq!(PriceBook { dubbing: PriceBook::reference().dubbing, ..book }, PriceBook::reference());
        let packages = r#"{"packages":[{"id":"small","credits":100,"price_cents":90}]}"#;
        assert_eq!(parse_price_book(packages).unwrap().packages.len(), 1);
    }

    #[test]
    fn an_invalid_price_book_is_rejected() {
        for text in [
            "",
            "[]",
            r#"{"dubing":{}}"#,
            r#"{"dubbing":{"credits_per_minute":0,"credits_min":5}}"#,
            r#"{"packages":[{"id":"Small!","credits":100,"price_cents":90}]}"#,
            r#"{"packages":[{"id":"small","credits":100,"price_cents":1}]}"#,
            r#"{"cents_per_credit":1.5}"#,
        ] {
            assert!(parse_price_book(text).is_err(), "{text}");
        }
    }
}
