//! The transport of calls: retries and their limit, the rate, connections, and what must not be in the logs.

use super::bench::{API_KEY, Bench, account, email};
use local_stripe::{Fault, FaultAction};
use shared::domain::PurchaseId;
use shared::domain::payments::{BoughtWith, Invoiced, OfferedCard};
use shared::ports::{Payments, PaymentsError};
use shared::stripe::SecretString;
use std::io::{Read, Write};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

const CUSTOMERS: &str = "/v1/customers";

#[tokio::test]
async fn retries_end_at_their_bound_and_carry_the_same_key() {
    let bench = Bench::start().await;
    let payments = bench.payments_with(|settings| settings.tries_max = NonZeroU32::new(3).unwrap());
    bench.stripe.add_fault(Fault {
        method: Some("POST".into()),
        path: CUSTOMERS.into(),
        action: FaultAction::Unavailable,
        count: 5,
    });
    let outage = payments.customer_create(&account(), &email("ada@example.com")).await;
    assert!(matches!(outage, Err(PaymentsError::Unavailable { .. })), "{outage:?}");
    assert_eq!(bench.stripe.request_count("POST", CUSTOMERS), 3);
    payments.customer_create(&account(), &email("ada@example.com")).await.unwrap();
    let keys = bench.keys(CUSTOMERS);
    assert!(keys.iter().all(|(key, _)| *key == keys[0].0 && !key.is_empty()), "{keys:?}");
    assert_eq!(keys.len(), 6);
}

#[tokio::test]
async fn what_carries_no_key_is_sent_once() {
    let bench = Bench::start().await;
    let payments = bench.payments_with(|settings| settings.tries_max = NonZeroU32::new(3).unwrap());
    let customer = bench.customer().await;
    let card = bench.card(&customer, "pm_card_visa").await;
    bench.stripe.add_fault(Fault::once("POST", "/v1/customers/*", FaultAction::Unavailable));
    let (paid_for, opened_at) = (Invoiced::Purchase(PurchaseId::mint(1)), jiff::Timestamp::UNIX_EPOCH);
    let bought_with = BoughtWith { card, paid_for, opened_at };
    let offered = OfferedCard { bought_with, default_at_opening: None };
    assert!(payments.default_payment_method_offer(&customer, &offered).await.is_err());
    assert_eq!(bench.stripe.request_count("POST", "/v1/customers/*"), 1);
}

#[tokio::test]
async fn a_refusal_is_not_sent_again() {
    let bench = Bench::start().await;
    let stranger = bench.payments_with(|settings| {
        settings.api_key = SecretString::from("sk_test_stranger");
        settings.tries_max = NonZeroU32::new(3).unwrap();
    });
    assert!(stranger.checkout_open(&bench.customer().await, &bench.purchase()).await.is_err());
    assert_eq!(bench.stripe.request_count("POST", "/v1/checkout/sessions"), 1);
}

#[tokio::test]
async fn calls_beyond_the_rate_wait_but_not_where_somebody_waits_for_them() {
    let bench = Bench::start().await;
    let customer = bench.customer().await;
    let payments = bench.payments_with(|settings| settings.endpoint_calls_per_second = NonZeroU32::new(20));
    let started = Instant::now();
    for _ in 0..6 {
        payments.default_payment_method_get(&customer).await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(240), "one call every 50 ms: {:?}", started.elapsed());
    let settings = shared::stripe::Settings::new(SecretString::from(API_KEY));
    assert!(settings.endpoint_calls_per_second.is_some());
    assert_eq!(settings.interactive().endpoint_calls_per_second, None);
}

/// The stand-in is not involved: this test checks the bytes of the request.
#[test]
fn a_request_names_the_version_the_key_and_the_program_and_keeps_its_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let api_base = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        (0..4).map(|_| exchange(&mut stream)).collect::<Vec<_>>()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings =
            shared::stripe::Settings { api_base, ..shared::stripe::Settings::new(SecretString::from(API_KEY)) };
        let payments = shared::stripe::StripePayments::new(settings).unwrap();
        for _ in 0..2 {
            payments.customer_create(&account(), &email("ada@example.com")).await.unwrap();
        }
    });
    let requests = server.join().unwrap();
    assert_eq!(requests[..2], requests[2..], "the same bytes, over the same connection");
    let request = requests[1].to_ascii_lowercase();
    for expected in [
        "post /v1/customers http/1.1\r\n",
        "authorization: bearer sk_test_local\r\n",
        "stripe-version: 2026-09-30.endive\r\n",
        "user-agent: prepaid/",
        "content-type: application/x-www-form-urlencoded\r\n",
        "idempotency-key: account:acme:customer:",
    ] {
        assert!(request.contains(expected), "{expected} in {request}");
    }
}

/// Reads one request and answers it with a customer, or with an empty list of customers.
fn exchange(stream: &mut std::net::TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let head = String::from_utf8(request.clone()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    request.extend(body);
    let is_list = head.starts_with("get ");
    let answer = if is_list { r#"{"data":[],"has_more":false}"# } else { r#"{"id":"cus_1","object":"customer"}"# };
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn neither_the_key_nor_stripes_own_words_are_ever_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let bench = Bench::start().await;
    let declined = bench.top_up_on("pm_card_chargeCustomerFail").await;
    bench.payments().top_up_pay(&declined).await;
    let stranger = bench.payments_with(|settings| settings.api_key = SecretString::from("sk_test_stranger"));
    stranger.top_up_pay(&declined).await;
    let refused = stranger.customer_create(&account(), &email("ada@example.com")).await.unwrap_err();
    tracing::error!(error = &refused as &(dyn std::error::Error + 'static), "as the handler logs it");
    let printed = format!("{refused:?} {:?} {:?}", bench.payments(), stranger);
    drop(guard);

    let log = log.text() + &printed;
    assert!(log.contains("the card was not charged") && log.contains("card_declined"), "the log is incomplete: {log}");
    assert!(log.contains("status 401") && log.contains("req_"), "{log}");
    for secret in [API_KEY, "sk_test_stranger", "The card was declined", "Invalid API key", "last4", "ada@example.com"]
    {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

/// Everything logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// In a form, `+`, `&`, `=` and `%` have a special meaning, and an address may contain each of them.
#[tokio::test]
async fn an_address_with_signs_that_forms_use_arrives_as_it_is() {
    let bench = Bench::start().await;
    let address = "a+b&c=d%20e#f@example.com";
    let customer = bench.payments().customer_create(&account(), &email(address)).await.unwrap();
    assert_eq!(bench.get(&format!("/v1/customers/{customer}")).await["email"], address);
}
