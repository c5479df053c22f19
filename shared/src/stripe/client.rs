//! The HTTP client that sends the requests of async-stripe's builders, with our own idempotency keys and retries.
//!
//! It retries only what is safe to retry: reads, deletions, and requests with an idempotency key, under the same key.
//! It decides nothing about money, and never logs the API key or Stripe's error object.

use super::error::{Refusal, StripeError};
use super::rate_limiter::RateLimiter;
use super::responses::ErrorEnvelope;
use crate::error::chain;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;
use stripe_client_core::{
    ConfigOverride, CustomizedStripeRequest, RequestBuilder, RequestStrategy, StripeClient, StripeMethod, VERSION,
};

/// The longest response body that is read; a page of a hundred invoices is far smaller.
const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Connections idle for longer are closed; Stripe closes its end after about a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Where the path of a saved card begins.
const SAVED_CARDS: &str = "/payment_methods/";

/// The settings of the client.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    pub(super) api_base: Uri,
    pub(super) api_key: SecretString,
    pub(super) endpoint_calls_per_second: Option<NonZeroU32>,
    /// For one try, unless the request has its own.
    pub(super) timeout: Duration,
    pub(super) tries_max: NonZeroU32,
    /// The longest delay before the first retry; it doubles with each retry.
    pub(super) backoff: Duration,
}

pub(super) struct Client {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    rate_limiter: Option<RateLimiter>,
    timeout: Duration,
    tries_max: NonZeroU32,
    backoff: Duration,
}

impl Client {
    /// `None` if the API key is not valid in a header.
    pub(super) fn new(transport: &Transport) -> Option<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", transport.api_key.expose_secret())).ok()?;
        authorization.set_sensitive(true);
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Some(Self {
            http,
            base: transport.api_base.to_string().trim_end_matches('/').to_owned(),
            authorization,
            rate_limiter: transport.endpoint_calls_per_second.map(RateLimiter::new),
            timeout: transport.timeout,
            tries_max: transport.tries_max,
            backoff: transport.backoff,
        })
    }

    async fn try_once(&self, call: &Call) -> Result<Bytes, StripeError> {
        if let Some(rate_limiter) = &self.rate_limiter {
            rate_limiter.acquire_permit(&call.path).await;
        }
        let exchange = async {
            let response = self.http.request(self.request(call)?).await.map_err(|error| no_answer(error.into()))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await.map_err(no_answer)?.to_bytes();
            let request_id = header(&head.headers, "request-id");
            tracing::debug!(
                stripe.path = %call.endpoint(),
                stripe.status = head.status.as_u16(),
                stripe.request_id = request_id,
                "Stripe answered"
            );
            if head.status.is_success() {
                Ok(body)
            } else {
                Err(StripeError::Refused(Box::new(refusal(head.status.as_u16(), &head.headers, &body))))
            }
        };
        let timeout = call.timeout.unwrap_or(self.timeout);
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|elapsed| Err(no_answer(elapsed.into())))
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, StripeError> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}/v1{}", self.base, call.path))
            .header(AUTHORIZATION, &self.authorization)
            .header(USER_AGENT, concat!("prepaid/", env!("CARGO_PKG_VERSION")))
            .header("stripe-version", VERSION.as_str());
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        request.body(Full::new(call.body.clone())).map_err(|_| StripeError::NotSent("it is not a valid HTTP request"))
    }

    /// A random delay up to a maximum that doubles with every try, so that callers do not retry in step.
    fn delay(&self, tries: u32) -> Duration {
        let longest = self.backoff.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(BACKOFF_MAX);
        longest.mul_f64(fastrand::f64())
    }
}

impl StripeClient for Client {
    type Err = StripeError;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, StripeError> {
        let (request, settings) = request.into_pieces();
        let call = Call::new(request, settings)?;
        let tries_max = if call.is_retryable() { self.tries_max.get() } else { 1 };
        let mut tries = 1;
        loop {
            match self.try_once(&call).await {
                Err(error) if tries < tries_max && error.is_worth_retrying() => {
                    tracing::warn!(
                        stripe.path = %call.endpoint(),
                        stripe.tries = tries,
                        error = chain(&error),
                        "retrying a call to Stripe"
                    );
                    tokio::time::sleep(self.delay(tries)).await;
                    tries += 1;
                }
                Err(StripeError::Refused(mut refusal)) => {
                    refusal.tries = tries;
                    return Err(StripeError::Refused(refusal));
                }
                answer => return answer,
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// One request, which can be sent several times.
struct Call {
    method: Method,
    /// Includes the query.
    path: String,
    body: Bytes,
    key: Option<HeaderValue>,
    timeout: Option<Duration>,
}

impl Call {
    /// # Errors
    /// [`StripeError::NotSent`] for a POST that has neither an idempotency key nor [`RequestStrategy::Once`], because
    /// it could not be retried after a lost answer.
    fn new(request: RequestBuilder, settings: ConfigOverride) -> Result<Self, StripeError> {
        let method = match request.method {
            StripeMethod::Get => Method::GET,
            StripeMethod::Post => Method::POST,
            StripeMethod::Delete => Method::DELETE,
        };
        let key = match settings.request_strategy {
            Some(RequestStrategy::Idempotent(key)) => {
                let key = HeaderValue::try_from(key.into_inner());
                Some(key.map_err(|_| StripeError::NotSent("its idempotency key is not valid in a header"))?)
            }
            Some(RequestStrategy::Once) => None,
            Some(RequestStrategy::Retry(_) | RequestStrategy::ExponentialBackoff(_)) => {
                return Err(StripeError::NotSent("it asks for retries without an idempotency key"));
            }
            None if method == Method::POST => return Err(StripeError::NotSent("it has no idempotency key")),
            None => None,
        };
        let path = match request.query.filter(|query| !query.is_empty()) {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path,
        };
        let body = request.body.map(sorted).unwrap_or_default();
        Ok(Self { method, path, body: body.into(), key, timeout: settings.timeout })
    }

    /// The path as it may be logged: without its query, which may hold an e-mail address, and without the id of a card.
    fn endpoint(&self) -> Cow<'_, str> {
        let endpoint = self.path.split_once('?').map_or(&*self.path, |(endpoint, _)| endpoint);
        match endpoint.strip_prefix(SAVED_CARDS).map(|card| card.split_once('/')) {
            Some(Some((_, operation))) => format!("{SAVED_CARDS}*/{operation}").into(),
            Some(None) => format!("{SAVED_CARDS}*").into(),
            None => endpoint.into(),
        }
    }

    fn is_retryable(&self) -> bool {
        self.key.is_some() || self.method != Method::POST
    }
}

/// The form with its parameters sorted. The builders keep metadata in a `HashMap`, whose order differs from one request
/// to the next, and Stripe rejects a known idempotency key with a different body.
fn sorted(form: String) -> String {
    let mut parameters: Vec<_> = form.split('&').collect();
    parameters.sort_unstable();
    parameters.join("&")
}

fn no_answer(source: Box<dyn std::error::Error + Send + Sync>) -> StripeError {
    StripeError::NoAnswer(source)
}

fn header<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The refusal that a response describes, with `tries` still unset. If the body is not Stripe's error envelope (a proxy's
/// error page, say), only the status is known.
fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let envelope: Option<ErrorEnvelope> =
        std::str::from_utf8(body).ok().and_then(|text| miniserde::json::from_str(text).ok());
    let error = envelope.map(|envelope| envelope.error).unwrap_or_default();
    let says = |words| error.message.as_deref().is_some_and(|message| message.contains(words));
    Refusal {
        status,
        combines_currencies: says("cannot combine currencies"),
        request_id: header(headers, "request-id").map(str::to_owned),
        kind: error.kind,
        code: error.code,
        decline_code: error.decline_code,
        param: error.param,
        should_retry: header(headers, "stripe-should-retry").and_then(|value| value.parse().ok()),
        is_replayed: header(headers, "idempotent-replayed") == Some("true"),
        tries: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sent_in_a_fixed_order() {
        assert_eq!(sorted("b[1]=x&a=1&b[0]=y".into()), "a=1&b[0]=y&b[1]=x");
        assert_eq!(sorted(String::new()), "");
    }

    #[test]
    fn a_post_that_does_not_mention_its_key_is_never_sent() {
        let unkeyed = stripe_billing::invoice::CreateInvoice::new();
        let (request, settings) = pieces(&unkeyed, None);
        assert!(matches!(Call::new(request, settings), Err(StripeError::NotSent(_))));
        let (request, settings) = pieces(&unkeyed, Some(RequestStrategy::Once));
        assert!(!Call::new(request, settings).unwrap().is_retryable());
        let (request, settings) = pieces(&unkeyed, Some(RequestStrategy::Retry(3)));
        assert!(matches!(Call::new(request, settings), Err(StripeError::NotSent(_))));
        let (request, settings) = pieces(&stripe_billing::invoice::RetrieveInvoice::new("in_1"), None);
        assert!(Call::new(request, settings).unwrap().is_retryable());
    }

    #[test]
    fn what_is_logged_of_a_path_names_no_card_and_no_address() {
        for (path, logged) in [
            ("/payment_methods/pm_1/detach", "/payment_methods/*/detach"),
            ("/customers/cus_1/payment_methods?starting_after=pm_1", "/customers/cus_1/payment_methods"),
            ("/customers?email=ada@example.com", "/customers"),
            ("/invoices/in_1/pay", "/invoices/in_1/pay"),
        ] {
            let (request, settings) = pieces(&stripe_billing::invoice::RetrieveInvoice::new("in_1"), None);
            let call = Call { path: path.into(), ..Call::new(request, settings).unwrap() };
            assert_eq!(call.endpoint(), logged);
        }
    }

    #[test]
    fn a_refusal_without_an_envelope_keeps_its_status() {
        let refusal = refusal(502, &HeaderMap::new(), b"<html>Bad Gateway</html>");
        assert_eq!(refusal, Refusal { status: 502, ..Refusal::default() });
    }

    /// A request as the client receives it.
    fn pieces<R: stripe_client_core::StripeRequest>(
        request: &R,
        strategy: Option<RequestStrategy>,
    ) -> (RequestBuilder, ConfigOverride) {
        let mut request = request.build().customize::<super::super::responses::Created>();
        if let Some(strategy) = strategy {
            request = request.request_strategy(strategy);
        }
        let recorder = Recorder(std::sync::Mutex::new(None));
        let waker = std::task::Waker::noop();
        let sent = std::pin::pin!(request.send(&recorder));
        assert!(sent.poll(&mut std::task::Context::from_waker(waker)).is_ready());
        recorder.0.lock().unwrap().take().unwrap().into_pieces()
    }

    /// A client that records the request instead of sending it.
    struct Recorder(std::sync::Mutex<Option<CustomizedStripeRequest>>);

    impl StripeClient for Recorder {
        type Err = StripeError;

        async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, StripeError> {
            *self.0.lock().unwrap() = Some(request);
            Err(StripeError::NotSent("it is recorded"))
        }
    }
}
