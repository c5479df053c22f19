//! Parses nested, form-encoded parameters into typed structs. A parameter that a struct does not name is refused.
//!
//! A Stripe parameter that the stand-in does not simulate is refused too, because ignoring it would hide a difference.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::ApiError;

/// Every operation accepts `expand[]`.
const ALWAYS: &[&str] = &["expand"];
const ON_LISTS: &[&str] = &["expand", "limit", "starting_after", "ending_before"];

/// An operation without parameters of its own.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct NoParameters {}

/// # Errors
/// `parameter_unknown` for a name that `T` lacks, `parameter_invalid` for a value of the wrong type.
pub(crate) fn parse<T: DeserializeOwned>(encoded: &[u8]) -> Result<T, ApiError> {
    parse_beside(encoded, ALWAYS)
}

/// The filters of a list. [`Page::parse`] reads the paging.
pub(crate) fn parse_filters<T: DeserializeOwned>(encoded: &[u8]) -> Result<T, ApiError> {
    parse_beside(encoded, ON_LISTS)
}

fn parse_beside<T: DeserializeOwned>(encoded: &[u8], others: &[&str]) -> Result<T, ApiError> {
    let (value, unknown) = decode::<T>(encoded)?;
    let unknown: Vec<String> = unknown.into_iter().filter(|name| !others.contains(&name.as_str())).collect();
    match unknown.first() {
        None => Ok(value),
        Some(first) => {
            let message = format!("Received unknown parameters: {}", unknown.join(", "));
            Err(ApiError::invalid_parameter("parameter_unknown", first, message))
        }
    }
}

fn decode<T: DeserializeOwned>(encoded: &[u8]) -> Result<(T, Vec<String>), ApiError> {
    let config = serde_qs::Config::new().use_form_encoding(true).max_depth(8);
    let malformed = |error: serde_qs::Error| ApiError::invalid_parameter("parameter_invalid", "", error.to_string());
    let deserializer = serde_qs::Deserializer::with_config(config, encoded).map_err(malformed)?;
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(deserializer, &mut track);
    let result = serde_ignored::deserialize(tracked, |path| unknown.push(bracketed(&path.to_string())));
    match result {
        Ok(value) => Ok((value, unknown)),
        Err(error) => {
            let name = bracketed(&track.path().to_string().replace('[', ".").replace(']', ""));
            Err(ApiError::invalid_parameter("parameter_invalid", &name, format!("Invalid {name}: {error}")))
        }
    }
}

/// `a.?.b.0` (a path through options and sequences) in Stripe's notation: `a[b][0]`.
fn bracketed(path: &str) -> String {
    let mut segments = path.split('.').filter(|segment| *segment != "?");
    let first = segments.next().unwrap_or_default().to_owned();
    segments.fold(first, |name, segment| format!("{name}[{segment}]"))
}

/// The fields of the answer to expand to objects: <https://docs.stripe.com/api/expanding_objects>.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Expansion {
    pub(crate) expand: Vec<String>,
}

impl Expansion {
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, ApiError> {
        decode(encoded).map(|(expansion, _)| expansion)
    }
}

/// <https://docs.stripe.com/api/pagination>
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    pub(crate) limit: Option<usize>,
    pub(crate) starting_after: Option<String>,
    pub(crate) ending_before: Option<String>,
}

impl Page {
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, ApiError> {
        let (page, _) = decode::<Self>(encoded)?;
        match page.limit {
            Some(0 | 101..) => {
                Err(ApiError::invalid_parameter("parameter_invalid_integer", "limit", "limit must be 1 to 100."))
            }
            _ => Ok(page),
        }
    }
}

/// `created=…` or `created[gte]=…`, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CreatedRange {
    at_least: i64,
    at_most: i64,
}

impl CreatedRange {
    pub(crate) fn contains(self, created: i64) -> bool {
        (self.at_least..=self.at_most).contains(&created)
    }
}

impl<'de> Deserialize<'de> for CreatedRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = CreatedRange;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("seconds since 1970, or a range with gt, gte, lt or lte")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CreatedRange, E> {
                let created = text.parse().map_err(E::custom)?;
                Ok(CreatedRange { at_least: created, at_most: created })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CreatedRange, A::Error> {
                let mut range = CreatedRange { at_least: i64::MIN, at_most: i64::MAX };
                while let Some((bound, seconds)) = map.next_entry::<String, i64>()? {
                    match bound.as_str() {
                        "gt" => range.at_least = seconds.saturating_add(1),
                        "gte" => range.at_least = seconds,
                        "lt" => range.at_most = seconds.saturating_sub(1),
                        "lte" => range.at_most = seconds,
                        other => return Err(A::Error::unknown_field(other, &["gt", "gte", "lt", "lte"])),
                    }
                }
                Ok(range)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The given keys are merged. An empty value removes its key, and an empty parameter removes all keys:
/// <https://docs.stripe.com/api/metadata>.
#[derive(Debug)]
pub(crate) enum MetadataChange {
    Clear,
    Merge(BTreeMap<String, String>),
}

pub(crate) type Metadata = BTreeMap<String, String>;

/// # Errors
/// For more than 50 keys, a key of more than 40 characters or a value of more than 500.
pub(crate) fn merge_metadata(metadata: &Metadata, change: Option<MetadataChange>) -> Result<Metadata, ApiError> {
    let mut merged = metadata.clone();
    match change {
        None => {}
        Some(MetadataChange::Clear) => merged.clear(),
        Some(MetadataChange::Merge(entries)) => {
            for (key, value) in entries {
                if key.chars().count() > 40 || value.chars().count() > 500 {
                    let message = "Metadata keys have up to 40 characters, values up to 500.";
                    return Err(ApiError::invalid_parameter("parameter_invalid", format!("metadata[{key}]"), message));
                }
                if value.is_empty() {
                    merged.remove(&key);
                } else {
                    merged.insert(key, value);
                }
            }
        }
    }
    if merged.len() > 50 {
        return Err(ApiError::invalid_parameter("parameter_invalid", "metadata", "Metadata has up to 50 keys."));
    }
    Ok(merged)
}

impl<'de> Deserialize<'de> for MetadataChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = MetadataChange;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a hash of text")
            }

            fn visit_unit<E: Error>(self) -> Result<MetadataChange, E> {
                Ok(MetadataChange::Clear)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<MetadataChange, E> {
                if text.is_empty() { Ok(MetadataChange::Clear) } else { Err(E::custom("metadata must be a hash")) }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MetadataChange, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Option<String>>()? {
                    entries.insert(key, value.unwrap_or_default());
                }
                Ok(MetadataChange::Merge(entries))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Applies a text parameter: an absent one leaves the field unchanged, an empty one unsets it.
pub(crate) fn set(field: &mut Option<String>, change: Option<String>) {
    if let Some(text) = change {
        *field = Some(text).filter(|text| !text.is_empty());
    }
}

/// # Errors
/// `parameter_missing` when absent.
pub(crate) fn required<T>(parameter: Option<T>, name: &str) -> Result<T, ApiError> {
    parameter.ok_or_else(|| ApiError::missing_parameter(name))
}

/// A three-letter currency, in lower case as Stripe stores it.
pub(crate) fn currency(parameter: &str) -> Result<String, ApiError> {
    let is_currency = parameter.len() == 3 && parameter.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_currency {
        Ok(parameter.to_ascii_lowercase())
    } else {
        Err(ApiError::invalid_parameter("parameter_invalid", "currency", format!("Invalid currency: {parameter}")))
    }
}
