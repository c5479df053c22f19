//! A stand-in with a clock that only the test advances, and a client for it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use local_stripe::{ConnectionLost, LocalStripe, Settings};
use serde_json::Value;

pub const KEY: &str = "sk_test_local";

pub struct Bench {
    pub stripe: LocalStripe,
    now: Arc<Mutex<Timestamp>>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Reply {
    /// The answer to a request that must succeed.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.body
    }

    /// The error of a request that must be refused with `status`.
    #[track_caller]
    pub fn refused(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body["error"].clone()
    }

    #[track_caller]
    pub fn redirect(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.headers["location"].to_str().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with_tax(0)
    }

    pub fn with_tax(tax_basis_points: u32) -> Self {
        let now = Arc::new(Mutex::new("2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap()));
        let clock = Arc::clone(&now);
        let stripe = LocalStripe::new(Settings {
            api_keys: vec![KEY.to_owned()],
            base_url: "http://stripe.test".to_owned(),
            tax_basis_points,
            seed: 7,
            clock: Arc::new(move || *clock.lock().unwrap()),
        });
        Self { stripe, now }
    }

    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    pub fn pass(&self, duration: SignedDuration) {
        let mut now = self.now.lock().unwrap();
        *now += duration;
    }

    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Result<Reply, ConnectionLost> {
        let encoded = serde_html_form::to_string(form).unwrap();
        let is_post = method == "POST";
        let separator = if path.contains('?') { "&" } else { "?" };
        let uri = if is_post || form.is_empty() { path.to_owned() } else { format!("{path}{separator}{encoded}") };
        let mut request = Request::builder().method(method).uri(uri);
        if is_post {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if is_post { Bytes::from(encoded) } else { Bytes::new() };
        let response = self.stripe.handle(request.body(body).unwrap()).await?;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), text, body })
    }

    async fn authorized(
        &self,
        method: &str,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<Reply, ConnectionLost> {
        let bearer = format!("Bearer {KEY}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.try_send(method, path, form, &headers).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        self.authorized("POST", path, form, None).await.unwrap()
    }

    pub async fn post_with_key(&self, key: &str, path: &str, form: &[(&str, &str)]) -> Reply {
        self.try_post_with_key(key, path, form).await.unwrap()
    }

    pub async fn try_post_with_key(
        &self,
        key: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Reply, ConnectionLost> {
        self.authorized("POST", path, form, Some(key)).await
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        self.authorized("GET", path, query, None).await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.authorized("DELETE", path, &[], None).await.unwrap()
    }

    /// A page as a browser opens it, by its full URL.
    pub async fn open(&self, url: &str) -> Reply {
        self.try_send("GET", url, &[], &[]).await.unwrap()
    }

    pub async fn submit(&self, url: &str, form: &[(&str, &str)]) -> Reply {
        self.try_send("POST", url, form, &[]).await.unwrap()
    }

    pub async fn customer(&self) -> String {
        id(&self.post("/v1/customers", &[("email", "jo@example.com")]).await.ok())
    }

    /// A customer with an attached test card that is not the default.
    pub async fn customer_with_card(&self, alias: &str) -> (String, String) {
        let customer = self.customer().await;
        let attached = self.post(&format!("/v1/payment_methods/{alias}/attach"), &[("customer", &customer)]).await.ok();
        (customer, id(&attached))
    }

    /// A draft for 50.00 USD.
    pub async fn draft(&self, customer: &str) -> String {
        let form = [("customer", customer), ("auto_advance", "false"), ("pending_invoice_items_behavior", "exclude")];
        let invoice = id(&self.post("/v1/invoices", &form).await.ok());
        let item = [("customer", customer), ("invoice", &invoice), ("amount", "5000"), ("currency", "usd")];
        self.post("/v1/invoiceitems", &item).await.ok();
        invoice
    }

    pub async fn open_invoice(&self, customer: &str) -> String {
        let invoice = self.draft(customer).await;
        self.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.ok();
        invoice
    }

    pub async fn pay(&self, invoice: &str, payment_method: &str) -> Reply {
        let form = [("payment_method", payment_method), ("off_session", "true")];
        self.post(&format!("/v1/invoices/{invoice}/pay"), &form).await
    }

    pub async fn invoice(&self, invoice: &str) -> Value {
        self.get(&format!("/v1/invoices/{invoice}"), &[("expand[]", "payments.data.payment.payment_intent")]).await.ok()
    }

    /// The payment intent of an invoice.
    pub async fn intent_of(&self, invoice: &str) -> Value {
        self.invoice(invoice).await["payments"]["data"][0]["payment"]["payment_intent"].clone()
    }

    /// The types of all events so far, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let list = self.get("/v1/events", &[("limit", "100")]).await.ok();
        let mut kinds: Vec<String> =
            list["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
        kinds.reverse();
        kinds
    }
}

#[track_caller]
pub fn id(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub fn ids_of(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(id).collect()
}
