//! The number and cost of the ledger's requests to DynamoDB.

use super::samples::*;
use super::stores::{Embedded, embedded_with};
use local_aws::dynamodb::RecordedOperation;
use shared::domain::charging::{ChargeCommand, ChargeRequest, decide_charge};
use shared::domain::spending::Payer;
use shared::domain::*;
use shared::ledger::LedgerSettings;
use shared::ports::*;

/// The command that makes such a charge.
pub fn charge_command(text: &str, duration_ms: i64) -> ChargeCommand {
    let Cause::Charge { key, operation, price: Some(price), reference, spender, expires_in, request_id } =
        charge_for(text, Measure::DurationMs, duration_ms)
    else {
        panic!("the cause is a charge with its price")
    };
    ChargeCommand { request: ChargeRequest { key, operation, reference, spender, expires_in }, price, request_id }
}

async fn counted() -> Embedded {
    embedded_with(LedgerSettings { is_capacity_reported: true, ..LedgerSettings::default() }).await
}

fn decided(account: &Account) -> Change {
    decide_charge(account, &PriceBook::reference(), &charge_command("job", 180_000), at(1)).unwrap()
}

/// The units that the transaction wrote to the table itself and to each index it touched.
fn units(recorded: &RecordedOperation) -> Vec<(String, f64)> {
    let capacity = &recorded.consumed_capacity.as_ref().unwrap()[0];
    let mut units = vec![("table".to_owned(), capacity["Table"]["CapacityUnits"].as_f64().unwrap())];
    for (index, used) in capacity["GlobalSecondaryIndexes"].as_object().into_iter().flatten() {
        units.push((index.clone(), used["CapacityUnits"].as_f64().unwrap()));
    }
    units.retain(|(_, units)| *units > 0.0);
    units.sort_by(|one, other| one.0.cmp(&other.0));
    units
}

#[tokio::test]
async fn a_charge_is_one_consistent_read_and_one_transaction_of_two_items() {
    let Embedded { database, ledger } = counted().await;
    opened_with(&ledger, 100).await;
    let recording = database.record();

    let account = ledger.account_get(&account_id()).await.unwrap().unwrap();
    ledger.commit(&decided(&account)).await.unwrap();

    let operations = recording.operations();
    let [get, transaction] = &operations[..] else { panic!("{:?}", recording.names()) };
    assert_eq!((get.operation.name.as_str(), get.operation.is_consistent_read()), ("GetItem", true));
    assert_eq!(get.capacity_units(), 1.0);
    assert_eq!(transaction.operation.name, "TransactWriteItems");
    assert_eq!(transaction.operation.requested_item_count(), 2);
    assert_eq!(transaction.operation.request["TransactItems"][0]["Put"]["Item"]["SK"]["S"], "STATE");
    assert_eq!(transaction.operation.request["TransactItems"][1]["Put"]["Item"]["SK"]["S"], "ENTRY#charge:job");
}

/// The account's own limits are in the account, so they cost nothing.
#[tokio::test]
async fn limits_of_the_account_cost_nothing_and_those_of_a_spender_two_write_units() {
    let mut written = vec![];
    for (limits, limited) in
        [(Limits::default(), None), (limits(), None), (limits(), Some(spender_limits("key-1", limits())))]
    {
        let Embedded { database, ledger } = counted().await;
        let account = Account { limits, balance: credits(900), ..opening().account };
        ledger.commit(&Change { account: account.clone(), ..opening() }).await.unwrap();
        let mut command = charge_command("job", 180_000);
        command.request.spender = Some(spender("key-1"));
        let payer = Payer { account: &account, limits: limited.as_slice() };
        let change = decide_charge(payer, &PriceBook::reference(), &command, at(1)).unwrap();
        let recording = database.record();
        ledger.commit(&change).await.unwrap();
        let operations = recording.operations();
        written.push((operations[0].operation.requested_item_count(), units(&operations[0])));
    }
    let units = |table: f64| vec![("history".to_owned(), 1.0), ("table".to_owned(), table)];
    assert_eq!(written, [(2, units(4.0)), (2, units(4.0)), (3, units(6.0))]);
}

/// Neither far from the threshold nor while the account stays due, because its item in the index does not change.
#[tokio::test]
async fn an_ordinary_charge_writes_nothing_to_the_index_of_due_accounts() {
    for (name, balance, is_indexed) in
        [("far from the threshold", 900, false), ("already due", 400, false), ("crossing it", 510, true)]
    {
        let Embedded { database, ledger } = counted().await;
        let auto_top_up = Some(settings());
        let account = Account { auto_top_up, balance: credits(balance), ..opening().account };
        ledger.commit(&Change { account: account.clone(), ..opening() }).await.unwrap();
        let recording = database.record();
        ledger.commit(&decided(&account)).await.unwrap();
        let touched: Vec<_> = units(&recording.operations()[0]).into_iter().map(|(table, _)| table).collect();
        let expected: &[&str] = if is_indexed { &["due", "history", "table"] } else { &["history", "table"] };
        assert_eq!(touched, expected, "{name}");
    }
}

#[tokio::test]
async fn every_read_by_key_is_strongly_consistent() {
    let Embedded { database, ledger } = counted().await;
    let recording = database.record();
    let account = account_id();
    ledger.account_get(&account).await.unwrap();
    ledger.entry_get(&account, &Origin::Charge(key("job"))).await.unwrap();
    ledger.purchase_get(&account, &PurchaseId::mint(1)).await.unwrap();
    ledger.purchase_id_get(&account, &key("buy")).await.unwrap();
    ledger.top_up_get(&account, &TopUpId::mint(1)).await.unwrap();
    ledger.consent_get(&account, &ConsentId::mint(1)).await.unwrap();
    ledger.notice_get(&account, &NoticeId::mint(1)).await.unwrap();
    ledger.customer_account_get(&customer_id("cus_1")).await.unwrap();
    ledger.event_is_applied(&EventId::parse("evt_1").unwrap()).await.unwrap();
    ledger.spending_change_get(&account, at(1)).await.unwrap();
    ledger.spender_limits_get(&account, &spender("key-1")).await.unwrap();
    let operations = recording.operations();
    assert_eq!(operations.len(), 11);
    for recorded in operations {
        assert!(recorded.operation.name == "GetItem" && recorded.operation.is_consistent_read(), "{recorded:?}");
    }
}

#[tokio::test]
async fn a_page_is_one_query_of_its_index() {
    let Embedded { database, ledger } = counted().await;
    opened_with(&ledger, 100).await;
    let recording = database.record();
    ledger.history_page(&account_id(), None, 50).await.unwrap();
    ledger.due_accounts(Shard::of(0), at(0), None).await.unwrap();
    let queries: Vec<_> = recording
        .operations()
        .into_iter()
        .map(|recorded| (recorded.operation.name.clone(), recorded.operation.index().map(str::to_owned)))
        .collect();
    assert_eq!(queries, [("Query".into(), Some("history".into())), ("Query".into(), Some("due".into()))]);
}

/// R30: a client that lost the answer to a purchase looks for it immediately, so the list must not lag like an index.
#[tokio::test]
async fn a_page_of_purchases_is_one_consistent_query_of_the_table() {
    let Embedded { database, ledger } = counted().await;
    let account = opened(&ledger).await;
    let records = vec![Record::Purchase(complete_purchase())];
    ledger.commit(&Change { records, ..changed(&account) }).await.unwrap();
    let recording = database.record();
    let page = ledger.purchases_page(&account.id, None, 100).await.unwrap();
    assert_eq!(page.purchases, [complete_purchase()]);
    let operations = recording.operations();
    let [query] = &operations[..] else { panic!("{:?}", recording.names()) };
    assert_eq!((query.operation.name.as_str(), query.operation.index()), ("Query", None));
    assert!(query.operation.is_consistent_read());
    assert_eq!(query.capacity_units(), 1.0);
}

#[tokio::test]
async fn marking_a_notice_again_writes_nothing() {
    let Embedded { database, ledger } = counted().await;
    let account = opened(&ledger).await;
    let owed = notice(notice_kinds()[0].clone());
    ledger.commit(&Change { notices: vec![owed.clone()], ..changed(&account) }).await.unwrap();
    ledger.notice_mark_sent(&account.id, &owed.id, (&owed.to, at(1))).await.unwrap();
    let recording = database.record();
    ledger.notice_mark_sent(&account.id, &owed.id, (&owed.to, at(2))).await.unwrap();
    assert_eq!(recording.operations()[0].error.as_deref(), Some("ConditionalCheckFailedException"));
}
