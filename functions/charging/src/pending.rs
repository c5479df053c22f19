//! Pending charges: looked at, captured, voided.

use crate::{App, ChargeBody, Outside, RestoredBody, operation};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::charging::{ChargeStatus, PendingCharge};
use shared::domain::{Credits, IdempotencyKey};
use shared::http::{Problem, ReachedAccount, Reply, parse_optional_body, time};
use shared::use_cases::charging::{Ended, capture, find_charge, void};

pub async fn get_charge<O: Outside>(
    app: &App<O>,
    account: &ReachedAccount,
    charge: &IdempotencyKey,
) -> Result<Reply, Problem> {
    Reply::ok(&ChargeBody::of(&find_charge(&app.context, account.id(), charge).await?))
}

pub async fn post_capture<O: Outside>(
    app: &App<O>,
    request: &Request,
    account: &ReachedAccount,
    charge: &IdempotencyKey,
) -> Result<Reply, Problem> {
    let measured = parse_optional_body(request, operation::measured)?;
    let ended = capture(&app.context, account.id(), charge, measured).await?;
    Reply::created(&EndedBody::of(&ended), ended.is_replay)
}

pub async fn post_void<O: Outside>(
    app: &App<O>,
    account: &ReachedAccount,
    charge: &IdempotencyKey,
) -> Result<Reply, Problem> {
    let ended = void(&app.context, account.id(), charge).await?;
    Reply::created(&EndedBody::of(&ended), ended.is_replay)
}

/// What a charge that was made pending says in addition.
#[derive(Serialize)]
pub struct PendingBody {
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits_kept: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

impl PendingBody {
    pub fn of(pending: &PendingCharge) -> Self {
        Self {
            expires_at: time(pending.expires_at()),
            credits_kept: pending.end.map(|end| end.credits_kept.get()),
            ended_at: pending.end.map(|end| time(end.at)),
        }
    }
}

/// A charge that was captured or voided.
#[derive(Serialize)]
struct EndedBody<'a> {
    charge: &'a str,
    operation: &'a str,
    status: &'static str,
    credits: i64,
    credits_kept: i64,
    balance: i64,
    ended_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<RestoredBody>,
}

impl<'a> EndedBody<'a> {
    fn of(ended: &'a Ended) -> Self {
        let Ended { charge: pending, restore, .. } = ended;
        let status = if restore.is_some() { ChargeStatus::Restored } else { pending.status() };
        // What was answered has ended. If it had not, the whole charge would still be taken.
        let (kept, balance, at) = match pending.end {
            Some(end) => (end.credits_kept, end.balance_after, end.at),
            None => (pending.credits, Credits::ZERO, pending.created_at),
        };
        Self {
            charge: pending.charge.as_str(),
            operation: pending.operation.name.as_str(),
            status: status.name(),
            credits: pending.credits.get(),
            credits_kept: kept.get(),
            balance: balance.get(),
            ended_at: time(at),
            restore: restore.as_ref().map(RestoredBody::of),
        }
    }
}
