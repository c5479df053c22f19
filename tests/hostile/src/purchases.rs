//! The pages of the list of purchases: `limit` and `cursor`.

use crate::world::{Asked, Function, World, account_id, ledger, now, service_claims};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use shared::domain::payments::{PayBy, decide_open_purchase};
use shared::domain::{IdempotencyKey, PriceBook, PurchaseId};
use simulation::ledger::MemoryLedger;

/// More purchases than fit on a small page.
const PURCHASES: u128 = 7;

/// A limit and, on the next line, a cursor: an accepted cursor is a purchase's id, whether or not it exists, and
/// following the cursors shows every purchase below it once.
pub fn purchases(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (limit, cursor) = text.split_once('\n').map_or((text, None), |(limit, cursor)| (limit, Some(cursor)));
    let world = World::with(Function::Purchases, ledger_with_purchases());
    let Some(page) = page(&world, limit, cursor) else { return };

    let cursor = cursor.map(|cursor| PurchaseId::parse(cursor).expect("an accepted cursor is a purchase's id"));
    let limit: usize = limit.parse().expect("an accepted limit is a number");
    assert!((1..=100).contains(&limit));
    let all = (1..=PURCHASES).rev().map(PurchaseId::mint);
    let below = all.filter(|id| cursor.as_ref().is_none_or(|cursor| id < cursor));
    let expected: Vec<String> = below.map(|id| id.to_string()).collect();

    let mut shown: Vec<String> = vec![];
    let mut next = Some(page);
    while let Some(page) = next {
        let listed = page["data"].as_array().expect("a page has purchases");
        assert!(listed.len() <= limit && shown.len() < expected.len().max(1));
        shown.extend(listed.iter().map(|purchase| purchase["purchase"].as_str().expect("an id").to_owned()));
        let cursor = page["next_cursor"].as_str();
        assert_eq!(page["has_more"], Value::Bool(cursor.is_some()));
        next = cursor
            .map(|cursor| self::page(&world, &limit.to_string(), Some(cursor)).expect("our own cursor is accepted"));
    }
    assert_eq!(shown, expected);
}

fn ledger_with_purchases() -> MemoryLedger {
    let (ledger, book) = (ledger(), PriceBook::reference());
    let package = book.packages.first().expect("the price book has packages");
    for number in 1..=PURCHASES {
        let account = ledger.tables().partitions[&account_id()].account.clone().expect("the account was opened");
        let key = IdempotencyKey::parse(format!("buy-{number}")).expect("a key");
        let opened = decide_open_purchase(&account, (package, &PayBy::Page), key, PurchaseId::mint(number), now());
        let (change, _) = opened.expect("pages are not counted");
        ledger.write(&change).expect("there are no other writers");
    }
    ledger
}

/// The page, or `None` if the request is rejected.
fn page(world: &World, limit: &str, cursor: Option<&str>) -> Option<Value> {
    let mut query = format!("limit={}", utf8_percent_encode(limit, NON_ALPHANUMERIC));
    if let Some(cursor) = cursor {
        query.push_str(&format!("&cursor={}", utf8_percent_encode(cursor, NON_ALPHANUMERIC)));
    }
    let path = "/v1/accounts/acme/purchases";
    let asked = Asked { method: "GET", path, query: &query, claims: service_claims(), ..Asked::default() };
    let answer = world.answer(&asked.event()).expect("API Gateway's events are read");
    assert!(matches!(answer.status, 200 | 422), "{answer:?}");
    (answer.status == 200).then(|| answer.json())
}
