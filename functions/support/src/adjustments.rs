//! Giving credits to an account, or taking them, by hand.

use crate::{Operation, Outside, asked, operator, reason};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::support::{AdjustedCredits, Adjustment};
use shared::domain::{ActReason, PriceBook};
use shared::http::{Fields, Found, Problem, Reply, boolean, idempotency_key, integer, parse_body, time};
use shared::use_cases::support::adjust;
use shared::use_cases::{Context, Posted};

/// Moves the credits, once for each key.
pub async fn post<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let (operator, key) = (operator(found)?, idempotency_key(request)?);
    let (credits, may_go_below_zero, reason) = parse_body(request, wanted)?;
    let adjustment = Adjustment { key, credits, may_go_below_zero };
    let posted = adjust(context, found.account()?.id(), &adjustment, &asked(operator, reason.clone())).await?;
    Reply::created(&AdjustmentBody::of(&adjustment, &reason, &posted), posted.is_replay)
}

fn wanted(fields: &mut Fields<'_>) -> Option<(AdjustedCredits, bool, ActReason)> {
    let max = PriceBook::ADJUSTMENT_MAX.get();
    let expected = format!("an integer from {} to {max}, not 0", -max);
    let credits = fields.required("credits", expected, |json| AdjustedCredits::new(integer(&(-max..=max))(json)?).ok());
    let may_go_below_zero = fields.optional_or("allow_negative", "true or false", (boolean, false));
    let reason = reason(fields);
    Some((credits?, may_go_below_zero?, reason?))
}

#[derive(Serialize)]
struct AdjustmentBody<'a> {
    adjustment: &'a str,
    credits: i64,
    balance: i64,
    seq: u64,
    reason: &'a str,
    created_at: String,
}

impl<'a> AdjustmentBody<'a> {
    fn of(adjustment: &'a Adjustment, reason: &'a ActReason, posted: &Posted) -> Self {
        Self {
            adjustment: adjustment.key.as_str(),
            credits: posted.entry.credits.get(),
            balance: posted.entry.balance_after.get(),
            seq: posted.entry.seq,
            reason: reason.as_str(),
            created_at: time(posted.entry.created_at),
        }
    }
}
