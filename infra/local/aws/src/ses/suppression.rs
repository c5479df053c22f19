//! Addresses on the account's suppression list. `SendEmail` accepts them, and they bounce immediately.
//!
//! <https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::{WireAnswer, WireRequest};

/// The path of the list. Each address is below it.
pub(crate) const PATH: &str = "/v2/email/suppression/addresses";

/// Why an address is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SuppressionReason {
    Bounce,
    Complaint,
}

impl SuppressionReason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "BOUNCE",
            Self::Complaint => "COMPLAINT",
        }
    }
}

/// By address in lower case, because the service ignores case.
#[derive(Debug, Default)]
pub(super) struct Suppressed(BTreeMap<String, (SuppressionReason, Timestamp)>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Addition {
    email_address: String,
    reason: SuppressionReason,
}

impl Suppressed {
    pub(super) fn add(&mut self, address: &str, reason: SuppressionReason, now: Timestamp) {
        self.0.insert(address.to_ascii_lowercase(), (reason, now));
    }

    pub(super) fn contains(&self, address: &str) -> bool {
        self.0.contains_key(&address.to_ascii_lowercase())
    }

    /// `PutSuppressedDestination`, `GetSuppressedDestination` and `DeleteSuppressedDestination`.
    pub(super) fn answer(&mut self, request: &WireRequest, now: Timestamp) -> WireAnswer {
        let address = request.path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')).map(decoded);
        match (request.method.as_str(), address) {
            ("PUT", None) => match serde_json::from_slice::<Addition>(&request.body) {
                Ok(addition) => {
                    self.add(&addition.email_address, addition.reason, now);
                    WireAnswer::ok(&json!({}))
                }
                Err(error) => WireAnswer::error(400, "BadRequestException", &error.to_string()),
            },
            ("GET", Some(address)) => match self.0.get(&address) {
                Some(found) => WireAnswer::ok(&json!({ "SuppressedDestination": shown(&address, *found) })),
                None => not_found(&address),
            },
            ("DELETE", Some(address)) => match self.0.remove(&address) {
                Some(_) => WireAnswer::ok(&json!({})),
                None => not_found(&address),
            },
            _ => WireAnswer::unknown_operation(),
        }
    }
}

fn shown(address: &str, (reason, since): (SuppressionReason, Timestamp)) -> Value {
    json!({ "EmailAddress": address, "Reason": reason.as_str(), "LastUpdateTime": since.as_second() })
}

fn not_found(address: &str) -> WireAnswer {
    let message = format!("Email address {address} does not exist on your suppression list.");
    WireAnswer::error(404, "NotFoundException", &message)
}

/// The SDK percent-encodes the `@` and `+` of an address in the path.
fn decoded(segment: &str) -> String {
    segment.replace("%40", "@").replace("%2B", "+").to_ascii_lowercase()
}
