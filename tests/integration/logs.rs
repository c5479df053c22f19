//! The contents of the functions' logs when everything goes wrong, and proof that forbidden contents would be found.
//!
//! The tests of the whole product check the same, see [`crate::support::net`].

use crate::support::description::DESCRIPTION;
use crate::support::net::Canaries;
use crate::support::{Answer, TestCloud};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use jiff::SignedDuration;
use local_aws::dynamodb::{Fault, Refusal};
use local_aws::secrets::LocalSecrets;
use local_aws::ses::SesFault;
use local_aws::wire::{Door, Loss, WireAnswer, WireRequest, http_client};
use local_stripe::FaultAction;
use reqwest::Method;
use serde_json::{Value, json};
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::secrets::stripe_secret_get;
use shared::telemetry::OWN_CRATES;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

const VISA: &str = "4242424242424242";
/// A text that callers write and that our own texts do not contain.
const MARK: &str = "canary-of-the-caller";
const SPENDER: &str = "canary-of-a-spender@acme.example";

#[tokio::test]
async fn on_the_worst_days_nothing_secret_or_personal_is_logged() {
    let cloud = TestCloud::start().await;
    cloud.plant("the caller's own words", MARK);
    cloud.plant("a spender's name", SPENDER);
    cloud.plant("a card's number", VISA);
    cloud.plant("an e-mail address", "payer@customer.example");
    cloud.plant("the bank's words", "The card was declined.");
    cloud.plant("the bank's words", "The card has insufficient funds.");
    cloud.plant("Stripe's words", "Invalid API key.");
    nonsense(&cloud).await;
    strangers(&cloud).await;
    good_days(&cloud).await;
    low_balances(&cloud).await;
    expiring_card(&cloud).await;
    erased(&cloud).await;
    days_without_dynamodb(&cloud).await;
    days_without_stripe(&cloud).await;
    declined_cards(&cloud).await;
    days_without_mail(&cloud).await;
    contacts_that_bounce(&cloud).await;
    unpaid_for_a_month(&cloud).await;
    an_item_that_nobody_can_read(&cloud).await;

    let (log, canaries) = (cloud.log().concat(), cloud.canaries());
    for said in ["try again", "failed", "swept", "notice handled", "notice failed", "the card was not charged", "event"]
    {
        assert!(log.contains(&format!("\"{said}\"")), "{said} is not in the log");
    }
    assert!(log.contains("\"Stripe answered\"") && log.contains("\"DEBUG\""), "the level is not the most verbose");
    let (kinds, texts): (BTreeSet<&str>, BTreeSet<&str>) = canaries.texts().unzip();
    assert!(kinds.len() >= 20 && texts.len() >= 60, "{} texts of these kinds: {kinds:#?}", texts.len());
    assert_eq!(canaries.found_in(&cloud.log()), [""; 0]);
}

/// Every mistake that a caller can make, on every operation: each field, the whole body, keys, paths and queries.
async fn nonsense(cloud: &TestCloud) {
    let token = cloud.any_token();
    for ((method, path), scopes) in DESCRIPTION.operations() {
        let example = DESCRIPTION.example(&method, &path);
        let method: Method = method.parse().unwrap();
        let path = path.replace(['{', '}'], "");
        let request = |path: &str| {
            let request = cloud.request(method.clone(), path).bearer_auth(&token);
            request.header("User-Agent", MARK).header("Cookie", format!("session={MARK}")).header("X-Note", MARK)
        };
        let marked = format!("{path}?limit={MARK}&threshold={MARK}&cursor={MARK}");
        cloud.send(request(&marked).header("Idempotency-Key", format!("{MARK} of a key"))).await;
        if scopes.is_some() {
            cloud.send(request(&path.replace("/account/", &format!("/{MARK}!/")))).await;
        }
        let Some(body) = example.body.filter(Value::is_object) else { continue };
        let wrong = |name: &String| {
            let mut wrong = body.clone();
            wrong[name] = json!(format!("{MARK} <in> {name}"));
            wrong
        };
        let mut bodies: Vec<Value> = body.as_object().unwrap().keys().map(wrong).collect();
        bodies.extend([json!(MARK), json!([MARK]), json!({ (MARK): MARK }), json!({"account": {"email": MARK}})]);
        for body in bodies {
            cloud.send(request(&path).header("Idempotency-Key", "nonsense").json(&body)).await;
        }
        let broken = request(&path).header("Idempotency-Key", "nonsense").body(format!("{{\"{MARK}"));
        cloud.send(broken).await;
    }
}

/// Tokens, signatures and links that are not ours.
async fn strangers(cloud: &TestCloud) {
    let forged = format!("eyJhbGciOiJub25lIn0.{MARK}.{MARK}");
    cloud.get("/v1/accounts/acme/balance", &forged).await.expect(401);
    let webhook = cloud.request(Method::POST, "/v1/webhooks/stripe").json(&json!({ "id": MARK, "type": MARK }));
    cloud.send(webhook.header("Stripe-Signature", format!("t=1,v1={MARK}"))).await.expect(400);
    for page in ["pay", "confirm"] {
        cloud.visit(&format!("/{page}/{MARK}.{MARK}")).await.expect(404);
    }
}

/// A customer who fills in every field.
async fn good_days(cloud: &TestCloud) {
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", VISA).await;
    cloud.plant("the number of a claimed receipt", "CANARY-0001");
    let claim = json!({"receipt": "CANARY-0001"});
    let find = "/v1/accounts/acme/purchases/find";
    cloud.post(find, &cloud.cloud.customer_token("acme"), None, &claim).await.expect(200);
    charge(cloud, &format!("{MARK}-key")).await.expect(201);
    charge(cloud, &format!("{MARK}-key")).await.expect(200);
    charge_batch(cloud, &[&format!("{MARK}-key"), &format!("{MARK}-other-key"), &format!("{MARK} no key")]).await;
    let settings = json!({
        "enabled": true, "threshold": 1_000, "target": 10_000,
        "consent": {"text_version": 3, "accepted_by": format!("{MARK}, Ada Lovelace")},
    });
    let off = json!({"enabled": false, "changed_by": format!("{MARK}, Ada Lovelace")});
    for body in [&settings, &off, &settings] {
        cloud.put("/v1/accounts/acme/auto-top-up", &cloud.cloud.customer_token("acme"), body).await.expect(200);
    }
    let retry = json!({"payment_method": "pm_1"});
    let (path, token) = ("/v1/accounts/acme/auto-top-up/retry", cloud.cloud.customer_token("acme"));
    cloud.post(path, &token, Some(&format!("{MARK}-retry")), &retry).await.expect(409);
    let limits = json!({"spender": SPENDER, "day": null, "month": null, "total": 100_000});
    cloud.put("/v1/accounts/acme/limits", &cloud.cloud.customer_token("acme"), &limits).await.expect(200);
    cloud.get(&format!("/v1/accounts/acme/limits?cursor={SPENDER}"), &cloud.cloud.service_token()).await.expect(200);
    let stopped = json!({"stopped": false, "changed_by": format!("{MARK}, Ada Lovelace")});
    cloud.put("/v1/accounts/acme/spending", &cloud.cloud.customer_token("acme"), &stopped).await.expect(200);
    billed(cloud).await;
    let another = json!({"package": "credits_500"});
    let key = format!("{MARK}-purchase");
    let opened = cloud.post("/v1/accounts/acme/purchases", &cloud.cloud.service_token(), Some(&key), &another).await;
    let opened = opened.expect(201).body;
    cloud.visit(opened["checkout_url"].as_str().unwrap()).await.expect(200);
    pay_link(cloud, opened["pay_link"].as_str().unwrap()).await;
    cloud.history("acme").await;
    for what in ["verify", "chain", "statement"] {
        cloud.get(&format!("/v1/accounts/acme/history/{what}"), &cloud.cloud.service_token()).await.expect(200);
    }
    let poor = json!({"operation": "training", "max_minutes": 1_440, "reference": format!("{MARK}, poor"), "spender": SPENDER});
    let key = format!("{MARK}-poor");
    let path = "/v1/accounts/acme/charges";
    cloud.post(path, &cloud.cloud.service_token(), Some(&key), &poor).await.expect(402);
    for path in [format!("history?reference={MARK}&spender={SPENDER}"), "history/2".into(), "requests".into()] {
        cloud.get(&format!("/v1/accounts/acme/{path}"), &cloud.cloud.service_token()).await.expect(200);
    }
    supported(cloud).await;
}

/// The link of a purchase, genuine, forged, and while Stripe is down.
async fn pay_link(cloud: &TestCloud, link: &str) {
    let link = &link[cloud.cloud.urls.api.len()..];
    cloud.visit(link).await.expect(302);
    cloud.visit(&format!("{link}A")).await.expect(404);
    let (path, action) = ("/v1/checkout/sessions/*".to_owned(), FaultAction::Unavailable);
    cloud.cloud.stripe.add_fault(local_stripe::Fault { method: None, path, action, count: u32::MAX });
    cloud.visit(link).await.expect(503);
    cloud.cloud.stripe.clear_faults();
}

/// A customer with a company's details, which Stripe takes, does not take, and takes without an answer.
async fn billed(cloud: &TestCloud) {
    cloud.plant("a tax id", "DE123456789");
    cloud.plant("a tax id", "DE-of-another-form");
    let path = "/v1/accounts/acme/billing-details";
    let details = |value: &str| {
        json!({
            "company": format!("{MARK} GmbH"), "po_number": format!("{MARK}-4711"),
            "address": {"country": "DE", "line1": format!("{MARK} street 1"), "city": format!("{MARK} city")},
            "tax_id": {"type": "eu_vat", "value": value},
        })
    };
    let token = cloud.cloud.customer_token("acme");
    cloud.put(path, &token, &details("DE123456789")).await.expect(200);
    cloud.put(path, &token, &details("DE-of-another-form")).await.expect(422);
    cloud.get(path, &token).await.expect(200);
    let fault = local_stripe::Fault::once("POST", "/v1/customers/*", FaultAction::LoseAnswer);
    cloud.cloud.stripe.add_fault(fault);
    cloud.put(path, &token, &details("DE123456789")).await.expect(503);
}

/// Support finds the customer by what is personal, and acts with a reason that is.
async fn supported(cloud: &TestCloud) {
    let operator = format!("{MARK}, Grace Hopper");
    let token = cloud.cloud.token(&operator, &["credits/support"]);
    let reason = json!({ "reason": format!("{MARK}, she called") });
    let account = "/v1/support/accounts/acme";
    let adjust = json!({"credits": -1, "reason": format!("{MARK}, she called")});
    for status in [201, 200] {
        cloud.post(&format!("{account}/adjustments"), &token, Some("case-1"), &adjust).await.expect(status);
    }
    let until = (cloud.now() + SignedDuration::from_hours(1)).to_string();
    let restriction = json!({"until": until, "reason": format!("{MARK}, she called")});
    cloud.put(&format!("{account}/restriction"), &token, &restriction).await.expect(200);
    let lift = cloud.request(Method::DELETE, &format!("{account}/restriction?reason={MARK}%20she%20called"));
    cloud.send(lift.bearer_auth(&token)).await.expect(200);
    cloud.post(&format!("{account}/auto-top-up/check"), &token, None, &reason).await.expect(200);
    cloud.get(account, &token).await.expect(200);
    cloud.get("/v1/support/accounts?email=owner@acme.example", &token).await.expect(200);
    let notices = cloud.get(&format!("{account}/notices"), &token).await.expect(200).body;
    let notice = notices["data"][0]["notice"].as_str().unwrap();
    cloud.post(&format!("{account}/notices/{notice}/resend"), &token, None, &reason).await.expect(200);
    cloud.get(&format!("{account}/acts"), &token).await.expect(200);
    disputed(cloud, &token).await;
    let table = format!(
        "account,email,credits,source_id,reference\nacme,owner@acme.example,5,row-1,\"{MARK}, her wallet\"\nacme,{MARK}@x,5,{MARK}-1,\n"
    );
    for _ in 0..2 {
        let import = cloud.request(Method::POST, &format!("/v1/support/imports?dry_run=false&reason={MARK}%20called"));
        cloud.send(import.bearer_auth(&token).body(table.clone())).await.expect(200);
    }
}

/// A dispute, and all that is known of its payment.
async fn disputed(cloud: &TestCloud, token: &str) {
    let customer = cloud.customer("acme").await;
    let charges = cloud.stripe_get(&format!("/v1/charges?customer={customer}")).await;
    let paid = charges["data"].as_array().unwrap().iter().find(|charge| charge["paid"] == true).expect("a payment");
    let dispute = cloud.cloud.stripe.open_dispute(paid["id"].as_str().unwrap()).unwrap();
    cloud.settle().await;
    cloud.get("/v1/support/disputes", token).await.expect(200);
    cloud.get(&format!("/v1/support/disputes/{dispute}/evidence"), token).await.expect(200);
    cloud.cloud.stripe.decide_dispute(&dispute, true).unwrap();
    cloud.settle().await;
}

/// A level that is crossed, and evaluated while DynamoDB fails and afterwards.
async fn low_balances(cloud: &TestCloud) {
    let levels = json!({"levels": [{"credits": 1_000_000}, {"days_left": 7}]});
    cloud.put("/v1/accounts/acme/alerts", &cloud.cloud.customer_token("acme"), &levels).await.expect(200);
    failing_to_commit(cloud, async || {
        assert!(cloud.cloud.evaluate_alerts().await.is_ok_and(|summary| summary["failed"] == 1));
    })
    .await;
    cloud.cloud.evaluate_alerts().await.unwrap();
    cloud.settle().await;
    for said in ["alerts could not be evaluated", "alerts evaluated"] {
        assert!(cloud.log().concat().contains(&format!("\"{said}\"")), "{said} is not in the log");
    }
}

/// A card that expires, of which its owner is told while DynamoDB fails and afterwards.
async fn expiring_card(cloud: &TestCloud) {
    let expiry = cloud.now().strftime("%m %Y").to_string();
    let (month, year) = expiry.split_once(' ').unwrap();
    let card = [("type", "card"), ("card[number]", VISA), ("card[exp_month]", month), ("card[exp_year]", year)];
    let made = cloud.stripe_post("/v1/payment_methods", &card).await;
    cloud.save_card("acme", made["id"].as_str().unwrap()).await;
    failing_to_commit(cloud, async || {
        assert!(cloud.cloud.evaluate_alerts().await.is_ok_and(|summary| summary["failed"] == 1));
    })
    .await;
    cloud.cloud.evaluate_alerts().await.unwrap();
    cloud.settle().await;
    for said in ["cards that expire could not be evaluated", "expiry of the card evaluated"] {
        assert!(cloud.log().concat().contains(&format!("\"{said}\"")), "{said} is not in the log");
    }
}

/// An account with personal texts in many items, which is erased while DynamoDB fails and afterwards.
async fn erased(cloud: &TestCloud) {
    let (token, operator) = (cloud.cloud.customer_token("leaver"), format!("{MARK}, Grace Hopper"));
    cloud.open_account("leaver").await;
    cloud.buy("leaver", "credits_500", VISA).await;
    let body = json!({"operation": "training", "max_minutes": 1, "reference": format!("{MARK}, interview"), "spender": SPENDER});
    let key = format!("{MARK}-leaver");
    let path = "/v1/accounts/leaver/charges";
    cloud.post(path, &cloud.cloud.service_token(), Some(&key), &body).await.expect(201);
    for stopped in [true, false] {
        let body = json!({"stopped": stopped, "changed_by": format!("{MARK}, Ada Lovelace")});
        cloud.put("/v1/accounts/leaver/spending", &token, &body).await.expect(200);
    }
    let owner = json!({"email": "owner@leaver.example", "roles": ["billing"]});
    let contacts = json!({"contacts": [owner, {"email": "payer@customer.example", "roles": ["alerts"]}]});
    cloud.put("/v1/accounts/leaver/contacts", &token, &contacts).await.expect(200);
    cloud.settle().await;
    let token = cloud.cloud.token(&operator, &["credits/support"]);
    let (path, reason) = ("/v1/support/accounts/leaver/erase", json!({ "reason": format!("{MARK}, she asked") }));
    failing_to_commit(cloud, async || {
        cloud.post(path, &token, None, &reason).await.expect(503);
    })
    .await;
    let erased = cloud.post(path, &token, None, &reason).await.expect(200);
    assert_eq!(erased.body["complete"], true, "{}", erased.text);
}

/// Does something while DynamoDB refuses every transaction.
async fn failing_to_commit(cloud: &TestCloud, act: impl AsyncFnOnce()) {
    let fault = |operation: &local_aws::dynamodb::Operation| {
        (operation.name == "TransactWriteItems").then_some(Fault::Refuse(Refusal::InternalServerError))
    };
    cloud.cloud.aws.dynamodb.faults().decide_with(fault);
    act().await;
    cloud.cloud.aws.dynamodb.faults().clear();
}

async fn charge(cloud: &TestCloud, key: &str) -> Answer {
    let body = json!({"operation": "training", "max_minutes": 1, "reference": format!("{MARK}, interview with Grace"), "spender": SPENDER});
    cloud.post("/v1/accounts/acme/charges", &cloud.cloud.service_token(), Some(key), &body).await
}

async fn charge_batch(cloud: &TestCloud, keys: &[&str]) -> Answer {
    let charge = |key| {
        let reference = format!("{MARK}, interview with Grace");
        json!({"account": "acme", "key": key, "operation": "training", "max_minutes": 1, "reference": reference})
    };
    let body = json!({"charges": keys.iter().map(charge).collect::<Vec<_>>()});
    cloud.post("/v1/charges/batch", &cloud.cloud.service_token(), None, &body).await.expect(200)
}

/// Each way in which DynamoDB refuses a request or is unreachable, on a read and on a write.
async fn days_without_dynamodb(cloud: &TestCloud) {
    for fault in [
        Fault::Refuse(Refusal::InternalServerError),
        Fault::Refuse(Refusal::Throttling),
        Fault::LoseRequest(Loss::ConnectionReset),
        Fault::LoseAnswer(Loss::Timeout),
    ] {
        let fault = move |operation: &local_aws::dynamodb::Operation| {
            (operation.name == "TransactWriteItems" || operation.name == "GetItem").then(|| fault.clone())
        };
        cloud.cloud.aws.dynamodb.faults().decide_with(fault);
        charge(cloud, &format!("{MARK}-outage")).await.expect(503);
        let answer = charge_batch(cloud, &[&format!("{MARK}-outage-1"), &format!("{MARK}-outage-2")]).await;
        assert_eq!(answer.body["results"][1]["status"], 503, "{}", answer.text);
        cloud.cloud.aws.dynamodb.faults().clear();
    }
    let refused = AccessRefused::client(cloud);
    let account = shared::domain::AccountId::parse("acme").unwrap();
    let error = shared::ports::Accounts::account_get(&refused, &account).await.unwrap_err();
    tracing::error!(error = shared::error::chain(&error), "as the handler logs it");
    cloud.take_refused_calls();
}

/// A ledger with the role of a function that may not read it.
struct AccessRefused;

impl AccessRefused {
    fn client(cloud: &TestCloud) -> DynamoLedger {
        let credentials =
            aws_credential_types::Credentials::new("NotificationsFunction", MARK, Some(MARK.to_owned()), None, "test");
        let config = cloud.cloud.aws.dynamodb.client_config().credentials_provider(credentials);
        let config = config.http_client(cloud.cloud.aws.sdk_config_http_client());
        DynamoLedger::new(aws_sdk_dynamodb::Client::from_conf(config.build()), "another", LedgerSettings::default())
    }
}

/// Each way in which Stripe fails, on a payment page and on an event.
async fn days_without_stripe(cloud: &TestCloud) {
    for (number, action) in [
        FaultAction::Unavailable,
        FaultAction::RateLimit,
        FaultAction::InternalError,
        FaultAction::InternalErrorAfterEffect,
        FaultAction::LoseRequest,
        FaultAction::LoseAnswer,
    ]
    .into_iter()
    .enumerate()
    {
        let path = "/v1/checkout/sessions".to_owned();
        cloud.cloud.stripe.add_fault(local_stripe::Fault { method: None, path, action, count: u32::MAX });
        let (key, body) = (format!("{MARK}-{number}"), json!({"package": "credits_500"}));
        cloud.post("/v1/accounts/acme/purchases", &cloud.cloud.service_token(), Some(&key), &body).await.expect(503);
        cloud.cloud.stripe.clear_faults();
    }
}

/// A declined top-up, one that requires the customer's confirmation, and the links of both.
async fn declined_cards(cloud: &TestCloud) {
    for (account, card) in [("broke", "pm_card_chargeCustomerFail"), ("careful", "pm_card_authenticationRequired")] {
        cloud.open_due_account(account, card).await;
        cloud.sweep().await;
        cloud.settle().await;
        let link = cloud.pay_link(account);
        cloud.visit(&format!("{link}A")).await.expect(404);
        let path = "/v1/invoices/*".to_owned();
        let fault = local_stripe::Fault { method: None, path, action: FaultAction::Unavailable, count: u32::MAX };
        cloud.cloud.stripe.add_fault(fault);
        cloud.visit(&link).await.expect(503);
        cloud.cloud.stripe.clear_faults();
        let page = cloud.visit(&link).await.expect(302).location.unwrap();
        cloud.submit_card(&page, "4000000000009995").await;
        cloud.settle().await;
        let invoices = cloud.top_up_invoices(account).await;
        assert_eq!(invoices.len(), 1, "the test knows its pages and its card");
    }
}

/// Reminders and the end after 30 days, while Stripe or DynamoDB fails and afterwards.
async fn unpaid_for_a_month(cloud: &TestCloud) {
    for (days, expected) in [(1, json!([2, 0])), (29, json!([0, 2]))] {
        cloud.cloud.clock.advance(SignedDuration::from_hours(24 * days)).unwrap();
        let path = "/v1/invoices/*".to_owned();
        let fault = local_stripe::Fault { method: None, path, action: FaultAction::Unavailable, count: u32::MAX };
        cloud.cloud.stripe.add_fault(fault);
        assert_eq!(cloud.sweep().await["unpaid"]["unknown"], 2);
        cloud.cloud.stripe.clear_faults();
        failing_to_commit(cloud, async || assert_eq!(cloud.sweep().await["unpaid"]["failed"], 2)).await;
        let unpaid = cloud.sweep().await["unpaid"].clone();
        assert_eq!(json!([unpaid["reminded"], unpaid["ended"]]), expected, "{unpaid}");
        cloud.settle().await;
    }
    for said in ["followed up", "what is unpaid could not be followed up", "an unpaid invoice cannot be looked up now"]
    {
        assert!(cloud.log().concat().contains(&format!("\"{said}\"")), "{said} is not in the log");
    }
}

async fn days_without_mail(cloud: &TestCloud) {
    for fault in [SesFault::Throttle, SesFault::SendingPaused, SesFault::LoseAnswer(Loss::ConnectionReset)] {
        cloud.cloud.aws.ses.fail_next(1, fault);
        cloud.buy("acme", "credits_500", VISA).await;
    }
}

/// A contact that is confirmed and then bounces, so that no e-mail reaches the customer.
async fn contacts_that_bounce(cloud: &TestCloud) {
    let address = "bounce+canary@simulator.amazonses.com";
    let list = json!({"contacts": [{"email": address, "roles": ["billing"]}]});
    cloud.put("/v1/accounts/acme/contacts", &cloud.cloud.customer_token("acme"), &list).await.expect(200);
    cloud.settle().await;
    let mails = cloud.cloud.aws.ses.messages();
    let text = mails.iter().rev().find(|mail| mail.to == [address]).and_then(|mail| mail.text.clone()).unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/confirm/")).unwrap();
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    let link = link[cloud.cloud.urls.api.len()..].to_owned();
    cloud.visit(&link).await.expect(200);
    let fault = |_: &local_aws::dynamodb::Operation| Some(Fault::Refuse(Refusal::Throttling));
    cloud.cloud.aws.dynamodb.faults().decide_with(fault);
    cloud.send(cloud.request(Method::POST, &link)).await.expect(503);
    cloud.cloud.aws.dynamodb.faults().clear();
    cloud.send(cloud.request(Method::POST, &link)).await.expect(200);
    cloud.settle().await;
    cloud.buy("acme", "credits_500", VISA).await;
    assert!(cloud.log().concat().contains("\"the customer cannot be reached by e-mail\""));
}

/// The key of an unreadable item is logged, so that the item can be found, but none of its attributes.
async fn an_item_that_nobody_can_read(cloud: &TestCloud) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = cloud.cloud.aws.dynamodb.client().put_item().table_name(cloud.table());
    let put = put.item("PK", text("ACCOUNT#unreadable")).item("SK", text("STATE"));
    put.item("balance", text(MARK)).item("email", text("nobody@unreadable.example")).send().await.unwrap();
    let answer = cloud.get("/v1/accounts/unreadable/balance", &cloud.cloud.service_token()).await;
    answer.expect_problem(500, "internal_error");
    assert!(cloud.log().concat().contains("ACCOUNT#unreadable"));
}

#[tokio::test]
async fn a_sender_that_ses_does_not_know_or_may_not_use_is_not_quoted() {
    for (from, to) in [
        ("SENDER: !Ref Sender", "SENDER: Ada <ada@unverified.example>"),
        ("Action: ses:SendEmail", "Action: ses:SendRawEmail"),
    ] {
        let cloud = TestCloud::start_changed(from, to).await;
        cloud.open_account("acme").await;
        let body = json!({"package": "credits_500"});
        let answer = cloud.post("/v1/accounts/acme/purchases", &cloud.cloud.service_token(), Some("buy"), &body).await;
        cloud.pay_page(answer.expect(201).body["checkout_url"].as_str().unwrap(), VISA).await;
        while cloud.cloud.stripe.deliver_due().await > 0 {}
        for stream in &cloud.cloud.streams {
            stream.drain().await.unwrap();
        }
        assert!(cloud.log().concat().contains("\"notice failed\""), "{to}");
        assert_eq!(cloud.leaks(), [""; 0], "{to}");
        cloud.take_refused_calls();
    }
}

/// A Secrets Manager whose answer is cut off after the secret.
#[derive(Clone, Debug)]
struct BreaksOff;

impl Door for BreaksOff {
    async fn exchange(&self, _: WireRequest) -> Result<WireAnswer, Loss> {
        Ok(WireAnswer { status: 200, body: format!(r#"{{"Name":"stripe","SecretString":"{MARK}","#).into_bytes() })
    }
}

/// A function that cannot start ends with its error, which is printed with its whole content.
#[tokio::test]
async fn a_function_that_cannot_start_does_not_print_what_it_read() {
    let config = |http_client| {
        let config = aws_sdk_secretsmanager::Config::builder().http_client(http_client);
        let config = config.behavior_version(BehaviorVersion::latest()).region(Region::from_static("us-east-1"));
        aws_sdk_secretsmanager::Client::from_conf(config.allow_no_auth().build())
    };
    let malformed = json!({"api_key": MARK, "webhook_secrets": [MARK], "unknown": MARK}).to_string();
    let stored = LocalSecrets::new(BTreeMap::from([("stripe".to_owned(), malformed)]));
    for client in [config(http_client(BreaksOff)), config(http_client(stored))] {
        let error = stripe_secret_get(&client, "stripe").await.unwrap_err();
        let printed = format!("{error:?} {error:#?} {}", shared::error::chain(&error));
        assert!(printed.contains("stripe") && !printed.contains(MARK), "{printed}");
        let bytes = format!("{:?}", MARK.as_bytes());
        assert!(!printed.contains(&bytes), "{printed}");
    }
}

#[tokio::test]
async fn a_test_whose_functions_log_a_secret_fails() {
    let cloud = TestCloud::start().await;
    let secret = cloud.cloud.signing.session_token.clone();
    let planted = |cloud: &TestCloud| cloud.leaks().iter().filter(|leak| leak.contains("the session token in")).count();
    tracing::debug!(target: "aws_smithy_runtime::client", token = secret, "what other crates say is not written");
    tracing::trace!(target: "hyper::proto", token = secret, "nor this");
    assert_eq!(planted(&cloud), 0);
    tracing::trace!(target: "shared::ledger", token = secret, "planted by a test");
    assert_eq!(planted(&cloud), 1);
    let span = tracing::info_span!(target: "charging", "handle", token = secret);
    span.in_scope(|| tracing::info!(target: "charging", "planted in a span by a test"));
    assert_eq!(planted(&cloud), 2);
    let error = std::io::Error::other(format!("the key {secret} is refused"));
    tracing::error!(target: "shared::http", error = shared::error::chain(&error), "planted in an error by a test");
    assert_eq!(planted(&cloud), 3);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(cloud))).is_err(), "the end of the test checks the log");
}

#[test]
fn each_canary_is_found_however_it_is_written() {
    let mut canaries = Canaries::default();
    canaries.plant("words", "Ada said \"yes\" & left");
    for line in [
        "Ada said \"yes\" & left",
        r#"{"error":"Ada said \"yes\" & left"}"#,
        r#"{"error":"body {\"reference\":\"Ada said \\\"yes\\\" & left\"}"}"#,
        "reference=Ada+said+%22yes%22+%26+left&x=1",
        "QWRhIHNhaWQgInllcyIgJiBsZWZ0",
    ] {
        let found = canaries.found_in(&[line.to_owned()]);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
    }
    for (kind, line) in [
        ("an e-mail address", "sent to ada@example.com"),
        ("an e-mail address", "email=ada%40example.com"),
        ("a JSON web token", "token eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
        ("a key of Stripe's", "No such key: sk_live_51"),
        ("a key of Stripe's", "signed with whsec_1"),
        ("a bearer's right", "authorization: Bearer abc"),
        ("a request's signature", "AWS4-HMAC-SHA256 Credential=A"),
        ("a request's signature", "t=1,v1=00"),
        ("a link of an e-mail", "GET /pay/MTow.c2ln"),
        ("a link of an e-mail", "POST /confirm/MTow.c2ln"),
        ("a saved card", "payment_method pm_1"),
    ] {
        let found = Canaries::default().found_in(&[line.to_owned()]);
        assert_eq!(found, [format!("{kind} in {line}")]);
    }
    let harmless = [
        r#"{"level":"INFO","account.id":"acme","outcome":"Paid","message":"swept"}"#,
        "Stripe refused the request: status 402, type card_error, code card_declined, request req_1",
        r#"{"stripe.path":"/invoices/in_1/pay","error":"[address] is not verified @ all"}"#,
    ];
    assert_eq!(canaries.found_in(&harmless.map(str::to_owned)), [""; 0]);
}

/// API Gateway's own log of each request has neither the path nor the address of the caller.
#[test]
fn the_access_log_names_the_route_and_the_account_and_nothing_else_of_a_request() {
    const ALLOWED: [&str; 9] = [
        "authorizer.claims.sub",
        "authorizer.error",
        "integrationErrorMessage",
        "requestId",
        "requestTimeEpoch",
        "responseLatency",
        "responseLength",
        "routeKey",
        "status",
    ];
    let variables = |template: &str| -> BTreeSet<String> {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '.';
        let names = template.split("$context.").skip(1);
        names.map(|rest| rest.chars().take_while(|character| is_part(*character)).collect()).collect()
    };
    let template = include_str!("../../template.yaml");
    assert_eq!(variables(template), ALLOWED.map(str::to_owned).into());
    let with_path = template.replace("$context.routeKey", "$context.path");
    assert_ne!(variables(&with_path), ALLOWED.map(str::to_owned).into());
}

/// The level in the template is not more verbose than the level in these tests.
#[tokio::test]
async fn the_functions_log_at_info() {
    let cloud = TestCloud::start().await;
    for function in cloud.cloud.template.functions.values() {
        assert_eq!(function.environment["RUST_LOG"], "info", "{}", function.logical_id);
        let is_ours = OWN_CRATES.contains(&function.binary.replace('-', "_").as_str());
        assert!(is_ours, "{} is not in OWN_CRATES, whose logs are more verbose than others", function.binary);
    }
}
