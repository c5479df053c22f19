//! Whether a webhook really comes from Stripe, and which object it is about.
//!
//! An event only says which object to fetch, and which top-up that object belongs to, so that an object whose payment is
//! recorded already does not have to be fetched. So neither the order of events nor the endpoint's API version matters,
//! and nothing else in the body is trusted.

use super::metadata::{self, Metadata};
use crate::domain::{
    AccountId, CardPaymentId, CheckoutSessionId, CustomerId, DisputeId, EventId, InvoiceId, PaymentMethodId, RefundId,
    TopUpId,
};
use crate::ports::{ReturnedObject, Subject};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;
use sha2::Sha256;
use std::collections::BTreeMap;

/// How far the signature's time may differ from ours, in seconds, in either direction.
///
/// Five minutes in the past is Stripe's default. We also limit the future: Stripe's own libraries accept any future
/// time, so anyone who once saw an event with such a time could replay it until that time has passed.
/// <https://docs.stripe.com/webhooks#replay-attacks>
pub const TOLERANCE_SECONDS: i64 = 300;

/// The kind of object that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    Invoice,
    Checkout,
    Customer,
    PaymentMethod,
    Charge,
    Refund,
    Dispute,
}

/// The types of events that concern us, each with the object to fetch. An endpoint subscribes only to these.
/// <https://docs.stripe.com/api/events/types>
///
/// All types about one kind of object are handled the same way, since only the fetched object is trusted. The type adds
/// nothing to what the object says.
pub const EVENT_TYPES: [(&str, ObjectKind); 21] = [
    ("charge.dispute.closed", ObjectKind::Dispute),
    ("charge.dispute.created", ObjectKind::Dispute),
    ("charge.dispute.funds_reinstated", ObjectKind::Dispute),
    ("charge.dispute.funds_withdrawn", ObjectKind::Dispute),
    ("charge.dispute.updated", ObjectKind::Dispute),
    ("charge.refunded", ObjectKind::Charge),
    ("checkout.session.async_payment_failed", ObjectKind::Checkout),
    ("checkout.session.async_payment_succeeded", ObjectKind::Checkout),
    ("checkout.session.completed", ObjectKind::Checkout),
    ("checkout.session.expired", ObjectKind::Checkout),
    ("customer.updated", ObjectKind::Customer),
    ("invoice.overpaid", ObjectKind::Invoice),
    ("invoice.paid", ObjectKind::Invoice),
    ("invoice.payment_action_required", ObjectKind::Invoice),
    ("invoice.payment_failed", ObjectKind::Invoice),
    ("invoice.voided", ObjectKind::Invoice),
    ("payment_method.automatically_updated", ObjectKind::PaymentMethod),
    ("payment_method.updated", ObjectKind::PaymentMethod),
    ("refund.created", ObjectKind::Refund),
    ("refund.failed", ObjectKind::Refund),
    ("refund.updated", ObjectKind::Refund),
];

/// The part of an event that is read. <https://docs.stripe.com/api/events/object>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// The object it is about. A few objects, such as a balance, have no id.
    pub object_id: Option<String>,
    /// The top-up that the object's metadata named when the event occurred.
    pub top_up: Option<(AccountId, TopUpId)>,
    /// A thin event, which only another kind of endpoint receives. It contains no object that we know.
    /// <https://docs.stripe.com/event-destinations#thin-events>
    pub is_thin: bool,
}

impl Event {
    /// The kind of object to fetch. `None` if the event does not concern us.
    pub fn object_kind(&self) -> Option<ObjectKind> {
        object_kind(&self.kind)
    }

    /// The object to fetch.
    pub fn subject(&self) -> Subject {
        subject_of(&self.kind, self.object_id.clone(), self.top_up.clone())
    }
}

fn object_kind(kind: &str) -> Option<ObjectKind> {
    EVENT_TYPES.iter().find(|(name, _)| *name == kind).map(|(_, object)| *object)
}

/// What an event of this type is about, with the id of its object and the top-up that the object's metadata names.
pub(super) fn subject_of(kind: &str, object_id: Option<String>, top_up: Option<(AccountId, TopUpId)>) -> Subject {
    let id = object_id.unwrap_or_default();
    let subject = match object_kind(kind) {
        Some(ObjectKind::Invoice) => InvoiceId::parse(id).map(|id| Subject::Invoice { id, top_up }),
        Some(ObjectKind::Checkout) => CheckoutSessionId::parse(id).map(Subject::Checkout),
        Some(ObjectKind::Customer) => CustomerId::parse(id).map(Subject::Customer),
        Some(ObjectKind::PaymentMethod) => PaymentMethodId::parse(id).map(Subject::Card),
        Some(ObjectKind::Charge) => {
            CardPaymentId::parse(id).map(|id| Subject::Returned(ReturnedObject::CardPayment(id)))
        }
        Some(ObjectKind::Refund) => RefundId::parse(id).map(|id| Subject::Returned(ReturnedObject::Refund(id))),
        Some(ObjectKind::Dispute) => DisputeId::parse(id).map(|id| Subject::Returned(ReturnedObject::Dispute(id))),
        None => Ok(Subject::Other),
    };
    subject.unwrap_or(Subject::Other)
}

/// Why a webhook is rejected, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejection {
    #[error("there is no Stripe-Signature header")]
    MissingHeader,
    #[error("the Stripe-Signature header does not have exactly one timestamp")]
    MalformedHeader,
    #[error("no signature in the Stripe-Signature header was made with one of our secrets")]
    NoMatchingSignature,
    #[error("it was signed {age_seconds} seconds ago")]
    TooOld { age_seconds: i64 },
    #[error("it was signed {ahead_seconds} seconds in the future")]
    FromTheFuture { ahead_seconds: i64 },
    #[error("the body is not an event")]
    UnreadableBody,
}

/// Checks a webhook as <https://docs.stripe.com/webhooks#verify-manually> describes, and reads its event.
///
/// While a secret is being rolled, Stripe signs with both the old and the new one, and `secrets` may hold both.
///
/// # Errors
/// [`WebhookRejection`]. The body is parsed only after its signature was verified.
pub fn verify(
    signature_header: Option<&str>,
    body: &[u8],
    secrets: &[SecretString],
    now: Timestamp,
) -> Result<Event, WebhookRejection> {
    let header = SignatureHeader::parse(signature_header.ok_or(WebhookRejection::MissingHeader)?)?;
    if !secrets.iter().any(|secret| header.is_signed_with(secret, body)) {
        return Err(WebhookRejection::NoMatchingSignature);
    }
    let age_seconds = now.as_second().saturating_sub(header.seconds);
    match age_seconds {
        TOO_OLD.. => Err(WebhookRejection::TooOld { age_seconds }),
        ..TOO_NEW => Err(WebhookRejection::FromTheFuture { ahead_seconds: age_seconds.saturating_neg() }),
        TOO_NEW..TOO_OLD => read(body).ok_or(WebhookRejection::UnreadableBody),
    }
}

const TOO_OLD: i64 = TOLERANCE_SECONDS + 1;
const TOO_NEW: i64 = -TOLERANCE_SECONDS;

/// `t=1700000000,v1=…,v1=…,v0=…`. Only `v1` proves anything; Stripe uses the other schemes for tests.
struct SignatureHeader<'header> {
    /// The signed text of the time.
    time: &'header str,
    seconds: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'header> SignatureHeader<'header> {
    fn parse(header: &'header str) -> Result<Self, WebhookRejection> {
        let values = |scheme| {
            let fields = header.split(',').filter_map(|field| field.split_once('='));
            fields.filter(move |(name, _)| *name == scheme).map(|(_, value)| value)
        };
        let mut times = values("t");
        let (Some(time), None) = (times.next(), times.next()) else { return Err(WebhookRejection::MalformedHeader) };
        let seconds = time.parse().map_err(|_| WebhookRejection::MalformedHeader)?;
        Ok(Self { time, seconds, signatures: values("v1").filter_map(digest).collect() })
    }

    /// Compares in constant time.
    fn is_signed_with(&self, secret: &SecretString, body: &[u8]) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
            .expect("HMAC takes keys of any length: RFC 2104, section 2");
        mac.update(self.time.as_bytes());
        mac.update(b".");
        mac.update(body);
        self.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    }
}

/// 64 lower-case hexadecimal digits, which is Stripe's format.
fn digest(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digits.iter().try_fold(0, |byte, digit| match digit {
            b'0'..=b'9' => Some(byte << 4 | (digit - b'0')),
            b'a'..=b'f' => Some(byte << 4 | (digit - b'a' + 10)),
            _ => None,
        })?;
    }
    Some(bytes)
}

/// The members of an object, each parsed only when needed, so that the members we do not read may have any value.
type Members<'json> = BTreeMap<String, &'json RawValue>;

fn read(body: &[u8]) -> Option<Event> {
    let body: Members<'_> = serde_json::from_slice(body).ok()?;
    let (id, kind) = (EventId::parse(text(body.get("id")?)?).ok()?, text(body.get("type")?)?);
    if body.get("object").is_some_and(|object| object.get() == r#""v2.core.event""#) {
        return Some(Event { id, kind, object_id: None, top_up: None, is_thin: true });
    }
    let data: Members<'_> = serde_json::from_str(body.get("data")?.get()).ok()?;
    let object: Members<'_> = serde_json::from_str(data.get("object")?.get()).ok()?;
    let object_id = match object.get("id") {
        None => None,
        Some(id) => serde_json::from_str(id.get()).ok()?,
    };
    let metadata = object.get("metadata").and_then(|json| serde_json::from_str::<Metadata>(json.get()).ok());
    Some(Event { id, kind, object_id, top_up: metadata.as_ref().and_then(metadata::top_up), is_thin: false })
}

fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

#[cfg(test)]
mod tests;
