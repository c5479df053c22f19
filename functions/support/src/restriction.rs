//! Blocking an account's charges for a time.

use crate::{Operation, Outside, REASON, asked, operator};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::{Account, ActReason, InvalidId, Restriction, RestrictionReason};
use shared::http::{FieldError, Fields, Found, Problem, Reply, parse_body, parse_query, text, time};
use shared::use_cases::Context;
use shared::use_cases::support::{lift_restriction, restrict};

/// Blocks charges until an instant. The customer is shown the end and the reason.
pub async fn put<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let operator = operator(found)?;
    let (until, shown, reason) = parse_body(request, wanted)?;
    let restriction = Restriction { reason: shown, until };
    let account = restrict(context, found.account()?.id(), &restriction, &asked(operator, reason)).await?;
    Reply::ok(&AnswerBody::of(&account, context.now()))
}

/// Lifts the restriction. The reason is in the query, because a body of a DELETE has no meaning in HTTP.
pub async fn delete<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let operator = operator(found)?;
    let reason = parse_query(request, |query| query.optional("reason", REASON, |text| ActReason::parse(text).ok()))?;
    let missing = || Problem::invalid(vec![FieldError::new("reason", format!("is required: {REASON}"))]);
    let reason = reason.ok_or_else(missing)?;
    let account = lift_restriction(context, found.account()?.id(), &asked(operator, reason)).await?;
    Reply::ok(&AnswerBody::of(&account, context.now()))
}

/// The reason is one text, which is both shown and recorded.
fn wanted(fields: &mut Fields<'_>) -> Option<(Timestamp, RestrictionReason, ActReason)> {
    let until = fields.required("until", "a time such as 2026-12-01T00:00:00Z", text(instant));
    let expected = "a text of 1 to 100 bytes, all of it visible, which the customer is shown";
    let reason = fields.required("reason", expected, text(both));
    let (shown, recorded) = reason?;
    Some((until?, shown, recorded))
}

fn both(text: String) -> Result<(RestrictionReason, ActReason), InvalidId> {
    Ok((RestrictionReason::parse(text.as_str())?, ActReason::parse(text)?))
}

/// To the millisecond, as it is stored.
fn instant(text: String) -> Result<Timestamp, jiff::Error> {
    let to_milliseconds = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Floor);
    text.parse::<Timestamp>()?.round(to_milliseconds)
}

#[derive(Serialize)]
struct AnswerBody<'a> {
    account: &'a str,
    restriction: Option<RestrictionBody<'a>>,
}

#[derive(Serialize)]
pub struct RestrictionBody<'a> {
    reason: &'a str,
    until: String,
}

impl<'a> AnswerBody<'a> {
    fn of(account: &'a Account, now: Timestamp) -> Self {
        Self { account: account.id.as_str(), restriction: RestrictionBody::in_force(account, now) }
    }
}

impl<'a> RestrictionBody<'a> {
    pub fn in_force(account: &'a Account, now: Timestamp) -> Option<Self> {
        let restriction = account.restriction_at(now)?;
        Some(Self { reason: restriction.reason.as_str(), until: time(restriction.until) })
    }
}
