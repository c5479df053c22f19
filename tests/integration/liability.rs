//! What the company owes its customers in credits, day by day.

use crate::support::{Answer, TestCloud};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use reqwest::Method;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";

async fn on(cloud: &TestCloud, day: Date) -> Answer {
    cloud.get(&format!("/v1/support/liability?on={day}"), &cloud.support_token()).await
}

fn today(cloud: &TestCloud) -> Date {
    cloud.now().to_zoned(TimeZone::UTC).date()
}

/// To this time of the next day.
fn next_day(cloud: &TestCloud, minutes: i64) {
    let tomorrow = today(cloud).tomorrow().unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp();
    let at = tomorrow + SignedDuration::from_mins(minutes);
    cloud.cloud.clock.advance(at.duration_since(cloud.now())).unwrap();
}

async fn close(cloud: &TestCloud) -> Value {
    cloud.cloud.close_days().await.expect("the run succeeds")
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Changes when an entry of acme was made.
async fn set_time(cloud: &TestCloud, origin: &str, at: Timestamp) {
    let update = cloud.cloud.aws.dynamodb.client().update_item().table_name(cloud.table());
    let update = update.key("PK", text("ACCOUNT#acme")).key("SK", text(&format!("ENTRY#{origin}")));
    let at = AttributeValue::N(at.as_millisecond().to_string());
    update.update_expression("SET created_at = :at").expression_attribute_values(":at", at).send().await.unwrap();
}

#[tokio::test]
async fn a_day_is_closed_after_its_end_and_says_what_moved_and_what_is_left() {
    let cloud = TestCloud::start().await;
    close(&cloud).await;
    let (day, token) = (today(&cloud), cloud.cloud.service_token());
    cloud.open_account("acme").await;
    cloud.open_account("quiet").await;
    cloud.buy("acme", "credits_500", VISA).await;
    cloud.charge("acme", "job-1", 3).await.expect(201);
    cloud.charge("acme", "job-2", 5).await.expect(201);
    cloud.post("/v1/accounts/acme/charges/job-2/restore", &token, None, &json!({})).await.expect(201);
    let adjust = json!({"credits": -7, "reason": "Given twice."});
    let path = "/v1/support/accounts/acme/adjustments";
    cloud.post(path, &cloud.support_token(), Some("case-1"), &adjust).await.expect(201);
    let import = cloud.request(Method::POST, "/v1/support/imports?dry_run=false&reason=Moved");
    let table = "account,email,credits,source_id\nquiet,owner@quiet.example,1250,row-1\n";
    cloud.send(import.bearer_auth(cloud.support_token()).body(table)).await.expect(200);

    on(&cloud, day).await.expect_problem(409, "day_not_closed");
    next_day(&cloud, 29);
    assert_eq!(close(&cloud).await["accounts"], 0, "entries may still be on their way");
    let early = on(&cloud, day).await.expect_problem(409, "day_not_closed");
    let closes_at = format!("{}T00:30:00.000Z", today(&cloud));
    assert_eq!(early.body["closes_at"], closes_at.as_str());
    cloud.charge("acme", "job-3", 1).await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    assert_eq!(
        close(&cloud).await,
        json!({"days": 1, "accounts": 2, "disagreeing": 0, "negative": 0, "is_complete": true})
    );
    assert_eq!(
        close(&cloud).await,
        json!({"days": 0, "accounts": 0, "disagreeing": 0, "negative": 0, "is_complete": true})
    );

    let answer = on(&cloud, day).await.expect(200).body;
    let flow = json!({
        "opening": 0, "brought_forward": 0, "credits_sold": 500, "credits_purchased": 500, "credits_topped_up": 0,
        "credits_imported": 1_250, "credits_adjusted": -7, "credits_used": 30, "credits_charged": 80,
        "credits_captured_back": 0, "credits_voided": 0, "credits_expired": 0, "credits_restored": 50,
        "outstanding": 1_713, "difference": 0, "credits_reversed": 0,
    });
    assert_eq!((&answer["day"], &answer["total"]), (&flow, &flow));
    assert_eq!(
        (&answer["accounts"], &answer["outstanding"], &answer["agrees"]),
        (&json!(2), &json!(1_713), &json!(true))
    );
    let since = day.yesterday().unwrap();
    assert_eq!(answer["since"], since.to_string());
    let empty = on(&cloud, since).await.expect(200).body;
    assert_eq!((&empty["accounts"], &empty["outstanding"]), (&json!(0), &json!(0)));
    let before = on(&cloud, since.yesterday().unwrap()).await.expect_problem(404, "not_found");
    assert_eq!(before.body["first_day"], since.to_string());
}

#[tokio::test]
async fn missed_days_are_caught_up_in_order_and_months_are_a_table() {
    let cloud = TestCloud::start().await;
    close(&cloud).await;
    let first = today(&cloud);
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", VISA).await;
    let mut months = vec![];
    for number in 0..3 {
        cloud.charge("acme", &format!("job-{number}"), 1).await.expect(201);
        months.push(today(&cloud).first_of_month());
        let next_month = today(&cloud).first_of_month().checked_add(1.month()).unwrap();
        let at = next_month.to_zoned(TimeZone::UTC).unwrap().timestamp();
        cloud.cloud.clock.advance(at.duration_since(cloud.now()) + SignedDuration::from_hours(1)).unwrap();
    }
    let days = close(&cloud).await["days"].as_u64().unwrap();
    let passed = first.yesterday().unwrap().until(today(&cloud)).unwrap().get_days();
    assert_eq!(days, u64::try_from(passed).unwrap(), "each day up to yesterday");
    let token = cloud.support_token();
    let body = cloud.get("/v1/support/liability", &token).await.expect(200).body;
    let shown = |month: &Value| (month["month"].clone(), month["opening"].clone(), month["outstanding"].clone());
    let shown: Vec<_> = body["data"].as_array().unwrap().iter().map(shown).collect();
    let name = |month: &Date| json!(month.strftime("%Y-%m").to_string());
    let before = first.yesterday().unwrap().first_of_month();
    let mut expected = if before < months[0] { vec![(name(&before), json!(0), json!(0))] } else { vec![] };
    for (month, (opening, outstanding)) in months.iter().zip([(0, 490), (490, 480), (480, 470)]) {
        expected.push((name(month), json!(opening), json!(outstanding)));
    }
    assert_eq!(shown, expected);
    let query = format!("from={}&to={}", months[1].strftime("%Y-%m"), months[2].strftime("%Y-%m"));
    let table = cloud.request(Method::GET, &format!("/v1/support/liability?{query}"));
    let table = cloud.send(table.bearer_auth(&token).header("accept", "text/csv")).await.expect(200);
    let lines: Vec<&str> = table.text.split("\r\n").collect();
    assert!(lines[0].starts_with("month,accounts,opening,brought_forward,credits_sold,"), "{}", table.text);
    let expected = format!("{},1,490,0,0,0,0,0,0,10,10,0,0,0,0,480,0,0", months[1].strftime("%Y-%m"));
    assert_eq!((lines[1], lines.len()), (expected.as_str(), 4));
    for query in ["on=2026-02-30", "on=x", "from=2026-13", "from=2026-02&to=2026-01", "from=2020-01&to=2026-01", "x=1"]
    {
        cloud.get(&format!("/v1/support/liability?{query}"), &token).await.expect_problem(422, "invalid_request");
    }
    let both = format!("on={first}&from=2026-01");
    cloud.get(&format!("/v1/support/liability?{both}"), &token).await.expect_problem(422, "invalid_request");
}

/// For the operators, who see the number on the dashboard.
#[tokio::test]
async fn accounts_that_owe_credits_at_the_end_of_the_day_are_counted() {
    let cloud = TestCloud::start().await;
    close(&cloud).await;
    for (account, credits) in [("owing", -3), ("empty", 0), ("in-credit", 3)] {
        cloud.open_account(account).await;
        if credits != 0 {
            let path = format!("/v1/support/accounts/{account}/adjustments");
            let adjust = json!({"credits": credits, "reason": "Moved.", "allow_negative": true});
            cloud.post(&path, &cloud.support_token(), Some("case-1"), &adjust).await.expect(201);
        }
    }
    next_day(&cloud, 31);
    let summary = close(&cloud).await;
    assert_eq!((&summary["accounts"], &summary["negative"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn an_entry_that_was_missed_is_reported_and_never_corrected() {
    let cloud = TestCloud::start().await;
    close(&cloud).await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", VISA).await;
    let day = today(&cloud);
    next_day(&cloud, 31);
    close(&cloud).await;
    // An entry of the closed day, as if it had been on its way for an hour.
    cloud.cloud.clock.advance(SignedDuration::from_mins(5)).unwrap();
    cloud.charge("acme", "late", 1).await.expect(201);
    let created_at = day.to_zoned(TimeZone::UTC).unwrap().timestamp() + SignedDuration::from_hours(12);
    set_time(&cloud, "charge:late", created_at).await;
    next_day(&cloud, 31);
    let summary = close(&cloud).await;
    assert_eq!(summary["disagreeing"], 1, "{summary}");
    let logged = cloud.log();
    let is_told = |line: &String| line.contains("not what the entries add up to") && line.contains("ERROR");
    assert!(logged.iter().any(is_told));
    let next = on(&cloud, day.tomorrow().unwrap()).await.expect(200).body;
    assert_eq!(
        (&next["agrees"], &next["day"]["difference"], &next["outstanding"]),
        (&json!(false), &json!(-10), &json!(490))
    );
    next_day(&cloud, 31);
    let summary = close(&cloud).await;
    assert_eq!((&summary["disagreeing"], &summary["negative"]), (&json!(0), &json!(0)));
    let after = on(&cloud, day.tomorrow().unwrap().tomorrow().unwrap()).await.expect(200).body;
    assert_eq!((&after["day"]["difference"], &after["total"]["difference"]), (&json!(0), &json!(-10)));
}

/// A run reads half a unit for an account at rest, and writes nothing for it.
#[tokio::test]
async fn an_account_at_rest_costs_one_query_of_its_newest_entries_and_no_write() {
    let cloud = TestCloud::start().await;
    close(&cloud).await;
    for number in 0..20 {
        let account = format!("quiet-{number}");
        cloud.open_account(&account).await;
        cloud.buy(&account, "credits_500", VISA).await;
    }
    next_day(&cloud, 31);
    close(&cloud).await;
    next_day(&cloud, 31);
    let recording = cloud.cloud.aws.dynamodb.record();
    assert_eq!(close(&cloud).await["accounts"], 20);
    let operations = recording.operations();
    let of_index =
        |operation: &&local_aws::dynamodb::RecordedOperation| operation.operation.request["IndexName"] == "history";
    let histories: Vec<_> = operations.iter().filter(of_index).collect();
    assert_eq!(histories.len(), 20, "one query for each account");
    assert!(histories.iter().all(|query| query.operation.request["Limit"] == 8));
    let writes = operations
        .iter()
        .filter(|operation| operation.operation.name != "Query" && operation.operation.name != "GetItem");
    assert!(writes.count() <= 16 + 1 + 1, "a page of each shard, and the day: {:?}", recording.names());
}

#[tokio::test]
async fn an_account_with_many_entries_is_counted_from_its_rows() {
    let cloud = TestCloud::start().await;
    close(&cloud).await;
    let day = today(&cloud);
    cloud.open_account("busy").await;
    cloud.buy("busy", "credits_50000", VISA).await;
    let token = cloud.cloud.service_token();
    for round in 0..5 {
        let charge = |number: u32| json!({"account": "busy", "key": format!("job-{number}"), "operation": "training", "max_minutes": 1});
        let charges: Vec<_> = (100 * round..100 * round + 100).map(charge).collect();
        cloud.post("/v1/charges/batch", &token, None, &json!({ "charges": charges })).await.expect(200);
    }
    cloud.settle().await;
    next_day(&cloud, 31);
    cloud.charge("busy", "next-day", 1).await.expect(201);
    let recording = cloud.cloud.aws.dynamodb.record();
    assert_eq!(close(&cloud).await["accounts"], 1);
    let reads = recording.operations();
    let is_row = |operation: &local_aws::dynamodb::RecordedOperation| {
        operation.operation.request.to_string().contains("USAGE#DAY#")
    };
    assert!(reads.iter().any(is_row), "{:?}", recording.names());
    let answer = on(&cloud, day).await.expect(200).body;
    assert_eq!((&answer["outstanding"], &answer["day"]["credits_charged"]), (&json!(45_000), &json!(5_000)));
    next_day(&cloud, 31);
    close(&cloud).await;
    let next = on(&cloud, day.tomorrow().unwrap()).await.expect(200).body;
    assert_eq!((&next["outstanding"], &next["day"]["credits_charged"]), (&json!(44_990), &json!(10)));
    assert_eq!(next["agrees"], true);
}

/// Deployed over a table of an earlier release, whose accounts are in no directory.
#[tokio::test]
async fn an_account_of_the_release_before_is_counted_once_an_import_has_listed_it() {
    let cloud = TestCloud::start().await;
    close(&cloud).await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", VISA).await;
    let delete = cloud.cloud.aws.dynamodb.client().delete_item().table_name(cloud.table());
    delete.key("PK", text("ACCOUNTS#14")).key("SK", text("acme")).send().await.unwrap();
    let day = today(&cloud);
    next_day(&cloud, 31);
    close(&cloud).await;
    assert_eq!(on(&cloud, day).await.expect(200).body["outstanding"], 0);
    let table = "account,email,credits,source_id\nacme,owner@acme.example,0,backfill-1\n";
    let import = cloud.request(Method::POST, "/v1/support/imports?dry_run=false&reason=Backfill");
    cloud.send(import.bearer_auth(cloud.support_token()).body(table)).await.expect(200);
    cloud.charge("acme", "job-1", 1).await.expect(201);
    next_day(&cloud, 31);
    close(&cloud).await;
    let answer = on(&cloud, day.tomorrow().unwrap()).await.expect(200).body;
    let (brought, left) = (&answer["day"]["brought_forward"], &answer["outstanding"]);
    assert_eq!((brought, left, &answer["agrees"]), (&json!(500), &json!(490), &json!(true)));
}
