//! A top-up check now, through the same gates as the sweep.

use crate::{Operation, Outside, asked, existing, operator, reason};
use lambda_http::Request;
use serde::Serialize;
use shared::http::bodies::{TopUpBody, TopUpCheckBody};
use shared::http::{Found, Problem, Reply, parse_body};
use shared::ports::AskedCards;
use shared::use_cases::Context;
use shared::use_cases::payments::ToppedUp;
use shared::use_cases::support::check_top_up;

/// Runs the check, and answers what happened or which gate is closed.
pub async fn post<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let operator = operator(found)?;
    let reason = parse_body(request, reason)?;
    let reached = found.account()?;
    let checked = check_top_up(context, reached.id(), &asked(operator, reason)).await?;
    let account = existing(context, reached).await?;
    let asked_card = context.ledger.asked_card_get(&account.id).await?;
    let attempt = match &checked {
        ToppedUp::Attempted(attempt) => Some(TopUpBody::of(attempt, &asked_card)),
        ToppedUp::Skipped(_) => None,
    };
    let check = TopUpCheckBody::of(&checked);
    Reply::ok(&CheckBody { check, top_up: attempt, balance: account.balance.get() })
}

#[derive(Serialize)]
struct CheckBody<'a> {
    #[serde(flatten)]
    check: TopUpCheckBody,
    top_up: Option<TopUpBody<'a>>,
    balance: i64,
}
