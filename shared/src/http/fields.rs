//! The fields of a JSON object and the parameters of a query, read one by one. All errors are reported together.

use super::{FieldError, Problem};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

/// The most errors in one response, which must stay far below Lambda's limit of 6 MB.
const ERRORS_MAX: usize = 1_000;
/// The most errors in one element of a list that is answered element by element.
const ELEMENT_ERRORS_MAX: usize = 20;
/// How many characters of the request an error quotes.
const QUOTED_MAX: usize = 64;
/// The longest instant with nanoseconds and an offset.
const INSTANT_BYTES_MAX: usize = 35;
/// What a spender must be, for an error.
pub const SPENDER: &str = "1 to 64 characters of A-Z a-z 0-9 _ . : @ -";

/// A JSON object that is read field by field.
///
/// An optional field may also be null, which means the same as leaving it out. A field that the code does not read is
/// refused.
pub struct Fields<'json> {
    /// The prefix of the names: nothing, or `operations[0].`.
    path: String,
    unread: Vec<(String, &'json RawValue)>,
    errors: Vec<FieldError>,
}

impl<'json> Fields<'json> {
    /// `None` if it is not a JSON object.
    pub(super) fn parse(path: String, json: &'json str) -> Option<Self> {
        let Members(unread) = serde_json::from_str(json).ok()?;
        Some(Self { path, unread, errors: vec![] })
    }

    /// The value of a required field.
    pub fn required<T>(
        &mut self,
        name: &str,
        expected: impl fmt::Display,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if !self.is_given(name) {
            self.take(name);
            self.refuse(name, format!("is required: {expected}"));
            return None;
        }
        self.optional(name, expected, read)
    }

    /// The value of a required field that may be null: `None` if it is null.
    pub fn nullable<T>(
        &mut self,
        name: &str,
        expected: impl fmt::Display,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.unread.iter().any(|(known, _)| known == name) {
            let errors = self.errors.len();
            let value = self.optional(name, format_args!("{expected}, or null"), read);
            return (self.errors.len() == errors).then_some(value);
        }
        self.refuse(name, format!("is required: {expected}, or null"));
        None
    }

    /// The value of an optional field, or `otherwise` if it is missing. `None` if it is not as `expected`.
    pub fn optional_or<T>(
        &mut self,
        name: &str,
        expected: &str,
        (read, otherwise): (impl FnOnce(&str) -> Option<T>, T),
    ) -> Option<T> {
        if self.is_given(name) { self.optional(name, expected, read) } else { Some(otherwise) }
    }

    /// The value of an optional field. `None` if it is missing or not as `expected`, which is then reported.
    pub fn optional<T>(
        &mut self,
        name: &str,
        expected: impl fmt::Display,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.told(name, |json| read(json).ok_or_else(|| format!("must be {expected}")))
    }

    /// The value of an optional field. If it is invalid, `read` says why.
    pub fn told<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let json = self.take(name)?;
        read(json.get()).map_err(|message| self.refuse(name, message)).ok()
    }

    /// The value of an optional field that is an object.
    pub fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields<'json>) -> Option<T>) -> Option<T> {
        let json = self.take(name)?;
        self.nested(name, json, read)
    }

    /// The values of a required list of objects, of a length within `count`. `None` if any of them is invalid.
    pub fn objects<T>(
        &mut self,
        name: &str,
        count: RangeInclusive<usize>,
        read: impl Fn(&mut Fields<'json>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.list(name, count)?;
        let item = |(place, json)| self.nested(&format!("{name}[{place}]"), json, &read);
        // Reads all of them, so that every error is reported.
        items.into_iter().enumerate().map(item).collect::<Vec<_>>().into_iter().collect()
    }

    /// The elements of a required list of objects, of a length within `count`. Each is read and answered on its own.
    pub fn elements(&mut self, name: &str, count: RangeInclusive<usize>) -> Option<Vec<Element<'json>>> {
        let items = self.list(name, count)?.into_iter().enumerate();
        Some(items.map(|(place, json)| Element { path: format!("{}{name}[{place}]", self.path), json }).collect())
    }

    fn list(&mut self, name: &str, count: RangeInclusive<usize>) -> Option<Vec<&'json RawValue>> {
        let expected = format!("a list of {} to {} objects", count.start(), count.end());
        let list = |json: &'json str| serde_json::from_str::<Vec<&RawValue>>(json).ok();
        let is_given = self.is_given(name);
        let items = self.take(name).and_then(|json| list(json.get())).filter(|items| count.contains(&items.len()));
        if items.is_none() {
            self.refuse(name, format!("{} {expected}", if is_given { "must be" } else { "is required:" }));
        }
        items
    }

    /// Refuses a field that is valid by itself.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(format!("{}{}", self.path, quoted(name)), message));
    }

    /// Refuses a field that must not be combined with another one.
    pub fn must_not_have(&mut self, name: &str, why: impl FnOnce() -> String) {
        if self.take(name).is_some() {
            self.refuse(name, why());
        }
    }

    /// Ignores all other fields.
    pub fn ignore_others(&mut self) {
        self.unread.clear();
    }

    fn nested<T>(
        &mut self,
        name: &str,
        json: &'json RawValue,
        read: impl FnOnce(&mut Fields<'json>) -> Option<T>,
    ) -> Option<T> {
        let Some(mut fields) = Fields::parse(format!("{}{name}.", self.path), json.get()) else {
            self.refuse(name, "must be an object");
            return None;
        };
        let value = read(&mut fields);
        self.errors.extend(fields.wrong());
        value
    }

    /// Whether the field is there and not null.
    pub fn is_given(&self, name: &str) -> bool {
        self.unread.iter().any(|(known, json)| known == name && json.get() != "null")
    }

    /// Removes a field and returns it if it is present and not null. A repeated field is ambiguous, so it is refused.
    fn take(&mut self, name: &str) -> Option<&'json RawValue> {
        let count = self.unread.len();
        let last = self.unread.iter().rfind(|(known, _)| known == name).map(|(_, json)| *json);
        self.unread.retain(|(known, _)| known != name);
        if count.saturating_sub(self.unread.len()) > 1 {
            self.refuse(name, "must be sent once");
            return None;
        }
        last.filter(|json| json.get() != "null")
    }

    fn wrong(mut self) -> Vec<FieldError> {
        for (name, _) in std::mem::take(&mut self.unread) {
            self.refuse(&name, "is not known here");
        }
        self.errors
    }

    /// The value that was read, if the object has no errors.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        finish(self.wrong(), value)
    }
}

/// An element of a list. An error in it says nothing about the other elements.
#[derive(Clone, Debug)]
pub struct Element<'json> {
    /// Its place in the body: `charges[0]`.
    path: String,
    json: &'json RawValue,
}

impl<'json> Element<'json> {
    /// # Errors
    /// A 422 that names the invalid fields.
    pub fn read<T>(&self, read: impl FnOnce(&mut Fields<'json>) -> Option<T>) -> Result<T, Problem> {
        let Some(mut fields) = Fields::parse(format!("{}.", self.path), self.json.get()) else {
            return Err(Problem::invalid(vec![FieldError::new(&self.path, "must be an object")]));
        };
        let value = read(&mut fields);
        let mut errors = fields.wrong();
        errors.truncate(ELEMENT_ERRORS_MAX);
        finish(errors, value)
    }
}

/// The parameters of a query, all optional. A parameter that the code does not read is refused.
pub struct Parameters {
    unread: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Parameters {
    pub(super) fn new(unread: Vec<(String, String)>) -> Self {
        Self { unread, errors: vec![] }
    }

    /// A number within a range, in its one canonical form: no sign, no leading zeros.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.optional(name, an_integer(&range), |text| {
            let value = text.parse().ok();
            value.filter(|value: &i64| value.to_string() == text && range.contains(value))
        })
    }

    /// A value that `read` accepts. `expected` describes it for an error.
    pub fn optional<T>(
        &mut self,
        name: &str,
        expected: impl fmt::Display,
        read: impl FnOnce(String) -> Option<T>,
    ) -> Option<T> {
        let mut values: Vec<String> =
            self.unread.extract_if(.., |(known, _)| known == name).map(|(_, value)| value).collect();
        let text = values.pop()?;
        if !values.is_empty() {
            self.refuse(name, "must be sent once");
            return None;
        }
        let value = read(text);
        if value.is_none() {
            self.refuse(name, format!("must be {expected}"));
        }
        value
    }

    /// An instant, such as `2026-01-31T00:00:00Z`.
    pub fn instant(&mut self, name: &str) -> Option<Timestamp> {
        let expected = "an instant as in RFC 3339, such as 2026-01-31T00:00:00Z";
        self.optional(name, expected, |text| {
            let instant = text.parse::<Timestamp>().ok().filter(|_| text.len() <= INSTANT_BYTES_MAX)?;
            (Timestamp::UNIX_EPOCH..Timestamp::MAX).contains(&instant).then_some(instant)
        })
    }

    /// Refuses a parameter that is valid by itself.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(quoted(name), message));
    }

    /// Whether no parameter was refused so far.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    pub(super) fn finish<T>(mut self, value: T) -> Result<T, Problem> {
        for (name, _) in std::mem::take(&mut self.unread) {
            self.refuse(&name, "is not a parameter of this request");
        }
        finish(self.errors, Some(value))
    }
}

fn finish<T>(mut errors: Vec<FieldError>, value: Option<T>) -> Result<T, Problem> {
    errors.truncate(ERRORS_MAX);
    match value {
        Some(value) if errors.is_empty() => Ok(value),
        None if errors.is_empty() => Err(Problem::malformed_body()),
        _ => Err(Problem::invalid(errors)),
    }
}

/// Text from the request, shortened for an error message.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED_MAX {
        return text.to_owned();
    }
    text.chars().take(QUOTED_MAX - 1).chain(['…']).collect()
}

/// A description for [`Fields::required`] and [`Fields::optional`]. It is written only where an error shows it.
pub fn an_integer(range: &RangeInclusive<i64>) -> impl fmt::Display + use<> {
    let (start, end) = (*range.start(), *range.end());
    fmt::from_fn(move |formatter| write!(formatter, "an integer from {start} to {end}"))
}

/// Reads a string that `parse` accepts.
pub fn text<T, E>(parse: impl FnOnce(String) -> Result<T, E>) -> impl FnOnce(&str) -> Option<T> {
    |json| parse(serde_json::from_str(json).ok()?).ok()
}

/// Reads an integer without a decimal point: not `15.0`.
pub fn integer(range: &RangeInclusive<i64>) -> impl FnOnce(&str) -> Option<i64> {
    |json| serde_json::from_str(json).ok().filter(|value| range.contains(value))
}

/// Reads a list of words of a known set, each at most once.
pub fn words<T: Ord>(of_name: impl Fn(&str) -> Option<T>) -> impl FnOnce(&str) -> Option<BTreeSet<T>> {
    move |json| {
        let names: Vec<String> = serde_json::from_str(json).ok()?;
        let words: BTreeSet<T> = names.iter().map(|name| of_name(name)).collect::<Option<_>>()?;
        (words.len() == names.len()).then_some(words)
    }
}

pub fn boolean(json: &str) -> Option<bool> {
    serde_json::from_str(json).ok()
}

/// The members of a JSON object in their order, including repeated ones.
struct Members<'json>(Vec<(String, &'json RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = vec![];
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
