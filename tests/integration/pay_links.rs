//! The links to what can be paid: each leads only to the payment page of one attempt or one purchase. If it does not, a
//! page says why.

use crate::support::{Answer, TestCloud, options};
use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction, WebhookConduct};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::domain::{AccountId, PurchaseId, TopUpId};
use shared::links::{LINK_LIFETIME, PURCHASE_LINK_LIFETIME};

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
const VISA: &str = "4242424242424242";

/// A cloud in which acme's top-up was declined, and the path of the link it was sent.
async fn declined() -> (TestCloud, String) {
    let cloud = TestCloud::start().await;
    cloud.open_due_account("acme", "pm_card_chargeCustomerFail").await;
    cloud.advance(HALF_AN_HOUR).await;
    let link = cloud.pay_link("acme");
    (cloud, link)
}

/// Checks that this is a page for people and does not redirect.
#[track_caller]
fn assert_page(answer: &Answer, status: u16, heading: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.content_type.starts_with("text/html"), "{}", answer.content_type);
    assert!(answer.text.contains(&format!("<h1>{heading}</h1>")), "{}", answer.text);
    assert_eq!(answer.location, None);
    assert_guarded(answer);
    // R29.
    let policy = &answer.headers["content-security-policy"];
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("script-src") && !answer.text.contains("<script"), "no script runs: {policy}");
}

/// R29: the address is all that is needed to pay, so it is neither passed on nor stored.
#[track_caller]
fn assert_guarded(answer: &Answer) {
    for (name, value) in
        [("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff"), ("cache-control", "no-store")]
    {
        assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
}

/// R12: a mail scanner sends HEAD, and a copied link may end with a slash. People get pages as answers.
#[tokio::test]
async fn a_link_is_followed_by_head_and_with_a_slash_behind_it() {
    let (cloud, link) = declined().await;
    for path in [link.clone(), format!("{link}/")] {
        let page = cloud.visit(&path).await.expect(302);
        let probed = cloud.send(cloud.request(Method::HEAD, &path)).await.expect(302);
        for answer in [&page, &probed] {
            assert!(answer.location.as_ref().unwrap().starts_with(&cloud.cloud.urls.stripe));
            assert_guarded(answer);
        }
        assert_eq!(probed.text, "");
    }
    let probed = cloud.send(cloud.request(Method::HEAD, "/pay/false")).await.expect(404);
    assert_eq!((probed.text.as_str(), probed.content_type.as_str()), ("", "text/html; charset=utf-8"));
    for path in ["/pay/false", "/pay/false/", "/pay/false/or/longer", &format!("{link}/more")] {
        assert_page(&cloud.visit(path).await, 404, "This link does not work");
    }
}

#[tokio::test]
async fn the_link_leads_to_a_fresh_payment_page_every_time() {
    let (cloud, link) = declined().await;
    let first = cloud.visit(&link).await.expect(302).location.unwrap();
    assert!(first.starts_with(&cloud.cloud.urls.stripe), "{first}");
    cloud.visit(&first).await.expect(200);
    // Stripe's own pages expire; the link remains valid and then leads to a new one.
    cloud.cloud.clock.advance(SignedDuration::from_hours(13 * 24)).unwrap();
    let later = cloud.visit(&link).await.expect(302).location.unwrap();
    cloud.visit(&later).await.expect(200);
    let requests = cloud.cloud.stripe.request_count("GET", "/v1/invoices/*");
    cloud.visit(&link).await.expect(302);
    assert!(cloud.cloud.stripe.request_count("GET", "/v1/invoices/*") > requests, "Stripe is asked again");
}

#[tokio::test]
async fn a_paid_top_up_says_so() {
    let (cloud, link) = declined().await;
    cloud.pay_page(&cloud.hosted_page("acme").await, VISA).await;
    cloud.settle().await;
    assert_page(&cloud.visit(&link).await, 200, "This top-up is paid");
}

#[tokio::test]
async fn a_payment_whose_event_was_lost_is_granted_when_the_link_is_opened() {
    let (cloud, link) = declined().await;
    cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next: 100, ..WebhookConduct::default() });
    cloud.pay_page(&cloud.hosted_page("acme").await, VISA).await;
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 0);
    for _ in 0..3 {
        assert_page(&cloud.visit(&link).await, 200, "This top-up is paid");
    }
    cloud.settle().await;
    assert_eq!(cloud.entries("acme", "top_up").await, [5_000]);
    assert_eq!(cloud.auto_top_up("acme").await["payment_issue"], Value::Null);
    assert_eq!(cloud.mails("acme").len(), 2);
}

#[tokio::test]
async fn a_voided_top_up_says_that_there_is_nothing_to_pay() {
    for is_heard in [true, false] {
        let (cloud, link) = declined().await;
        let drop_next = if is_heard { 0 } else { 100 };
        cloud.cloud.stripe.set_webhook_conduct(WebhookConduct { drop_next, ..WebhookConduct::default() });
        let invoice = cloud.top_up_invoices("acme").await.remove(0);
        cloud.stripe_post(&format!("/v1/invoices/{}/void", invoice["id"].as_str().unwrap()), &[]).await;
        cloud.settle().await;
        assert_page(&cloud.visit(&link).await, 200, "There is nothing to pay");
        assert_eq!(cloud.auto_top_up("acme").await["payment_issue"], Value::Null, "the visit ended the pause");
        assert_page(&cloud.visit(&link).await, 200, "There is nothing to pay");
    }
}

#[tokio::test]
async fn a_link_works_for_fourteen_days_and_not_a_millisecond_longer() {
    let (cloud, link) = declined().await;
    cloud.cloud.clock.advance(LINK_LIFETIME - SignedDuration::from_millis(1)).unwrap();
    cloud.visit(&link).await.expect(302);
    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    cloud.cloud.stripe.clear_requests();
    let recording = cloud.cloud.aws.dynamodb.record();
    assert_page(&cloud.visit(&link).await, 410, "This link has expired");
    assert_eq!((recording.names(), cloud.cloud.stripe.requests()), (vec![], vec![]));
}

#[tokio::test]
async fn a_link_of_which_any_character_is_another_leads_nowhere() {
    let (cloud, link) = declined().await;
    cloud.cloud.stripe.clear_requests();
    let recording = cloud.cloud.aws.dynamodb.record();
    let start = "/pay/".len();
    for position in start..link.len() {
        for other in [b'A', b'B', b'-', b'.'] {
            let mut flipped = link.clone().into_bytes();
            if flipped[position] == other {
                continue;
            }
            flipped[position] = other;
            let flipped = String::from_utf8(flipped).unwrap();
            assert_page(&cloud.visit(&flipped).await, 404, "This link does not work");
        }
    }
    for cut in [start, start + 1, link.len() - 1] {
        assert_ne!(cloud.visit(&link[..cut]).await.status, 302, "the first {cut} characters");
    }
    for longer in [format!("{link}A"), format!("{link}="), format!("{link}.A")] {
        assert_eq!(cloud.visit(&longer).await.status, 404, "{longer}");
    }
    assert_eq!((recording.names(), cloud.cloud.stripe.requests()), (vec![], vec![]), "no outside call was made");
}

/// An uncollectible invoice is only written off in the books; the customer can still pay it.
#[tokio::test]
async fn the_link_of_an_invoice_that_was_written_off_still_leads_to_its_page() {
    let (cloud, link) = declined().await;
    let invoice = cloud.top_up_invoices("acme").await[0]["id"].as_str().unwrap().to_owned();
    cloud.stripe(Method::POST, &format!("/v1/invoices/{invoice}/mark_uncollectible"), &[]).await;
    assert!(cloud.visit(&link).await.expect(302).location.unwrap().contains(&invoice));
}

#[tokio::test]
async fn a_token_reaches_its_own_attempt_and_no_other() {
    let (cloud, link) = declined().await;
    cloud.open_due_account("other", "pm_card_chargeCustomerFail").await;
    cloud.advance(HALF_AN_HOUR).await;
    let attempt = |invoice: &Value| TopUpId::parse(invoice["metadata"]["top_up"].as_str().unwrap()).unwrap();
    let (acme, other) = (AccountId::parse("acme").unwrap(), AccountId::parse("other").unwrap());
    let of_acme = attempt(&cloud.top_up_invoices("acme").await[0]);
    let of_other = attempt(&cloud.top_up_invoices("other").await[0]);

    let own = cloud.visit(&link).await.expect(302).location.unwrap();
    let others = cloud.visit(&cloud.pay_link("other")).await.expect(302).location.unwrap();
    let page_of = |account: &str| {
        let account = account.to_owned();
        async { cloud.top_up_invoices(&{ account }).await[0]["id"].as_str().unwrap().to_owned() }
    };
    assert!(own.contains(&page_of("acme").await) && others.contains(&page_of("other").await), "{own} {others}");

    // Even with our own signature, an account's link never reaches another account's attempt.
    let key = cloud.link_key().await;
    let until = cloud.cloud.clock.now() + HALF_AN_HOUR;
    for (account, top_up) in [
        (&acme, &of_other),
        (&other, &of_acme),
        (&AccountId::parse("stranger").unwrap(), &of_acme),
        (&acme, &TopUpId::mint(1)),
    ] {
        let page = cloud.visit(&format!("/pay/{}", key.sign(account, top_up, until))).await;
        assert_page(&page, 404, "This link does not work");
    }
    cloud.visit(&format!("/pay/{}", key.sign(&acme, &of_acme, until))).await.expect(302);
}

#[tokio::test]
async fn while_stripe_is_down_the_link_asks_to_try_again_and_stays_good() {
    let (cloud, link) = declined().await;
    for action in [FaultAction::Unavailable, FaultAction::LoseAnswer, FaultAction::RateLimit] {
        let path = "/v1/invoices/*".to_owned();
        cloud.cloud.stripe.add_fault(Fault { method: None, path, action, count: u32::MAX });
        assert_page(&cloud.visit(&link).await, 503, "Please try again in a moment");
        cloud.cloud.stripe.clear_faults();
        cloud.visit(&link).await.expect(302);
    }
    assert_eq!(cloud.auto_top_up("acme").await["payment_issue"]["kind"], json!("declined"), "nothing is concluded");
}

#[tokio::test]
async fn no_page_of_a_link_names_account_amount_or_token() {
    let (cloud, link) = declined().await;
    let token = &link["/pay/".len()..];
    let key = cloud.link_key().await;
    let until = cloud.cloud.clock.now() + HALF_AN_HOUR;
    let acme = AccountId::parse("acme").unwrap();
    let unknown = format!("/pay/{}", key.sign(&acme, &TopUpId::mint(1), until));
    cloud.cloud.clock.advance(LINK_LIFETIME).unwrap();
    for path in [link.clone(), unknown] {
        let page = cloud.visit(&path).await.text;
        for secret in ["acme", "50.00", "5,000", "top_", "in_", token] {
            assert!(!page.contains(secret), "{secret} is in {page}");
        }
    }
}

const PURCHASES: &str = "/v1/accounts/acme/purchases";

/// A purchase by acme, and the path of the link that acme may hand on.
async fn purchase(cloud: &TestCloud, key: &str, pay_by: &str) -> (Value, String) {
    let body = json!({"package": "credits_5000", "pay_by": pay_by});
    let opened = cloud.post(PURCHASES, &cloud.cloud.customer_token("acme"), Some(key), &body).await.expect(201).body;
    let link = opened["pay_link"].as_str().unwrap()[cloud.cloud.urls.api.len()..].to_owned();
    (opened, link)
}

async fn read(cloud: &TestCloud, purchase: &Value) -> Value {
    let path = format!("{PURCHASES}/{}", purchase["purchase"].as_str().unwrap());
    cloud.get(&path, &cloud.cloud.customer_token("acme")).await.expect(200).body
}

/// Whoever pays for the company needs no login, and is told when there is nothing left to pay.
#[tokio::test]
async fn somebody_else_pays_a_purchase_by_the_link_that_the_customer_handed_on() {
    for pay_by in ["page", "invoice"] {
        let cloud = TestCloud::start().await;
        cloud.open_account("acme").await;
        let (opened, link) = purchase(&cloud, "buy-1", pay_by).await;
        assert_eq!(read(&cloud, &opened).await["pay_link"], opened["pay_link"], "the link stays the same");
        let page = cloud.visit(&link).await.expect(302);
        assert_guarded(&page);
        let page = page.location.unwrap();
        assert!(page.starts_with(&cloud.cloud.urls.stripe), "{page}");
        cloud.pay_page(&page, VISA).await;
        // No event has come yet: following the link finds the payment, so nobody pays twice.
        assert_page(&cloud.visit(&link).await, 200, "This purchase is paid");
        cloud.settle().await;
        assert_eq!((cloud.balance("acme").await, cloud.entries("acme", "purchase").await), (5_000, vec![5_000]));
        assert_page(&cloud.visit(&link).await, 200, "This purchase is paid");
        let paid = read(&cloud, &opened).await;
        assert_eq!((&paid["status"], paid.get("pay_link")), (&json!("paid"), None), "nothing is left to pay");
    }
}

/// Stripe's own addresses expire, and the link outlives them.
#[tokio::test]
async fn the_link_of_a_purchase_leads_to_the_page_as_it_is_now() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let (_, link) = purchase(&cloud, "buy-1", "invoice").await;
    let first = cloud.visit(&link).await.expect(302).location.unwrap();
    cloud.cloud.clock.advance(SignedDuration::from_hours(24 * 29)).unwrap();
    let later = cloud.visit(&link).await.expect(302).location.unwrap();
    assert_ne!(later, first);
    cloud.visit(&later).await.expect(200);
    for action in [FaultAction::Unavailable, FaultAction::LoseAnswer] {
        let path = "/v1/invoices/*".to_owned();
        cloud.cloud.stripe.add_fault(Fault { method: None, path, action, count: u32::MAX });
        assert_page(&cloud.visit(&link).await, 503, "Please try again in a moment");
        cloud.cloud.stripe.clear_faults();
    }
}

#[tokio::test]
async fn the_link_of_what_expired_was_voided_or_is_on_its_way_says_so() {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    let (_, by_page) = purchase(&cloud, "buy-1", "page").await;
    let (invoiced, by_invoice) = purchase(&cloud, "buy-2", "invoice").await;
    let (_, by_debit) = purchase(&cloud, "buy-3", "page").await;
    let page = cloud.visit(&by_debit).await.expect(302).location.unwrap();
    cloud.pay_page(&page, "000123456789").await;
    assert_page(&cloud.visit(&by_debit).await, 200, "A payment was made");
    let invoice = invoiced["invoice"]["invoice"].as_str().unwrap();
    cloud.stripe_post(&format!("/v1/invoices/{invoice}/void"), &[]).await;
    assert_page(&cloud.visit(&by_invoice).await, 200, "There is nothing to pay");
    cloud.cloud.clock.advance(SignedDuration::from_hours(25)).unwrap();
    assert_page(&cloud.visit(&by_page).await, 200, "There is nothing to pay");
    for (status, purchase) in [("voided", invoiced)] {
        assert_eq!(read(&cloud, &purchase).await["status"], status);
    }
}

#[tokio::test]
async fn the_link_of_a_purchase_reaches_that_purchase_for_ninety_days_and_names_nobody() {
    let cloud = TestCloud::start().await;
    for account in ["acme", "other"] {
        cloud.open_account(account).await;
    }
    let (opened, link) = purchase(&cloud, "buy-1", "invoice").await;
    let id = PurchaseId::parse(opened["purchase"].as_str().unwrap()).unwrap();
    let key = cloud.link_key().await;
    let until = cloud.now() + PURCHASE_LINK_LIFETIME;
    let signed =
        |account: &str, id| format!("/pay/{}", key.sign_purchase(&AccountId::parse(account).unwrap(), id, until));
    assert_eq!(signed("acme", &id), link);
    for wrong in
        [signed("other", &id), signed("stranger", &id), signed("acme", &PurchaseId::mint(1)), format!("{link}A")]
    {
        assert_page(&cloud.visit(&wrong).await, 404, "This link does not work");
    }
    cloud.cloud.clock.advance(PURCHASE_LINK_LIFETIME - SignedDuration::from_millis(1)).unwrap();
    let closed = cloud.visit(&link).await;
    assert_eq!(closed.status, 302, "the stand-in does not void by itself: {}", closed.text);
    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    let expired = cloud.visit(&link).await;
    assert_page(&expired, 410, "This link has expired");
    for secret in ["acme", "50.00", "5,000", "pur_", "in_", &link["/pay/".len()..]] {
        assert!(!expired.text.contains(secret), "{secret} is in {}", expired.text);
    }
}

/// Without a domain of its own, the API has the name that API Gateway gave it.
#[tokio::test]
async fn without_a_domain_of_its_own_the_link_has_the_name_of_the_api() {
    let mut options = options();
    options.parameters.insert("PublicUrl".to_owned(), String::new());
    let cloud = TestCloud::start_with(options).await.expect("the local cloud starts");
    cloud.open_account("acme").await;
    let body = json!({"package": "credits_5000"});
    let opened =
        cloud.post(PURCHASES, &cloud.cloud.customer_token("acme"), Some("buy-1"), &body).await.expect(201).body;
    let link = opened["pay_link"].as_str().unwrap();
    let (host, path) = link.strip_prefix("https://").unwrap().split_once('/').unwrap();
    assert!(host.ends_with(".amazonaws.com") && host.contains(".execute-api."), "{host}");
    cloud.visit(&format!("/{path}")).await.expect(302);
}
