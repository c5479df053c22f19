//! Strict reading and writing of an item's attributes: a missing attribute, a wrong type or an unknown value is an error
//! that names the item's key and the attribute. There are no defaults.
//!
//! Values never appear in an error, because they may be personal data.

use super::keys::Key;
use crate::domain::{Amount, Credits, Currency, InvalidId};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// An item, or a map within one, as the SDK holds it.
pub type Attributes = HashMap<String, AttributeValue>;

/// An item that this program cannot have written.
#[derive(Debug, thiserror::Error)]
#[error("attribute {attribute} of item {key} {problem}")]
pub(super) struct Unreadable {
    key: String,
    attribute: String,
    problem: Problem,
}

impl Unreadable {
    /// The path of the attribute that is wrong.
    pub(super) fn attribute(&self) -> &str {
        &self.attribute
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Problem {
    #[error("is missing")]
    Missing,
    #[error("is not of type {0}")]
    NotOfType(&'static str),
    #[error("has an invalid value")]
    Invalid,
}

/// Builds an item.
#[derive(Debug)]
pub(super) struct Writer(Attributes);

impl Writer {
    /// An item with its key.
    pub(super) fn item(key: Key) -> Self {
        // Room for all attributes of an account or an entry: to grow step by step costs more than the rest of writing one.
        Self(Attributes::with_capacity(28)).with("PK", text(key.partition)).with("SK", text(key.sort))
    }

    /// A map within an item, with room for any map of an account.
    pub(super) fn map() -> Self {
        Self(Attributes::with_capacity(7))
    }

    pub(super) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// An amount in its minor unit, with its currency beside it. An item has at most one.
    pub(super) fn with_amount(self, name: &str, amount: Amount) -> Self {
        self.with(name, number(amount.minor())).with("currency", text(amount.currency()))
    }

    /// Adds the attribute only if there is a value.
    pub(super) fn with_optional(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn into_attributes(self) -> Attributes {
        self.0
    }

    pub(super) fn into_value(self) -> AttributeValue {
        AttributeValue::M(self.0)
    }
}

pub(super) fn text(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(super) fn number(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn bytes(value: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

pub(super) fn flag(value: bool) -> AttributeValue {
    AttributeValue::Bool(value)
}

pub(super) fn credits(value: Credits) -> AttributeValue {
    number(value.get())
}

pub(super) fn list(values: impl IntoIterator<Item = AttributeValue>) -> AttributeValue {
    AttributeValue::L(values.into_iter().collect())
}

/// Milliseconds since 1970.
pub(super) fn instant(value: Timestamp) -> AttributeValue {
    number(value.as_millisecond())
}

/// Seconds since 1970, the unit of time to live:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html>.
pub(super) fn expiry(value: Timestamp) -> AttributeValue {
    number(value.as_second())
}

/// Reads an item, or a map within one.
pub(super) struct Reader<'a> {
    attributes: &'a Attributes,
    key: Key,
    /// The path of the map within the item, with a trailing dot; empty for the item itself.
    path: String,
}

impl<'a> Reader<'a> {
    /// # Errors
    /// [`Unreadable`] if the attributes do not include the table's key.
    pub(super) fn item(attributes: &'a Attributes) -> Result<Self, Unreadable> {
        let unknown = Key { partition: "?".into(), sort: "?".into() };
        let keyless = Self { attributes, key: unknown, path: String::new() };
        let key = Key { partition: keyless.text("PK")?.to_owned(), sort: keyless.text("SK")?.to_owned() };
        Ok(Self { key, ..keyless })
    }

    /// An id that is part of the key.
    pub(super) fn id_in_key<T>(&self, attribute: &str, read: fn(&Key) -> Option<T>) -> Result<T, Unreadable> {
        read(&self.key).ok_or_else(|| self.invalid(attribute))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, Unreadable> {
        let text = self.value(name)?.as_s();
        text.map(String::as_str).map_err(|_| self.unreadable(name, Problem::NotOfType("S")))
    }

    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<T, Unreadable> {
        let number = self.value(name)?.as_n().map_err(|_| self.unreadable(name, Problem::NotOfType("N")))?;
        number.parse().map_err(|_| self.invalid(name))
    }

    /// A value that is made of a fixed number of bytes.
    pub(super) fn bytes<T: TryFrom<&'a [u8]>>(&self, name: &str) -> Result<T, Unreadable> {
        let bytes = self.value(name)?.as_b().map_err(|_| self.unreadable(name, Problem::NotOfType("B")))?;
        T::try_from(bytes.as_ref()).map_err(|_| self.invalid(name))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Unreadable> {
        let flag = self.value(name)?.as_bool();
        flag.copied().map_err(|_| self.unreadable(name, Problem::NotOfType("BOOL")))
    }

    pub(super) fn map(&self, name: &str) -> Result<Self, Unreadable> {
        let map = self.value(name)?.as_m().map_err(|_| self.unreadable(name, Problem::NotOfType("M")))?;
        Ok(Self { attributes: map, key: self.key.clone(), path: format!("{}{name}.", self.path) })
    }

    /// Each map within this map, by its name. An error shows `*` instead, because the name may be personal data.
    pub(super) fn maps(&self) -> impl Iterator<Item = Result<(&'a str, Self), Unreadable>> {
        self.attributes.iter().map(|(name, value)| {
            let attributes = value.as_m().map_err(|_| self.unreadable("*", Problem::NotOfType("M")))?;
            Ok((name.as_str(), Self { attributes, key: self.key.clone(), path: format!("{}*.", self.path) }))
        })
    }

    /// Each element of a list, read with `read` as an attribute of that name.
    pub(super) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&Reader<'_>, &str) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let elements = self.value(name)?.as_l().map_err(|_| self.unreadable(name, Problem::NotOfType("L")))?;
        let element = |value: &AttributeValue| {
            let attributes = Attributes::from([(name.to_owned(), value.clone())]);
            read(&Reader { attributes: &attributes, key: self.key.clone(), path: self.path.clone() }, name)
        };
        elements.iter().map(element).collect()
    }

    pub(super) fn credits(&self, name: &str) -> Result<Credits, Unreadable> {
        Credits::new(self.number(name)?).ok_or_else(|| self.invalid(name))
    }

    /// An amount in the item's currency. Items without one were written when US dollars were the only currency.
    pub(super) fn amount(&self, name: &str) -> Result<Amount, Unreadable> {
        let currency = self.optional("currency", |item, name| item.word(name, Currency::of_code))?;
        Amount::new(currency.unwrap_or(Currency::USD), self.number(name)?).ok_or_else(|| self.invalid(name))
    }

    /// Whether the attribute is there, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    pub(super) fn instant(&self, name: &str) -> Result<Timestamp, Unreadable> {
        Timestamp::from_millisecond(self.number(name)?).map_err(|_| self.invalid(name))
    }

    pub(super) fn id<T>(&self, name: &str, parse: fn(String) -> Result<T, InvalidId>) -> Result<T, Unreadable> {
        parse(self.text(name)?.to_owned()).map_err(|_| self.invalid(name))
    }

    /// One of a set of known words.
    pub(super) fn word<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Unreadable> {
        parse(self.text(name)?).ok_or_else(|| self.invalid(name))
    }

    /// Reads the attribute if it is present; a present attribute must be valid.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        self.has(name).then(|| read(self, name)).transpose()
    }

    pub(super) fn invalid(&self, name: &str) -> Unreadable {
        self.unreadable(name, Problem::Invalid)
    }

    fn value(&self, name: &str) -> Result<&'a AttributeValue, Unreadable> {
        self.attributes.get(name).ok_or_else(|| self.unreadable(name, Problem::Missing))
    }

    fn unreadable(&self, name: &str, problem: Problem) -> Unreadable {
        Unreadable { key: self.key.to_string(), attribute: format!("{}{name}", self.path), problem }
    }
}
