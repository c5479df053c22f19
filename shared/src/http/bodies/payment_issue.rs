//! A payment issue as JSON: what the customer is told.

use crate::domain::payments::PaymentIssue;
use crate::http::time;
use crate::words::payment_issue;
use serde::Serialize;

#[derive(Serialize)]
pub struct PaymentIssueBody<'a> {
    kind: &'static str,
    reason: &'static str,
    remedy: &'static str,
    since: String,
    top_up: &'a str,
}

impl<'a> PaymentIssueBody<'a> {
    pub fn of(issue: &'a PaymentIssue) -> Self {
        let words = payment_issue(issue.kind);
        Self {
            kind: issue.kind.name(),
            reason: words.reason,
            remedy: words.remedy,
            since: time(issue.since),
            top_up: issue.top_up.as_str(),
        }
    }
}
