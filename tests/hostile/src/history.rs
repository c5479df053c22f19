//! The pages of the history: `limit` and `cursor`.

use crate::world::{Asked, Function, World, ledger_with, service_claims};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// More entries than fit on a small page.
const PURCHASES: [i64; 7] = [500; 7];

/// A limit and, on the next line, a cursor: an accepted request returns a page of the entries below the cursor, an
/// accepted cursor is in canonical form, and following the cursors shows every entry once.
pub fn history(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (limit, cursor) = text.split_once('\n').map_or((text, None), |(limit, cursor)| (limit, Some(cursor)));
    let world = World::with(Function::Accounts, ledger_with(&PURCHASES));
    let Some(page) = page(&world, limit, cursor) else { return };

    let below = cursor.map_or(u64::MAX, |cursor| {
        let seq: u64 = cursor.parse().expect("an accepted cursor is a number");
        assert_eq!(seq.to_string(), cursor, "a cursor has one form");
        seq
    });
    let limit: usize = limit.parse().expect("an accepted limit is a number");
    assert!((1..=100).contains(&limit));
    let expected: Vec<u64> = (1..=PURCHASES.len() as u64).rev().filter(|seq| *seq < below).collect();

    let mut shown = vec![];
    let mut next = Some(page);
    while let Some(page) = next {
        let entries = page["data"].as_array().expect("a page has entries");
        assert!(entries.len() <= limit);
        shown.extend(entries.iter().map(|entry| entry["seq"].as_u64().expect("an entry has a place")));
        let cursor = page["next_cursor"].as_str();
        assert_eq!(page["has_more"], Value::Bool(cursor.is_some()));
        next = cursor
            .map(|cursor| self::page(&world, &limit.to_string(), Some(cursor)).expect("our own cursor is accepted"));
    }
    assert_eq!(shown, expected);
}

/// The page, or `None` if the request is rejected.
fn page(world: &World, limit: &str, cursor: Option<&str>) -> Option<Value> {
    let mut query = format!("limit={}", utf8_percent_encode(limit, NON_ALPHANUMERIC));
    if let Some(cursor) = cursor {
        query.push_str(&format!("&cursor={}", utf8_percent_encode(cursor, NON_ALPHANUMERIC)));
    }
    let path = "/v1/accounts/acme/history";
    let asked = Asked { method: "GET", path, query: &query, claims: service_claims(), ..Asked::default() };
    let answer = world.answer(&asked.event()).expect("API Gateway's events are read");
    assert!(matches!(answer.status, 200 | 422), "{answer:?}");
    (answer.status == 200).then(|| answer.json())
}
