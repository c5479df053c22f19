//! Idempotency keys: <https://docs.stripe.com/api/idempotent_requests>.

use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction};

use crate::support::{Bench, id};

#[tokio::test]
async fn the_same_key_and_request_gives_the_first_answer_and_does_nothing() {
    let bench = Bench::new();
    let first = bench.post_with_key("k", "/v1/customers", &[("name", "Jo")]).await;
    let again = bench.post_with_key("k", "/v1/customers", &[("name", "Jo")]).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_eq!(first.text, again.text);
    assert_eq!(bench.get("/v1/customers", &[]).await.ok()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_body_or_path_under_the_same_key_is_an_idempotency_error() {
    let bench = Bench::new();
    let customer = id(&bench.post_with_key("k", "/v1/customers", &[("name", "Jo")]).await.ok());
    let other_body = bench.post_with_key("k", "/v1/customers", &[("name", "Mo")]).await.refused(400);
    assert_eq!(other_body["type"], "idempotency_error");
    let path = format!("/v1/customers/{customer}");
    assert_eq!(bench.post_with_key("k", &path, &[("name", "Jo")]).await.refused(400)["type"], "idempotency_error");
}

#[tokio::test]
async fn a_decline_is_replayed_even_when_the_card_would_pay_by_now() {
    let bench = Bench::new();
    let (customer, declining) = bench.customer_with_card("pm_card_chargeCustomerFail").await;
    let invoice = bench.open_invoice(&customer).await;
    let path = format!("/v1/invoices/{invoice}/pay");
    let form = [("payment_method", declining.as_str())];
    bench.post_with_key("k", &path, &form).await.refused(402);
    let replayed = bench.post_with_key("k", &path, &form).await;
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(replayed.refused(402)["decline_code"], "generic_decline");
    assert_eq!(bench.invoice(&invoice).await["attempt_count"], 1);
}

#[tokio::test]
async fn a_500_is_replayed_and_a_503_or_429_is_not() {
    let bench = Bench::new();
    for (action, status, is_kept) in [
        (FaultAction::InternalError, 500, true),
        (FaultAction::InternalErrorAfterEffect, 500, true),
        (FaultAction::Unavailable, 503, false),
        (FaultAction::RateLimit, 429, false),
    ] {
        let key = format!("{action:?}");
        bench.stripe.add_fault(Fault::once("POST", "/v1/customers", action));
        assert_eq!(bench.post_with_key(&key, "/v1/customers", &[]).await.status, status);
        let again = bench.post_with_key(&key, "/v1/customers", &[]).await;
        assert_eq!(again.status, if is_kept { status } else { 200 }, "{action:?}");
    }
}

#[tokio::test]
async fn parameters_that_fail_validation_leave_the_key_free() {
    let bench = Bench::new();
    bench.post_with_key("k", "/v1/customers", &[("colour", "x")]).await.refused(400);
    bench.post_with_key("k", "/v1/customers", &[("name", "Jo")]).await.ok();
    bench.post_with_key("l", "/v1/invoices", &[]).await.refused(400);
    let customer = bench.customer().await;
    bench.post_with_key("l", "/v1/invoices", &[("customer", &customer)]).await.ok();
}

#[tokio::test]
async fn a_refusal_by_the_objects_state_is_kept() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.pay(&invoice, &card).await.ok();
    let path = format!("/v1/invoices/{invoice}/pay");
    bench.post_with_key("k", &path, &[]).await.refused(400);
    assert_eq!(bench.post_with_key("k", &path, &[]).await.header("idempotent-replayed"), Some("true"));
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_request_is_in_progress_is_409() {
    let bench = Bench::new();
    bench.stripe.add_fault(Fault::once("POST", "/v1/customers", FaultAction::Latency { milliseconds: 5_000 }));
    let slow = bench.post_with_key("k", "/v1/customers", &[("name", "Jo")]);
    let quick = async {
        tokio::time::sleep(std::time::Duration::from_millis(1_000)).await;
        bench.post_with_key("k", "/v1/customers", &[("name", "Jo")]).await
    };
    let (slow, quick) = tokio::join!(slow, quick);
    let error = quick.refused(409);
    assert_eq!(error["code"], "idempotency_key_in_use");
    slow.ok();
    bench.post_with_key("k", "/v1/customers", &[("name", "Jo")]).await.ok();
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_of_the_clock() {
    let bench = Bench::new();
    let first = id(&bench.post_with_key("k", "/v1/customers", &[]).await.ok());
    bench.pass(SignedDuration::from_secs(24 * 3600 - 1));
    assert_eq!(id(&bench.post_with_key("k", "/v1/customers", &[]).await.ok()), first);
    bench.pass(SignedDuration::from_secs(1));
    assert_ne!(id(&bench.post_with_key("k", "/v1/customers", &[]).await.ok()), first);
}

#[tokio::test]
async fn only_posts_honour_a_key() {
    let bench = Bench::new();
    let bearer = format!("Bearer {}", crate::support::KEY);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let before = bench.try_send("GET", "/v1/customers", &[], &headers).await.unwrap().ok();
    bench.customer().await;
    let after = bench.try_send("GET", "/v1/customers", &[], &headers).await.unwrap().ok();
    assert_ne!(before, after);
}
