//! Leaving a pause of automatic top-ups: paying the open invoice now, or voiding it.

use crate::{App, Outside};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::PaymentMethodId;
use shared::domain::payments::{PaymentIssueKind, RetryCommand, TopUpStatus};
use shared::http::bodies::{CardBody, PaymentIssueBody};
use shared::http::{Fields, Problem, ReachedAccount, Reply, idempotency_key, parse_optional_body, text};
use shared::use_cases::payments::{PauseEnding, Resumed, RetriedTopUp, resume_top_ups, retry_top_up};
use shared::words::{Explanation, payment_issue};

/// Pays the open invoice now.
pub async fn retry<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let key = idempotency_key(request)?;
    let card = parse_optional_body(request, card)?;
    let retried = retry_top_up(&app.context, account.id(), &RetryCommand { key, card }).await?;
    Reply::created(&RetriedBody::of(&retried), retried.is_replay)
}

/// Without a card, the default one is charged.
#[expect(clippy::option_option, reason = "the outer one says whether the body is valid")]
fn card(fields: &mut Fields<'_>) -> Option<Option<PaymentMethodId>> {
    fields.optional_or("payment_method", "the id of a saved card", (text(named), None))
}

fn named(id: String) -> Result<Option<PaymentMethodId>, shared::domain::InvalidId> {
    PaymentMethodId::parse(id).map(Some)
}

/// Voids the open invoice and arms top-ups again.
pub async fn resume<O: Outside>(app: &App<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let resumed = resume_top_ups(&app.context, account.id()).await?;
    Reply::ok(&ResumedBody::of(&resumed))
}

#[derive(Serialize)]
struct RetriedBody<'a> {
    top_up: &'a str,
    /// The card that was charged, or was asked in vain.
    card: Option<CardBody<'a>>,
    outcome: &'static str,
    /// Why the card was not charged, and what helps.
    reason: Option<&'static str>,
    remedy: Option<&'static str>,
    /// Where the customer confirms the payment (3D Secure) or pays with any card.
    payment_url: Option<&'a str>,
    balance: i64,
    payment_issue: Option<PaymentIssueBody<'a>>,
}

impl<'a> RetriedBody<'a> {
    fn of(RetriedTopUp { retry, account, hosted_url, card, is_replay: _ }: &'a RetriedTopUp) -> Self {
        let words = unpaid_because(retry.status).map(payment_issue);
        Self {
            top_up: retry.top_up.as_str(),
            card: card.as_ref().map(CardBody::of),
            outcome: retry.status.name(),
            reason: words.map(|Explanation { reason, .. }| reason),
            remedy: words.map(|Explanation { remedy, .. }| remedy),
            payment_url: hosted_url.as_deref(),
            balance: account.balance.get(),
            payment_issue: account.payment_issue.as_ref().map(PaymentIssueBody::of),
        }
    }
}

fn unpaid_because(status: TopUpStatus) -> Option<PaymentIssueKind> {
    match status {
        TopUpStatus::Declined(reason) => Some(PaymentIssueKind::Declined(reason)),
        TopUpStatus::ActionRequired => Some(PaymentIssueKind::ActionRequired),
        TopUpStatus::Refused(reason) => Some(PaymentIssueKind::Refused(reason)),
        TopUpStatus::Open
        | TopUpStatus::Processing
        | TopUpStatus::Paid
        | TopUpStatus::PartlyPaid
        | TopUpStatus::Abandoned => None,
    }
}

#[derive(Serialize)]
struct ResumedBody<'a> {
    outcome: &'static str,
    balance: i64,
    payment_issue: Option<PaymentIssueBody<'a>>,
}

impl<'a> ResumedBody<'a> {
    fn of(Resumed { ending, account }: &'a Resumed) -> Self {
        Self {
            outcome: match ending {
                PauseEnding::NotPaused => "not_paused",
                PauseEnding::Resumed => "resumed",
                PauseEnding::Paid => "paid",
            },
            balance: account.balance.get(),
            payment_issue: account.payment_issue.as_ref().map(PaymentIssueBody::of),
        }
    }
}
