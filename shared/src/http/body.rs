//! Request bodies: parsed once, with an error that names the field and its range.

use super::Problem;
use crate::domain::InvalidId;
use crate::domain::{OutOfRange, within};
use lambda_http::{Request, RequestExt};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use std::fmt;
use std::marker::PhantomData;

/// A JSON body. `FIELDS` says what each field must be, for whoever sends something else.
pub trait Body: DeserializeOwned {
    const FIELDS: &'static [(&'static str, &'static str)];
}

/// A JSON object and nothing else, also inside of another one.
///
/// Left to itself, serde reads a list as well, its values in the order of the fields.
#[derive(Clone, Copy, Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// One field of a request that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl From<OutOfRange> for FieldError {
    fn from(OutOfRange { field, min, max, .. }: OutOfRange) -> Self {
        Self::new(field, format!("must be an integer from {min} to {max}"))
    }
}

impl From<InvalidId> for FieldError {
    fn from(InvalidId { what, expected }: InvalidId) -> Self {
        Self::new(what, format!("must be {expected}"))
    }
}

/// # Errors
/// A 400 for what is not JSON, a 422 naming the field for JSON of another shape.
pub fn parse_body<T: Body>(request: &Request) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(request.body().as_ref());
    let parsed = serde_path_to_error::deserialize(&mut deserializer);
    let Object(body) = parsed.map_err(|error| {
        let path = error.path().to_string();
        match error.inner().classify() {
            Category::Data => Problem::invalid(vec![field_error::<T>(&path, error.inner())]),
            Category::Syntax | Category::Eof | Category::Io => Problem::malformed_body(),
        }
    })?;
    deserializer.end().map_err(|_| Problem::malformed_body())?;
    Ok(body)
}

fn field_error<T: Body>(path: &str, error: &serde_json::Error) -> FieldError {
    let name = path.rsplit('.').next().unwrap_or(path);
    let text = error.to_string();
    // A name that is known elsewhere in the body may be unknown here.
    let known = T::FIELDS.iter().find(|(field, _)| *field == name && !text.starts_with("unknown field"));
    let message = match known {
        Some((_, expected)) => format!("must be {expected}"),
        None => text.split(" at line").next().unwrap_or_default().to_owned(),
    };
    FieldError::new(if path == "." { "body" } else { path }, message)
}

/// A number in the query, or `None` where it is not given. It has one form: no sign, no zero before it.
///
/// # Errors
/// A 422 that names the parameter and its range.
pub fn query_integer(request: &Request, name: &'static str, min: i64, max: i64) -> Result<Option<i64>, Problem> {
    let parameters = request.query_string_parameters_ref();
    let Some(text) = parameters.and_then(|parameters| parameters.first(name)) else { return Ok(None) };
    let value = text.parse().ok().filter(|value: &i64| value.to_string() == text);
    let value = value.unwrap_or(min.saturating_sub(1));
    within(name, value, min, max).map(Some).map_err(|error| Problem::invalid(vec![error.into()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::aws_lambda_events::query_map::QueryMap;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only whether it parses matters here")]
        amount: i64,
    }

    impl Body for Sample {
        const FIELDS: &'static [(&'static str, &'static str)] = &[("amount", "an integer from 1 to 9")];
    }

    fn parse(body: &str) -> (u16, String) {
        let request = Request::new(lambda_http::Body::from(body));
        let problem = parse_body::<Sample>(&request).unwrap_err();
        (problem.status(), problem.to_json("r").to_string())
    }

    #[test]
    fn a_number_in_the_query_has_one_form_and_a_range() {
        let asked = |query: &str| {
            let request = Request::default().with_query_string_parameters(query.parse::<QueryMap>().unwrap());
            query_integer(&request, "limit", 1, 100).map_err(|problem| problem.status())
        };
        for (query, value) in [("", None), ("other=x", None), ("limit=1", Some(1)), ("limit=100", Some(100))] {
            assert_eq!(asked(query), Ok(value), "{query}");
        }
        for query in [
            "limit=",
            "limit=0",
            "limit=101",
            "limit=%2B5",
            "limit=05",
            "limit=-5",
            "limit=5.0",
            "limit=5%20",
            "limit=x",
        ] {
            assert_eq!(asked(query), Err(422), "{query}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed_and_what_has_another_shape_is_invalid() {
        for body in ["", "{", "{\"amount\":1}x", "\u{0}"] {
            assert_eq!(parse(body).0, 400, "{body:?}");
        }
        for (body, field, message) in [
            (r#"{"amount":"1"}"#, "amount", "must be an integer from 1 to 9"),
            (r#"{"amount":1.5}"#, "amount", "must be an integer from 1 to 9"),
            (r#"{"amount":99999999999999999999}"#, "amount", "must be an integer from 1 to 9"),
            (r#"{}"#, "body", "missing field `amount`"),
            (r#"{"amount":1,"extra":2}"#, "extra", "unknown field `extra`"),
            (r#"[1]"#, "body", "invalid type: sequence, expected a JSON object"),
            (r#"null"#, "body", "invalid type: null, expected a JSON object"),
        ] {
            let (status, text) = parse(body);
            assert_eq!(status, 422, "{body}");
            assert!(text.contains(&format!("\"field\":\"{field}\"")) && text.contains(message), "{body}: {text}");
        }
    }
}
