//! Searches: <https://docs.stripe.com/search>.
//!
//! Only what an exact clause finds is simulated: `number:"…"`, `email:"…"` or `metadata["…"]:"…"`. The index lags: an
//! object is found a minute after it was created, which is the longest that Stripe names for normal operation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::parameters::{Metadata, parse, required};
use crate::state::{Resource, State, Table};

/// <https://docs.stripe.com/search#data-freshness>
const LAG_SECONDS: i64 = 60;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    query: Option<String>,
    limit: Option<usize>,
    page: Option<String>,
}

/// What an object can be found by.
pub(crate) struct Indexed<'a> {
    pub(crate) created: i64,
    pub(crate) number: Option<&'a str>,
    pub(crate) email: Option<&'a str>,
    pub(crate) metadata: &'a Metadata,
}

enum Field {
    Number,
    Email,
    Metadata(String),
}

/// Finds the objects that `indexed` has something for.
pub(crate) fn search<T: Resource>(
    state: &State,
    table: &Table<T>,
    (url, encoded): (&str, &[u8]),
    indexed: impl Fn(&T) -> Option<Indexed<'_>>,
) -> Result<Value, ApiError> {
    let parameters: Parameters = parse(encoded)?;
    let limit = parameters.limit.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::invalid_parameter("parameter_invalid_integer", "limit", "limit must be 1 to 100."));
    }
    let query = required(parameters.query, "query")?;
    let unknown = || {
        let message = "The stand-in knows only one exact clause of number, email or metadata.";
        ApiError::invalid_parameter("parameter_invalid", "query", message)
    };
    let (field, value) = clause(&query).ok_or_else(unknown)?;
    let is_found = |object: &T| {
        let Some(indexed) = indexed(object) else { return false };
        let held = match &field {
            Field::Number => indexed.number,
            Field::Email => indexed.email,
            Field::Metadata(key) => indexed.metadata.get(key).map(String::as_str),
        };
        held == Some(value.as_str()) && indexed.created + LAG_SECONDS <= state.now_seconds()
    };
    let found: Vec<_> = table.iter().rev().filter(|(_, object)| is_found(object)).collect();
    let begin = match &parameters.page {
        None => 0,
        Some(page) => 1 + position(&found, page).ok_or_else(unknown_page)?,
    };
    let page = found.get(begin..).unwrap_or_default();
    let data: Vec<Value> = page.iter().take(limit).map(|(_, object)| object.render(state)).collect();
    let has_more = page.len() > limit;
    let next_page = page.get(limit - 1).filter(|_| has_more).map(|(id, _)| STANDARD.encode(id));
    Ok(json!({ "object": "search_result", "url": url, "has_more": has_more, "next_page": next_page, "data": data }))
}

/// The place of the last object of the page before: <https://docs.stripe.com/api/pagination/search>.
fn position<T>(found: &[(&str, T)], page: &str) -> Option<usize> {
    let last = STANDARD.decode(page).ok()?;
    found.iter().position(|(id, _)| id.as_bytes() == last)
}

fn unknown_page() -> ApiError {
    ApiError::invalid_parameter("parameter_invalid", "page", "page must be the next_page of the same search.")
}

fn clause(query: &str) -> Option<(Field, String)> {
    let (field, value) = query.split_once(':')?;
    let field = match field {
        "number" => Field::Number,
        "email" => Field::Email,
        _ => Field::Metadata(quoted(field.strip_prefix("metadata[")?.strip_suffix(']')?)?),
    };
    Some((field, quoted(value)?))
}

fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('"')).then(|| inner.to_owned())
}
