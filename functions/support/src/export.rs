//! Everything that is stored about an account, item by item, as docs/data-model.md describes it.

use crate::{Outside, existing};
use jiff::Timestamp;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::support::ItemKey;
use shared::http::{Limits, Page, Problem, ReachedAccount, Reply, parse_query, time};
use shared::ports::{StoredItem, StoredItems, StoredValue};
use shared::use_cases::Context;
use std::collections::BTreeMap;

/// DynamoDB ends a page after 1 MB, which is at most 3 MB of JSON. The answer of a function may have 6 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LIMITS: Limits = Limits { default: 100, max: 500 };

/// Attributes that hold an instant in milliseconds, beside those whose names end with `_at`.
const INSTANTS: [&str; 4] = ["asks", "at", "since", "until"];

/// One page. The cursor is the last item of the page.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, after) = parse_query(request, |query| {
        let after = query.cursor(|text| item_of_cursor(&text));
        (query.limit_within(LIMITS), after)
    })?;
    let account = existing(context, account).await?;
    let limit = u16::try_from(limit).unwrap_or(LIMITS.max);
    let page = context.ledger.stored_items(&account.id, after.as_ref(), limit).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Reply::ok(&Page::new(page.items.iter().map(ItemBody::of).collect(), next_cursor))
}

/// The key's bytes in hexadecimal digits, because a key may have any visible character.
fn cursor_of(item: &ItemKey) -> String {
    hex::encode(item.as_str())
}

/// The key of a cursor in its one form.
fn item_of_cursor(text: &str) -> Option<ItemKey> {
    const BYTES_MAX: usize = 1_024;
    let item = ItemKey::new(String::from_utf8(hex::decode(text).ok()?).ok()?);
    let is_key = (1..=BYTES_MAX).contains(&item.as_str().len());
    (is_key && cursor_of(&item) == text).then_some(item)
}

#[derive(Serialize)]
struct ItemBody<'a> {
    kind: &'static str,
    id: &'a str,
    attributes: BTreeMap<&'a str, ValueBody<'a>>,
}

/// Bytes are shown in hexadecimal digits, and instants as everywhere in the API.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum ValueBody<'a> {
    Text(&'a str),
    Shown(String),
    Number(i64),
    Flag(bool),
    List(Vec<ValueBody<'a>>),
    Map(BTreeMap<&'a str, ValueBody<'a>>),
}

impl<'a> ItemBody<'a> {
    fn of(item: &'a StoredItem) -> Self {
        Self { kind: item.kind, id: &item.id, attributes: bodies(&item.attributes) }
    }
}

fn bodies(values: &BTreeMap<String, StoredValue>) -> BTreeMap<&str, ValueBody<'_>> {
    values.iter().map(|(name, value)| (name.as_str(), ValueBody::of(name, value))).collect()
}

impl<'a> ValueBody<'a> {
    fn of(name: &str, value: &'a StoredValue) -> Self {
        match value {
            StoredValue::Text(text) => Self::Text(text),
            StoredValue::Number(digits) => match digits.parse() {
                Ok(number) => instant(name, number).map_or(Self::Number(number), Self::Shown),
                Err(_) => Self::Text(digits),
            },
            StoredValue::Flag(flag) => Self::Flag(*flag),
            StoredValue::Bytes(bytes) => Self::Shown(hex::encode(bytes)),
            StoredValue::List(list) => Self::List(list.iter().map(|value| Self::of(name, value)).collect()),
            StoredValue::Map(map) => Self::Map(bodies(map)),
        }
    }
}

fn instant(name: &str, number: i64) -> Option<String> {
    if !name.ends_with("_at") && !INSTANTS.contains(&name) {
        return None;
    }
    // Only what DynamoDB reads itself is in seconds.
    let instant =
        if name == "expires_at" { Timestamp::from_second(number) } else { Timestamp::from_millisecond(number) };
    instant.ok().map(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_one_form() {
        for key in ["ENTRY#charge:job 1/ü", "LIMIT#a.b:c@d", "STATE", "REQUEST#0029573312#07"] {
            assert_eq!(item_of_cursor(&cursor_of(&ItemKey::new(key))), Some(ItemKey::new(key)));
        }
        for text in ["", "5", "5354G0", "535", "+5", "5a5A", "c3", "ü"] {
            assert_eq!(item_of_cursor(text), None, "{text}");
        }
        assert_eq!(item_of_cursor(&"61".repeat(1_025)), None);
    }

    #[test]
    fn instants_are_shown_as_times_and_other_numbers_as_numbers() {
        let shown = |name, digits: &str| match ValueBody::of(name, &StoredValue::Number(digits.to_owned())) {
            ValueBody::Shown(text) => text,
            ValueBody::Number(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown("created_at", "1767225600000"), "2026-01-01T00:00:00.000Z");
        assert_eq!(shown("expires_at", "1767225600"), "2026-01-01T00:00:00.000Z");
        assert_eq!(shown("since", "1767225600000"), "2026-01-01T00:00:00.000Z");
        assert_eq!(shown("credits", "-15"), "-15");
    }
}
