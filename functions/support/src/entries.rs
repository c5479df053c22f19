//! An account's last entries, with what only support is shown.

use serde::Serialize;
use shared::domain::{Cause, Entry};
use shared::http::bodies::EntryBody;

#[derive(Serialize)]
pub struct SupportEntryBody<'a> {
    #[serde(flatten)]
    entry: EntryBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<&'a str>,
}

impl<'a> SupportEntryBody<'a> {
    pub fn of(entry: &'a Entry) -> Self {
        let operator = match &entry.cause {
            Cause::Adjustment { operator, .. } => operator.as_ref(),
            _ => None,
        };
        Self {
            entry: EntryBody::of(entry),
            hash: entry.link.map(|link| link.hash.to_string()),
            operator: operator.map(|operator| operator.as_str()),
        }
    }
}
