//! The fields of a JSON object and the parameters of a query, read one by one. Whatever is wrong is told together.

use super::{FieldError, Problem};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::RangeInclusive;

/// No answer tells more: it has to stay far below the 6 MB that Lambda returns.
const ERRORS_MAX: usize = 1_000;
/// How much of what was sent is said again, in characters.
const QUOTED_MAX: usize = 64;

/// A JSON object that is read field by field.
///
/// A field that may be left out may be null as well, which says the same. One that nobody reads is refused.
pub struct Fields<'json> {
    /// What stands before the names: nothing, or `operations[0].`.
    path: String,
    unread: Vec<(String, &'json RawValue)>,
    errors: Vec<FieldError>,
}

impl<'json> Fields<'json> {
    /// `None` for what is not a JSON object.
    pub(super) fn parse(path: String, json: &'json str) -> Option<Self> {
        let Members(unread) = serde_json::from_str(json).ok()?;
        Some(Self { path, unread, errors: vec![] })
    }

    /// The value of a field that has to be there.
    pub fn required<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if !self.is_given(name) {
            self.take(name);
            self.refuse(name, format!("is required: {expected}"));
            return None;
        }
        self.optional(name, expected, read)
    }

    /// The value of a field that may be left out; `None` as well where it is not as `expected`, which is told.
    pub fn optional<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.told(name, |json| read(json).ok_or_else(|| format!("must be {expected}")))
    }

    /// The value of a field that may be left out; where it is wrong, `read` says what about it.
    pub fn told<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let json = self.take(name)?;
        read(json.get()).map_err(|message| self.refuse(name, message)).ok()
    }

    /// The value of a field that may be left out and is an object itself.
    pub fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields<'json>) -> Option<T>) -> Option<T> {
        let json = self.take(name)?;
        self.nested(name, json, read)
    }

    /// The values of a field that has to be a list of objects, as many as `count` says. `None` where any is wrong.
    pub fn objects<T>(
        &mut self,
        name: &str,
        count: RangeInclusive<usize>,
        read: impl Fn(&mut Fields<'json>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let expected = format!("a list of {} to {} objects", count.start(), count.end());
        let list = |json: &'json str| serde_json::from_str::<Vec<&RawValue>>(json).ok();
        let is_given = self.is_given(name);
        let items = self.take(name).and_then(|json| list(json.get())).filter(|items| count.contains(&items.len()));
        let Some(items) = items else {
            self.refuse(name, format!("{} {expected}", if is_given { "must be" } else { "is required:" }));
            return None;
        };
        let item = |(place, json)| self.nested(&format!("{name}[{place}]"), json, &read);
        // All are read, so that all that is wrong is told.
        items.into_iter().enumerate().map(item).collect::<Vec<_>>().into_iter().collect()
    }

    /// Refuses a field that does not go with another, if it is there.
    pub fn must_not_have(&mut self, name: &str, why: &str) {
        if self.take(name).is_some() {
            self.refuse(name, why);
        }
    }

    /// Looks at no other field.
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

    fn is_given(&self, name: &str) -> bool {
        self.unread.iter().any(|(known, json)| known == name && json.get() != "null")
    }

    /// Takes a field out, if it is there and not null. Sent twice, it says two things at once.
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

    fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(format!("{}{}", self.path, quoted(name)), message));
    }

    fn wrong(mut self) -> Vec<FieldError> {
        for (name, _) in std::mem::take(&mut self.unread) {
            self.refuse(&name, "is not known here");
        }
        self.errors
    }

    /// The value that was read, if nothing is wrong with the object.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        finish(self.wrong(), value)
    }
}

/// The parameters of a query, each of which may be left out. One that nobody reads is refused.
pub struct Parameters {
    unread: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Parameters {
    pub(super) fn new(unread: Vec<(String, String)>) -> Self {
        Self { unread, errors: vec![] }
    }

    /// A number within a range. It has one form: no sign, no zero before it.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.optional(name, &an_integer(&range), |text| {
            let value = text.parse().ok();
            value.filter(|value: &i64| value.to_string() == text && range.contains(value))
        })
    }

    /// A value that `read` takes; `expected` says what it takes.
    pub fn optional<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(String) -> Option<T>) -> Option<T> {
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

    fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(quoted(name), message));
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

/// What was sent, as it may be said again.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED_MAX {
        return text.to_owned();
    }
    text.chars().take(QUOTED_MAX - 1).chain(['…']).collect()
}

/// In words, for [`Fields::required`] and [`Fields::optional`].
pub fn an_integer(range: &RangeInclusive<i64>) -> String {
    format!("an integer from {} to {}", range.start(), range.end())
}

/// Reads a text that `parse` takes.
pub fn text<T, E>(parse: impl FnOnce(String) -> Result<T, E>) -> impl FnOnce(&str) -> Option<T> {
    |json| parse(serde_json::from_str(json).ok()?).ok()
}

/// Reads an integer, written as such: no `15.0`.
pub fn integer(range: &RangeInclusive<i64>) -> impl FnOnce(&str) -> Option<i64> {
    |json| serde_json::from_str(json).ok().filter(|value| range.contains(value))
}

pub fn boolean(json: &str) -> Option<bool> {
    serde_json::from_str(json).ok()
}

/// The members of a JSON object as they stand there, twice where they stand there twice.
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
