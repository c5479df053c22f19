//! Exporting what is stored about a person, and erasing it.

use crate::support::{Answer, TestCloud};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const VISA: &str = "4242424242424242";
/// What customers write about persons in these tests. Whoever looks for it finds every place.
const PERSON: &str = "lovelace";

fn of(account: &str, path: &str) -> String {
    format!("/v1/support/accounts/{account}{path}")
}

async fn erase(cloud: &TestCloud, account: &str) -> Answer {
    let body = json!({"reason": "The customer asks for it, case 12."});
    cloud.post(&of(account, "/erase"), &cloud.support_token(), None, &body).await
}

/// Every item, page by page.
async fn export(cloud: &TestCloud, account: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (vec![], String::new());
    loop {
        let path = of(account, &format!("/export?limit={limit}{cursor}"));
        let body = cloud.get(&path, &cloud.support_token()).await.expect(200).body;
        let page = body["data"].as_array().unwrap();
        assert!(page.len() <= limit);
        items.extend(page.iter().cloned());
        assert_eq!(body["has_more"], !body["next_cursor"].is_null());
        let Some(next) = body["next_cursor"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}

/// Every item of the table in which a text is.
async fn items_with(cloud: &TestCloud, text: &str) -> Vec<String> {
    let scan = cloud.cloud.aws.dynamodb.client().scan().table_name(cloud.table()).send().await.unwrap();
    assert!(scan.last_evaluated_key.is_none());
    let key = |value: &AttributeValue| value.as_s().unwrap().clone();
    let items = scan.items.unwrap_or_default();
    let found = items.iter().filter(|item| format!("{item:?}").contains(text));
    found.map(|item| format!("{} {}", key(&item["PK"]), key(&item["SK"]))).collect()
}

async fn set(cloud: &TestCloud, account: &str, path: &str, body: &Value) -> Answer {
    cloud.put(&format!("/v1/accounts/{account}/{path}"), &cloud.cloud.service_token(), body).await
}

async fn charge(cloud: &TestCloud, key: &str, expires_in: Option<u32>) -> Answer {
    let body = json!({
        "operation": "training", "max_minutes": 1, "reference": format!("{PERSON} 1"), "spender": format!("{PERSON}-key"),
        "expires_in_seconds": expires_in,
    });
    let path = "/v1/accounts/ada-lovelace/charges";
    cloud.post(path, &cloud.cloud.service_token(), Some(key), &without_null(body)).await
}

fn without_null(mut body: Value) -> Value {
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

/// An account with every kind of item, most of them with something personal. Its id is the company's own name for it.
async fn lived_in() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("ada-lovelace").await;
    cloud.buy("ada-lovelace", "credits_5000", VISA).await;
    let consent = json!({"text_version": 3, "accepted_by": format!("ada@{PERSON}.example")});
    let settings = json!({"enabled": true, "threshold": 100, "target": 1_100, "consent": consent});
    set(&cloud, "ada-lovelace", "auto-top-up", &settings).await.expect(200);
    let off = json!({"enabled": false, "changed_by": format!("ada@{PERSON}.example")});
    set(&cloud, "ada-lovelace", "auto-top-up", &off).await.expect(200);
    set(&cloud, "ada-lovelace", "auto-top-up", &settings).await.expect(200);
    let limits = json!({"spender": format!("{PERSON}-key"), "day": 5_000, "month": null, "total": null});
    set(&cloud, "ada-lovelace", "limits", &limits).await.expect(200);
    for stopped in [true, false] {
        let stop = json!({"stopped": stopped, "changed_by": format!("ada@{PERSON}.example")});
        set(&cloud, "ada-lovelace", "spending", &stop).await.expect(200);
    }
    for number in 0..120 {
        charge(&cloud, &format!("job-{number}"), None).await.expect(201);
    }
    charge(&cloud, "pending", Some(60)).await.expect(201);
    let void = "/v1/accounts/ada-lovelace/charges/pending/void";
    cloud.post(void, &cloud.cloud.service_token(), None, &json!({})).await.expect(201);
    let other = json!({"operation": "training", "max_minutes": 2, "spender": format!("{PERSON}-key")});
    let path = "/v1/accounts/ada-lovelace/charges";
    cloud.post(path, &cloud.cloud.service_token(), Some("job-0"), &other).await.expect(409);
    let adjusted = json!({"credits": 40, "reason": "Two jobs failed."});
    cloud
        .post(&of("ada-lovelace", "/adjustments"), &cloud.support_token(), Some("case-1"), &adjusted)
        .await
        .expect(201);
    let contacts = [("owner@ada-lovelace.example", "billing"), (&format!("ada@{PERSON}.example"), "alerts")];
    let contacts = contacts.map(|(email, role)| json!({"email": email, "roles": [role]}));
    set(&cloud, "ada-lovelace", "contacts", &json!({"contacts": contacts})).await.expect(200);
    cloud.settle().await;
    cloud
}

/// Every entry, page by page, newest first.
async fn history(cloud: &TestCloud) -> Vec<Value> {
    let (mut entries, mut cursor) = (vec![], String::new());
    loop {
        let path = format!("/v1/accounts/ada-lovelace/history?limit=100{cursor}");
        let body = cloud.get(&path, &cloud.cloud.service_token()).await.expect(200).body;
        entries.extend(body["data"].as_array().unwrap().iter().cloned());
        let Some(next) = body["next_cursor"].as_str() else { return entries };
        cursor = format!("&cursor={next}");
    }
}

async fn is_verified(cloud: &TestCloud) {
    let path = "/v1/accounts/ada-lovelace/history/verify";
    let verified = cloud.get(path, &cloud.cloud.service_token()).await.expect(200).body;
    assert_eq!(verified["status"], "verified", "{verified}");
}

#[tokio::test]
async fn everything_stored_about_an_account_is_exported_page_by_page() {
    let cloud = lived_in().await;
    let whole = export(&cloud, "ada-lovelace", 500).await;
    for limit in [1, 7, 100] {
        assert_eq!(export(&cloud, "ada-lovelace", limit).await, whole, "{limit} a page");
    }
    let kinds: BTreeSet<_> = whole.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    let expected = [
        "account",
        "act",
        "alerts_due",
        "asked_card",
        "consent",
        "contacts",
        "entry",
        "notice",
        "outbound_event",
        "pending_charge",
        "purchase",
        "purchase_key",
        "refused_requests",
        "spender_limits",
        "spending_change",
        "usage_cursor",
        "usage_day",
        "usage_month",
    ];
    assert_eq!(kinds, BTreeSet::from(expected));
    let find = |kind: &str, id: &str| {
        let is_it = |item: &&Value| item["kind"] == kind && item["id"] == id;
        whole.iter().find(is_it).unwrap_or_else(|| panic!("{kind} {id}"))["attributes"].clone()
    };
    let account = find("account", "");
    assert_eq!(account["email"], "owner@ada-lovelace.example");
    assert_eq!(account["created_at"], "2026-01-05T00:00:00.000Z", "times are shown as everywhere");
    assert_eq!(account["balance"], cloud.balance("ada-lovelace").await);
    let entry = find("entry", "charge:job-7");
    assert_eq!((&entry["reference"], &entry["spender"]), (&json!("lovelace 1"), &json!("lovelace-key")));
    assert_eq!(entry["hash"].as_str().unwrap().len(), 64, "bytes are shown in hexadecimal digits");
    assert_eq!(find("spender_limits", "lovelace-key")["day"]["max"], 5_000);
    assert_eq!(find("contacts", "")["contacts"][1]["email"], format!("ada@{PERSON}.example"));
    let stored = items_with(&cloud, "ACCOUNT#ada-lovelace").await;
    assert_eq!(whole.len(), stored.len(), "nothing is left out");
    cloud
        .get(&of("ada-lovelace", "/export?cursor=5"), &cloud.support_token())
        .await
        .expect_problem(422, "invalid_request");
}

#[tokio::test]
async fn an_erased_account_keeps_its_chain_and_sums_and_nothing_personal() {
    let cloud = lived_in().await;
    let (before, balance) = (history(&cloud).await, cloud.balance("ada-lovelace").await);
    let usage = "/v1/accounts/ada-lovelace/usage?from=2026-01-01&to=2026-01-31";
    let token = cloud.cloud.service_token();
    let sums = async || cloud.get(usage, &token).await.expect(200).body["data"].clone();
    let (used, exported) = (sums().await, export(&cloud, "ada-lovelace", 500).await);
    let salt =
        |items: &[Value]| items.iter().find(|item| item["kind"] == "account").unwrap()["attributes"]["salt"].clone();
    is_verified(&cloud).await;

    cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
    let erased = erase(&cloud, "ada-lovelace").await.expect(200).body;
    assert_eq!((&erased["complete"], &erased["balance"]), (&json!(true), &json!(balance)));
    assert_eq!(erased["closed_at"], "2026-01-05T00:00:01.000Z");
    let customer = cloud.customer("ada-lovelace").await;
    assert_eq!(erased["kept_elsewhere"]["stripe_customer"], customer, "Stripe's customer is not ours to erase");

    // Only the account's id is left, which is a part of every key.
    let found = items_with(&cloud, &format!("{PERSON} ")).await;
    assert_eq!(found, [""; 0], "references");
    for text in [&format!("{PERSON}-key"), &format!("@{PERSON}"), "owner@", "checkout.stripe", "\"url\""] {
        assert_eq!(items_with(&cloud, text).await, [""; 0], "{text}");
    }
    let left = export(&cloud, "ada-lovelace", 500).await;
    assert_ne!(salt(&left), salt(&exported), "without the old salt no erased text can be found by trying");
    let kinds: BTreeSet<_> = left.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    for kind in ["contacts", "notice", "refused_requests", "spender_limits", "spending_change"] {
        assert!(!kinds.contains(kind), "{kind}");
    }
    is_verified(&cloud).await;
    assert_eq!(sums().await, used, "the sums of usage stay");
    let now = history(&cloud).await;
    let numbers = |entries: &[Value]| {
        let number =
            |entry: &Value| ["entry", "seq", "credits", "balance_after", "created_at"].map(|name| entry[name].clone());
        entries.iter().map(number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&now), numbers(&before));
    let purchases = "/v1/accounts/ada-lovelace/purchases";
    let purchase = cloud.get(purchases, &token).await.expect(200).body["data"][0].clone();
    assert!(purchase["invoice"].is_string() || purchase["status"] == "paid", "{purchase}");

    let acts = cloud.get(&of("ada-lovelace", "/acts"), &cloud.support_token()).await.expect(200).body;
    let act = &acts["data"][0];
    assert_eq!((&act["kind"], &act["operator"]), (&json!("erased"), &json!("operator-7")));
    assert_eq!(act["reason"], "The customer asks for it, case 12.");
    let shown = cloud.get(&of("ada-lovelace", ""), &cloud.support_token()).await.expect(200).body;
    assert_eq!(shown["contacts"]["recipients"], json!({"billing": null, "alerts": null}));
    assert_eq!((&shown["email"], &shown["closed_at"]), (&Value::Null, &json!("2026-01-05T00:00:01.000Z")));

    let footprint = cloud.footprint();
    assert_eq!(erase(&cloud, "ada-lovelace").await.expect(200).body, erased, "once more changes nothing");
    assert_eq!(cloud.footprint(), footprint);
}

#[tokio::test]
async fn a_closed_account_is_not_charged_topped_up_or_set_and_a_replay_moves_nothing() {
    let cloud = lived_in().await;
    erase(&cloud, "ada-lovelace").await.expect(200);
    let footprint = cloud.footprint();
    let refused = charge(&cloud, "new", None).await.expect_problem(403, "account_closed");
    assert_eq!(refused.body["closed_at"], "2026-01-05T00:00:00.000Z");
    let again = charge(&cloud, "job-7", None).await.expect(200);
    assert!(again.is_replay && again.body.get("reference").is_none_or(Value::is_null), "{}", again.text);
    let other = json!({"operation": "training", "max_minutes": 2});
    let path = "/v1/accounts/ada-lovelace/charges";
    let reused = cloud.post(path, &cloud.cloud.service_token(), Some("job-7"), &other).await;
    reused.expect_problem(403, "account_closed");
    let (token, support) = (cloud.cloud.service_token(), cloud.support_token());
    let batch =
        json!({"charges": [{"account": "ada-lovelace", "key": "new", "operation": "training", "max_minutes": 1}]});
    let batch = cloud.post("/v1/charges/batch", &token, None, &batch).await.expect(200);
    assert_eq!(batch.body["results"][0]["problem"]["code"], "account_closed", "{}", batch.text);
    let consent = json!({"text_version": 3, "accepted_by": "ada"});
    for (path, body) in [
        ("auto-top-up", json!({"enabled": true, "threshold": 100, "target": 1_100, "consent": consent})),
        ("spending", json!({"stopped": true, "changed_by": "ada"})),
        ("contacts", json!({"contacts": [{"email": "ada@example.com", "roles": ["billing"]}]})),
        ("limits", json!({"day": 1, "month": null})),
        ("limits", json!({"spender": "ada", "day": 1, "month": null, "total": null})),
    ] {
        set(&cloud, "ada-lovelace", path, &body).await.expect_problem(403, "account_closed");
    }
    let package = json!({"package": "credits_500"});
    let bought = cloud.post("/v1/accounts/ada-lovelace/purchases", &token, Some("buy-9"), &package).await;
    bought.expect_problem(403, "account_closed");
    let opened = json!({"account": "ada-lovelace", "email": "owner@ada-lovelace.example"});
    cloud.post("/v1/accounts", &token, None, &opened).await.expect_problem(403, "account_closed");
    let adjusted = json!({"credits": 40, "reason": "Two jobs failed."});
    let adjust =
        async |key: &str| cloud.post(&of("ada-lovelace", "/adjustments"), &support, Some(key), &adjusted).await;
    adjust("case-2").await.expect_problem(403, "account_closed");
    assert!(adjust("case-1").await.expect(200).is_replay, "a key that moved credits gets its first answer");
    let until = json!({"until": "2026-02-01T00:00:00Z", "reason": "Unusual."});
    let restricted = cloud.put(&of("ada-lovelace", "/restriction"), &support, &until).await;
    restricted.expect_problem(403, "account_closed");
    let lift = cloud.request(Method::DELETE, &of("ada-lovelace", "/restriction?reason=Fine"));
    assert_eq!(cloud.send(lift.bearer_auth(&support)).await.expect(200).body["restriction"], Value::Null);
    assert_eq!(cloud.footprint(), footprint, "nothing was written, not even what was refused");
    cloud.sweep().await;
    assert_eq!(cloud.footprint(), footprint);
    let restore = "/v1/accounts/ada-lovelace/charges/job-7/restore";
    cloud.post(restore, &token, None, &json!({})).await.expect(201);
    is_verified(&cloud).await;
}

#[tokio::test]
async fn an_account_is_not_closed_while_money_is_under_way_and_a_late_payment_is_granted() {
    let cloud = TestCloud::start().await;
    cloud.open_account("ada-lovelace").await;
    cloud.buy("ada-lovelace", "credits_500", VISA).await;
    charge(&cloud, "pending", Some(60)).await.expect(201);
    let refused = erase(&cloud, "ada-lovelace").await.expect_problem(409, "charges_pending");
    assert_eq!(refused.body["pending"], 10);
    cloud
        .post("/v1/accounts/ada-lovelace/charges/pending/capture", &cloud.cloud.service_token(), None, &json!({}))
        .await;

    let purchases = "/v1/accounts/ada-lovelace/purchases";
    let package = json!({"package": "credits_500"});
    let token = cloud.cloud.service_token();
    let opened = cloud.post(purchases, &token, Some("late"), &package).await.expect(201).body;
    let refused = erase(&cloud, "ada-lovelace").await.expect_problem(409, "payment_open");
    assert_eq!(refused.body["purchase"], opened["purchase"]);
    assert_eq!(cloud.get(&of("ada-lovelace", ""), &cloud.support_token()).await.body["closed_at"], Value::Null);

    // The page is paid, and Stripe's event comes after the purchase was taken for unpaid.
    let table = cloud.table();
    let client = cloud.cloud.aws.dynamodb.client();
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let expire = client.update_item().table_name(&table).key("PK", key("ACCOUNT#ada-lovelace"));
    let expire = expire.key("SK", key(&format!("PURCHASE#{}", opened["purchase"].as_str().unwrap())));
    let expire = expire.update_expression("SET #status = :expired").expression_attribute_names("#status", "status");
    expire.expression_attribute_values(":expired", key("expired")).send().await.unwrap();
    assert_eq!(erase(&cloud, "ada-lovelace").await.expect(200).body["complete"], true);
    cloud.pay_page(opened["checkout_url"].as_str().unwrap(), VISA).await;
    cloud.settle().await;
    assert_eq!(cloud.balance("ada-lovelace").await, 990, "no money is lost");
    let mails = cloud.subjects("ada-lovelace");
    assert_eq!(mails.len(), 1, "of the first purchase alone: {mails:?}");
    let warned =
        |line: &&String| line.contains("a payment was made for a closed account") && line.contains("ada-lovelace");
    assert!(cloud.log().iter().any(|line| warned(&line)), "a person has to refund it");
    assert_eq!(items_with(&cloud, "pm_").await, [""; 0], "the card is not kept");
    is_verified(&cloud).await;
}

#[tokio::test]
async fn an_open_invoice_of_a_top_up_is_voided_before_an_account_is_closed() {
    let cloud = TestCloud::start().await;
    cloud.open_account("ada-lovelace").await;
    cloud.save_card("ada-lovelace", "pm_card_chargeCustomerFail").await;
    cloud.turn_on_auto_top_up("ada-lovelace", 1_000, 5_000).await;
    cloud.sweep().await;
    cloud.settle().await;
    let refused = erase(&cloud, "ada-lovelace").await.expect_problem(409, "payment_open");
    let shown = cloud.get(&of("ada-lovelace", ""), &cloud.support_token()).await.expect(200).body;
    let top_up = &shown["top_ups"][0];
    assert_eq!(refused.body["top_up"], top_up["top_up"]);
    let invoice = top_up["invoice"].as_str().unwrap();
    cloud.stripe(Method::POST, &format!("/v1/invoices/{invoice}/void"), &[]).await.expect(200);
    cloud.settle().await;
    assert_eq!(erase(&cloud, "ada-lovelace").await.expect(200).body["complete"], true);
}

#[tokio::test]
async fn the_command_asks_before_it_erases_and_prints_one_item_a_line() {
    let cloud = lived_in().await;
    let run = async |words: &[&str], answer: &str| crate::command_line::support(&cloud, words, answer).await;
    let lines = run(&["export", "ada-lovelace"], "").await.unwrap();
    let items: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(items, export(&cloud, "ada-lovelace", 500).await);
    let words = ["erase", "ada-lovelace", "--reason", "The customer asks."];
    assert!(run(&words, "n\n").await.unwrap_err().contains("nothing was changed"));
    assert_eq!(export(&cloud, "ada-lovelace", 500).await.len(), items.len());
    let printed = run(&words, "y\n").await.unwrap();
    assert!(printed.contains("\"complete\": true") && printed.contains("This cannot be undone"), "{printed}");
}
