//! A stand-in for Stripe on its own port, the adapter that uses it, and the actions of a customer.

use crate::support::net::{Canaries, NET};
use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use local_stripe::LocalStripe;
use serde_json::Value;
use shared::domain::payments::Payment;
use shared::domain::payments::TopUpOutcome;
use shared::domain::{
    AccountId, Amount, Credits, Currency, CustomerId, EmailAddress, IdempotencyKey, PackageId, PaymentMethodId,
    Purchase, PurchaseId, PurchaseStatus, TopUp, TopUpId, TopUpStatus,
};
use shared::ports::Payments;
use shared::stripe::{SecretString, Settings, StripePayments};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

pub const API_KEY: &str = "sk_test_local";
/// In credits and in cents.
pub const PRICE: i64 = 4_501;

pub struct Bench {
    pub stripe: LocalStripe,
    base_url: String,
    now: Arc<Mutex<Timestamp>>,
    /// The position in the log of the test run where this bench's lines begin.
    log_start: usize,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let leaks = Canaries::default().found_in(&NET.since(self.log_start));
            assert!(leaks.is_empty(), "the log contains secret or personal data: {leaks:#?}");
        }
    }
}

impl Bench {
    pub async fn start() -> Self {
        Self::with_tax(0).await
    }

    /// With an automatic tax of this many hundredths of a percent.
    pub async fn with_tax(tax_basis_points: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let now = Arc::new(Mutex::new("2026-11-22T12:00:00Z".parse().unwrap()));
        let clock = Arc::clone(&now);
        let stripe = LocalStripe::new(local_stripe::Settings {
            api_keys: vec![API_KEY.to_owned()],
            base_url: base_url.clone(),
            tax_basis_points,
            seed: 7,
            clock: Arc::new(move || *clock.lock().unwrap()),
        });
        let server = stripe.clone();
        tokio::spawn(async move { server.serve(listener).await });
        Self { stripe, base_url, now, log_start: NET.length() }
    }

    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    /// Advances the clock, and Stripe does what is due.
    pub async fn pass(&self, time: SignedDuration) {
        *self.now.lock().unwrap() += time;
        self.stripe.deliver_due().await;
    }

    /// The adapter without retries, so that each fault is visible.
    pub fn payments(&self) -> StripePayments {
        self.payments_with(|_| {})
    }

    pub fn payments_with(&self, change: impl FnOnce(&mut Settings)) -> StripePayments {
        let mut settings = Settings {
            api_base: self.base_url.clone(),
            endpoint_calls_per_second: None,
            tries_max: NonZeroU32::MIN,
            backoff: Duration::from_millis(1),
            return_url: Some("https://app.example.com/billing".to_owned()),
            ..Settings::new(SecretString::from(API_KEY))
        };
        change(&mut settings);
        StripePayments::new(settings).unwrap()
    }

    pub async fn customer(&self) -> CustomerId {
        self.payments().customer_create(&account(), &email("owner@example.com")).await.unwrap()
    }

    /// A test card saved with the customer.
    pub async fn card(&self, customer: &CustomerId, alias: &str) -> PaymentMethodId {
        let attached = self.post(&format!("/v1/payment_methods/{alias}/attach"), &format!("customer={customer}")).await;
        PaymentMethodId::parse(attached["id"].as_str().unwrap()).unwrap()
    }

    /// The customer makes a card the default on one of Stripe's pages.
    pub async fn choose(&self, customer: &CustomerId, card: &PaymentMethodId) {
        let choice = format!("invoice_settings[default_payment_method]={card}");
        self.post(&format!("/v1/customers/{customer}"), &choice).await;
    }

    /// An attempt of a new customer whose default is this card.
    pub async fn top_up_on(&self, alias: &str) -> TopUp {
        let customer = self.customer().await;
        let card = self.card(&customer, alias).await;
        self.choose(&customer, &card).await;
        self.top_up(&customer, Some(card))
    }

    pub fn top_up(&self, customer: &CustomerId, payment_method: Option<PaymentMethodId>) -> TopUp {
        TopUp {
            id: TopUpId::mint(1),
            account: account(),
            customer: customer.clone(),
            payment_method,
            credits: Credits::new(PRICE).unwrap(),
            price: Amount::new(Currency::USD, PRICE).unwrap(),
            status: TopUpStatus::Open,
            invoice: None,
            payment_intent: None,
            opened_at: self.now(),
            ended_at: None,
            retries: 0,
            reminders: 0,
            reversed: Default::default(),
            refunds: vec![],
        }
    }

    pub fn purchase(&self) -> Purchase {
        Purchase {
            id: PurchaseId::mint(1),
            account: account(),
            key: IdempotencyKey::parse("click-1").unwrap(),
            package: PackageId::parse("credits_5000").unwrap(),
            credits: Credits::constant(5_000),
            price: Amount::new(Currency::USD, 5_000).unwrap(),
            status: PurchaseStatus::Open,
            checkout: None,
            checkout_opened_at: None,
            default_card: None,
            payment_intent: None,
            invoice: None,
            by_invoice: None,
            opened_at: self.now(),
            ended_at: None,
            reversed: Default::default(),
            refunds: vec![],
        }
    }

    /// Calls the API as an operator would, without the adapter.
    pub async fn post(&self, path: &str, form: &str) -> Value {
        let (status, answer) = self.send("POST", path, form).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    pub async fn delete(&self, path: &str) {
        let (status, answer) = self.send("DELETE", path, "").await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send("GET", path, "").await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Submits a form of a hosted page.
    pub async fn submit(&self, url: &str, form: &str) -> StatusCode {
        let path = url.strip_prefix(&self.base_url).expect("a page of the stand-in");
        self.send("POST", path, form).await.0
    }

    async fn send(&self, method: &str, path: &str, form: &str) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {API_KEY}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.to_owned()))
            .unwrap();
        let response = self.stripe.handle(request).await.unwrap();
        (response.status(), String::from_utf8_lossy(response.body()).into_owned())
    }

    /// The customer's invoices, newest first.
    pub async fn invoices(&self, customer: &CustomerId) -> Vec<Value> {
        self.list(&format!("/v1/invoices?limit=100&customer={customer}")).await
    }

    /// The charges that were really paid with the customer's cards.
    pub async fn charges_paid(&self, customer: &CustomerId) -> Vec<Value> {
        let charges = self.list(&format!("/v1/charges?limit=100&customer={customer}")).await;
        charges.into_iter().filter(|charge| charge["paid"] == true).collect()
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let list = self.get(path).await;
        assert_eq!(list["has_more"], false);
        list["data"].as_array().unwrap().clone()
    }

    /// The keys of the requests to a path, in order, each with whether the answer was a replay.
    pub fn keys(&self, pattern: &str) -> Vec<(String, bool)> {
        let records = self.stripe.requests();
        let wanted = records.into_iter().filter(|record| record.is("POST", pattern));
        wanted.map(|record| (record.idempotency_key.unwrap_or_default(), record.is_replayed)).collect()
    }

    /// Checks that exactly one invoice was paid, by exactly one charge of the frozen price.
    pub async fn assert_paid_once(&self, top_up: &TopUp, why: &str) {
        let invoices = self.invoices(&top_up.customer).await;
        assert_eq!(invoices.len(), 1, "one invoice: {why}");
        assert_eq!(invoices[0]["status"], "paid", "{why}");
        let charges = self.charges_paid(&top_up.customer).await;
        assert_eq!(charges.len(), 1, "one charge: {why}");
        assert_eq!(charges[0]["amount"], top_up.price.minor(), "{why}");
    }

    /// Checks that the customer paid nothing.
    pub async fn assert_nothing_paid(&self, customer: &CustomerId) {
        assert_eq!(self.charges_paid(customer).await, Vec::<Value>::new());
    }
}

pub fn account() -> AccountId {
    AccountId::parse("acme").unwrap()
}

pub fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

#[track_caller]
pub fn paid(outcome: TopUpOutcome) -> Payment {
    match outcome {
        TopUpOutcome::Paid(payment) => payment,
        other => panic!("it should be paid, not {other:?}"),
    }
}
