//! What the company's support does, through its own routes.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_aws::ses::{Message, SesFault};
use reqwest::Method;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";
const REASON: &str = "The upload failed twice.";

fn of(account: &str, path: &str) -> String {
    format!("/v1/support/accounts/{account}{path}")
}

async fn adjust(cloud: &TestCloud, key: &str, body: &Value) -> Answer {
    cloud.post(&of("acme", "/adjustments"), &cloud.support_token(), Some(key), body).await
}

async fn lift(cloud: &TestCloud, query: &str) -> Answer {
    let request = cloud.request(Method::DELETE, &format!("{}{query}", of("acme", "/restriction")));
    cloud.send(request.bearer_auth(cloud.support_token())).await
}

async fn resend(cloud: &TestCloud, notice: &str) -> Answer {
    let path = of("acme", &format!("/notices/{notice}/resend"));
    cloud.post(&path, &cloud.support_token(), None, &json!({ "reason": REASON })).await
}

async fn check(cloud: &TestCloud, account: &str) -> Value {
    let path = of(account, "/auto-top-up/check");
    cloud.post(&path, &cloud.support_token(), None, &json!({ "reason": REASON })).await.expect(200).body
}

async fn data(cloud: &TestCloud, path: &str) -> Vec<Value> {
    cloud.get(path, &cloud.support_token()).await.expect(200).body["data"].as_array().unwrap().clone()
}

async fn acts(cloud: &TestCloud) -> Vec<Value> {
    data(cloud, &of("acme", "/acts?limit=100")).await
}

/// The ids of the accounts that a query finds.
async fn found(cloud: &TestCloud, query: &str) -> Vec<String> {
    let accounts = data(cloud, &format!("/v1/support/accounts?{query}")).await;
    accounts.iter().map(|account| account["account"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn credits_are_given_and_taken_once_with_a_reason_that_the_customer_sees() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let give = json!({"credits": 40, "reason": REASON});
    let given = adjust(&cloud, "case-1", &give).await.expect(201);
    assert_eq!(
        (&given.body["credits"], &given.body["balance"], &given.body["seq"]),
        (&json!(40), &json!(40), &json!(1))
    );
    let again = adjust(&cloud, "case-1", &give).await.expect(200);
    assert!(again.is_replay && again.body == given.body, "{}", again.text);
    for other in [json!({"credits": 41, "reason": REASON}), json!({"credits": 40, "reason": "Another."})] {
        adjust(&cloud, "case-1", &other).await.expect_problem(409, "idempotency_key_reused");
    }
    let take = json!({"credits": -41, "reason": REASON});
    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    let refused = adjust(&cloud, "case-2", &take).await.expect_problem(409, "balance_below_zero");
    assert_eq!(refused.body["balance"], 40);
    let allowed = json!({"credits": -41, "reason": REASON, "allow_negative": true});
    assert_eq!(adjust(&cloud, "case-2", &allowed).await.expect(201).body["balance"], -1, "the key was not used up");
    assert_eq!(adjust(&cloud, "case-2", &take).await.expect(200).body["balance"], -1, "the same credits and reason");

    let history = cloud.history("acme").await;
    let shown = |entry: &Value| {
        [&entry["entry"], &entry["kind"], &entry["reason"]].map(|text| text.as_str().unwrap().to_owned())
    };
    assert_eq!(shown(&history[0]), ["adjustment:case-2", "adjustment", REASON]);
    assert!(history.iter().all(|entry| entry.get("operator").is_none()), "a customer does not see the operator");
    let acts = acts(&cloud).await;
    let told = |act: &Value| {
        (act["adjustment"].clone(), act["credits"].clone(), act["operator"].clone(), act["reason"].clone())
    };
    let expected = |key: &str, credits: i64| (json!(key), json!(credits), json!("operator-7"), json!(REASON));
    assert_eq!(acts.iter().map(told).collect::<Vec<_>>(), [expected("case-2", -41), expected("case-1", 40)]);
    assert_eq!(acts[1]["at"], given.body["created_at"]);
    cloud.charge("acme", "job-1", 1).await.expect_problem(402, "insufficient_credits");
}

#[tokio::test]
async fn bad_input_is_named_with_its_range_and_changes_nothing() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let before = cloud.footprint();
    for (credits, allow, field) in [
        (json!(0), json!(false), "credits"),
        (json!(10_000_001), json!(false), "credits"),
        (json!(-10_000_001), json!(true), "credits"),
        (json!(1.5), json!(false), "credits"),
        (json!("1"), json!(false), "credits"),
        (json!(null), json!(false), "credits"),
        (json!(1), json!("yes"), "allow_negative"),
    ] {
        let body = json!({"credits": credits, "allow_negative": allow, "reason": REASON});
        let refused = adjust(&cloud, "case-1", &body).await.expect_problem(422, "invalid_request");
        refused.field_error(field);
    }
    for reason in [json!(""), json!("a\nb"), json!("a\u{202e}b"), json!("x".repeat(201)), json!(7), json!(null)] {
        let body = json!({"credits": 1, "reason": reason});
        adjust(&cloud, "case-1", &body).await.expect_problem(422, "invalid_request").field_error("reason");
        let check = json!({ "reason": reason });
        let path = of("acme", "/auto-top-up/check");
        cloud.post(&path, &cloud.support_token(), None, &check).await.expect_problem(422, "invalid_request");
    }
    let body = json!({"credits": 1, "reason": REASON});
    let no_key = cloud.post(&of("acme", "/adjustments"), &cloud.support_token(), None, &body).await;
    no_key.expect_problem(422, "invalid_request").field_error("Idempotency-Key");
    let now = cloud.now();
    for until in [
        json!(now.to_string()),
        json!((now - SignedDuration::from_secs(1)).to_string()),
        json!((now + SignedDuration::from_hours(366 * 24) + SignedDuration::from_millis(1)).to_string()),
        json!("tomorrow"),
        json!(1_800_000_000),
    ] {
        let body = json!({"until": until, "reason": "Unusual consumption."});
        let refused = cloud.put(&of("acme", "/restriction"), &cloud.support_token(), &body).await;
        refused.expect_problem(422, "invalid_request").field_error("until");
    }
    let long = json!({"until": (now + SignedDuration::from_hours(1)).to_string(), "reason": "x".repeat(101)});
    let refused = cloud.put(&of("acme", "/restriction"), &cloud.support_token(), &long).await;
    refused.expect_problem(422, "invalid_request").field_error("reason");
    for query in ["", "?reason=", "?reason=a&reason=b", "?why=a"] {
        lift(&cloud, query).await.expect_problem(422, "invalid_request");
    }
    for (query, field) in [
        ("", "account"),
        ("account=acme&email=owner@acme.example", "account"),
        ("invoice=in_1&payment=pi_1", "account"),
        ("charge=job-1", "charge"),
        ("account=a.b", "account"),
        ("email=acme", "email"),
        ("customer=acme", "customer"),
        ("purchase=pur_1", "purchase"),
        ("top_up=pur_00000000000000000000000000000001", "top_up"),
        ("invoice=in_%23", "invoice"),
        ("payment=in_1", "payment"),
        ("receipt=1", "receipt"),
    ] {
        let refused = cloud.get(&format!("/v1/support/accounts?{query}"), &cloud.support_token()).await;
        refused.expect_problem(422, "invalid_request").field_error(field);
    }
    resend(&cloud, "ntc_1").await.expect_problem(404, "not_found");
    resend(&cloud, "ntc_00000000000000000000000000000001").await.expect_problem(404, "not_found");
    assert_eq!(cloud.footprint(), before);
}

#[tokio::test]
async fn an_act_needs_an_operator() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let before = cloud.footprint();
    for subject in [String::new(), "x".repeat(256)] {
        let token = cloud.cloud.token(&subject, &["credits/support"]);
        let body = json!({"credits": 40, "reason": REASON});
        let refused = cloud.post(&of("acme", "/adjustments"), &token, Some("case-1"), &body).await;
        refused.expect_problem(403, "forbidden");
        cloud.get(&of("acme", ""), &token).await.expect(200);
    }
    assert_eq!(cloud.footprint(), before);
}

#[tokio::test]
async fn a_restriction_blocks_charges_until_it_ends_or_is_lifted() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_500", VISA).await;
    let until = cloud.now() + SignedDuration::from_hours(1);
    let body = json!({"until": until.to_string(), "reason": "Unusual consumption."});
    let restrict =
        async |body: &Value| cloud.put(&of("acme", "/restriction"), &cloud.support_token(), body).await.expect(200);
    let restricted = restrict(&body).await.body["restriction"].clone();
    assert_eq!(restricted, json!({"reason": "Unusual consumption.", "until": format!("{until:.3}")}));
    restrict(&body).await;
    let refused = cloud.charge("acme", "job-1", 1).await.expect_problem(403, "account_restricted");
    assert_eq!((&refused.body["reason"], &refused.body["until"]), (&restricted["reason"], &restricted["until"]));
    let balance = cloud.get("/v1/accounts/acme/balance", &cloud.cloud.customer_token("acme")).await.expect(200);
    assert_eq!(balance.body["restriction"], restricted);
    assert_eq!(cloud.get(&of("acme", ""), &cloud.support_token()).await.expect(200).body["restriction"], restricted);

    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    assert_eq!(lift(&cloud, "?reason=Looked+into").await.expect(200).body["restriction"], Value::Null);
    lift(&cloud, "?reason=Looked+into").await.expect(200);
    cloud.charge("acme", "job-1", 1).await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    restrict(&body).await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(1)).unwrap();
    cloud.charge("acme", "job-2", 1).await.expect(201);
    lift(&cloud, "?reason=Too+late").await.expect(200);
    let kinds: Vec<Value> = acts(&cloud).await.iter().map(|act| act["kind"].clone()).collect();
    assert_eq!(kinds, ["restricted", "restriction_lifted", "restricted"], "what changes nothing is not recorded");
}

#[tokio::test]
async fn an_e_mail_is_sent_again_by_the_same_road_and_within_bounds() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    for _ in 0..6 {
        // Ids of the same millisecond have no order.
        cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
        cloud.buy("acme", "credits_500", VISA).await;
    }
    let notices = data(&cloud, &of("acme", "/notices")).await;
    let ids: Vec<&str> = notices.iter().map(|notice| notice["notice"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 6);
    let sent = cloud.mails("acme");
    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    let resent = resend(&cloud, ids[0]).await.expect(200);
    assert_eq!((&resent.body["about"], &resent.body["sent_at"]), (&notices[0]["about"], &Value::Null));
    cloud.settle().await;
    let mails = cloud.mails("acme");
    assert_eq!((mails.len(), &mails[6].subject), (7, &sent[5].subject));
    // The links last from the time of sending, so each e-mail has its own.
    let without_links = |mail: &Message| {
        let text = mail.text.clone().unwrap_or_default();
        let words = text.split_whitespace().filter(|word| !word.contains("/receipt/"));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_links(&mails[6]), without_links(&sent[5]));
    let listed = data(&cloud, &of("acme", "/notices")).await;
    assert_eq!(listed[0]["notice"], resent.body["notice"]);
    assert!(listed.iter().all(|notice| notice["sent_at"].is_string()), "both sends are recorded");
    let act = acts(&cloud).await.remove(0);
    assert_eq!((&act["notice"], &act["resent_as"]), (&notices[0]["notice"], &resent.body["notice"]));

    for id in [ids[0], resent.body["notice"].as_str().unwrap()] {
        let refused = resend(&cloud, id).await.expect_problem(409, "notice_resent");
        assert_eq!(refused.body["possible_at"], format!("{:.3}", cloud.now() + SignedDuration::from_hours(1)));
    }
    for id in &ids[1..5] {
        resend(&cloud, id).await.expect(200);
    }
    resend(&cloud, ids[5]).await.expect_problem(409, "resend_limit_reached");
    cloud.settle().await;
    assert_eq!(cloud.mails("acme").len(), 11);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
    resend(&cloud, ids[0]).await.expect(200);
}

#[tokio::test]
async fn an_e_mail_that_was_given_up_can_be_sent_again_and_one_on_its_way_cannot() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.cloud.aws.ses.fail_next(100, SesFault::Throttle);
    let purchases = "/v1/accounts/acme/purchases";
    let token = cloud.cloud.customer_token("acme");
    let opened = cloud.post(purchases, &token, Some("buy-1"), &json!({"package": "credits_500"})).await.expect(201);
    cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), VISA).await;
    cloud.cloud.settle().await.unwrap();
    let notices = data(&cloud, &of("acme", "/notices")).await;
    let id = notices[0]["notice"].as_str().unwrap();
    assert_eq!(notices[0]["sent_at"], Value::Null);
    resend(&cloud, id).await.expect_problem(409, "notice_being_sent");
    cloud.cloud.clock.advance(SignedDuration::from_hours(6)).unwrap();
    resend(&cloud, id).await.expect(200);
}

#[tokio::test]
async fn a_check_tops_up_through_the_gates_of_the_sweep() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    assert_eq!(check(&cloud, "acme").await["closed"]["gate"], "turned_on");
    cloud.open_due_account("globex", "pm_card_visa").await;
    let paid = check(&cloud, "globex").await;
    assert_eq!((&paid["outcome"], &paid["closed"], &paid["balance"]), (&json!("paid"), &Value::Null, &json!(5_000)));
    assert_eq!(paid["top_up"]["status"], "paid");
    assert_eq!(check(&cloud, "globex").await["closed"]["gate"], "below_threshold");
    let body = json!({"operation": "dubbing", "duration_ms": 4_500 * 6_000});
    cloud.post("/v1/accounts/globex/charges", &cloud.cloud.service_token(), Some("job"), &body).await.expect(201);
    let closed = check(&cloud, "globex").await;
    assert_eq!((&closed["outcome"], &closed["closed"]["gate"]), (&json!("skipped"), &json!("interval_passed")));
    cloud.settle().await;
    assert_eq!(cloud.balance("globex").await, 500, "the webhook grants nothing twice");
    cloud.cloud.clock.advance(SignedDuration::from_hours(6)).unwrap();
    assert_eq!(check(&cloud, "globex").await["outcome"], "paid");

    cloud.open_due_account("initech", "pm_card_chargeCustomerFail").await;
    let declined = check(&cloud, "initech").await;
    assert_eq!((&declined["outcome"], &declined["top_up"]["reason"]), (&json!("declined"), &json!("generic")));
    assert_eq!(check(&cloud, "initech").await["closed"]["gate"], "not_paused");
    cloud.settle().await;
    assert_eq!(cloud.subjects("initech").len(), 1, "the customer is told as after a sweep");
    let account = cloud.get(&of("initech", ""), &cloud.support_token()).await.expect(200).body;
    let closed = account["auto_top_up"]["gates"].as_array().unwrap().iter().filter(|gate| gate["state"] == "closed");
    let closed: Vec<&Value> = closed.map(|gate| &gate["gate"]).collect();
    assert_eq!(closed, ["not_paused", "interval_passed"]);
    assert_eq!(account["auto_top_up"]["payment_issue"]["kind"], "declined");
    assert_eq!(account["top_ups"][0]["top_up"], declined["top_up"]["top_up"]);
    let checks = account["acts"].as_array().unwrap().iter().filter(|act| act["kind"] == "top_up_checked").count();
    assert_eq!(checks, 2, "also a check that found a closed gate is recorded");
}

#[tokio::test]
async fn an_account_is_found_by_all_that_a_customer_can_name() {
    let cloud = TestCloud::start().await;
    for account in ["acme", "globex"] {
        cloud.open_account(account).await;
        cloud.buy(account, "credits_5000", VISA).await;
    }
    cloud.charge("acme", "job-1", 1).await.expect(201);
    cloud.save_card("acme", "pm_card_visa").await;
    cloud.turn_on_auto_top_up("acme", 5_000, 10_000).await;
    assert_eq!(check(&cloud, "acme").await["outcome"], "paid");
    let account = cloud.get(&of("acme", ""), &cloud.support_token()).await.expect(200).body;
    let (purchase, top_up) = (&account["purchases"][0], &account["top_ups"][0]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let invoice = cloud.stripe_get(&format!("/v1/invoices/{}", text(&top_up["invoice"]))).await;
    let intent = cloud.stripe_get(&format!("/v1/payment_intents/{}", text(&purchase["payment"]))).await;
    for query in [
        "account=acme".to_owned(),
        "account=acme&charge=job-1".to_owned(),
        "email=owner@acme.example".to_owned(),
        format!("customer={}", text(&account["customer"])),
        format!("invoice={}", text(&top_up["invoice"])),
        format!("invoice={}", text(&purchase["invoice"])),
        format!("payment={}", text(&purchase["payment"])),
        format!("payment={}", text(&intent["latest_charge"])),
    ] {
        assert_eq!(found(&cloud, &query).await, ["acme"], "{query}");
    }
    // Stripe's search lags.
    let searched = [
        format!("invoice={}", text(&invoice["number"])),
        format!("purchase={}", text(&purchase["purchase"])),
        format!("top_up={}", text(&top_up["top_up"])),
    ];
    for query in &searched {
        assert_eq!(found(&cloud, query).await, [""; 0], "{query}");
    }
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    for query in &searched {
        assert_eq!(found(&cloud, query).await, ["acme"], "{query}");
    }
    for query in [
        "account=nobody",
        "account=acme&charge=job-2",
        "account=globex&charge=job-1",
        "email=Owner@acme.example",
        "customer=cus_nobody",
        "invoice=in_nobody",
        "invoice=NOBODY-0001",
        "payment=pi_nobody",
        "payment=ch_nobody",
        "top_up=top_00000000000000000000000000000001",
    ] {
        assert_eq!(found(&cloud, query).await, [""; 0], "{query}");
    }
}

/// Stripe compares an address with its capitals, and several customers may have the same one. Only customers that the
/// table knows count.
#[tokio::test]
async fn several_accounts_have_one_address_and_customers_of_others_are_not_found() {
    let cloud = TestCloud::start().await;
    let token = cloud.cloud.service_token();
    for account in ["acme", "acme-test"] {
        let body = json!({"account": account, "email": "Ada@acme.example"});
        cloud.post("/v1/accounts", &token, None, &body).await.expect(201);
    }
    let foreign = [("email", "Ada@acme.example"), ("metadata[account]", "acme")];
    let foreign = cloud.stripe(Method::POST, "/v1/customers", &foreign).await.expect(200);
    assert_eq!(found(&cloud, "email=Ada@acme.example").await, ["acme", "acme-test"]);
    assert_eq!(found(&cloud, "email=ada@acme.example").await, [""; 0]);
    assert_eq!(found(&cloud, &format!("customer={}", foreign.body["id"].as_str().unwrap())).await, [""; 0]);
}

#[tokio::test]
async fn one_answer_says_everything_about_an_account() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", VISA).await;
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    let token = cloud.cloud.service_token();
    let pending = json!({"operation": "training", "max_minutes": 1, "expires_in_seconds": 60, "reference": "episode-12", "spender": "key-1"});
    cloud.post("/v1/accounts/acme/charges", &token, Some("job-1"), &pending).await.expect(201);
    cloud.put("/v1/accounts/acme/limits", &token, &json!({"day": 100, "month": null})).await.expect(200);
    cloud.put("/v1/accounts/acme/spending", &token, &json!({"stopped": true, "changed_by": "ada"})).await.expect(200);
    adjust(&cloud, "case-1", &json!({"credits": 5, "reason": REASON})).await.expect(201);
    let account = cloud.get(&of("acme", ""), &cloud.support_token()).await.expect(200).body;
    for (pointer, expected) in [
        ("/email", json!("owner@acme.example")),
        ("/balance", json!(4_995)),
        ("/pending", json!(10)),
        ("/restriction", Value::Null),
        ("/spending/stopped", json!(true)),
        ("/spending/changed_by", json!("ada")),
        ("/limits/day/left", json!(100)),
        ("/auto_top_up/enabled", json!(true)),
        ("/auto_top_up/consent/accepted_by", json!("owner")),
        ("/auto_top_up/gates/1/state", json!("closed")),
        ("/purchases/0/status", json!("paid")),
        ("/entries/0/reason", json!(REASON)),
        ("/entries/0/operator", json!("operator-7")),
        ("/entries/1/reference", json!("episode-12")),
        ("/entries/1/spender", json!("key-1")),
        ("/entries/2/kind", json!("purchase")),
        ("/notices/0/kind", json!("purchase_paid")),
        ("/acts/0/kind", json!("adjusted")),
    ] {
        assert_eq!(account.pointer(pointer), Some(&expected), "{pointer} in {account}");
    }
    cloud.get(&of("nobody", ""), &cloud.support_token()).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn acts_and_e_mails_are_listed_page_by_page() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    for number in 0..5 {
        adjust(&cloud, &format!("case-{number}"), &json!({"credits": 500, "reason": REASON})).await.expect(201);
        cloud.buy("acme", "credits_500", VISA).await;
    }
    for (list, id) in [("acts", "act"), ("notices", "notice")] {
        let (mut seen, mut query): (Vec<String>, String) = (vec![], "?limit=2".into());
        loop {
            let page =
                cloud.get(&of("acme", &format!("/{list}{query}")), &cloud.support_token()).await.expect(200).body;
            seen.extend(page["data"].as_array().unwrap().iter().map(|one| one[id].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=2&cursor={cursor}");
        }
        assert_eq!(seen.len(), 5, "{list}");
        assert!(seen.is_sorted_by(|newer, older| newer > older), "{list}: {seen:?}");
        for query in ["?limit=0", "?limit=101", "?cursor=1", "?cursor=pur_00000000000000000000000000000001"] {
            let refused = cloud.get(&of("acme", &format!("/{list}{query}")), &cloud.support_token()).await;
            refused.expect_problem(422, "invalid_request");
        }
    }
}

#[tokio::test]
async fn an_hour_far_above_the_past_raises_one_flag_that_blocks_nothing() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_50000", VISA).await;
    let charge = async |from: u32, to: u32| {
        for first in (from..to).step_by(100) {
            let of = |number: u32| json!({"account": "acme", "key": format!("job-{number}"), "operation": "training", "max_minutes": 1});
            let charges: Vec<_> = (first..to.min(first + 100)).map(of).collect();
            let batch = json!({ "charges": charges });
            cloud.post("/v1/charges/batch", &cloud.cloud.service_token(), None, &batch).await.expect(200);
        }
        cloud.settle().await;
    };
    let flags = async |query: &str| {
        cloud.get(&format!("/v1/support/flags{query}"), &cloud.support_token()).await.expect(200).body
    };
    let stream = cloud.cloud.streams.iter().find(|stream| stream.function() == "UsageFunction").unwrap();
    let beginning = stream.checkpoint().await;
    charge(0, 499).await;
    assert_eq!(flags("").await["data"], json!([]), "few charges are never unusual");
    cloud.cloud.clock.advance(SignedDuration::from_mins(5)).unwrap();
    charge(499, 799).await;
    let listed = flags("").await;
    let flag = &listed["data"][0];
    let expected = json!({
        "account": "acme", "kind": "charges_per_hour", "date": "2026-01-05", "hour": 0, "value": 599,
        "usual": 0, "spread": 0, "threshold": 500, "raised_at": "2026-01-05T00:05:00.000Z", "payment": null,
    });
    assert_eq!(flag, &expected);
    cloud.cloud.clock.advance(SignedDuration::from_mins(60)).unwrap();
    charge(799, 1_499).await;
    let all = flags("").await;
    let kinds: Vec<_> = all["data"].as_array().unwrap().iter().map(|flag| flag["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["credits_per_day", "charges_per_hour"], "once each, although another hour was unusual too");
    assert_eq!(all["data"][1], listed["data"][0]);
    let events = cloud.cloud.aws.events.events();
    let unusual: Vec<_> = events.iter().filter(|event| event["detail-type"] == "usage.unusual").collect();
    assert_eq!(unusual.len(), 1, "{unusual:?}");
    let data = json!({"date": "2026-01-05", "credits": 10_990, "credits_usual": 0});
    assert_eq!(unusual[0]["detail"]["data"], data);
    let first = flags("?limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(flags(&format!("?limit=1&cursor={cursor}")).await["data"], listed["data"]);
    let listed = all;
    // The stream delivers everything again.
    stream.resume_from(&beginning).await;
    cloud.settle().await;
    assert_eq!(flags("?account=acme").await["data"], listed["data"]);
    assert_eq!(flags("?account=globex").await["data"], json!([]));
    let shown = cloud.get(&of("acme", ""), &cloud.support_token()).await.expect(200).body;
    assert_eq!(shown["flags"], listed["data"]);
    cloud.charge("acme", "more", 1).await.expect(201);
    let printed = crate::command_line::support(&cloud, &["flags", "--account", "acme"], "").await.unwrap();
    assert!(printed.contains("charges_per_hour"), "{printed}");
}
