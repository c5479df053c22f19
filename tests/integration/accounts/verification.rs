//! Verifying a ledger over HTTP and with `prepaid verify`.

use crate::support::{Answer, TestCloud};
use prepaid_local::verify::{Access, verify};
use serde_json::{Value, json};

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
    let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
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
    assert_eq!(body["failure"], json!({"seq": 3, "entry": "charge:job-2", "problem": "hash", "detail": detail}));
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
