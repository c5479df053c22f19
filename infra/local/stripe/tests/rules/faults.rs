//! Faults, the request log and the real socket.

use std::time::Duration;

use local_stripe::{ConnectionLost, Fault, FaultAction, LocalStripe, RandomFaults};
use tokio::net::TcpListener;

use crate::support::{Bench, KEY, id};

#[tokio::test]
async fn a_lost_answer_was_done_and_is_replayed_under_its_key() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    let path = format!("/v1/invoices/{invoice}/pay");
    bench.stripe.add_fault(Fault::once("POST", "/v1/invoices/*/pay", FaultAction::LoseAnswer));
    let form = [("payment_method", card.as_str())];
    assert_eq!(bench.try_post_with_key("k", &path, &form).await.unwrap_err(), ConnectionLost);
    assert_eq!(bench.invoice(&invoice).await["status"], "paid");
    let again = bench.post_with_key("k", &path, &form).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.ok()["status"], "paid");
}

#[tokio::test]
async fn a_lost_request_was_not_done() {
    let bench = Bench::new();
    bench.stripe.add_fault(Fault::once("POST", "/v1/customers", FaultAction::LoseRequest));
    assert!(bench.try_post_with_key("k", "/v1/customers", &[]).await.is_err());
    assert!(bench.get("/v1/customers", &[]).await.ok()["data"].as_array().unwrap().is_empty());
    let first = bench.post_with_key("k", "/v1/customers", &[]).await;
    assert_eq!(first.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn an_internal_error_may_hide_that_everything_was_done() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.stripe.add_fault(Fault::once("POST", "/v1/invoices/*/pay", FaultAction::InternalErrorAfterEffect));
    assert_eq!(bench.pay(&invoice, &card).await.refused(500)["type"], "api_error");
    assert_eq!(bench.invoice(&invoice).await["status"], "paid");
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_says_and_only_where_it_matches() {
    let bench = Bench::new();
    let fault = Fault { method: None, path: "/v1/customers".into(), action: FaultAction::RateLimit, count: 2 };
    bench.stripe.add_fault(fault);
    assert_eq!(bench.get("/v1/invoices", &[]).await.status, 200);
    assert_eq!(bench.get("/v1/customers", &[]).await.refused(429)["code"], "rate_limit");
    assert_eq!(bench.post("/v1/customers", &[]).await.status, 429);
    assert_eq!(bench.post("/v1/customers", &[]).await.status, 200);
}

#[tokio::test]
async fn by_chance_so_many_answers_are_lost_and_so_many_others_are_errors_until_faults_are_cleared() {
    let bench = Bench::new();
    bench.stripe.set_random_faults(RandomFaults { seed: 1, lost_answers: 50, internal_errors: 10 });
    let (mut lost, mut errors) = (0, 0);
    for number in 0..400 {
        match bench.try_post_with_key(&format!("k-{number}"), "/v1/customers", &[]).await {
            Err(ConnectionLost) => lost += 1,
            Ok(answer) if answer.status == 500 => errors += 1,
            Ok(answer) => assert_eq!(answer.status, 200),
        }
    }
    assert!((180..220).contains(&lost) && (10..32).contains(&errors), "{lost} lost, {errors} errors");
    bench.stripe.clear_faults();
    let mut created = 0;
    for number in 0..400 {
        let again = bench.post_with_key(&format!("k-{number}"), "/v1/customers", &[]).await;
        created += usize::from(again.header("idempotent-replayed").is_none());
    }
    assert_eq!(created, 0, "a lost answer was carried out, and a key remembers a 500");
}

#[tokio::test]
async fn the_log_tells_what_was_asked_and_answered() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_chargeCustomerFail").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.stripe.clear_requests();
    bench.stripe.add_fault(Fault::once("POST", "/v1/invoices/*/pay", FaultAction::LoseRequest));
    let path = format!("/v1/invoices/{invoice}/pay");
    let form = [("payment_method", card.as_str())];
    let _ = bench.try_post_with_key("k", &path, &form).await;
    bench.post_with_key("k", &path, &form).await.refused(402);
    bench.post_with_key("k", &path, &form).await.refused(402);
    let seen: Vec<_> = bench
        .stripe
        .requests()
        .iter()
        .map(|record| (record.status, record.is_lost, record.is_replayed, record.idempotency_key.clone()))
        .collect();
    let key = Some("k".to_owned());
    assert_eq!(
        seen,
        [(None, true, false, key.clone()), (Some(402), false, false, key.clone()), (Some(402), false, true, key)]
    );
    assert_eq!(bench.stripe.request_count("POST", "/v1/invoices/*/pay"), 3);
    assert_eq!(bench.stripe.request_count("POST", "/v1/invoices/*/void"), 0);
}

async fn serve(stripe: &LocalStripe) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stripe = stripe.clone();
    tokio::spawn(async move { stripe.serve(listener).await });
    format!("http://{address}")
}

#[tokio::test]
async fn over_a_socket_faults_are_set_by_request_and_a_lost_answer_is_a_closed_connection() {
    let bench = Bench::new();
    let base = serve(&bench.stripe).await;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let fault = r#"{"method":"POST","path":"/v1/customers","action":"lose_answer","count":1}"#;
    let set = client.post(format!("{base}/_control/faults")).body(fault).send().await.unwrap();
    assert_eq!(set.status(), 200);
    let create = || client.post(format!("{base}/v1/customers")).bearer_auth(KEY).header("idempotency-key", "k");
    assert!(create().send().await.is_err());
    let again = create().send().await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    let requests: serde_json::Value =
        client.get(format!("{base}/_control/requests")).send().await.unwrap().json().await.unwrap();
    assert_eq!(requests["requests"][0]["is_lost"], true);
    assert_eq!(requests["requests"][1]["is_replayed"], true);
    let malformed = client.post(format!("{base}/_control/faults")).body("{\"action\":\"sulk\"}").send().await.unwrap();
    assert_eq!(malformed.status(), 400);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_caller_gave_up_is_finished_all_the_same() {
    let bench = Bench::new();
    let (customer, card) = bench.customer_with_card("pm_card_visa").await;
    let invoice = bench.open_invoice(&customer).await;
    bench.stripe.add_fault(Fault::once("POST", "/v1/invoices/*/pay", FaultAction::Latency { milliseconds: 30_000 }));
    let impatient = tokio::time::timeout(Duration::from_secs(10), bench.pay(&invoice, &card)).await;
    assert!(impatient.is_err());
    assert_eq!(bench.invoice(&invoice).await["status"], "open");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(bench.invoice(&invoice).await["status"], "paid");
    assert_eq!(id(&bench.invoice(&invoice).await), invoice);
}
