//! Giving back money of a purchase or a top-up.

use crate::{Operation, Outside, asked, operator, reason};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{PaidFor, WantedRefund};
use shared::domain::{ActReason, PurchaseId, TopUpId};
use shared::http::{Fields, Found, Problem, Reply, an_integer, boolean, idempotency_key, integer, parse_body, time};
use shared::use_cases::Context;
use shared::use_cases::support::{Refunded, refund};

/// Above every amount that can be paid.
const AMOUNT_MAX: i64 = 999_999_999_999;

/// Of a purchase, once for each key.
pub async fn of_purchase<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let id = PurchaseId::parse(found.parameter("purchase")).map_err(|_| Problem::not_found("purchase"))?;
    post(context, request, found, PaidFor::Purchase(id)).await
}

/// Of a top-up, once for each key.
pub async fn of_top_up<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let id = TopUpId::parse(found.parameter("top_up")).map_err(|_| Problem::not_found("top-up"))?;
    post(context, request, found, PaidFor::TopUp(id)).await
}

async fn post<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
    paid_for: PaidFor,
) -> Result<Reply, Problem> {
    let (operator, key) = (operator(found)?, idempotency_key(request)?);
    let (wanted, reason) = parse_body(request, wanted)?;
    let asked = asked(operator, reason);
    let refunded = refund(context, (found.account()?.id(), &paid_for), (&key, wanted), &asked).await?;
    Reply::created(&RefundBody::of(&paid_for, &refunded), refunded.is_replay)
}

fn wanted(fields: &mut Fields<'_>) -> Option<(WantedRefund, ActReason)> {
    let is_of_unused = fields.optional_or("unused_credits", "true or false", (boolean, false));
    let wanted = if is_of_unused == Some(true) {
        fields.must_not_have("amount", || "must not be given with unused_credits".to_owned());
        Some(WantedRefund::UnusedCredits)
    } else {
        let range = 1..=AMOUNT_MAX;
        let expected = format!("{}, unless unused_credits is true", an_integer(&range));
        fields.required("amount", expected, integer(&range)).map(WantedRefund::Amount)
    };
    let reason = reason(fields);
    Some((wanted?, reason?))
}

#[derive(Serialize)]
struct RefundBody<'a> {
    refund: &'a str,
    paid_for: &'a str,
    /// In the minor unit, with tax.
    amount: i64,
    currency: &'static str,
    status: &'static str,
    credits_taken_back: i64,
    balance: i64,
    created_at: String,
}

impl<'a> RefundBody<'a> {
    fn of(paid_for: &'a PaidFor, refunded: &'a Refunded) -> Self {
        Self {
            refund: refunded.made.id.as_str(),
            paid_for: paid_for.as_str(),
            amount: refunded.refund.amount,
            currency: refunded.currency.code(),
            status: refunded.made.status.name(),
            credits_taken_back: refunded.taken.get(),
            balance: refunded.balance.get(),
            created_at: time(refunded.refund.asked_at),
        }
    }
}
