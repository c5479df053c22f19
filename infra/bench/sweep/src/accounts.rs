//! The accounts of a run: the due ones are written through the ledger, the others as copies of items of the ledger.

use crate::Error;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use local_aws::dynamodb::LocalDynamoDb;
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};
use shared::domain::account::decide_open_account;
use shared::domain::payments::{AutoTopUp, Consent};
use shared::domain::payments::{DeclineReason, PaymentIssue, PaymentIssueKind};
use shared::domain::{
    Account, AccountId, Amount, Change, ConsentId, Consenter, Credits, Currency, CustomerId, EmailAddress,
    PaymentMethodId, Salt, TopUpId,
};
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::ports::*;

/// The number of items per import.
const BATCH: usize = 10_000;
const THRESHOLD: i64 = 1_000;
pub const TARGET: i64 = 5_000;

/// Fills the table with `due` accounts that can be topped up, and others that are not due, `count` in total.
pub async fn load(database: &LocalDynamoDb, table: &str, count: usize, due: usize) -> Result<(), Error> {
    let now = SystemClock.now();
    let ledger = DynamoLedger::new(database.client(), table, LedgerSettings::default());
    stream::iter(0..due)
        .map(|number| store(&ledger, due_account(&due_name(number), now)))
        .buffer_unordered(4)
        .try_collect::<()>()
        .await?;
    let kinds = resting_items(database, table, now).await?;
    for start in (kinds.len()..count.saturating_sub(due)).step_by(BATCH) {
        let end = (start + BATCH).min(count - due);
        let items = (start..end).map(|number| copy(&kinds[number % kinds.len()], number)).collect();
        database.import(table, items)?;
    }
    Ok(())
}

/// The number of due accounts that were topped up to their target by exactly one entry.
pub async fn topped_up(database: &LocalDynamoDb, table: &str, due: usize) -> Result<usize, Error> {
    let mut filled = 0;
    for number in 0..due {
        let key = json!({"PK": {"S": format!("ACCOUNT#{}", due_name(number))}, "SK": {"S": "STATE"}});
        let answer = ask(database, "GetItem", &json!({"TableName": table, "Key": key})).await?;
        let (balance, seq) = (&answer["Item"]["balance"]["N"], &answer["Item"]["seq"]["N"]);
        filled += usize::from(*balance == json!(TARGET.to_string()) && *seq == json!("1"));
    }
    Ok(filled)
}

/// The number of accounts that are due now.
pub async fn due(database: &LocalDynamoDb, table: &str) -> Result<u64, Error> {
    let mut due = 0;
    for shard in Shard::all() {
        let request = json!({
            "TableName": table, "IndexName": "due", "Select": "COUNT", "Limit": 1,
            "KeyConditionExpression": "due_shard = :shard AND due_at <= :now",
            "ExpressionAttributeValues": {
                ":shard": {"S": format!("TOP_UP#{}", shard.get())},
                ":now": {"N": SystemClock.now().as_millisecond().to_string()},
            },
        });
        due += ask(database, "Query", &request).await?["Count"].as_u64().unwrap_or_default();
    }
    Ok(due)
}

fn due_name(number: usize) -> String {
    format!("due_{number}")
}

async fn store(ledger: &DynamoLedger, account: Account) -> Result<(), Error> {
    Ok(ledger.commit(&Change { account, entries: vec![], records: vec![], notices: vec![], events: vec![] }).await?)
}

/// One account of each kind that is not due, as the ledger stores it.
async fn resting_items(database: &LocalDynamoDb, table: &str, now: Timestamp) -> Result<Vec<Value>, Error> {
    let ledger = DynamoLedger::new(database.client(), table, LedgerSettings::default());
    let due = due_account("resting", now);
    let kind = PaymentIssueKind::Declined(DeclineReason::Generic);
    let payment_issue = Some(PaymentIssue { kind, top_up: TopUpId::mint(1), since: now });
    let kinds = [
        Account { auto_top_up: None, ..due.clone() },
        Account { balance: Credits::constant(THRESHOLD * 4), ..due.clone() },
        Account { payment_issue, ..due.clone() },
        // In the index, but not due until the interval is over.
        Account { last_top_up_at: Some(now - SignedDuration::from_hours(1)), ..due },
    ];
    let mut items = vec![];
    for (number, account) in kinds.into_iter().enumerate() {
        let name = format!("resting_{number}");
        let id = AccountId::parse(name.as_str())?;
        store(&ledger, Account { id, customer: CustomerId::parse(format!("cus_{name}"))?, ..account }).await?;
        let key = json!({"PK": {"S": format!("ACCOUNT#{name}")}, "SK": {"S": "STATE"}});
        items.push(ask(database, "GetItem", &json!({"TableName": table, "Key": key})).await?["Item"].take());
    }
    Ok(items)
}

/// The item of another account of the same kind.
fn copy(item: &Value, number: usize) -> Value {
    let mut item = item.clone();
    item["PK"] = json!({"S": format!("ACCOUNT#resting_{number}")});
    item["customer"] = json!({"S": format!("cus_resting_{number}")});
    if item.get("due_shard").is_some() {
        item["due_shard"] = json!({"S": format!("TOP_UP#{}", number % 16)});
    }
    item
}

/// An empty account with top-ups on and a card, due since yesterday.
fn due_account(name: &str, now: Timestamp) -> Account {
    let yesterday = now - SignedDuration::from_hours(24);
    let consent = Consent {
        id: ConsentId::mint(1),
        text_version: 1,
        accepted_by: Consenter::parse("owner").ok(),
        accepted_at: yesterday,
        price_max: Amount::new(Currency::USD, Amount::MINOR_MAX).expect("the largest amount is valid"),
    };
    let (threshold, target) = (Credits::constant(THRESHOLD), Credits::constant(TARGET));
    let id = AccountId::parse(name).expect("a good id");
    let customer = CustomerId::parse(format!("cus_{name}")).expect("a good id");
    let email = EmailAddress::parse("owner@customer.example").expect("a good address");
    let opened = decide_open_account(id, email, customer, Salt::of(7), yesterday).account;
    Account {
        auto_top_up: Some(AutoTopUp { is_enabled: true, threshold, target, cap: None, consent }),
        payment_method: PaymentMethodId::parse(format!("pm_{name}")).ok(),
        ..opened
    }
}

async fn ask(database: &LocalDynamoDb, operation: &str, request: &Value) -> Result<Value, Error> {
    let target = format!("DynamoDB_20120810.{operation}");
    let answer = database.exchange(&target, request.to_string().as_bytes()).await?;
    let body: Value = serde_json::from_slice(&answer.body)?;
    if answer.status == 200 { Ok(body) } else { Err(format!("{operation}: {body}").into()) }
}
