//! The part of Stripe that a sweep calls, with Stripe's rate limits: <https://docs.stripe.com/rate-limits>.
//!
//! `infra/local/stripe` keeps every object, event and key and searches all of them at each call, which is fine for
//! tests but too slow for tens of thousands of invoices. This one keeps the state of each invoice and the answer to
//! each key, rejects invalid calls (a second payment, an item on a finalized invoice, a key with another body), and
//! answers 429 as Stripe does.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

pub const ENDPOINT_CALLS_MAX: usize = 25;
pub const CALLS_MAX: usize = 100;
const WINDOW: Duration = Duration::from_secs(1);

/// A Stripe with invoices and rate limits. Clones share their state.
#[derive(Clone)]
pub struct Stripe(Arc<Mutex<Books>>);

/// A paid invoice, and what its metadata names.
pub struct Paid {
    pub invoice: String,
    pub account: String,
    pub top_up: String,
}

struct Books {
    latency_percent: u32,
    paid: UnboundedSender<Paid>,
    paid_count: usize,
    invoices: HashMap<String, Invoice>,
    /// The request's body and the answer by idempotency key.
    keys: HashMap<String, (Bytes, Value)>,
    call_counts: BTreeMap<String, CallCount>,
    refusals: usize,
    latest: Option<Instant>,
}

struct Invoice {
    customer: String,
    account: String,
    top_up: String,
    amount: i64,
    status: &'static str,
}

/// The calls of the last second, and the highest number in any second.
#[derive(Default)]
struct CallCount {
    calls: VecDeque<Instant>,
    most: usize,
    total: usize,
}

impl CallCount {
    fn add(&mut self, now: Instant, max: usize) -> bool {
        while self.calls.front().is_some_and(|earliest| now.duration_since(*earliest) >= WINDOW) {
            self.calls.pop_front();
        }
        self.total += 1;
        self.calls.push_back(now);
        self.most = self.most.max(self.calls.len());
        self.calls.len() <= max
    }
}

/// The statistics of all calls.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// The total per endpoint, and the most in any second.
    pub endpoints: BTreeMap<String, (usize, usize)>,
    /// The most calls to all endpoints in any second.
    pub most: usize,
    /// The number of 429 answers.
    pub refusals: usize,
    pub latest: Option<Instant>,
}

impl Stripe {
    /// Each invoice is sent to `paid` when it is paid.
    pub fn new(latency_percent: u32, paid: UnboundedSender<Paid>) -> Self {
        Self(Arc::new(Mutex::new(Books {
            latency_percent,
            paid,
            paid_count: 0,
            invoices: HashMap::new(),
            keys: HashMap::new(),
            call_counts: BTreeMap::new(),
            refusals: 0,
            latest: None,
        })))
    }

    /// Serves on a thread of its own, so that calls are counted when they arrive and not when the embedded DynamoDB leaves
    /// time for it.
    pub fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let listener = listener.into_std()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = async move {
            let listener = TcpListener::from_std(listener)?;
            axum::serve(listener, Router::new().fallback(answer).with_state(self)).await
        };
        std::thread::spawn(move || runtime.block_on(serve));
        Ok(())
    }

    pub fn calls(&self) -> Calls {
        let books = self.books();
        let all = books.call_counts.get(ALL).map_or(0, |count| count.most);
        let endpoints = books.call_counts.iter().filter(|(name, _)| *name != ALL);
        Calls {
            endpoints: endpoints.map(|(name, count)| (name.clone(), (count.total, count.most))).collect(),
            most: all,
            refusals: books.refusals,
            latest: books.latest,
        }
    }

    /// The number of paid invoices.
    pub fn paid(&self) -> usize {
        self.books().paid_count
    }

    /// The number of customers with exactly one paid invoice; no customer may have more.
    pub fn customers_paid_once(&self) -> usize {
        let mut paid: HashMap<String, usize> = HashMap::new();
        for invoice in self.books().invoices.values().filter(|invoice| invoice.status == "paid") {
            *paid.entry(invoice.customer.clone()).or_default() += 1;
        }
        paid.values().filter(|count| **count == 1).count()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ALL: &str = "all";

async fn answer(State(stripe): State<Stripe>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path: Vec<&str> = uri.path().trim_start_matches("/v1/").split('/').collect();
    let endpoint = match path.as_slice() {
        [collection] => (*collection).to_owned(),
        [collection, _, rest @ ..] => [&[*collection, "*"], rest].concat().join("/"),
        [] => String::new(),
    };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    let latency = {
        let mut books = stripe.books();
        let now = Instant::now();
        books.latest = Some(now);
        let is_within = books.call_counts.entry(endpoint.clone()).or_default().add(now, ENDPOINT_CALLS_MAX);
        let is_within = books.call_counts.entry(ALL.to_owned()).or_default().add(now, CALLS_MAX) && is_within;
        if !is_within {
            books.refusals += 1;
            return refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit", "Too many requests.");
        }
        latency(&endpoint) * books.latency_percent / 100
    };
    tokio::time::sleep(latency).await;
    stripe.books().carry_out(&method, &path, key, &body)
}

/// The assumed latency of a call to Stripe.
fn latency(endpoint: &str) -> Duration {
    Duration::from_millis(match endpoint {
        "invoices" => 300,
        "invoices/*/finalize" => 500,
        "invoices/*/pay" => 1_200,
        _ => 200,
    })
}

impl Books {
    fn carry_out(&mut self, method: &Method, path: &[&str], key: &str, body: &Bytes) -> Response {
        if *method == Method::POST {
            match self.keys.get(key) {
                _ if key.is_empty() => return refusal(StatusCode::BAD_REQUEST, "key", "The sweep always sends a key."),
                Some((first, _)) if first != body => {
                    return refusal(StatusCode::BAD_REQUEST, "idempotency_error", "Another body under the same key.");
                }
                Some((_, answer)) => return (StatusCode::OK, answer.to_string()).into_response(),
                None => {}
            }
        }
        let form: HashMap<String, String> = serde_html_form::from_bytes(body).unwrap_or_default();
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let done = match (method.as_str(), path) {
            ("POST", ["invoices"]) => {
                Ok(self.create(field("customer"), field("metadata[account]"), field("metadata[top_up]")))
            }
            ("POST", ["invoiceitems"]) => self.add(&field("invoice"), field("amount").parse().unwrap_or_default()),
            ("POST", ["invoices", id, "finalize"]) => self.step(id, "draft", "open"),
            ("POST", ["invoices", id, "pay"]) => self.step(id, "open", "paid").inspect(|id| self.tell(id)),
            ("GET", ["invoices", id]) => Ok((*id).to_owned()),
            _ => Err("The sweep does not call this endpoint."),
        };
        let answer = done.and_then(|id| self.render(&id).ok_or("No such invoice."));
        let answer = answer.map(|answer| expand(answer, &field("expand[0]")));
        match answer {
            Ok(answer) => {
                if *method == Method::POST {
                    self.keys.insert(key.to_owned(), (body.clone(), answer.clone()));
                }
                (StatusCode::OK, answer.to_string()).into_response()
            }
            Err(reason) => refusal(StatusCode::BAD_REQUEST, "invalid_request_error", reason),
        }
    }

    fn create(&mut self, customer: String, account: String, top_up: String) -> String {
        let id = format!("in_{}", self.invoices.len());
        self.invoices.insert(id.clone(), Invoice { customer, account, top_up, amount: 0, status: "draft" });
        id
    }

    fn add(&mut self, id: &str, amount: i64) -> Result<String, &'static str> {
        let invoice = self.invoices.get_mut(id).filter(|invoice| invoice.status == "draft");
        invoice.ok_or("Only a draft takes items.")?.amount += amount;
        Ok(id.to_owned())
    }

    fn step(&mut self, id: &str, from: &str, to: &'static str) -> Result<String, &'static str> {
        let invoice = self.invoices.get_mut(id).filter(|invoice| invoice.status == from);
        invoice.ok_or("The invoice is in another state.")?.status = to;
        Ok(id.to_owned())
    }

    fn tell(&mut self, id: &str) {
        self.paid_count += 1;
        let Some(Invoice { account, top_up, .. }) = self.invoices.get(id) else { return };
        // The receiver is gone only at the end.
        let _ = self.paid.send(Paid { invoice: id.to_owned(), account: account.clone(), top_up: top_up.clone() });
    }

    fn render(&self, id: &str) -> Option<Value> {
        let Invoice { customer, account, top_up, amount, status } = self.invoices.get(id)?;
        let paid = if *status == "paid" { *amount } else { 0 };
        let payment = json!({"status": status, "is_default": true, "payment": {"payment_intent": format!("pi_{id}")}});
        Some(json!({
            "id": id, "object": "invoice", "status": status, "customer": customer, "currency": "usd",
            "subtotal": amount, "total_excluding_tax": amount, "total": amount, "amount_due": amount, "amount_paid": paid,
            "starting_balance": 0, "ending_balance": 0, "hosted_invoice_url": null,
            "metadata": {"account": account, "top_up": top_up},
            "payments": {"data": [payment], "has_more": false},
        }))
    }
}

/// Shows the customer, with a default card, if the request expands it.
fn expand(mut answer: Value, path: &str) -> Value {
    if path == "customer.invoice_settings.default_payment_method" {
        let customer = answer["customer"].take();
        let id = format!("pm_{}", customer.as_str().unwrap_or_default());
        let card = json!({"id": id, "customer": customer, "card": {"brand": "visa", "last4": "4242"}});
        answer["customer"] = json!({"id": customer, "invoice_settings": {"default_payment_method": card}});
    }
    answer
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, json!({"error": {"type": kind, "message": message}}).to_string()).into_response()
}
