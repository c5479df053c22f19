//! E-mails from the stored notice to the inbox: each arrives exactly once without faults and at least once with faults,
//! and a notice that cannot be sent goes to the failure destination and does not block the others.

use crate::support::TestCloud;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use local_aws::dynamodb::{Fault as TableFault, Refusal};
use local_aws::ses::SesFault;
use local_aws::wire::Loss;
use local_gateway::streams::{Delivered, StreamConsumer};
use serde_json::{Value, json};

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
const VISA: &str = "4242424242424242";
/// How many times the template retries a failed batch.
const RETRIES: usize = 20;

/// Delivers only the stream of notices. The SDK's pauses between tries are skipped because tokio's paused clock advances by itself
/// while all tasks wait. Nothing here waits for a socket.
async fn deliver(cloud: &TestCloud) -> Delivered {
    tokio::time::pause();
    let is_of_notices = |stream: &&StreamConsumer| stream.function() == "NotificationsFunction";
    let stream = cloud.cloud.streams.iter().find(is_of_notices).expect("notices have a stream");
    let delivered = stream.drain().await.unwrap();
    tokio::time::resume();
    delivered
}

/// Delivers all records of the stream a second time.
async fn deliver_again(cloud: &TestCloud) -> Delivered {
    for stream in &cloud.cloud.streams {
        stream.resume_from("").await;
    }
    deliver(cloud).await
}

/// An account that is owed the receipt of a purchase; no one has tried to send it yet.
async fn owed_receipt(cloud: &TestCloud, account: &str) {
    cloud.open_account(account).await;
    let path = format!("/v1/accounts/{account}/purchases");
    let body = json!({"package": "credits_500"});
    let answer = cloud.post(&path, &cloud.cloud.customer_token(account), Some("buy"), &body).await.expect(201);
    cloud.pay_page(answer.body["checkout_url"].as_str().unwrap(), VISA).await;
    while cloud.cloud.stripe.deliver_due().await > 0 {}
    assert_eq!((cloud.balance(account).await, cloud.mails(account).len()), (500, 0));
}

/// The stored notices of an account.
async fn notices(cloud: &TestCloud, account: &str) -> Vec<std::collections::HashMap<String, AttributeValue>> {
    let client = cloud.cloud.aws.dynamodb.client();
    let query = client
        .query()
        .table_name(&cloud.cloud.template.tables["Table"].name)
        .key_condition_expression("PK = :account AND begins_with(SK, :notice)")
        .expression_attribute_values(":account", AttributeValue::S(format!("ACCOUNT#{account}")))
        .expression_attribute_values(":notice", AttributeValue::S("NOTICE#".to_owned()))
        .consistent_read(true);
    query.send().await.unwrap().items.unwrap_or_default()
}

async fn unsent(cloud: &TestCloud, account: &str) -> usize {
    notices(cloud, account).await.iter().filter(|notice| !notice.contains_key("sent_at")).count()
}

#[tokio::test]
async fn every_kind_of_notice_is_sent_once_though_the_stream_delivers_everything_again() {
    let cloud = TestCloud::start().await;
    cloud.open_account("buyer").await;
    cloud.buy("buyer", "credits_500", VISA).await;
    cloud.open_due_account("topped-up", "pm_card_visa").await;
    cloud.open_due_account("declined", "pm_card_chargeCustomerFail").await;
    cloud.open_due_account("asked", "pm_card_authenticationRequired").await;
    cloud.advance(HALF_AN_HOUR).await;
    let subjects = |account: &str| cloud.subjects(account);
    for (account, start) in [
        ("buyer", "Receipt for your purchase"),
        ("topped-up", "Receipt for your automatic top-up"),
        ("declined", "Action needed: your card was declined"),
        ("asked", "Action needed: confirm"),
    ] {
        assert!(subjects(account).len() == 1 && subjects(account)[0].starts_with(start), "{:?}", subjects(account));
        assert_eq!(unsent(&cloud, account).await, 0, "{account}");
    }
    for _ in 0..3 {
        let delivered = deliver_again(&cloud).await;
        assert!(delivered.records_handled >= 4 && delivered.records_failed == 0, "{delivered:?}");
    }
    assert_eq!(cloud.cloud.aws.ses.messages().len(), 4);
}

#[tokio::test]
async fn while_ses_throttles_or_is_down_mail_waits_and_is_then_sent_once() {
    for fault in [
        SesFault::Throttle,
        SesFault::InternalServiceError,
        SesFault::SendingPaused,
        SesFault::LoseRequest(Loss::ConnectionReset),
        SesFault::LoseRequest(Loss::Timeout),
    ] {
        let cloud = TestCloud::start().await;
        owed_receipt(&cloud, "acme").await;
        cloud.cloud.aws.ses.fail_next(9, fault);
        let delivered = deliver(&cloud).await;
        assert!(delivered.records_failed == 0 && delivered.invocations > 1, "{fault:?}: {delivered:?}");
        assert_eq!((cloud.mails("acme").len(), unsent(&cloud, "acme").await), (1, 0), "{fault:?}");
        deliver_again(&cloud).await;
        assert_eq!(cloud.mails("acme").len(), 1, "{fault:?}");
    }
}

/// SES takes no idempotency key, so this is the only way to get a second e-mail, and there is never a third.
#[tokio::test]
async fn a_mail_whose_answer_was_lost_comes_at_most_once_more_and_is_marked_then() {
    for loss in [Loss::ConnectionReset, Loss::Timeout] {
        let cloud = TestCloud::start().await;
        owed_receipt(&cloud, "acme").await;
        cloud.cloud.aws.ses.fail_next(1, SesFault::LoseAnswer(loss));
        let delivered = deliver(&cloud).await;
        assert_eq!(delivered.records_failed, 0, "{loss:?}");
        assert!((1..=2).contains(&cloud.mails("acme").len()), "{loss:?}: {:?}", cloud.subjects("acme"));
        assert_eq!(unsent(&cloud, "acme").await, 0, "{loss:?}");
        let sent = cloud.mails("acme").len();
        deliver_again(&cloud).await;
        assert_eq!(cloud.mails("acme").len(), sent, "{loss:?}");
    }
}

#[tokio::test]
async fn a_mail_that_was_sent_while_the_mark_was_lost_comes_at_most_once_more() {
    for (fault, mails_max) in [
        (TableFault::Refuse(Refusal::Throttling), 2),
        (TableFault::LoseRequest(Loss::Timeout), 2),
        // The mark is stored, but the answer is lost.
        (TableFault::LoseAnswer(Loss::ConnectionReset), 1),
    ] {
        let cloud = TestCloud::start().await;
        owed_receipt(&cloud, "acme").await;
        // The SDK tries one call three times.
        cloud.cloud.aws.dynamodb.faults().next("UpdateItem", 3, fault.clone());
        let delivered = deliver(&cloud).await;
        assert_eq!(delivered.records_failed, 0, "{fault:?}");
        assert!((1..=mails_max).contains(&cloud.mails("acme").len()), "{fault:?}: {:?}", cloud.subjects("acme"));
        assert_eq!(unsent(&cloud, "acme").await, 0, "{fault:?}");
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_delays_mail_and_loses_none() {
    let cloud = TestCloud::start().await;
    owed_receipt(&cloud, "acme").await;
    cloud.cloud.aws.dynamodb.faults().next("GetItem", 7, TableFault::Refuse(Refusal::InternalServerError));
    let delivered = deliver(&cloud).await;
    assert_eq!((delivered.records_failed, cloud.mails("acme").len()), (0, 1), "{delivered:?}");
}

#[tokio::test]
async fn a_notice_that_is_refused_for_good_is_handed_on_and_the_next_ones_are_sent() {
    let cloud = TestCloud::start().await;
    owed_receipt(&cloud, "refused").await;
    cloud.cloud.aws.ses.fail_next(1 + RETRIES, SesFault::SendingPaused);
    let delivered = deliver(&cloud).await;
    // To the failure destination, perhaps with the event behind it.
    assert!(matches!((delivered.records_failed, delivered.is_blocked), (1 | 2, false)), "{delivered:?}");
    assert_eq!(delivered.invocations, 1 + RETRIES, "as often as the template says");
    assert_eq!((cloud.mails("refused").len(), unsent(&cloud, "refused").await), (0, 1), "the row is kept");

    owed_receipt(&cloud, "next").await;
    assert_eq!(deliver(&cloud).await.records_failed, 0);
    assert_eq!((cloud.mails("next").len(), cloud.mails("refused").len()), (1, 0));
    // The records in the failure destination can be delivered again.
    deliver_again(&cloud).await;
    assert_eq!((cloud.mails("next").len(), cloud.mails("refused").len()), (1, 1));
}

#[tokio::test]
async fn a_notice_that_nobody_can_read_holds_up_none_of_its_batch() {
    let cloud = TestCloud::start().await;
    for account in ["before", "unreadable", "after"] {
        owed_receipt(&cloud, account).await;
    }
    let notice = notices(&cloud, "unreadable").await.remove(0);
    let update = cloud
        .cloud
        .aws
        .dynamodb
        .client()
        .update_item()
        .table_name(&cloud.cloud.template.tables["Table"].name)
        .key("PK", notice["PK"].clone())
        .key("SK", notice["SK"].clone())
        .update_expression("SET credits = :nonsense")
        .expression_attribute_values(":nonsense", AttributeValue::S("many".to_owned()));
    update.send().await.unwrap();

    let delivered = deliver(&cloud).await;

    // With the event behind it, which is published all the same, if both are in one batch.
    assert!(matches!((delivered.records_failed, delivered.is_blocked), (1 | 2, false)), "{delivered:?}");
    assert_eq!(cloud.cloud.aws.events.events().iter().filter(|event| event["detail"]["account"] == "after").count(), 1);
    let sent = ["before", "unreadable", "after"].map(|account| cloud.mails(account).len());
    assert_eq!(sent, [1, 0, 1], "each once, however often the batch was delivered");
}

/// Characters that could break a header or a page are refused for accounts; unusual ones arrive unchanged.
#[tokio::test]
async fn hostile_addresses_and_names_are_refused_at_the_door_or_harmless_in_mails() {
    let cloud = TestCloud::start().await;
    let token = cloud.cloud.service_token();
    for (account, email) in [
        ("acme", "a@acme.example\r\nBcc: everybody@acme.example"),
        ("acme", "a@acme.example,b@acme.example"),
        ("acme", "<script>alert(1)</script>@acme.example"),
        ("acme", "\"a b\"@acme.example"),
        ("acme", "everybody:a@acme.example"),
        ("acme", "a(a comment)@acme.example"),
        ("acme", "a@[127.0.0.1].example"),
        ("acme", "a@acme_1.example"),
        ("acme", "ä@acme.example"),
        ("<script>", "a@acme.example"),
        ("a/b", "a@acme.example"),
        ("a#ENTRY", "a@acme.example"),
        ("{{account}}", "a@acme.example"),
    ] {
        let body = json!({"account": account, "email": email});
        cloud.post("/v1/accounts", &token, None, &body).await.expect_problem(422, "invalid_request");
    }

    let odd = "o'or'1'='1'--&{{7*7}}%0d%0aBcc=$HOME`id`|*!@acme.example";
    cloud.post("/v1/accounts", &token, None, &json!({"account": "--__--", "email": odd})).await.expect(201);
    cloud.save_card("--__--", "pm_card_chargeCustomerFail").await;
    cloud.turn_on_auto_top_up("--__--", 1_000, 5_000).await;
    cloud.advance(HALF_AN_HOUR).await;
    let mails = cloud.cloud.aws.ses.messages();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!((&mail.to, mail.cc.len() + mail.bcc.len()), (&vec![odd.to_owned()], 0));
    assert!(mail.subject.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{}", mail.subject);
    let html = mail.html.as_deref().unwrap();
    let harmful = ["<script", "onerror", "{{", "'or'", "javascript:", "Bcc"];
    assert!(harmful.iter().all(|piece| !html.contains(piece)), "{html}");
    assert!(html.contains(">--__--<"), "the account is named: {html}");
}

/// Both forms of every e-mail have the same content, and every link in them is ours.
#[tokio::test]
async fn both_forms_of_a_mail_carry_the_same_link_and_no_link_leads_elsewhere() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cloud.advance(HALF_AN_HOUR).await;
    let mail = cloud.mails("acme").remove(0);
    let link = format!("{}{}", cloud.cloud.urls.api, cloud.pay_link("acme"));
    let html = mail.html.unwrap();
    let targets: Vec<&str> = html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(!targets.is_empty() && targets.iter().all(|target| *target == link), "{targets:?}");
    assert!(mail.text.unwrap().contains(&link));
    assert!(!html.contains("<img") && !html.contains("http-equiv"), "an opened e-mail fetches nothing");
    assert_eq!(mail.from, "billing@prepaid.example");
    cloud.visit(&link).await.expect(302);
}

#[tokio::test]
async fn the_history_of_mails_never_decides_about_money() {
    let cloud = TestCloud::start().await;
    owed_receipt(&cloud, "acme").await;
    cloud.cloud.aws.ses.fail_next(1 + RETRIES, SesFault::SendingPaused);
    deliver(&cloud).await;
    assert_eq!((cloud.balance("acme").await, cloud.mails("acme").len()), (500, 0));
    assert_eq!(cloud.auto_top_up("acme").await["payment_issue"], Value::Null);
}
