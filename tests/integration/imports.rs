//! Importing accounts and their opening balances from another system.

use crate::support::{Answer, TestCloud};
use local_aws::dynamodb::{Fault, Refusal};
use reqwest::Method;
use serde_json::{Value, json};

const HEADER: &str = "account,email,credits,source_id,reference\n";
const APPLY: &str = "?dry_run=false&reason=Moved%20to%20us.";

async fn import(cloud: &TestCloud, query: &str, lines: &str) -> Answer {
    let request = cloud.request(Method::POST, &format!("/v1/support/imports{query}"));
    let request = request.bearer_auth(cloud.support_token()).header("content-type", "text/csv");
    cloud.send(request.body(format!("{HEADER}{lines}"))).await
}

/// The result of each line, with the names of the columns that are wrong.
fn results(answer: &Answer) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let lines = answer.body["lines"].as_array().unwrap().iter();
    let fields = |line: &Value| {
        let errors = line["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| text(error, "field")).collect()
    };
    lines.map(|line| (text(line, "result"), fields(line))).collect()
}

fn expect(answer: &Answer, expected: &[(&str, &[&str])]) {
    let owned = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
    let expected: Vec<_> = expected.iter().map(|(result, fields)| ((*result).to_owned(), owned(fields))).collect();
    assert_eq!(results(answer), expected, "{}", answer.text);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_an_import_does_it_once() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let lines = "acme,owner@acme.example,1250,wallet-1,Balance of 30 November\n\
                 globex,owner@globex.example,-40,wallet-2,\n\
                 initech,owner@initech.example,0,wallet-3,\n\
                 acme,owner@acme.example,0,wallet-4,\n";
    let before = cloud.footprint();
    let planned = import(&cloud, "", lines).await.expect(200);
    expect(&planned, &[("would_credit", &[]), ("would_open", &[]), ("would_open", &[]), ("exists", &[])]);
    assert_eq!((&planned.body["dry_run"], cloud.footprint()), (&json!(true), before), "nothing changes");
    assert_eq!(import(&cloud, "?dry_run=true", lines).await.expect(200).text, planned.text);

    let done = import(&cloud, APPLY, lines).await.expect(200);
    expect(&done, &[("credited", &[]), ("opened", &[]), ("opened", &[]), ("exists", &[])]);
    let total = |result: &str| {
        let totals = done.body["totals"].as_array().unwrap();
        totals
            .iter()
            .find(|total| total["result"] == result)
            .map(|total| (total["lines"].clone(), total["credits"].clone()))
    };
    assert_eq!((total("credited"), total("opened")), (Some((json!(1), json!(1250))), Some((json!(2), json!(-40)))));
    let again = import(&cloud, APPLY, lines).await.expect(200);
    assert!(results(&again).iter().all(|(result, _)| result == "already_imported"), "{}", again.text);
    for (account, balance) in [("acme", 1_250), ("globex", -40), ("initech", 0)] {
        assert_eq!(cloud.balance(account).await, balance, "{account}");
    }

    let entry = &cloud.history("acme").await[0];
    let shown = [&entry["entry"], &entry["kind"], &entry["source_id"], &entry["reference"]];
    assert_eq!(shown, ["import:wallet-1", "import", "wallet-1", "Balance of 30 November"]);
    let token = cloud.cloud.service_token();
    let explained = cloud.get("/v1/accounts/globex/history/1", &token).await.expect(200).body;
    assert_eq!(explained["explanation"], "Brought over from another system: 40 credits owed.");
    let usage = cloud.get("/v1/accounts/acme/usage", &token).await.expect(200).body["data"][0].clone();
    let numbers = [&usage["credits_imported"], &usage["credits_purchased"], &usage["credits_adjusted"]];
    assert_eq!(numbers, [1_250, 0, 0]);
    let acts = cloud.get("/v1/support/accounts/acme/acts", &cloud.support_token()).await.expect(200).body;
    let of_wallet = |act: &&Value| act["source_id"] == "wallet-1";
    let act = acts["data"].as_array().unwrap().iter().find(of_wallet).unwrap();
    assert_eq!([&act["kind"], &act["source_id"], &act["reason"]], ["imported", "wallet-1", "Moved to us."]);
    assert_eq!((acts["data"].as_array().unwrap().len(), &act["credits"]), (2, &json!(1_250)));
    cloud.get("/v1/accounts/acme/history/verify", &token).await.expect(200);
    let kind = cloud.get("/v1/accounts/acme/history?kind=import", &token).await.expect(200).body;
    assert_eq!(kind["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_differs_from_what_is_stored_is_named_and_does_not_hold_up_the_other_lines() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    import(&cloud, APPLY, "acme,owner@acme.example,100,wallet-1,\n").await.expect(200);
    let lines = "acme,owner@acme.example,101,wallet-1,\n\
                 globex,owner@globex.example,100,wallet-1b,\n\
                 acme,other@acme.example,5,wallet-2,\n\
                 initech,owner@initech.example,7,wallet-3,\n";
    let stolen = "hooli,owner@hooli.example,100,wallet-1,\n";
    for (query, opened) in [("", "would_open"), (APPLY, "opened")] {
        let answer = import(&cloud, query, lines).await.expect(200);
        expect(&answer, &[("conflict", &["credits"]), (opened, &[]), ("conflict", &["email"]), (opened, &[])]);
        let answer = import(&cloud, query, stolen).await.expect(200);
        expect(&answer, &[("conflict", &["account"])]);
    }
    let token = cloud.cloud.service_token();
    cloud.get("/v1/accounts/hooli", &token).await.expect_problem(404, "not_found");
    assert_eq!((cloud.balance("acme").await, cloud.balance("initech").await), (100, 7));
}

#[tokio::test]
async fn a_bad_line_names_its_columns_with_their_range_and_a_bad_table_changes_nothing() {
    let cloud = TestCloud::start().await;
    let lines = "a b,owner,1.5,\"x,y\",\n\
                 ,,,,\n\
                 acme,owner@acme.example,1000000001,wallet-1,\n\
                 acme,owner@acme.example,5\n\
                 acme,owner@acme.example,5,wallet-2,\n\
                 globex,owner@globex.example,5,wallet-2,\n";
    let answer = import(&cloud, APPLY, lines).await.expect(200);
    let all: &[&str] = &["account", "email", "credits", "source_id"];
    expect(
        &answer,
        &[
            ("invalid", all),
            ("invalid", all),
            ("invalid", &["credits"]),
            ("invalid", &["line", "source_id"]),
            ("opened", &[]),
            ("invalid", &["source_id"]),
        ],
    );
    let message = &answer.body["lines"][2]["errors"][0]["message"];
    assert_eq!(message, "must be an integer from -1000000000 to 1000000000");
    assert_eq!((&answer.body["lines"][5]["line"], cloud.balance("acme").await), (&json!(7), 5));

    let before = cloud.footprint();
    let post = |query: &str, body: String| {
        let request = cloud.request(Method::POST, &format!("/v1/support/imports{query}"));
        cloud.send(request.bearer_auth(cloud.support_token()).body(body))
    };
    let good = format!("{HEADER}globex,owner@globex.example,5,wallet-9,\n");
    for query in ["?dry_run=false", "?dry_run=no", "?dry_run=false&reason=", "?apply=true"] {
        post(query, good.clone()).await.expect_problem(422, "invalid_request");
    }
    let too_many: String = (0..101).map(|number| format!("a{number},a@b.example,1,row-{number},\n")).collect();
    for body in [String::new(), HEADER.to_owned(), "account;email\n".to_owned(), format!("{HEADER}{too_many}")] {
        post(APPLY, body).await.expect_problem(422, "invalid_request");
    }
    let no_one = cloud.cloud.token("", &["credits/support"]);
    let request = cloud.request(Method::POST, &format!("/v1/support/imports{APPLY}")).bearer_auth(no_one);
    cloud.send(request.body(good)).await.expect_problem(403, "forbidden");
    assert_eq!(cloud.footprint(), before);
}

/// The account was opened, and then the table did not answer. The same line again goes on.
#[tokio::test]
async fn an_import_that_stopped_halfway_goes_on() {
    let cloud = TestCloud::start().await;
    let mut transactions = 0;
    cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
        transactions += u32::from(operation.name == "TransactWriteItems");
        (transactions > 1).then_some(Fault::Refuse(Refusal::InternalServerError))
    });
    let line = "acme,owner@acme.example,100,wallet-1,\n";
    let answer = import(&cloud, APPLY, line).await.expect(200);
    expect(&answer, &[("failed", &[])]);
    assert_eq!(answer.body["is_complete"], false);
    cloud.cloud.aws.dynamodb.faults().clear();
    assert_eq!(cloud.balance("acme").await, 0);
    expect(&import(&cloud, APPLY, line).await.expect(200), &[("credited", &[])]);
    expect(&import(&cloud, APPLY, line).await.expect(200), &[("already_imported", &[])]);
    assert_eq!(cloud.balance("acme").await, 100);
}

#[tokio::test]
async fn one_line_sent_many_times_at_once_is_imported_once() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let lines = ["acme,owner@acme.example,100,wallet-1,\n", "globex,owner@globex.example,100,wallet-1,\n"];
    let answers = futures::future::join_all((0..12).map(|number| import(&cloud, APPLY, lines[number % 2]))).await;
    let results: Vec<String> = answers.iter().flat_map(results).map(|(result, _)| result).collect();
    let count = |result: &str| results.iter().filter(|known| *known == result).count();
    assert_eq!(count("credited") + count("opened"), 1, "{results:?}");
    assert_eq!(count("already_imported") + count("conflict"), 11, "{results:?}");
    let globex = cloud.get("/v1/accounts/globex/balance", &cloud.cloud.service_token()).await;
    let others = if globex.status == 200 { globex.body["balance"].as_i64().unwrap() } else { 0 };
    assert_eq!(cloud.balance("acme").await + others, 100);
}
