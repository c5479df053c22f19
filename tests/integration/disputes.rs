//! Disputes, end to end: the list, the alarm before an answer is due, and the evidence.

use crate::support::TestCloud;
use jiff::SignedDuration;
use local_stripe::WebhookConduct;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const VISA: &str = "4242424242424242";
const INQUIRY: &str = "4000000000001976";
const LIST: &str = "/v1/support/disputes";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const WARNING: &str = "a dispute has to be answered soon";

/// The cardholder disputes the account's newest payment. Returns the dispute.
async fn dispute_newest(cloud: &TestCloud, account: &str) -> String {
    let customer = cloud.customer(account).await;
    let charges = cloud.stripe_get(&format!("/v1/charges?customer={customer}")).await;
    let dispute = cloud.cloud.stripe.open_dispute(charges["data"][0]["id"].as_str().unwrap()).unwrap();
    cloud.settle().await;
    dispute
}

async fn listed(cloud: &TestCloud) -> Vec<Value> {
    let list = cloud.get(LIST, &cloud.support_token()).await.expect(200).body;
    list["data"].as_array().unwrap().clone()
}

async fn evidence(cloud: &TestCloud, dispute: &str) -> Value {
    cloud.get(&format!("{LIST}/{dispute}/evidence"), &cloud.support_token()).await.expect(200).body
}

fn warnings(cloud: &TestCloud, dispute: &str) -> usize {
    cloud.log().iter().filter(|line| line.contains(WARNING) && line.contains(dispute)).count()
}

#[tokio::test]
async fn open_disputes_are_listed_by_when_they_are_due_until_they_are_closed() {
    let cloud = TestCloud::start().await;
    for account in ["acme", "globex", "initech"] {
        cloud.open_account(account).await;
        cloud.buy(account, "credits_5000", VISA).await;
    }
    let first = dispute_newest(&cloud, "globex").await;
    cloud.cloud.clock.advance(DAY).unwrap();
    let second = dispute_newest(&cloud, "acme").await;
    cloud.open_account("hooli").await;
    cloud.buy("hooli", "credits_500", INQUIRY).await;
    let list = listed(&cloud).await;
    let shown: Vec<_> =
        list.iter().map(|row| (row["account"].clone(), row["status"].clone(), row["days_left"].clone())).collect();
    assert_eq!(
        shown,
        [
            (json!("globex"), json!("needs_response"), json!(6)),
            (json!("acme"), json!("needs_response"), json!(7)),
            (json!("hooli"), json!("warning_needs_response"), json!(7)),
        ]
    );
    assert_eq!(
        (&list[0]["dispute"], &list[0]["amount"], &list[0]["currency"]),
        (&json!(first), &json!(5_000), &json!("USD"))
    );
    let page = cloud.get(&format!("{LIST}?limit=1"), &cloud.support_token()).await.expect(200).body;
    assert_eq!((&page["data"][0]["dispute"], &page["has_more"]), (&json!(first), &json!(true)));
    let next = format!("{LIST}?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = cloud.get(&next, &cloud.support_token()).await.expect(200).body;
    assert_eq!((&rest["data"][0]["dispute"], &rest["has_more"]), (&json!(second), &json!(false)), "{rest}");

    // What was answered needs nothing more and comes last, and what is closed is gone.
    let sent = [("evidence[product_description]", "Credits")];
    cloud.stripe_post(&format!("/v1/disputes/{first}"), &sent).await;
    cloud.cloud.stripe.decide_dispute(&second, false).unwrap();
    cloud.settle().await;
    let list = listed(&cloud).await;
    let shown: Vec<_> = list.iter().map(|row| (row["account"].clone(), row["submission_count"].clone())).collect();
    assert_eq!(shown, [(json!("hooli"), json!(0)), (json!("globex"), json!(1))]);
    assert_eq!((&list[1]["status"], &list[1]["due_by"]), (&json!("under_review"), &Value::Null));
    cloud.cloud.stripe.decide_dispute(&first, true).unwrap();
    cloud.settle().await;
    assert_eq!(listed(&cloud).await.len(), 1);
}

#[tokio::test]
async fn the_alarm_rings_once_three_days_before_an_answer_is_due() {
    let cloud = TestCloud::start_reconciling().await;
    for account in ["acme", "globex", "initech"] {
        cloud.open_account(account).await;
        cloud.buy(account, "credits_5000", VISA).await;
    }
    let (open, answered, lost) = (
        dispute_newest(&cloud, "acme").await,
        dispute_newest(&cloud, "globex").await,
        dispute_newest(&cloud, "initech").await,
    );
    cloud.stripe_post(&format!("/v1/disputes/{answered}"), &[("evidence[product_description]", "Credits")]).await;
    cloud.cloud.stripe.decide_dispute(&lost, false).unwrap();
    cloud.settle().await;
    cloud.cloud.clock.advance(DAY * 4 - SignedDuration::from_secs(1)).unwrap();
    assert_eq!(cloud.reconcile().await["disputes_due"], 0);
    cloud.cloud.clock.advance(SignedDuration::from_secs(1)).unwrap();
    assert_eq!(cloud.reconcile().await["disputes_due"], 1);
    for _ in 0..3 {
        cloud.cloud.clock.advance(DAY).unwrap();
        assert_eq!(cloud.reconcile().await["disputes_due"], 0, "once for each dispute");
    }
    assert_eq!([&open, &answered, &lost].map(|dispute| warnings(&cloud, dispute)), [1, 0, 0]);
}

#[tokio::test]
async fn the_evidence_of_a_purchase_says_what_was_bought_and_which_charges_used_it() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", VISA).await;
    cloud.buy("acme", "credits_5000", VISA).await;
    for (key, minutes) in [("job-1", 40), ("job-2", 30), ("job-3", 20)] {
        cloud.charge("acme", key, minutes).await.expect(201);
    }
    let service = cloud.cloud.service_token();
    cloud.post("/v1/accounts/acme/charges/job-3/restore", &service, None, &json!({})).await.expect(201);
    let dubbing = json!({"operation": "dubbing", "duration_ms": 60_000, "reference": "episode-12", "spender": "key-7"});
    let dubbed = cloud.post("/v1/accounts/acme/charges", &service, Some("job-4"), &dubbing).await.expect(201);
    let dispute = dispute_newest(&cloud, "acme").await;
    let seen = evidence(&cloud, &dispute).await;
    assert_eq!((&seen["amount"], &seen["card"]), (&json!(5_000), &json!({"brand": "visa", "last4": "4242"})));
    assert_eq!(
        (&seen["status"], &seen["days_left"], &seen["submission_count"]),
        (&json!("needs_response"), &json!(7), &json!(0))
    );
    let charges: Vec<_> = seen["charges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| (used["charge"].clone(), used["credits"].clone(), used["credits_of_payment"].clone()))
        .collect();
    // 500 credits were there before, of which job-1 used 400 and job-2 a hundred.
    assert_eq!(charges, [(json!("job-2"), json!(300), json!(200)), (json!("job-4"), json!(10), json!(10))]);
    assert_eq!((&seen["restores"][0]["charge"], &seen["bought"]["used"]), (&json!("job-3"), &json!(210)));
    let last = &seen["charges"][1];
    assert_eq!(
        (&last["reference"], &last["spender"], &last["request_id"]),
        (&json!("episode-12"), &json!("key-7"), &json!(dubbed.request_id()))
    );
    let texts = &seen["evidence"];
    for (name, words) in [
        ("product_description", &["5,000 credits for $50.00", "5 January 2026"][..]),
        ("customer_email_address", &["owner@acme.example"]),
        ("service_date", &["5 January 2026"]),
        (
            "access_activity_log",
            &["key job-2", "key job-4, reference episode-12, user key-7", "10 credits of it from this payment"],
        ),
        ("uncategorized_text", &["Visa •••• 4242", "purchase paid, to owner@acme.example"]),
    ] {
        let text = texts[name].as_str().unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{name}: {text}");
    }
    let mails = seen["mails"].as_array().unwrap();
    let kinds: BTreeSet<_> = mails.iter().filter_map(|mail| mail["kind"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["credits_taken_back", "purchase_paid"]));
    assert!(mails.iter().all(|mail| mail["sent_at"].is_string()), "{seen}");
    assert_eq!(seen["consent"], Value::Null);
    let characters: usize =
        texts.as_object().unwrap().values().filter_map(Value::as_str).map(|text| text.chars().count()).sum();
    assert_eq!(seen["characters"], json!(characters));
}

#[tokio::test]
async fn the_evidence_of_a_top_up_has_the_consent_that_it_rests_on() {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_visa").await;
    let agreed = cloud.auto_top_up("acme").await;
    cloud.sweep().await;
    cloud.settle().await;
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    cloud.turn_on_auto_top_up("acme", 2_000, 9_000).await;
    let dispute = dispute_newest(&cloud, "acme").await;
    let seen = evidence(&cloud, &dispute).await;
    assert!(seen["paid_for"].as_str().unwrap().starts_with("top_"), "{seen}");
    assert_eq!(
        (&seen["consent"]["accepted_by"], &seen["consent"]["text"]),
        (&json!("owner"), &agreed["consent"]["text"])
    );
    let text = seen["evidence"]["uncategorized_text"].as_str().unwrap();
    assert!(text.contains(seen["consent"]["text"].as_str().unwrap()), "{text}");
    assert!(seen["evidence"]["access_activity_log"].as_str().unwrap().contains("None of them was used yet."), "{seen}");
}

#[tokio::test]
async fn the_evidence_is_also_a_page_without_anything_that_runs() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", VISA).await;
    let sneaky = json!({"operation": "training", "max_minutes": 1, "reference": "<script>alert(1)</script>"});
    cloud.post("/v1/accounts/acme/charges", &cloud.cloud.service_token(), Some("job-1"), &sneaky).await.expect(201);
    let dispute = dispute_newest(&cloud, "acme").await;
    let page = cloud.request(Method::GET, &format!("{LIST}/{dispute}/evidence")).bearer_auth(cloud.support_token());
    let page = cloud.send(page.header("Accept", "text/html,*/*;q=0.8")).await.expect(200);
    assert_eq!(page.content_type, "text/html; charset=utf-8");
    assert!(page.headers["content-security-policy"].contains("default-src 'none'"));
    assert!(page.text.contains(&dispute) && page.text.contains("access_activity_log"), "{}", page.text);
    assert!(!page.text.contains("<script>"), "{}", page.text);
}

#[tokio::test]
async fn a_dispute_that_is_unknown_or_of_another_payment_has_no_evidence() {
    let cloud = TestCloud::start().await;
    let token = cloud.support_token();
    for unknown in ["du_none", "not-an-id"] {
        cloud.get(&format!("{LIST}/{unknown}/evidence"), &token).await.expect_problem(404, "not_found");
    }
    cloud.open_account("acme").await;
    let customer = cloud.customer("acme").await;
    let card = cloud.save_card("acme", "pm_card_visa").await;
    let form = [
        ("amount", "700"),
        ("currency", "usd"),
        ("customer", customer.as_str()),
        ("payment_method", card.as_str()),
        ("confirm", "true"),
        ("off_session", "true"),
    ];
    cloud.stripe_post("/v1/payment_intents", &form).await;
    let dispute = dispute_newest(&cloud, "acme").await;
    cloud.get(&format!("{LIST}/{dispute}/evidence"), &token).await.expect_problem(404, "not_found");
    assert_eq!(listed(&cloud).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_dispute_is_kept_as_stripe_shows_it_however_its_events_arrive() {
    for conduct in [
        WebhookConduct { duplicate: true, reorder: true, ..WebhookConduct::default() },
        WebhookConduct { drop_next: 1, ..WebhookConduct::default() },
    ] {
        let cloud = TestCloud::start().await;
        cloud.open_account("acme").await;
        cloud.buy("acme", "credits_500", INQUIRY).await;
        let dispute = listed(&cloud).await[0]["dispute"].as_str().unwrap().to_owned();
        cloud.cloud.stripe.set_webhook_conduct(conduct.clone());
        cloud.cloud.stripe.escalate_inquiry(&dispute).unwrap();
        cloud.settle().await;
        assert_eq!(listed(&cloud).await[0]["status"], "needs_response", "{conduct:?}");
        cloud.cloud.stripe.set_webhook_conduct(conduct.clone());
        cloud.cloud.stripe.decide_dispute(&dispute, true).unwrap();
        cloud.settle().await;
        assert_eq!(listed(&cloud).await, [] as [Value; 0], "{conduct:?}");
    }
}
