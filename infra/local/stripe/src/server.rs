//! The stand-in as one value: in-process calls, the listener, and the switches for tests.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::error::Refusal;
use crate::faults::{Fault, Faults, RandomFaults};
use crate::idempotency::Keys;
use crate::instruments::DisputeKind;
use crate::objects::discount::{self, CustomerDiscount};
use crate::objects::dispute::Decision;
use crate::objects::{bank_transfer, checkout_session, dispute, payment_method, refund, webhook_endpoint};
use crate::request_log::{RequestLog, RequestRecord};
use crate::state::{AccountSettings, State};
use crate::webhooks::{self, WebhookConduct, WebhookTarget};
use crate::{api, control, pages, parameters};

/// How often the background task checks whether the movable clock has made a delivery due.
const DELIVERY_TICK: Duration = Duration::from_millis(250);
/// About how long Stripe waits for an endpoint's answer.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the time; a test may move it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The settings of a stand-in.
pub struct Settings {
    /// The secret keys that are accepted; any other key gets 401.
    pub api_keys: Vec<String>,
    /// The base URL of links to pages, without a trailing slash. For [`LocalStripe::serve`] it is the address of the
    /// listener, which is therefore bound first.
    pub base_url: String,
    /// Basis points that automatic tax adds; 0 for none.
    pub tax_basis_points: u32,
    /// The same seed gives the same ids.
    pub seed: u64,
    pub clock: Clock,
}

/// The connection was closed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection was closed without an answer")]
pub struct ConnectionLost;

/// A stand-in for Stripe; clones share one state.
#[derive(Clone)]
pub struct LocalStripe(Arc<Inner>);

struct Inner {
    core: Mutex<Core>,
    clock: Clock,
    client: reqwest::Client,
    deliveries_wanted: Notify,
}

/// Everything behind the lock.
pub(crate) struct Core {
    pub(crate) state: State,
    pub(crate) api_keys: Vec<String>,
    pub(crate) keys: Keys,
    pub(crate) faults: Faults,
    pub(crate) log: RequestLog,
}

impl LocalStripe {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { api_keys, base_url, tax_basis_points, seed, clock } = settings;
        let state = State::new(AccountSettings { base_url, tax_basis_points }, seed, clock());
        let core =
            Core { state, api_keys, keys: Keys::default(), faults: Faults::default(), log: RequestLog::default() };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DELIVERY_TIMEOUT)
            .build()
            .expect("a client without TLS loads nothing that could be missing");
        Self(Arc::new(Inner { core: Mutex::new(core), clock, client, deliveries_wanted: Notify::new() }))
    }

    /// Answers one request in this process.
    ///
    /// A request that was started is finished even if the caller stops waiting, as at Stripe.
    ///
    /// # Errors
    /// [`ConnectionLost`] if a fault says so.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionLost> {
        let stripe = self.clone();
        let answering = tokio::spawn(async move { stripe.answer(request).await });
        match answering.await {
            Ok(answer) => answer,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        }
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionLost> {
        let path = request.uri().path();
        let response = if path.starts_with("/v1/") || path.starts_with("/v2/") {
            api::answer(self, request).await
        } else if path.starts_with("/_control/") {
            Ok(control::answer(self, &request).await)
        } else {
            Ok(pages::answer(&mut self.core().state, &request))
        };
        self.0.deliveries_wanted.notify_one();
        response
    }

    /// Serves HTTP/1.1 on `listener`, which must be bound to the loopback interface, until accepting fails.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<Infallible> {
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(self.clone().serve_connection(stream));
        }
    }

    async fn serve_connection(self, stream: TcpStream) {
        let service = service_fn(|request: Request<Incoming>| {
            let stripe = self.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map_err(|_| ConnectionLost)?.to_bytes();
                stripe.handle(Request::from_parts(head, body)).await.map(|response| response.map(Full::new))
            }
        });
        // An error of the service closes the connection without an answer, which simulates a lost answer.
        if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    /// Registers an endpoint for events whose type is in `enabled_events` (`*` for all) and returns its id.
    pub fn add_webhook_endpoint(&self, target: WebhookTarget, secret: &str, enabled_events: &[&str]) -> String {
        let enabled_events = enabled_events.iter().map(|&kind| kind.to_owned()).collect();
        webhook_endpoint::insert(&mut self.core().state, target, Some(secret.to_owned()), enabled_events)
    }

    /// Makes every delivery that is due on the clock, one after the other, and returns how many it tried.
    pub async fn deliver_due(&self) -> usize {
        let parcels = webhooks::pack_due(&mut self.core().state);
        let count = parcels.len();
        for parcel in parcels {
            let has_arrived = webhooks::send(&self.0.client, &parcel).await;
            webhooks::finish(&mut self.core().state, parcel, has_arrived);
        }
        count
    }

    /// Delivers whatever becomes due, and never returns; for a background task.
    pub async fn deliver_forever(&self) {
        loop {
            while self.deliver_due().await > 0 {}
            tokio::select! {
                () = self.0.deliveries_wanted.notified() => {}
                () = tokio::time::sleep(DELIVERY_TICK) => {}
            }
        }
    }

    /// When the next delivery is due on the clock.
    #[must_use]
    pub fn next_delivery_at(&self) -> Option<Timestamp> {
        self.core().state.deliveries.next_due_at()
    }

    /// Makes every delivery that waits for a retry due now, as the "resend" of Stripe's dashboard does, and returns how
    /// many there are.
    pub fn hasten_deliveries(&self) -> usize {
        let state = &mut self.core().state;
        state.deliveries.hasten(state.now)
    }

    /// Sets how deliveries misbehave from now on.
    pub fn set_webhook_conduct(&self, conduct: WebhookConduct) {
        self.core().state.deliveries.conduct = conduct;
    }

    pub fn add_fault(&self, fault: Fault) {
        self.core().faults.add(fault);
    }

    /// Gives faults to requests by chance, until [`LocalStripe::clear_faults`].
    pub fn set_random_faults(&self, random: RandomFaults) {
        self.core().faults.set_random(random);
    }

    pub fn clear_faults(&self) {
        self.core().faults.clear();
    }

    /// The last 10,000 requests to the API, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.core().log.records()
    }

    /// How many `method` requests were made to a path that matches `pattern`, whose segments may be `*`.
    #[must_use]
    pub fn request_count(&self, method: &str, pattern: &str) -> usize {
        self.requests().iter().filter(|record| record.is(method, pattern)).count()
    }

    /// The total number of requests to the API.
    #[must_use]
    pub fn requests_total(&self) -> u64 {
        self.core().log.total()
    }

    /// The number of requests to the API that may have had an effect: all that are not answered reads.
    #[must_use]
    pub fn effects_total(&self) -> u64 {
        self.core().log.effects()
    }

    pub fn clear_requests(&self) {
        self.core().log.clear();
    }

    /// Opens a dispute about a paid charge, as the cardholder would, and returns its id.
    ///
    /// # Errors
    /// If the charge is unknown, unpaid or already disputed.
    pub fn open_dispute(&self, charge: &str) -> Result<String, Refusal> {
        Ok(dispute::open(&mut self.core().state, charge, DisputeKind::Chargeback)?)
    }

    /// Opens an inquiry about a paid charge: the bank asks, and takes no money.
    ///
    /// # Errors
    /// As [`LocalStripe::open_dispute`].
    pub fn open_inquiry(&self, charge: &str) -> Result<String, Refusal> {
        Ok(dispute::open(&mut self.core().state, charge, DisputeKind::Inquiry)?)
    }

    /// An inquiry becomes a dispute, and its money is withdrawn.
    ///
    /// # Errors
    /// If it is unknown or no open inquiry.
    pub fn escalate_inquiry(&self, dispute: &str) -> Result<(), Refusal> {
        Ok(dispute::escalate(&mut self.core().state, dispute)?)
    }

    /// The bank gives half of a dispute's money back.
    ///
    /// # Errors
    /// As [`LocalStripe::decide_dispute`].
    pub fn lose_dispute_in_part(&self, dispute: &str) -> Result<(), Refusal> {
        Ok(dispute::decide(&mut self.core().state, dispute, Decision::LostInPart)?)
    }

    /// What became of a refund: `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    ///
    /// # Errors
    /// If the refund is unknown, or cannot get that status any more.
    pub fn settle_refund(&self, refund: &str, status: &str) -> Result<(), Refusal> {
        Ok(refund::settle(&mut self.core().state, refund, status)?)
    }

    /// Closes a dispute with the bank's decision.
    ///
    /// # Errors
    /// If the dispute is unknown or closed.
    pub fn decide_dispute(&self, dispute: &str, is_won: bool) -> Result<(), Refusal> {
        let decision = if is_won { Decision::Won } else { Decision::Lost };
        Ok(dispute::decide(&mut self.core().state, dispute, decision)?)
    }

    /// Gives a saved card a new expiry, as its network does when the bank issues it again.
    ///
    /// # Errors
    /// If the payment method is unknown, is no card, or is not saved.
    pub fn reissue_card(&self, payment_method: &str, exp_month: u8, exp_year: i16) -> Result<(), Refusal> {
        Ok(payment_method::reissue(&mut self.core().state, payment_method, exp_month, exp_year)?)
    }

    /// A bank transfer of a customer arrives.
    ///
    /// # Errors
    /// If the customer or the currency is unknown, or the amount is not positive.
    pub fn receive_transfer(&self, customer: &str, currency: &str, amount: i64) -> Result<(), Refusal> {
        Ok(bank_transfer::arrive(&mut self.core().state, customer, currency, amount)?)
    }

    /// Gives a customer a discount on every invoice, as in the dashboard.
    ///
    /// # Errors
    /// If the customer is unknown or the discount is invalid.
    pub fn give_discount(&self, customer: &str, discount: CustomerDiscount) -> Result<(), Refusal> {
        Ok(discount::give(&mut self.core().state, customer, discount)?)
    }

    /// Changes the currency and the amount that the page of an open payment session asks for.
    ///
    /// # Errors
    /// If the session is unknown or not open, or if a payment was already tried.
    pub fn reprice_checkout(&self, session: &str, currency: &str, amount: i64) -> Result<(), Refusal> {
        let currency = parameters::currency(currency)?;
        Ok(checkout_session::reprice(&mut self.core().state, session, currency, amount)?)
    }

    /// The current state, after everything that is due by now.
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        let now = (self.0.clock)();
        let mut core = self.0.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.state.advance(now);
        core
    }
}
