//! Purchases over HTTP: packages, the payment page, and what `GET` returns when no webhook has arrived.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_aws::dynamodb::Fault as DynamoFault;
use local_aws::wire::Loss;
use local_stripe::{DefiniteRefusal, Fault, FaultAction, WebhookConduct};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PURCHASES: &str = "/v1/accounts/acme/purchases";
const CARD: &str = "4242424242424242";

async fn opened() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud
}

async fn open(cloud: &TestCloud, key: &str, package: &str) -> Answer {
    cloud.post(PURCHASES, &cloud.cloud.customer_token("acme"), Some(key), &json!({ "package": package })).await
}

async fn read(cloud: &TestCloud, purchase: &Answer) -> Answer {
    let path = format!("{PURCHASES}/{}", purchase.body["purchase"].as_str().unwrap());
    cloud.get(&path, &cloud.cloud.customer_token("acme")).await
}

fn page(purchase: &Answer) -> &str {
    purchase.body["checkout_url"].as_str().unwrap()
}

/// The number of payment pages that Stripe has created.
async fn sessions(cloud: &TestCloud) -> usize {
    cloud.stripe_list("/v1/checkout/sessions?limit=100").await.len()
}

/// From now on, no webhook arrives.
fn lose_webhooks(cloud: &TestCloud) {
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() });
}

#[tokio::test]
async fn the_packages_are_those_of_the_price_list() {
    let cloud = TestCloud::start().await;
    let package = |credits: i64| json!({"package": format!("credits_{credits}"), "credits": credits, "price": credits, "currency": "USD"});
    let packages = [500, 5_000, 50_000, 125_000].map(package);
    let expected = json!({ "data": packages });
    for token in [cloud.cloud.service_token(), cloud.cloud.customer_token("nobody")] {
        assert_eq!(cloud.get("/v1/packages", &token).await.expect(200).body, expected);
    }
}

#[tokio::test]
async fn a_purchase_opens_a_page_and_a_replay_leads_to_the_same_one() {
    let cloud = opened().await;
    let mut first = open(&cloud, "buy-1", "credits_5000").await.expect(201);
    let (url, pay_link) = (first.body["checkout_url"].take(), first.body["pay_link"].take());
    assert!(pay_link.as_str().unwrap().starts_with(&format!("{}/pay/", cloud.cloud.urls.api)), "{pay_link}");
    assert!(url.as_str().unwrap().starts_with(&cloud.cloud.urls.stripe), "{url}");
    let purchase = first.body["purchase"].clone();
    assert!(purchase.as_str().is_some_and(|id| id.len() == 36 && id.starts_with("pur_")), "{purchase}");
    assert_eq!(
        first.body,
        json!({
            "purchase": purchase, "package": "credits_5000", "credits": 5_000, "price": 5_000,
            "currency": "USD", "pay_by": "page", "status": "open", "checkout_url": null, "pay_link": null,
            "created_at": "2026-01-05T00:00:00.000Z", "ended_at": null,
        })
    );
    let footprint = cloud.footprint();
    let replay = open(&cloud, "buy-1", "credits_5000").await.expect(200);
    assert_eq!((replay.is_replay, &replay.text), (true, &first.text));
    let by_service = cloud
        .post(PURCHASES, &cloud.cloud.service_token(), Some("buy-1"), &json!({"package": "credits_5000"}))
        .await
        .expect(200);
    assert_eq!(by_service.text, first.text);
    assert_eq!(cloud.footprint(), footprint);
    assert_eq!(sessions(&cloud).await, 1);

    let other = open(&cloud, "buy-2", "credits_5000").await.expect(201);
    assert_ne!(other.body["purchase"], purchase, "another key is another purchase");
    assert_eq!(cloud.balance("acme").await, 0, "a page gives no credits");
}

#[tokio::test]
async fn a_key_opens_one_package_alone() {
    let cloud = opened().await;
    open(&cloud, "buy-1", "credits_5000").await.expect(201);
    let footprint = cloud.footprint();
    for package in ["credits_500", "no_such_package"] {
        open(&cloud, "buy-1", package).await.expect_problem(409, "idempotency_key_reused");
    }
    assert_eq!(cloud.footprint(), footprint);
    cloud.open_account("globex").await;
    let path = "/v1/accounts/globex/purchases";
    let body = json!({"package": "credits_500"});
    cloud.post(path, &cloud.cloud.service_token(), Some("buy-1"), &body).await.expect(201);
}

#[tokio::test]
async fn a_request_that_is_not_as_it_must_be_opens_nothing() {
    let cloud = opened().await;
    let footprint = cloud.footprint();
    let listed = "one of those that GET /v1/packages lists";
    for (body, field, message) in [
        (json!({"package": "credits_501"}), "package", listed),
        (json!({"package": 500}), "package", listed),
        (json!({"package": null}), "package", listed),
        (json!({"package": ""}), "package", listed),
        (json!({"package": "Credits_500"}), "package", listed),
        (json!({"package": "c".repeat(41)}), "package", listed),
        (json!({}), "package", "is required: one of those that GET /v1/packages lists"),
        (json!({"package": "credits_500", "price": 1}), "price", "is not known here"),
    ] {
        let answer = cloud.post(PURCHASES, &cloud.cloud.customer_token("acme"), Some("buy-1"), &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let message_told = answer.expect_problem(422, "invalid_request").field_error(field);
        assert!(message_told.contains(message), "{body}: {message_told}");
    }
    let body = json!({"package": "credits_500"});
    let unkeyed = cloud.post(PURCHASES, &cloud.cloud.customer_token("acme"), None, &body).await;
    unkeyed.expect_problem(422, "invalid_request").field_error("Idempotency-Key");
    let path = "/v1/accounts/nobody/purchases";
    let unknown = cloud.post(path, &cloud.cloud.service_token(), Some("buy-1"), &body).await;
    assert_eq!(unknown.expect_problem(404, "not_found").body["detail"], "There is no such account.");
    assert_eq!(cloud.footprint(), footprint);
    assert_eq!(cloud.cloud.stripe.request_count("POST", "/v1/checkout/sessions"), 0);
}

#[tokio::test]
async fn a_paid_page_is_found_by_whoever_looks_though_no_webhook_came() {
    let cloud = opened().await;
    let purchase = open(&cloud, "buy-1", "credits_5000").await.expect(201);
    assert_eq!(read(&cloud, &purchase).await.expect(200).text, purchase.text, "open, and nothing to report");
    lose_webhooks(&cloud);
    cloud.pay_page(page(&purchase), CARD).await;
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 0);
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();

    let paid = read(&cloud, &purchase).await.expect(200);
    assert_eq!((&paid.body["status"], &paid.body["ended_at"]), (&json!("paid"), &json!("2026-01-05T00:01:00.000Z")));
    assert!(paid.body.get("checkout_url").is_none(), "there is nothing left to pay: {}", paid.text);
    assert_eq!(cloud.balance("acme").await, 5_000);
    let asked = cloud.cloud.stripe.requests().len();
    assert_eq!(read(&cloud, &purchase).await.expect(200).text, paid.text);
    assert_eq!(cloud.cloud.stripe.requests().len(), asked, "Stripe is not asked about a finished purchase");
    cloud.settle().await;
    assert_eq!((cloud.history("acme").await.len(), cloud.subjects("acme").len()), (1, 1), "one entry, one receipt");

    let replay = open(&cloud, "buy-1", "credits_5000").await.expect(200);
    assert_eq!(
        (replay.is_replay, &replay.body["status"]),
        (true, &json!("paid")),
        "a paid purchase is not opened again"
    );
}

#[tokio::test]
async fn many_who_look_at_once_and_a_webhook_that_comes_after_all_give_the_credits_once() {
    let cloud = opened().await;
    let purchase = open(&cloud, "buy-1", "credits_500").await.expect(201);
    cloud.pay_page(page(&purchase), CARD).await;
    let looked = futures::future::join_all((0..8).map(|_| read(&cloud, &purchase))).await;
    assert!(looked.iter().all(|answer| answer.body["status"] == "paid"), "{looked:?}");
    cloud.settle().await;
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (500, 1));
    assert_eq!(cloud.subjects("acme").len(), 1);
}

#[tokio::test]
async fn an_expired_page_is_found_too_and_the_next_purchase_needs_another_key() {
    let cloud = opened().await;
    let purchase = open(&cloud, "buy-1", "credits_500").await.expect(201);
    lose_webhooks(&cloud);
    cloud.cloud.clock.advance(SignedDuration::from_hours(25)).unwrap();
    let expired = read(&cloud, &purchase).await.expect(200);
    assert_eq!(
        (&expired.body["status"], &expired.body["ended_at"]),
        (&json!("expired"), &json!("2026-01-06T01:00:00.000Z"))
    );
    assert!(expired.body.get("checkout_url").is_none(), "{}", expired.text);
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (0, 0));
    assert_eq!(open(&cloud, "buy-1", "credits_500").await.expect(200).body["status"], "expired");
    assert_eq!(open(&cloud, "buy-2", "credits_500").await.expect(201).body["status"], "open");
}

#[tokio::test]
async fn while_stripe_is_down_the_stored_purchase_is_the_answer() {
    let cloud = opened().await;
    let purchase = open(&cloud, "buy-1", "credits_500").await.expect(201);
    lose_webhooks(&cloud);
    cloud.pay_page(page(&purchase), CARD).await;
    for action in
        [FaultAction::Unavailable, FaultAction::RateLimit, FaultAction::InternalError, FaultAction::LoseRequest]
    {
        let fault = Fault { method: None, path: "/v1/checkout/sessions/*".to_owned(), action, count: u32::MAX };
        cloud.cloud.stripe.add_fault(fault);
        assert_eq!(read(&cloud, &purchase).await.expect(200).text, purchase.text, "{action:?}");
        cloud.cloud.stripe.clear_faults();
    }
    assert_eq!(read(&cloud, &purchase).await.expect(200).body["status"], "paid", "once Stripe is back");
    assert_eq!(cloud.balance("acme").await, 500);
}

#[tokio::test]
async fn anothers_purchase_answers_as_one_that_does_not_exist() {
    let cloud = opened().await;
    cloud.open_account("globex").await;
    let purchase = open(&cloud, "buy-1", "credits_500").await.expect(201).body["purchase"].as_str().unwrap().to_owned();
    let globex = cloud.cloud.customer_token("globex");
    let mut texts = vec![];
    for id in [purchase.as_str(), "pur_00000000000000000000000000000000", "nonsense", "buy-1"] {
        let answer = cloud.get(&format!("/v1/accounts/globex/purchases/{id}"), &globex).await;
        texts.push(answer.expect_problem(404, "not_found").without_request_id());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let service = cloud.cloud.service_token();
    let answer = cloud.get(&format!("/v1/accounts/nobody/purchases/{purchase}"), &service).await;
    answer.expect_problem(404, "not_found");
}

async fn list(cloud: &TestCloud, query: &str) -> Answer {
    cloud.get(&format!("{PURCHASES}?{query}"), &cloud.cloud.customer_token("acme")).await
}

fn ids(page: &Value) -> Vec<Value> {
    page["data"].as_array().unwrap().iter().map(|purchase| purchase["purchase"].clone()).collect()
}

/// R30: a purchase whose id was lost is found in its stored state, without a call to Stripe.
#[tokio::test]
async fn a_purchase_whose_id_was_lost_is_in_the_list() {
    let cloud = opened().await;
    cloud.open_account("globex").await;
    let nothing = list(&cloud, "").await.expect(200).body;
    assert_eq!(nothing, json!({"data": [], "next_cursor": null, "has_more": false}));
    let paid = open(&cloud, "buy-1", "credits_500").await.expect(201);
    cloud.pay_page(page(&paid), CARD).await;
    cloud.settle().await;
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    let expired = open(&cloud, "buy-2", "credits_5000").await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_hours(25)).unwrap();
    let expired = read(&cloud, &expired).await.expect(200);
    let open = open(&cloud, "buy-3", "credits_50000").await.expect(201);
    let paid = read(&cloud, &paid).await.expect(200);
    let effects = || (cloud.cloud.stripe.requests().len(), cloud.footprint());
    let before = effects();

    let listed = list(&cloud, "").await.expect(200).body;
    assert_eq!(listed, json!({"data": [open.body, expired.body, paid.body], "next_cursor": null, "has_more": false}));
    let has_page = |purchase: &Value| purchase.get("checkout_url").is_some();
    let with_page: Vec<bool> = listed["data"].as_array().unwrap().iter().map(has_page).collect();
    assert_eq!(with_page, [true, false, false], "only an open purchase can be paid");
    let by_service = cloud.get(PURCHASES, &cloud.cloud.service_token()).await.expect(200).body;
    assert_eq!(by_service, listed);
    let path = "/v1/accounts/globex/purchases";
    for query in ["", "?limit=100", &format!("?cursor={}", ids(&listed)[0].as_str().unwrap())] {
        let others = cloud.get(&format!("{path}{query}"), &cloud.cloud.customer_token("globex")).await.expect(200);
        assert_eq!(others.body["data"], json!([]), "another account's are never shown");
    }
    cloud.get(path, &cloud.cloud.customer_token("acme")).await.expect_problem(404, "not_found");
    let nobody = cloud.get("/v1/accounts/nobody/purchases", &cloud.cloud.service_token()).await;
    assert_eq!(nobody.expect_problem(404, "not_found").body["detail"], "There is no such account.");
    assert_eq!(effects(), before);
}

/// R30
#[tokio::test]
async fn pages_of_purchases_follow_one_another_without_a_gap_or_a_double_while_more_are_bought() {
    let cloud = opened().await;
    let mut bought = vec![];
    for number in 1..=21 {
        cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
        bought.push(open(&cloud, &format!("buy-{number}"), "credits_500").await.expect(201).body["purchase"].clone());
    }
    bought.reverse();
    let first = list(&cloud, "").await.expect(200).body;
    assert_eq!(ids(&first), bought[..20], "twenty without a limit");
    assert_eq!((&first["has_more"], &first["next_cursor"]), (&json!(true), &bought[19]));
    for limit in [1, 7, 20, 21, 100] {
        let (mut seen, mut query, mut pages) = (vec![], format!("limit={limit}"), 0);
        loop {
            let body = list(&cloud, &query).await.expect(200).body;
            seen.extend(ids(&body));
            pages += 1;
            assert_eq!(body["has_more"], seen.len() < bought.len(), "{query}");
            assert!(pages <= bought.len(), "{query}: the pages end");
            let Some(cursor) = body["next_cursor"].as_str() else { break };
            query = format!("limit={limit}&cursor={cursor}");
            if limit == 7 {
                cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
                open(&cloud, &format!("meanwhile-{pages}"), "credits_500").await.expect(201);
            }
        }
        assert_eq!((&seen, pages), (&bought, bought.len().div_ceil(limit)), "{limit}");
        if limit == 7 {
            bought = ids(&list(&cloud, "limit=100").await.expect(200).body);
            assert_eq!(bought.len(), 23, "new purchases are in the next list");
        }
    }
}

/// R30, R26
#[tokio::test]
async fn a_list_of_purchases_refuses_limits_and_cursors_that_are_none() {
    let cloud = opened().await;
    for limit in ["0", "101", "-1", "1.5", "ten", "", "1e1"] {
        let message = list(&cloud, &format!("limit={limit}")).await.expect_problem(422, "invalid_request");
        assert_eq!(message.field_error("limit"), "must be an integer from 1 to 100", "{limit:?}");
    }
    let zeros = "0".repeat(32);
    for cursor in
        ["", "1", "pur_", "top_00", &format!("PUR_{zeros}"), &format!("top_{zeros}"), &format!("pur_{zeros}0")]
    {
        let message = list(&cloud, &format!("cursor={cursor}")).await.expect_problem(422, "invalid_request");
        assert_eq!(message.field_error("cursor"), "must be the next_cursor of a page", "{cursor:?}");
    }
    let cursor = format!("cursor=pur_{zeros}");
    assert_eq!(list(&cloud, &cursor).await.expect(200).body["data"], json!([]), "it need not exist");
    for (query, field) in [
        ("cursr=5", "cursr"),
        ("limit=5&limit=7", "limit"),
        (&format!("{cursor}&{cursor}"), "cursor"),
        ("page=2", "page"),
    ] {
        list(&cloud, query).await.expect_problem(422, "invalid_request").field_error(field);
    }
    let both = list(&cloud, "limit=0&cursor=x&page=2").await.expect_problem(422, "invalid_request");
    assert_eq!(both.body["errors"].as_array().unwrap().len(), 3, "all errors are reported: {}", both.text);
}

/// R4: the company deleted the customer at Stripe. The buyer gets a plain message, and the company one error.
#[tokio::test]
async fn a_purchase_of_a_deleted_customer_is_refused_plainly_after_one_call_to_stripe() {
    let cloud = opened().await;
    let before = open(&cloud, "before", "credits_500").await.expect(201);
    let customer = cloud.customer("acme").await;
    let path = format!("/v1/customers/{customer}");
    cloud.stripe(Method::DELETE, &path, &[]).await.expect(200);
    cloud.settle().await;
    for (key, times) in [("buy-1", 2), ("buy-2", 1)] {
        cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
        for _ in 0..times {
            cloud.cloud.stripe.clear_requests();
            let refused = open(&cloud, key, "credits_500").await.expect_problem(409, "customer_deleted");
            let detail = refused.body["detail"].as_str().unwrap();
            for said in ["Nothing was charged", "record at our payment provider was deleted", "contact our support"] {
                assert!(detail.contains(said), "{detail}");
            }
            let asked = cloud.cloud.stripe.requests().len();
            assert_eq!((asked, cloud.cloud.stripe.request_count("GET", &path)), (1, 1), "there are no other calls");
        }
        let purchase = ids(&list(&cloud, "limit=1").await.expect(200).body).remove(0);
        let errors: Vec<String> = cloud.log().into_iter().filter(|line| is_error_about(line, &purchase)).collect();
        assert_eq!(errors.len(), times, "an alarm counts one error for each request: {errors:?}");
        assert!(errors.iter().all(|error| error.contains("was deleted at Stripe") && error.contains(&customer)));
    }
    open(&cloud, "buy-1", "credits_5000").await.expect_problem(409, "idempotency_key_reused");
    assert_eq!((cloud.balance("acme").await, cloud.mails("acme").len()), (0, 0));

    cloud.cloud.stripe.clear_requests();
    cloud.turn_on_auto_top_up("acme", 1_000, 5_000).await;
    cloud.auto_top_up("acme").await;
    assert_eq!(cloud.cloud.stripe.requests().len(), 0, "settings need no call to Stripe");
    assert_eq!(read(&cloud, &before).await.expect(200).body["purchase"], before.body["purchase"]);
    cloud.open_account("globex").await;
    let globex = cloud.cloud.customer_token("globex");
    let body = json!({"package": "credits_500"});
    cloud.post("/v1/accounts/globex/purchases", &globex, Some("buy-1"), &body).await.expect(201);
}

fn is_error_about(line: &str, purchase: &Value) -> bool {
    line.contains("\"ERROR\"") && line.contains(purchase.as_str().unwrap())
}

/// R4: a customer that Stripe does not know at all is not called deleted, because with another account's key that would
/// be every customer.
#[tokio::test]
async fn a_customer_that_stripe_does_not_know_is_an_error_on_our_side() {
    let cloud = opened().await;
    let refusal = DefiniteRefusal::CustomerMissing;
    let action = FaultAction::Refuse { refusal };
    cloud.cloud.stripe.add_fault(Fault { method: None, path: "/v1/customers/*".to_owned(), action, count: u32::MAX });
    open(&cloud, "buy-1", "credits_500").await.expect_problem(500, "internal_error");
    cloud.cloud.stripe.clear_faults();
    open(&cloud, "buy-1", "credits_500").await.expect(200);
}

/// Whatever happens between us and Stripe, a key leads to one purchase and to one page for its customer.
#[tokio::test]
async fn a_purchase_that_failed_halfway_goes_on_under_its_key() {
    for action in [
        FaultAction::Unavailable,
        FaultAction::RateLimit,
        FaultAction::LoseRequest,
        FaultAction::LoseAnswer,
        FaultAction::InternalError,
    ] {
        let cloud = opened().await;
        let fault = Fault {
            method: Some("POST".to_owned()),
            path: "/v1/checkout/sessions".to_owned(),
            action,
            count: u32::MAX,
        };
        cloud.cloud.stripe.add_fault(fault);
        let failed = open(&cloud, "buy-1", "credits_500").await;
        assert_eq!((failed.status, failed.retry_after.as_deref()), (503, Some("2")), "{action:?}: {}", failed.text);
        failed.expect_problem(503, "unavailable");
        cloud.cloud.stripe.clear_faults();
        open(&cloud, "buy-1", "credits_5000").await.expect_problem(409, "idempotency_key_reused");

        if action == FaultAction::InternalError {
            // Stripe stores its 500s under their keys for a day.
            cloud.cloud.clock.advance(SignedDuration::from_hours(25)).unwrap();
        }
        let opened = open(&cloud, "buy-1", "credits_500").await.expect(200);
        assert_eq!(open(&cloud, "buy-1", "credits_500").await.expect(200).text, opened.text, "{action:?}");
        assert_eq!(sessions(&cloud).await, 1, "{action:?}");
        cloud.pay_page(page(&opened), CARD).await;
        cloud.settle().await;
        assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (500, 1), "{action:?}");
    }
}

#[tokio::test]
async fn a_purchase_whose_page_could_not_be_stored_leads_to_that_page_when_asked_again() {
    let cloud = opened().await;
    let mut commits = 0;
    cloud.cloud.aws.dynamodb.faults().decide_with(move |operation| {
        commits += usize::from(operation.name == "TransactWriteItems");
        let is_storing_the_page = operation.name == "TransactWriteItems" && commits > 1;
        is_storing_the_page.then_some(DynamoFault::LoseRequest(Loss::ConnectionReset))
    });
    open(&cloud, "buy-1", "credits_500").await.expect_problem(503, "unavailable");
    cloud.cloud.aws.dynamodb.faults().clear();
    let opened = open(&cloud, "buy-1", "credits_500").await.expect(200);
    assert!(opened.body["checkout_url"].is_string(), "{}", opened.text);
    assert_eq!(sessions(&cloud).await, 1);
}

#[tokio::test]
async fn concurrent_requests_with_one_key_open_one_page() {
    let cloud = opened().await;
    let answers = futures::future::join_all((0..8).map(|_| open(&cloud, "buy-1", "credits_500"))).await;
    let pages: BTreeSet<&str> = answers.iter().filter_map(|answer| answer.body["checkout_url"].as_str()).collect();
    assert_eq!(pages.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert_eq!(sessions(&cloud).await, 1);
}

/// R7: Checkout by bank debit.
#[tokio::test]
async fn a_purchase_by_bank_debit_is_processing_for_days_and_then_paid_or_failed() {
    for (account_number, hears_events) in [("000123456789", true), ("000222222227", true), ("000222222227", false)] {
        let cloud = opened().await;
        let purchase = open(&cloud, "buy-1", "credits_500").await.expect(201);
        cloud.settle().await;
        if !hears_events {
            lose_webhooks(&cloud);
        }
        cloud.pay_page(page(&purchase), account_number).await;
        cloud.settle().await;
        let processing = read(&cloud, &purchase).await.expect(200);
        assert_eq!(processing.body["status"], "processing", "{}", processing.text);
        assert!(processing.body.get("checkout_url").is_none(), "no dead link: {}", processing.text);
        assert!(processing.body["note"].as_str().unwrap().contains("several days"), "{}", processing.text);
        assert_eq!(open(&cloud, "buy-1", "credits_500").await.expect(200).text, processing.text);
        assert_eq!((cloud.balance("acme").await, cloud.subjects("acme").len()), (0, 0));

        cloud.advance(SignedDuration::from_hours(4 * 24)).await;
        cloud.settle().await;
        assert_eq!(cloud.subjects("acme").len(), usize::from(hears_events), "an event tells, before anybody looks");
        let settled = read(&cloud, &purchase).await.expect(200);
        cloud.settle().await;
        let subjects = cloud.subjects("acme");
        if account_number == "000123456789" {
            assert_eq!((&settled.body["status"], cloud.balance("acme").await), (&json!("paid"), 500));
            assert!(subjects[0].starts_with("Receipt"), "{subjects:?}");
            continue;
        }
        assert_eq!(settled.body["status"], "failed", "{}", settled.text);
        assert!(settled.body.get("checkout_url").is_none() && settled.body["ended_at"].is_string());
        assert_eq!(subjects, ["Your payment of $5.00 for 500 credits failed"]);
        assert_eq!(cloud.balance("acme").await, 0);
        let again = open(&cloud, "buy-2", "credits_500").await.expect(201);
        cloud.pay_page(page(&again), CARD).await;
        cloud.cloud.stripe.set_webhook_conduct(WebhookConduct::default());
        assert_eq!(read(&cloud, &again).await.expect(200).body["status"], "paid");
        assert_eq!(cloud.balance("acme").await, 500);
    }
}

/// A declined card leaves the purchase open on the same page.
#[tokio::test]
async fn a_declined_card_moves_nothing_and_another_card_pays_the_same_page() {
    let cloud = opened().await;
    let purchase = open(&cloud, "buy-1", "credits_500").await.expect(201);
    let form = [("card_number", "4000000000000002"), ("email", "payer@customer.example"), ("country", "US")];
    let declined = reqwest::Client::new().request(Method::POST, page(&purchase)).form(&form).send().await.unwrap();
    assert_eq!(declined.status().as_u16(), 402);
    cloud.settle().await;
    assert_eq!(read(&cloud, &purchase).await.expect(200).body["status"], "open");
    cloud.pay_page(page(&purchase), CARD).await;
    cloud.settle().await;
    assert_eq!((cloud.balance("acme").await, cloud.history("acme").await.len()), (500, 1));
}
