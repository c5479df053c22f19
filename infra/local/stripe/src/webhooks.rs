//! The delivery of events to webhook endpoints: signed, retried, and on demand late, duplicated, reordered or lost.
//!
//! <https://docs.stripe.com/webhooks>

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::state::{Resource, State};

/// The delays between deliveries of an event; together about three days, as in live mode:
/// <https://docs.stripe.com/webhooks#automatic-retries>.
const BACK_OFF_MINUTES: [i64; 10] = [1, 5, 30, 120, 300, 600, 720, 720, 720, 1080];
/// Twice the tolerance that verifiers allow for a signature.
const STALE_SECONDS: i64 = 600;

/// Takes the headers and the body of a delivery, and returns the status of the answer.
pub type WebhookCallback = Arc<dyn Fn(HeaderMap, Bytes) -> Pin<Box<dyn Future<Output = u16> + Send>> + Send + Sync>;

/// The target of deliveries.
#[derive(Clone)]
pub enum WebhookTarget {
    /// Receives an HTTP POST, without TLS.
    Url(String),
    /// Called in this process.
    Callback(WebhookCallback),
}

impl WebhookTarget {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Url(url) => url,
            Self::Callback(_) => "http://in-process.invalid/",
        }
    }
}

impl fmt::Debug for WebhookTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.url())
    }
}

/// How deliveries misbehave. By default, they do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConduct {
    /// Every delivery is made twice.
    pub duplicate: bool,
    /// Deliveries that are due together are sent newest first.
    pub reorder: bool,
    /// Deliveries that are due together are sent in any order.
    pub shuffle: bool,
    /// Events that are enqueued from now on wait this many seconds on the stand-in's clock.
    pub delay_seconds: u32,
    /// This many of the next deliveries are dropped; their events remain undelivered.
    pub drop_next: u32,
    /// So many deliveries in a hundred are dropped, by chance.
    pub drop_percent: u8,
    /// Signatures are ten minutes old, beyond every tolerance.
    pub stale: bool,
}

#[derive(Debug, Clone)]
struct Delivery {
    event: String,
    endpoint: String,
    attempts_made: usize,
}

#[derive(Debug)]
struct FixedSeed(fastrand::Rng);

impl Default for FixedSeed {
    fn default() -> Self {
        Self(fastrand::Rng::with_seed(0))
    }
}

/// Deliveries that still have to be made. One is removed when it has arrived or was given up.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    pub(crate) conduct: WebhookConduct,
    /// The same for each stand-in, so that the same calls have the same deliveries.
    numbers: FixedSeed,
    sequence: u64,
    waiting: BTreeMap<(Timestamp, u64), Delivery>,
    /// The deliveries of each event that did not arrive: waiting, in flight, dropped or given up.
    outstanding: HashMap<String, usize>,
}

impl Deliveries {
    pub(crate) fn enqueue(&mut self, event: &str, endpoints: Vec<String>, now: Timestamp) {
        let due_at = now + SignedDuration::from_secs(i64::from(self.conduct.delay_seconds));
        for endpoint in endpoints {
            *self.outstanding.entry(event.to_owned()).or_default() += 1;
            if self.conduct.drop_next > 0 {
                self.conduct.drop_next -= 1;
                continue;
            }
            if self.numbers.0.u8(..100) < self.conduct.drop_percent {
                continue;
            }
            self.wait(due_at, Delivery { event: event.to_owned(), endpoint, attempts_made: 0 });
        }
    }

    fn wait(&mut self, due_at: Timestamp, delivery: Delivery) {
        self.sequence += 1;
        self.waiting.insert((due_at, self.sequence), delivery);
    }

    fn take_due(&mut self, now: Timestamp) -> Vec<Delivery> {
        let later = self.waiting.split_off(&(now, u64::MAX));
        let mut due: Vec<Delivery> = std::mem::replace(&mut self.waiting, later).into_values().collect();
        if self.conduct.reorder {
            due.reverse();
        }
        if self.conduct.shuffle {
            self.numbers.0.shuffle(&mut due);
        }
        due
    }

    fn finish(&mut self, mut delivery: Delivery, has_arrived: bool, now: Timestamp) {
        if has_arrived {
            self.arrived(&delivery.event);
        } else if let Some(minutes) = BACK_OFF_MINUTES.get(delivery.attempts_made) {
            delivery.attempts_made += 1;
            self.wait(now + SignedDuration::from_mins(*minutes), delivery);
        }
    }

    fn arrived(&mut self, event: &str) {
        if let Some(count) = self.outstanding.get_mut(event) {
            *count -= 1;
            if *count == 0 {
                self.outstanding.remove(event);
            }
        }
    }

    pub(crate) fn pending_of(&self, event: &str) -> usize {
        self.outstanding.get(event).copied().unwrap_or(0)
    }

    pub(crate) fn all_arrived(&self, event: &str) -> bool {
        !self.outstanding.contains_key(event)
    }

    /// Makes every waiting delivery due now, and returns how many there are.
    pub(crate) fn hasten(&mut self, now: Timestamp) -> usize {
        let waiting = std::mem::take(&mut self.waiting);
        let count = waiting.len();
        for delivery in waiting.into_values() {
            self.wait(now, delivery);
        }
        count
    }

    pub(crate) fn next_due_at(&self) -> Option<Timestamp> {
        self.waiting.keys().next().map(|(due_at, _)| *due_at)
    }

    /// Drops the pending deliveries to a deleted endpoint.
    pub(crate) fn forget_endpoint(&mut self, endpoint: &str) {
        let (gone, kept) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, delivery)| delivery.endpoint == endpoint);
        self.waiting = kept;
        for delivery in gone.into_values() {
            self.arrived(&delivery.event);
        }
    }
}

/// One delivery that is ready to be made without holding the lock.
pub(crate) struct Parcel {
    delivery: Delivery,
    pub(crate) target: WebhookTarget,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) copies: usize,
}

/// Every delivery that is due now, with the event's current content.
pub(crate) fn pack_due(state: &mut State) -> Vec<Parcel> {
    let due = state.deliveries.take_due(state.now);
    let conduct = state.deliveries.conduct.clone();
    let signed_at = state.now_seconds() - if conduct.stale { STALE_SECONDS } else { 0 };
    let pack = |delivery: Delivery| {
        let endpoint = state.webhook_endpoints.find(&delivery.endpoint)?;
        let event = state.events.find(&delivery.event)?.render(state);
        let body = serde_json::to_vec_pretty(&event).expect("a JSON value is always written");
        let mut headers = HeaderMap::new();
        let signature = webhook_signature(&endpoint.secret, signed_at, &body);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("Stripe/1.0 (local stand-in)"));
        headers.insert("stripe-signature", HeaderValue::from_str(&signature).expect("a signature is plain ASCII"));
        let copies = if conduct.duplicate { 2 } else { 1 };
        Some(Parcel { delivery, target: endpoint.target.clone(), headers, body: body.into(), copies })
    };
    due.into_iter().filter_map(pack).collect()
}

/// Records whether a parcel arrived. If it did not, it is tried again later.
pub(crate) fn finish(state: &mut State, parcel: Parcel, has_arrived: bool) {
    let now = state.now;
    state.deliveries.finish(parcel.delivery, has_arrived, now);
}

/// Makes one delivery and returns whether the answer was a 2xx.
pub(crate) async fn send(client: &reqwest::Client, parcel: &Parcel) -> bool {
    let mut has_arrived = false;
    for _ in 0..parcel.copies {
        let (headers, body) = (parcel.headers.clone(), parcel.body.clone());
        let status = match &parcel.target {
            WebhookTarget::Callback(callback) => callback(headers, body).await,
            WebhookTarget::Url(url) => match client.post(url).headers(headers).body(body).send().await {
                Ok(response) => response.status().as_u16(),
                Err(error) => {
                    tracing::debug!(webhook.url = url, %error, "a webhook endpoint could not be reached");
                    0
                }
            },
        };
        has_arrived |= (200..300).contains(&status);
    }
    has_arrived
}

/// The value of `Stripe-Signature` for a body signed at `signed_at`, in seconds since 1970:
/// <https://docs.stripe.com/webhooks#verify-manually>.
#[must_use]
pub fn webhook_signature(secret: &str, signed_at: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{signed_at}.").as_bytes());
    mac.update(body);
    format!("t={signed_at},v1={}", hex::encode(mac.finalize().into_bytes()))
}
