//! An account's last entries, with what only support is shown.

use serde::Serialize;
use shared::domain::{Cause, Entry};
use shared::http::time;

#[derive(Serialize)]
pub struct EntryBody<'a> {
    /// Its kind, and the id of the charge, the purchase, the attempt or the adjustment.
    entry: String,
    kind: &'static str,
    credits: i64,
    balance_after: i64,
    seq: u64,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spender: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<&'a str>,
}

impl<'a> EntryBody<'a> {
    pub fn of(entry: &'a Entry) -> Self {
        let origin = entry.origin();
        let body = Self {
            entry: origin.to_string(),
            kind: origin.kind(),
            credits: entry.credits.get(),
            balance_after: entry.balance_after.get(),
            seq: entry.seq,
            created_at: time(entry.created_at),
            operation: None,
            reference: None,
            spender: None,
            reason: None,
            operator: None,
        };
        match &entry.cause {
            Cause::Charge { operation, reference, spender, .. } => Self {
                operation: Some(operation.name.as_str()),
                reference: reference.as_ref().map(|reference| reference.as_str()),
                spender: spender.as_ref().map(|spender| spender.as_str()),
                ..body
            },
            Cause::Capture { operation, .. } => Self { operation: Some(operation.name.as_str()), ..body },
            Cause::Adjustment { reason, operator, .. } => {
                let reason = reason.as_ref().map(|reason| reason.as_str());
                Self { reason, operator: operator.as_ref().map(|operator| operator.as_str()), ..body }
            }
            Cause::Void { .. }
            | Cause::Expiry { .. }
            | Cause::Restore { .. }
            | Cause::Purchase { .. }
            | Cause::TopUp { .. } => body,
        }
    }
}
