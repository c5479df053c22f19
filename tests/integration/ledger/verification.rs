//! Verifying the entries of a table: whatever is changed in it is found.

use super::cost::charge_command;
use super::samples::*;
use super::stores::{Embedded, TABLE, embedded};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use shared::domain::*;
use shared::ledger::DynamoLedger;
use shared::pauses::RandomPauses;
use shared::ports::*;
use shared::use_cases::accounts::{Failure, Position, Verification, verify_history};
use shared::use_cases::charging::charge as charge_account;
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::collections::HashMap;

type Item = HashMap<String, AttributeValue>;

/// An hour after the samples, so that the index has shown what it is going to show.
struct Later;

impl Capabilities for Later {
    type Ledger = DynamoLedger;
    type Payments = Absent;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = fn() -> Timestamp;
    type Pauses = RandomPauses;
    type Ids = RandomIds;
    type PriceBook = PriceBook;
}

fn later(store: &Embedded) -> Context<Later> {
    Context {
        ledger: store.ledger.clone(),
        payments: Absent,
        mailer: Absent,
        timers: Absent,
        clock: || at(3_600_000),
        pauses: RandomPauses,
        memory: Memory::none(),
        ids: RandomIds,
        price_book: PriceBook::reference(),
    }
}

/// Verifies all entries, three at a time, and waits an hour for an entry that is not there.
async fn verify(store: &Embedded) -> Result<Verified, Failure> {
    let (context, mut from) = (later(store), Position::BEGINNING);
    loop {
        from = match verify_history(&context, &account_id(), from, 3).await.unwrap() {
            Verification::Verified(verified) => return Ok(verified),
            Verification::Failed(_, failure) => return Err(failure),
            Verification::Unfinished(position) => position,
            Verification::Behind(position) => Position { waiting_since: Some(at(0)), ..position },
        };
    }
}

/// An entry of every cause, each with a hash.
async fn filled() -> Embedded {
    let store = embedded().await;
    let mut account = opened(&store.ledger).await;
    for cause in causes() {
        let change = posted(&account, 17, cause);
        store.ledger.commit(&change).await.unwrap();
        account = change.account;
    }
    store
}

async fn get(store: &Embedded, sort: &str) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let get =
        store.database.client().get_item().table_name(TABLE).key("PK", text("ACCOUNT#acme")).key("SK", text(sort));
    get.send().await.unwrap().item.unwrap()
}

async fn put(store: &Embedded, item: Item) {
    store.database.client().put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
}

async fn delete(store: &Embedded, item: &Item) {
    let (partition, sort) = (item["PK"].clone(), item["SK"].clone());
    let delete = store.database.client().delete_item().table_name(TABLE).key("PK", partition).key("SK", sort);
    delete.send().await.unwrap();
}

fn entries() -> impl Iterator<Item = (u64, String)> {
    (1..).zip(causes()).map(|(seq, cause)| (seq, format!("ENTRY#{}", cause.origin())))
}

/// The value with its first byte replaced by another one, and with its last.
fn flipped(value: &AttributeValue) -> Vec<AttributeValue> {
    let characters = |text: &str, other: fn(char) -> char| -> Vec<String> {
        let places = text.char_indices().filter(|(_, character)| other(*character) != *character);
        places
            .map(|(place, character)| {
                let rest = &text[place + character.len_utf8()..];
                format!("{}{}{rest}", &text[..place], other(character))
            })
            .collect()
    };
    let next_digit = |character: char| match character {
        '9' => '0',
        '0'..='8' => char::from(character as u8 + 1),
        other => other,
    };
    let flipped: Vec<AttributeValue> = match value {
        AttributeValue::N(number) => characters(number, next_digit).into_iter().map(AttributeValue::N).collect(),
        AttributeValue::S(text) => {
            let other = |character: char| match character {
                'a' => 'b',
                '0'..='8' => char::from(character as u8 + 1),
                _ => 'a',
            };
            characters(text, other).into_iter().map(AttributeValue::S).collect()
        }
        AttributeValue::B(bytes) => {
            let flip = |place: usize| {
                let mut bytes = bytes.as_ref().to_vec();
                bytes[place] ^= 1;
                AttributeValue::B(Blob::new(bytes))
            };
            (0..bytes.as_ref().len()).map(flip).collect()
        }
        other => panic!("no entry has {other:?}"),
    };
    let last = flipped.len() - 1;
    (0..=last).filter(|place| [0, last].contains(place)).map(|place| flipped[place].clone()).collect()
}

#[tokio::test]
async fn every_changed_attribute_of_every_entry_is_found() {
    let store = filled().await;
    let verified = verify(&store).await.unwrap();
    assert_eq!((verified.seq, verified.balance.get()), (causes().len() as u64, 17 * causes().len() as i64));
    let mut changes = 0;
    for (seq, sort) in entries() {
        let item = get(&store, &sort).await;
        for (name, value) in item.iter().filter(|(name, _)| !matches!(name.as_str(), "PK" | "SK")) {
            for other in flipped(value) {
                let changed = Item::from_iter(item.clone().into_iter().chain([(name.clone(), other.clone())]));
                put(&store, changed).await;
                let failure = verify(&store).await.expect_err(&format!("{name} of {sort}: {other:?}"));
                if name != "seq" {
                    assert_eq!(failure.seq, seq, "{name} of {sort}: {failure:?}");
                    let named = failure.entry.as_ref().map(|origin| format!("ENTRY#{origin}"));
                    assert!(named.is_none_or(|named| named == sort), "{name} of {sort}: {failure:?}");
                }
                changes += 1;
            }
        }
        put(&store, item).await;
    }
    assert!(changes > 150, "{changes} changes");
    assert_eq!(verify(&store).await, Ok(verified), "everything is as it was");
}

#[tokio::test]
async fn every_attribute_that_is_removed_or_added_is_found() {
    let store = filled().await;
    for (seq, sort) in entries() {
        let item = get(&store, &sort).await;
        for name in item.keys().filter(|name| !matches!(name.as_str(), "PK" | "SK")) {
            let mut changed = item.clone();
            changed.remove(name);
            put(&store, changed).await;
            let failure = verify(&store).await.expect_err(&format!("{name} of {sort}"));
            // Without its hash, the first entry looks like one of an earlier release, and the second does not fit.
            let expected = if name == "hash" && seq == 1 { 2 } else { seq };
            assert_eq!(failure.seq, expected, "{name} of {sort}: {failure:?}");
        }
        // DynamoDB would delete an item with the last of them.
        for name in ["max_minutes", "package", "reference", "spender_digest", "note", "expires_at"] {
            if !item.contains_key(name) {
                let mut changed = item.clone();
                changed.insert(name.into(), AttributeValue::N("1".into()));
                put(&store, changed).await;
                let failure = verify(&store).await.expect_err(&format!("{name} of {sort}"));
                assert_eq!((failure.seq, failure.problem.name()), (seq, "unreadable"), "{name} of {sort}");
            }
        }
        put(&store, item).await;
    }
}

#[tokio::test]
async fn entries_that_are_removed_exchanged_or_forged_are_found() {
    let store = filled().await;
    for (seq, sort) in entries() {
        let item = get(&store, &sort).await;
        delete(&store, &item).await;
        let failure = verify(&store).await.unwrap_err();
        assert_eq!((failure.seq, failure.entry.as_deref(), failure.problem.name()), (seq, None, "missing"), "{sort}");
        let renamed = item.clone().into_iter().chain([("SK".into(), AttributeValue::S(format!("{sort}0")))]);
        let renamed = Item::from_iter(renamed);
        put(&store, renamed.clone()).await;
        assert_eq!(verify(&store).await.unwrap_err().seq, seq, "{sort}");
        put(&store, item.clone()).await;
        let failure = verify(&store).await.unwrap_err();
        assert!(failure.seq == seq || failure.seq == seq + 1, "{sort} is there twice: {failure:?}");
        delete(&store, &renamed).await;
        let count = causes().len() as u64;
        let later = [("SK".into(), AttributeValue::S("ENTRY#charge:forged".into()))];
        let forged = Item::from_iter(
            get(&store, "ENTRY#charge:job:1")
                .await
                .into_iter()
                .chain(later)
                .chain([("seq".into(), AttributeValue::N((count + seq).to_string()))]),
        );
        put(&store, forged.clone()).await;
        let failure = verify(&store).await.unwrap_err();
        assert_eq!((failure.seq, failure.problem.name()), (count + seq, "not_counted"), "{failure:?}");
        delete(&store, &forged).await;
    }
    assert!(verify(&store).await.is_ok());
}

#[tokio::test]
async fn an_account_that_does_not_fit_its_entries_is_found() {
    let store = filled().await;
    let count = causes().len() as u64;
    let item = get(&store, "STATE").await;
    for (name, value, seq, problem) in [
        ("balance", AttributeValue::N("0".into()), count, "balance"),
        ("seq", AttributeValue::N((count + 1).to_string()), count + 1, "missing"),
        ("seq", AttributeValue::N((count - 1).to_string()), count, "not_counted"),
        ("head", AttributeValue::B(Blob::new([7; 32])), count, "head"),
        // The second charge is the first entry with a personal text.
        ("salt", AttributeValue::B(Blob::new([8; 16])), 2, "hash"),
    ] {
        put(&store, Item::from_iter(item.clone().into_iter().chain([(name.into(), value)]))).await;
        let failure = verify(&store).await.unwrap_err();
        assert_eq!((failure.seq, failure.problem.name()), (seq, problem), "{name}: {failure:?}");
    }
    for (name, seq, problem) in [("head", count, "head"), ("salt", 1, "hash")] {
        let mut without = item.clone();
        without.remove(name);
        put(&store, without).await;
        let failure = verify(&store).await.unwrap_err();
        assert_eq!((failure.seq, failure.problem.name()), (seq, problem), "without {name}: {failure:?}");
    }
}

/// Whoever erases a person keeps chain and sums whole, and can destroy the salt afterwards.
#[tokio::test]
async fn erased_texts_keep_the_chain_whole_without_their_salt() {
    let store = filled().await;
    let verified = verify(&store).await.unwrap();
    let salt = store.ledger.account_get(&account_id()).await.unwrap().unwrap().chain.unwrap().salt;
    for (_, sort) in entries() {
        let mut item = get(&store, &sort).await;
        let origin = sort.strip_prefix("ENTRY#").unwrap();
        for name in ["reference", "spender", "reason", "operator"] {
            if let Some(AttributeValue::S(text)) = item.remove(name) {
                let digest = salt.digest(origin, name, &text);
                item.insert(format!("{name}_digest"), AttributeValue::B(Blob::new(digest.as_bytes())));
            }
        }
        put(&store, item).await;
    }
    assert_eq!(verify(&store).await, Ok(verified));
    let other = [("salt".to_owned(), AttributeValue::B(Blob::new([9; 16])))];
    put(&store, Item::from_iter(get(&store, "STATE").await.into_iter().chain(other))).await;
    assert_eq!(verify(&store).await, Ok(verified));
    let mut forged = get(&store, "ENTRY#charge:job:2").await;
    let digest = forged["spender_digest"].clone();
    for (name, value) in [("spender_digest", flipped(&digest)[0].clone()), ("reference", AttributeValue::S("x".into()))]
    {
        let kept = forged.insert(name.into(), value);
        put(&store, forged.clone()).await;
        assert_eq!(verify(&store).await.unwrap_err().seq, 2, "{name}");
        match kept {
            Some(kept) => drop(forged.insert(name.into(), kept)),
            None => drop(forged.remove(name)),
        }
    }
}

/// Entries of earlier releases are checked by their numbers and sums, and the next change begins the chain.
#[tokio::test]
async fn the_chain_of_an_older_account_begins_with_its_next_change() {
    let store = embedded().await;
    let account = opened_with(&store.ledger, 500).await;
    let strip = async |sort: &str| {
        let mut item = get(&store, sort).await;
        for name in ["hash", "salt", "head"] {
            item.remove(name);
        }
        put(&store, item).await;
    };
    let bought = format!("ENTRY#purchase:{}", PurchaseId::mint(1));
    strip("STATE").await;
    strip(&bought).await;
    let old = Verified { seq: 1, balance: credits(500), hash: None };
    assert_eq!(verify(&store).await, Ok(old));
    let context = later(&store);
    for key in ["a", "b"] {
        charge_account(&context, &account.id, &charge_command(key, 60_000)).await.unwrap();
    }
    let verified = verify(&store).await.unwrap();
    assert_eq!((verified.seq, verified.balance.get()), (3, 480));
    let stored = store.ledger.account_get(&account.id).await.unwrap().unwrap();
    assert_eq!(stored.chain.unwrap().head, verified.hash);
    assert!(verified.hash.is_some());
    for (sort, name) in [(bought.as_str(), "credits"), (&bought, "balance_after"), ("ENTRY#charge:a", "hash")] {
        let item = get(&store, sort).await;
        let other = [(name.to_owned(), flipped(&item[name])[0].clone())];
        put(&store, Item::from_iter(item.clone().into_iter().chain(other))).await;
        assert!(verify(&store).await.is_err(), "{name} of {sort}");
        put(&store, item).await;
    }
    strip("ENTRY#charge:b").await;
    assert_eq!(verify(&store).await.unwrap_err().problem.name(), "no_hash");
}

#[tokio::test]
async fn entries_that_the_index_does_not_show_yet_are_waited_for_and_not_called_missing() {
    let store = filled().await;
    let (context, count) = (later(&store), causes().len() as u64);
    let newest = get(&store, &entries().last().unwrap().1).await;
    delete(&store, &newest).await;
    let Verification::Behind(first) = verify_history(&context, &account_id(), Position::BEGINNING, 500).await.unwrap()
    else {
        panic!("the newest entry may be on its way");
    };
    assert_eq!((first.verified.seq, first.waiting_since), (count - 1, Some(at(3_600_000))));
    let again = verify_history(&context, &account_id(), first, 500).await.unwrap();
    assert_eq!(again, Verification::Behind(first), "it waits since the first time");
    let waiting_since = Some(at(3_600_000 - 60_000));
    let long = verify_history(&context, &account_id(), Position { waiting_since, ..first }, 500).await.unwrap();
    let Verification::Failed(_, failure) = long else { panic!("{long:?}") };
    assert_eq!((failure.seq, failure.problem.name()), (count, "missing"));
    put(&store, newest).await;
    let shown = verify_history(&context, &account_id(), first, 500).await.unwrap();
    assert!(matches!(shown, Verification::Verified(verified) if verified.seq == count), "{shown:?}");
}
