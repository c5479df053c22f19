//! Usage: what the stream folds, and what a customer reads.

use crate::support::{Answer, TestCloud};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use local_aws::dynamodb::Fault;
use local_aws::wire::Loss;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::{AccountId, Granularity, Period, Spender, UsageCounts, UsageCursor, UsageFold, UsageRow};
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::ports::UsageFolds;

const USAGE: &str = "/v1/accounts/acme/usage";

async fn usage(cloud: &TestCloud, query: &str) -> Answer {
    cloud.get(&format!("{USAGE}?{query}"), &cloud.cloud.customer_token("acme")).await
}

/// An account with credits.
async fn opened() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_50000", "4242424242424242").await;
    cloud
}

/// Charges a training of one minute so many times, under keys that begin with this name, for three spenders in turn.
async fn charge_many(cloud: &TestCloud, name: &str, count: usize) {
    for start in (0..count).step_by(100) {
        let charge = |number: usize| {
            let spender = format!("key-{}", number % 3);
            json!({"account": "acme", "key": format!("{name}-{number}"), "operation": "training", "max_minutes": 1,
                "spender": spender})
        };
        let charges: Vec<_> = (start..count.min(start + 100)).map(charge).collect();
        let body = json!({ "charges": charges });
        cloud.post("/v1/charges/batch", &cloud.cloud.service_token(), None, &body).await.expect(200);
    }
}

/// How far the account is folded.
async fn folded(cloud: &TestCloud) -> u64 {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let client = cloud.cloud.aws.dynamodb.client();
    let get =
        client.get_item().table_name(cloud.table()).key("PK", text("ACCOUNT#acme")).key("SK", text("USAGE#CURSOR"));
    let item = get.send().await.unwrap().item;
    item.map_or(0, |item| item["through_seq"].as_n().unwrap().parse().unwrap())
}

fn sums(answer: &Answer) -> Value {
    let row = |row: &Value| json!([row["from"], row["charges"], row["credits_charged"], row["credits_purchased"]]);
    answer.body["data"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn an_account_without_entries_has_used_nothing() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let body = usage(&cloud, "").await.expect(200).body;
    let expected = json!({
        "account": "acme", "granularity": "day", "from": "2025-12-07", "to": "2026-01-05", "group_by": null, "data": [],
        "next_cursor": null, "has_more": false, "as_of": "2026-01-05T00:00:00.000Z", "through_seq": 0,
        "is_complete": true,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn what_a_charge_moves_counts_at_once_for_its_operation_and_its_spender() {
    let cloud = opened().await;
    let token = cloud.cloud.service_token();
    let charges = "/v1/accounts/acme/charges";
    let dubbing = json!({"operation": "dubbing", "duration_ms": 120_000, "spender": "key-1", "expires_in_seconds": 60});
    for key in ["1", "2", "3"] {
        cloud.post(charges, &token, Some(key), &dubbing).await.expect(201);
    }
    cloud.charge("acme", "4", 5).await.expect(201);
    let less = json!({"duration_ms": 60_000});
    cloud.post(&format!("{charges}/1/capture"), &token, None, &less).await.expect(201);
    cloud.post(&format!("{charges}/2/void"), &token, None, &json!({})).await.expect(201);
    cloud.post(&format!("{charges}/1/restore"), &token, None, &json!({})).await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
    cloud.expire_charges().await;

    let counts = |given: Value| {
        let names = [
            "charges",
            "duration_ms",
            "max_minutes",
            "quantity",
            "credits_charged",
            "credits_captured_back",
            "credits_voided",
            "credits_expired",
            "credits_restored",
            "credits_purchased",
            "credits_topped_up",
            "credits_adjusted",
            "credits_imported",
            "credits_reversed",
            "credits_spent",
        ];
        let zeros: Value = names.map(|name| (name.to_owned(), json!(0))).into_iter().collect();
        let mut counts = zeros;
        counts.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        counts
    };
    let dubbed = json!({"charges": 3, "duration_ms": 300_000, "credits_charged": 60, "credits_captured_back": 10,
        "credits_voided": 20, "credits_restored": 10, "credits_spent": 20});
    let trained = json!({"charges": 1, "max_minutes": 5, "credits_charged": 50, "credits_spent": 50});
    let total = json!({"from": "2026-01-05", "to": "2026-01-05", "charges": 4, "duration_ms": 300_000, "max_minutes": 5,
        "credits_charged": 110, "credits_captured_back": 10, "credits_voided": 20, "credits_restored": 10,
        "credits_spent": 70, "credits_purchased": 50_000});
    let group = |kind: &str, name: Value, of: &Value| {
        let mut group = counts(of.clone());
        group["kind"] = json!(kind);
        group["name"] = name;
        group
    };
    for (by, groups) in [
        ("operation", vec![group("named", json!("dubbing"), &dubbed), group("named", json!("training"), &trained)]),
        ("spender", vec![group("named", json!("key-1"), &dubbed), group("unnamed", json!(null), &trained)]),
    ] {
        let body = usage(&cloud, &format!("group_by={by}")).await.expect(200).body;
        let mut expected = counts(total.clone());
        expected["groups"] = json!(groups);
        assert_eq!(body["data"][0], expected, "{by}");
        let next_day = &body["data"][1];
        assert_eq!((&next_day["from"], &next_day["credits_expired"]), (&json!("2026-01-06"), &json!(20)), "{by}");
        assert_eq!((&body["through_seq"], &body["is_complete"]), (&json!(9), &json!(true)));
        assert_eq!(folded(&cloud).await, 0, "an account with fewer than a hundred entries is not folded");
    }
    let months = usage(&cloud, "granularity=month").await.expect(200).body;
    assert_eq!((&months["from"], &months["to"]), (&json!("2025-02-01"), &json!("2026-01-31")));
    assert_eq!(months["data"][0]["credits_spent"], 50);
    assert_eq!(months["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_stream_has_folded_and_what_it_has_not_add_up_to_the_same() {
    let cloud = opened().await;
    charge_many(&cloud, "first", 150).await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
    charge_many(&cloud, "second", 48).await;
    let queries =
        ["", "granularity=month", "group_by=spender", "granularity=month&group_by=operation", "to=2026-01-05"];
    let mut before = vec![];
    for query in queries {
        before.push(usage(&cloud, query).await.expect(200));
    }
    assert_eq!(sums(&before[0]), json!([["2026-01-05", 150, 1_500, 50_000], ["2026-01-06", 48, 480, 0]]));
    let spenders = before[2].body["data"][0]["groups"].as_array().unwrap();
    assert_eq!(spenders.iter().map(|group| group["charges"].as_i64().unwrap()).collect::<Vec<_>>(), [50, 50, 50]);
    assert_eq!(folded(&cloud).await, 0, "so few entries are read as they are");
    cloud.settle().await;
    assert_eq!(folded(&cloud).await, 100);
    for (query, before) in queries.iter().zip(before) {
        assert_eq!(usage(&cloud, query).await.expect(200).body, before.body, "{query}");
    }
}

#[tokio::test]
async fn records_delivered_again_late_or_in_vain_change_nothing() {
    let cloud = opened().await;
    charge_many(&cloud, "job", 320).await;
    let before = usage(&cloud, "group_by=spender").await.expect(200);
    // The reader found two blocks that nobody had folded.
    assert_eq!(folded(&cloud).await, 300);
    let stream = cloud.cloud.streams.iter().find(|stream| stream.function() == "UsageFunction").unwrap();
    for _ in 0..2 {
        stream.resume_from("").await;
        let delivered = stream.drain().await.unwrap();
        assert_eq!((delivered.records_handled, delivered.records_failed), (3, 0), "{delivered:?}");
        assert_eq!(usage(&cloud, "group_by=spender").await.expect(200).body, before.body);
    }
    charge_many(&cloud, "more", 80).await;
    let mut tries = 0;
    cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
        tries += u32::from(operation.name == "TransactWriteItems");
        (operation.name == "TransactWriteItems" && tries < 20).then_some(Fault::LoseRequest(Loss::ConnectionReset))
    });
    let delivered = stream.drain().await.unwrap();
    assert_eq!((delivered.records_handled, delivered.records_failed), (1, 0), "{delivered:?}");
    assert!(delivered.invocations > 1, "{delivered:?}");
    cloud.cloud.aws.dynamodb.faults().clear();
    assert_eq!(folded(&cloud).await, 400);
    assert_eq!(sums(&usage(&cloud, "").await), json!([["2026-01-05", 400, 4_000, 50_000]]));
}

#[tokio::test]
async fn only_every_hundredth_entry_invokes_the_fold() {
    let cloud = opened().await;
    charge_many(&cloud, "job", 250).await;
    let stream = cloud.cloud.streams.iter().find(|stream| stream.function() == "UsageFunction").unwrap();
    stream.resume_from("").await;
    let delivered = stream.drain().await.unwrap();
    assert_eq!((delivered.records_handled, delivered.records_failed), (2, 0), "{delivered:?}");
    assert!(delivered.records_filtered_out > 250, "{delivered:?}");
}

#[tokio::test]
async fn a_range_that_is_not_valid_is_refused_with_its_reason() {
    let cloud = opened().await;
    for (query, field, message) in [
        ("from=2026-01-06", "from", "must not be after `to`, which is 2026-01-05"),
        ("from=2026-01-02&to=2026-01-01", "from", "must not be after `to`, which is 2026-01-01"),
        ("from=2025-01-01&to=2026-01-06", "from", "must be 2025-01-02 or later: a range has at most 370 days"),
        (
            "granularity=month&from=2024-12-31&to=2026-01-01",
            "from",
            "must be 2025-01-01 or later: a range has at most 13 months",
        ),
        ("to=2026-1-5", "to", "must be a date from 1970-01-01 to 9998-12-31, written YYYY-MM-DD"),
        ("to=2026-02-29", "to", "must be a date from 1970-01-01 to 9998-12-31, written YYYY-MM-DD"),
        ("from=2026-01-05T00:00:00Z", "from", "must be a date from 1970-01-01 to 9998-12-31, written YYYY-MM-DD"),
        ("granularity=year", "granularity", "must be day or month"),
        ("group_by=key", "group_by", "must be operation or spender"),
        ("cursor=2026-01-06", "cursor", "must not be after `to`, which is 2026-01-05"),
        ("cursor=x", "cursor", "must be the next_cursor of the page before"),
    ] {
        let refused = usage(&cloud, query).await;
        assert_eq!(refused.expect_problem(422, "invalid_request").field_error(field), message, "{query}");
    }
    for query in ["from=2025-01-02&to=2026-01-06", "granularity=month&from=2025-01-01", "from=2026-02-01&to=2026-03-01"]
    {
        usage(&cloud, query).await.expect(200);
    }
}

async fn table(cloud: &TestCloud, query: &str) -> Answer {
    let request =
        cloud.request(Method::GET, &format!("{USAGE}?{query}")).bearer_auth(cloud.cloud.customer_token("acme"));
    cloud.send(request.header("Accept", "text/csv")).await.expect(200)
}

#[tokio::test]
async fn usage_is_a_table_for_whoever_accepts_one() {
    let cloud = opened().await;
    charge_many(&cloud, "job", 4).await;
    cloud.charge("acme", "alone", 2).await.expect(201);
    let head = "from,to,kind,name,charges,duration_ms,max_minutes,quantity,credits_charged,credits_captured_back,\
                credits_voided,credits_expired,credits_restored,credits_purchased,credits_topped_up,credits_adjusted,credits_imported,credits_spent,credits_reversed\r\n";
    let day = "2026-01-05,2026-01-05";
    let total = table(&cloud, "").await;
    assert_eq!(total.text, format!("{head}{day},total,,5,0,6,0,60,0,0,0,0,50000,0,0,0,60,0\r\n"));
    assert_eq!(total.content_type, "text/csv; charset=utf-8; header=present");
    let header = |name: &str| total.headers.get(name).map(String::as_str);
    assert_eq!(
        (header("usage-through-seq"), header("usage-is-complete"), header("next-cursor")),
        (Some("6"), Some("true"), None)
    );
    assert_eq!(header("usage-as-of"), Some("2026-01-05T00:00:00.000Z"));
    let spenders = format!(
        "{head}{day},named,key-0,2,0,2,0,20,0,0,0,0,0,0,0,0,20,0\r\n{day},named,key-1,1,0,1,0,10,0,0,0,0,0,0,0,0,10,0\r\n\
         {day},named,key-2,1,0,1,0,10,0,0,0,0,0,0,0,0,10,0\r\n{day},unnamed,,1,0,2,0,20,0,0,0,0,0,0,0,0,20,0\r\n"
    );
    assert_eq!(table(&cloud, "group_by=spender").await.text, spenders);
    assert_eq!(table(&cloud, "to=2026-01-04").await.text, head, "no usage");
}

/// Thirty days with two hundred spenders each.
#[tokio::test]
async fn more_groups_than_an_answer_holds_are_read_page_by_page() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let counts = UsageCounts { charges: 1, ..UsageCounts::default() };
    let rows = (1..=30).map(|day| {
        let date = format!("2026-01-{day:02}").parse().unwrap();
        let mut row = UsageRow::empty(Period::of_date(Granularity::Day, date));
        let spender = |number: usize| Spender::parse(format!("key-{number:03}")).unwrap();
        row.spenders.named.extend((0..200).map(|number| (spender(number), counts)));
        row
    });
    let after = UsageCursor { through_seq: 100, is_nameless: false };
    let fold = UsageFold { before: UsageCursor::default(), after, rows: rows.collect(), flags: vec![] };
    let ledger = DynamoLedger::new(cloud.cloud.aws.dynamodb.client(), cloud.table(), LedgerSettings::default());
    ledger.usage_fold(&AccountId::parse("acme").unwrap(), &fold).await.unwrap();
    let (mut cursor, mut pages) = (String::new(), vec![]);
    loop {
        let query = format!("from=2026-01-01&to=2026-01-31&group_by=spender{cursor}");
        let body = usage(&cloud, &query).await.expect(200).body;
        let lines = table(&cloud, &query).await;
        assert_eq!(lines.headers.get("next-cursor").map(String::as_str), body["next_cursor"].as_str());
        let days: Vec<_> = body["data"].as_array().unwrap().iter().map(|row| row["from"].to_string()).collect();
        assert_eq!(lines.text.lines().count(), 1 + 200 * days.len());
        pages.push(days);
        let Some(next) = body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [25, 5]);
    let days = pages.concat();
    assert!(days.is_sorted() && days.len() == 30, "{days:?}");
}

/// Two years of days and months, and nearly two blocks of entries that are in no row.
#[tokio::test]
async fn a_year_of_usage_is_read_in_a_row_for_each_period_and_two_pages_of_entries() {
    let cloud = opened().await;
    let day = |number: i64| "2025-01-05".parse::<Date>().unwrap().checked_add(number.days()).unwrap();
    let days = (0..730).map(|number| Period::of_date(Granularity::Day, day(number)));
    let months = (0..730).step_by(15).map(|number| Period::of_date(Granularity::Month, day(number)));
    let ledger = DynamoLedger::new(cloud.cloud.aws.dynamodb.client(), cloud.table(), LedgerSettings::default());
    let mut rows: Vec<UsageRow> = days.chain(months).map(UsageRow::empty).collect();
    rows.dedup();
    for (seq, rows) in (0..).zip(rows.chunks(90)) {
        let at = |through_seq| UsageCursor { through_seq, is_nameless: false };
        let fold = UsageFold { before: at(seq), after: at(seq + 1), rows: rows.to_vec(), flags: vec![] };
        ledger.usage_fold(&AccountId::parse("acme").unwrap(), &fold).await.unwrap();
    }
    charge_many(&cloud, "job", 198).await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(24 * 365)).unwrap();
    let recording = cloud.cloud.aws.dynamodb.record();
    for (query, rows_max) in [("granularity=month", 13), ("granularity=day", 370)] {
        recording.clear();
        let to = day(729);
        let from = day(729 - 365);
        let body = usage(&cloud, &format!("{query}&from={from}&to={to}")).await.expect(200).body;
        assert_eq!(body["is_complete"], json!(true), "{query}");
        let read = recording.operations();
        let (pages, rows): (Vec<_>, Vec<_>) = read
            .iter()
            .filter(|read| read.operation.name == "Query")
            .partition(|read| read.operation.request["IndexName"] == json!("history"));
        let items: usize = rows.iter().map(|read| read.item_count).sum();
        assert!((rows_max - 4..=rows_max).contains(&items), "{query}: {items} rows");
        assert_eq!(pages.len(), 2, "{query}");
        assert_eq!(read.len(), pages.len() + rows.len() + 2, "{query}: the account and the cursor");
    }
}

async fn forecast(cloud: &TestCloud) -> Value {
    cloud.get(&format!("{USAGE}/forecast"), &cloud.cloud.customer_token("acme")).await.expect(200).body
}

#[tokio::test]
async fn a_forecast_is_made_from_complete_days_and_nothing_else() {
    let cloud = opened().await;
    charge_many(&cloud, "today", 20).await;
    let body = forecast(&cloud).await;
    assert_eq!(
        (&body["has_recent_usage"], &body["runs_out"], &body["accuracy"]),
        (&json!(false), &json!(null), &json!(null))
    );
    assert_eq!(
        body["month"],
        json!({"from": "2026-01-01", "to": "2026-01-31", "credits_spent": 200, "expected": null})
    );
    for day in 1..=8 {
        cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
        charge_many(&cloud, &format!("day-{day}"), 20).await;
    }
    cloud.settle().await;
    let body = forecast(&cloud).await;
    let averages = json!([
        {"days": 7, "credits_spent": 1_400, "credits_per_day": 200},
        {"days": 8, "credits_spent": 1_600, "credits_per_day": 200},
    ]);
    assert_eq!(body["averages"], averages);
    // 48,200 credits are left, at 240 or 160 a day from 2026-01-13 on.
    assert_eq!(body["balance"], 48_200);
    assert_eq!(body["runs_out"], json!({"earliest": "2026-08-01", "latest": "2026-11-10"}));
    // Nine days of 200, and eighteen more at 160 or 240.
    assert_eq!(body["month"]["expected"], json!({"min": 4_680, "max": 6_162}));
    assert_eq!(body["accuracy"], json!(null), "no forecast is old enough to be checked");
    assert_eq!((&body["through_seq"], &body["is_complete"]), (&json!(181), &json!(true)));
}
