//! Verifying a ledger over HTTP and with `prepaid verify`.

use crate::support::{Answer, TestCloud};
use aws_sdk_dynamodb::types::AttributeValue;
use prepaid_local::verify::{Access, verify};
use serde_json::{Value, json};
use std::collections::HashMap;

const VERIFY: &str = "/v1/accounts/acme/history/verify";

async fn part(cloud: &TestCloud, query: &str) -> Answer {
    cloud.get(&format!("{VERIFY}?{query}"), &cloud.cloud.customer_token("acme")).await
}

/// A purchase, three charges and a restore.
async fn used() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    for key in ["job-1", "job-2", "job-3"] {
        cloud.charge("acme", key, 1).await.expect(201);
    }
    let restore = "/v1/accounts/acme/charges/job-2/restore";
    cloud.post(restore, &cloud.cloud.service_token(), None, &json!({})).await.expect(201);
    cloud
}

/// What `prepaid verify` prints, and whether everything fits.
async fn printed(cloud: &TestCloud) -> (bool, String) {
    let (token, mut out) = (cloud.cloud.customer_token("acme"), vec![]);
    let access = Access { url: &cloud.cloud.urls.api, token: &token };
    let fits = verify(access, "acme", &mut out).await.unwrap();
    (fits, String::from_utf8(out).unwrap())
}

/// Overwrites the credits of a charge in the table.
async fn tamper(cloud: &TestCloud, key: &str) {
    let text = |text: String| AttributeValue::S(text);
    let update = cloud.cloud.aws.dynamodb.client().update_item().table_name(cloud.table());
    let update = update.key("PK", text("ACCOUNT#acme".into())).key("SK", text(format!("ENTRY#charge:{key}")));
    let update =
        update.update_expression("SET operation = :other").expression_attribute_values(":other", text("x".into()));
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_ledger_is_verified_part_by_part_to_the_balance() {
    let cloud = used().await;
    let whole = part(&cloud, "").await.expect(200).body;
    let found = ["status", "verified_through_seq", "balance", "failure", "has_more"].map(|name| whole[name].clone());
    assert_eq!(found, [json!("verified"), json!(5), json!(4_980), Value::Null, json!(false)]);
    for limit in [1, 2, 4, 5] {
        let (mut query, mut parts) = (format!("limit={limit}"), 0);
        let last = loop {
            let body = part(&cloud, &query).await.expect(200).body;
            parts += 1;
            let Some(cursor) = body["next_cursor"].as_str() else { break body };
            assert_eq!(body["status"], "unfinished");
            query = format!("limit={limit}&cursor={cursor}");
        };
        assert_eq!(last, whole, "in {parts} parts");
        assert!(parts >= 5 / limit, "{parts} parts of {limit}");
    }
    let (fits, printed) = printed(&cloud).await;
    let head = whole["head"].as_str().unwrap();
    assert_eq!((fits, printed), (true, format!("acme: 5 entries fit.\nBalance: 4980\nHead: {head}\n")));
}

#[tokio::test]
async fn an_account_without_entries_is_verified_too() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let body = part(&cloud, "").await.expect(200).body;
    assert_eq!((&body["status"], &body["head"], &body["balance"]), (&json!("verified"), &Value::Null, &json!(0)));
}

#[tokio::test]
async fn what_was_changed_in_the_table_is_named() {
    let cloud = used().await;
    tamper(&cloud, "job-2").await;
    let body = part(&cloud, "").await.expect(200).body;
    let detail = "the hash is not that of the entry's content and of the hash before it";
    assert_eq!((&body["status"], &body["verified_through_seq"]), (&json!("failed"), &json!(2)));
    assert_eq!(
        body["failure"],
        json!({"seq": 3, "entry": "charge:job-2", "item": null, "problem": "hash", "detail": detail})
    );
    let (fits, printed) = printed(&cloud).await;
    assert!(!fits && printed.contains("Entry 3 (charge:job-2): the hash is not"), "{printed}");
}

#[tokio::test]
async fn cursors_and_limits_that_are_none_are_refused() {
    let cloud = used().await;
    let first = part(&cloud, "limit=2").await.expect(200).body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (seq, rest) = cursor.split_once('.').unwrap();
    for other in [
        String::new(),
        "2".into(),
        "2..".into(),
        format!("0{cursor}"),
        format!("{cursor}x"),
        format!("{cursor}.1"),
        format!("-1.{rest}"),
        format!("{seq}.+{rest}"),
        cursor.to_uppercase(),
    ] {
        if other == cursor {
            continue;
        }
        let answer = part(&cloud, &format!("cursor={other}")).await;
        answer.expect_problem(422, "invalid_request").field_error("cursor");
    }
    for limit in ["0", "501", "x"] {
        part(&cloud, &format!("limit={limit}")).await.expect_problem(422, "invalid_request").field_error("limit");
    }
    // Whoever changes a cursor finds that the entry is another one.
    let wrong = part(&cloud, &format!("cursor={seq}.1{rest}")).await.expect(200).body;
    assert_eq!(wrong["failure"]["problem"], "hash");
}

/// An account with folded usage, a pending charge, and limits of its own and of a spender, two minutes after the last of
/// it.
async fn with_everything() -> TestCloud {
    let cloud = used().await;
    let token = cloud.cloud.service_token();
    let limits = "/v1/accounts/acme/limits";
    cloud.put(limits, &token, &json!({"day": 9_000, "month": 90_000})).await.expect(200);
    let of_spender = json!({"spender": "key-1", "day": 8_000, "month": null, "total": 80_000});
    cloud.put(limits, &token, &of_spender).await.expect(200);
    let of = |number: u32| json!({"account": "acme", "key": format!("many-{number}"), "operation": "training", "max_minutes": 1, "spender": "key-1"});
    for first in [0, 100] {
        let charges: Vec<_> = (first..first + 100).map(of).collect();
        cloud.post("/v1/charges/batch", &token, None, &json!({ "charges": charges })).await.expect(200);
    }
    let charges = "/v1/accounts/acme/charges";
    for key in ["pending", "ended"] {
        let body = json!({"operation": "training", "max_minutes": 3, "spender": "key-1", "expires_in_seconds": 86_400});
        cloud.post(charges, &token, Some(key), &body).await.expect(201);
    }
    let less = json!({"max_minutes": 2});
    cloud.post(&format!("{charges}/ended/capture"), &token, None, &less).await.expect(201);
    cloud.post(&format!("{charges}/many-7/restore"), &token, None, &json!({})).await.expect(201);
    cloud.settle().await;
    cloud.cloud.clock.advance(jiff::SignedDuration::from_mins(2)).unwrap();
    cloud
}

/// The last answer, part by part.
async fn last_of(cloud: &TestCloud, limit: u32) -> Value {
    let mut query = format!("limit={limit}");
    loop {
        let body = part(cloud, &query).await.expect(200).body;
        let Some(cursor) = body["next_cursor"].as_str() else { return body };
        query = format!("limit={limit}&cursor={cursor}");
    }
}

#[tokio::test]
async fn what_is_derived_from_the_entries_is_verified_too_and_named_if_it_does_not_fit() {
    let cloud = with_everything().await;
    let whole = last_of(&cloud, 500).await;
    assert_eq!((&whole["status"], &whole["failure"]), (&json!("verified"), &Value::Null), "{whole}");
    for limit in [3, 50] {
        assert_eq!(last_of(&cloud, limit).await, whole, "{limit} in a part");
    }
    let number = |number: i64| Some(AttributeValue::N(number.to_string()));
    let day = "USAGE#DAY#2026-01-05";
    let of_day = "usage of day 2026-01-05";
    for (sort, path, value, item, problem) in [
        (day, &["total", "credits_charged"][..], number(7), of_day, "usage"),
        (day, &["spenders", "key-1", "charges"], number(1), of_day, "usage"),
        (day, &["operations", "training", "max_minutes"], None, of_day, "usage"),
        (day, &["through_seq"], number(199), of_day, "usage"),
        ("USAGE#MONTH#2026-01", &["total", "charges"], number(7), "usage of month 2026-01-01", "usage"),
        ("STATE", &["pending"], number(40), "pending charges", "pending"),
        ("STATE", &["pending"], None, "pending charges", "pending"),
        ("PENDING#pending", &["credits"], number(31), "pending charges", "pending"),
        ("STATE", &["limits", "day", "used"], number(7), "limits of the account", "limit"),
        ("STATE", &["limits", "month", "used"], number(7), "limits of the account", "limit"),
        ("LIMIT#key-1", &["total", "used"], number(7), "limits of key-1", "limit"),
        ("LIMIT#key-1", &["day", "used"], number(0), "limits of key-1", "limit"),
    ] {
        let before = replace(&cloud, sort, path, value).await;
        for limit in [7, 500] {
            let failed = last_of(&cloud, limit).await;
            let found = (&failed["status"], &failed["failure"]["item"], &failed["failure"]["problem"]);
            assert_eq!(found, (&json!("failed"), &json!(item), &json!(problem)), "{sort} {path:?}: {failed}");
        }
        let (fits, printed) = printed(&cloud).await;
        assert!(!fits && printed.contains(item), "{printed}");
        put(&cloud, before).await;
    }
    let removed = remove(&cloud, day).await;
    let detail = last_of(&cloud, 500).await["failure"]["detail"].clone();
    assert_eq!(detail, "there is no row, although entries were folded into it");
    put(&cloud, removed.clone()).await;
    let mut other = removed;
    other.insert("SK".to_owned(), AttributeValue::S("USAGE#DAY#2026-01-03".to_owned()));
    put(&cloud, other).await;
    let failure = last_of(&cloud, 500).await["failure"].clone();
    assert_eq!(failure["item"], "usage of day 2026-01-03", "{failure}");
    remove(&cloud, "USAGE#DAY#2026-01-03").await;
    assert_eq!(last_of(&cloud, 500).await, whole);
}

type Item = HashMap<String, AttributeValue>;

fn key_of(sort: &str) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    [("PK".to_owned(), text("ACCOUNT#acme")), ("SK".to_owned(), text(sort))].into()
}

/// Replaces a value within an item, or removes it, and returns the item as it was.
async fn replace(cloud: &TestCloud, sort: &str, path: &[&str], value: Option<AttributeValue>) -> Item {
    let get = cloud.cloud.aws.dynamodb.client().get_item().table_name(cloud.table()).set_key(Some(key_of(sort)));
    let before = get.send().await.unwrap().item.unwrap_or_else(|| panic!("{sort}"));
    let mut item = before.clone();
    let (last, maps) = path.split_last().unwrap();
    let mut place = &mut item;
    for map in maps {
        let Some(AttributeValue::M(within)) = place.get_mut(*map) else { panic!("{sort} {path:?}") };
        place = within;
    }
    match value {
        Some(value) => assert!(place.insert((*last).to_owned(), value).is_some(), "{sort} {path:?}"),
        None => assert!(place.remove(*last).is_some(), "{sort} {path:?}"),
    }
    put(cloud, item).await;
    before
}

async fn put(cloud: &TestCloud, item: Item) {
    let put = cloud.cloud.aws.dynamodb.client().put_item().table_name(cloud.table()).set_item(Some(item));
    put.send().await.unwrap();
}

async fn remove(cloud: &TestCloud, sort: &str) -> Item {
    let delete = cloud.cloud.aws.dynamodb.client().delete_item().table_name(cloud.table()).set_key(Some(key_of(sort)));
    let delete = delete.return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld);
    delete.send().await.unwrap().attributes.unwrap()
}
