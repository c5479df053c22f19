//! Closing an account and erasing what is personal in it.

use crate::{Operation, Outside, asked, operator, reason};
use lambda_http::Request;
use serde::Serialize;
use shared::http::{Found, Problem, Reply, parse_body, time};
use shared::use_cases::Context;
use shared::use_cases::support::{Erased, ErasureLimits, erase};

/// Erases as much as one request can. The same request again goes on, and changes nothing once the erasure is complete.
pub async fn post<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let operator = operator(found)?;
    let reason = parse_body(request, reason)?;
    let account = found.account()?.id();
    let erased = erase(context, account, &asked(operator, reason), ErasureLimits::REQUEST).await?;
    Reply::ok(&ErasureBody::of(&erased))
}

#[derive(Serialize)]
struct ErasureBody<'a> {
    account: &'a str,
    closed_at: Option<String>,
    complete: bool,
    completed_at: Option<String>,
    /// How many items were changed or deleted so far, in all requests.
    items_erased: u64,
    /// What is left stays in the ledger.
    balance: i64,
    kept_elsewhere: KeptElsewhereBody<'a>,
}

/// What is not ours to erase.
#[derive(Serialize)]
struct KeptElsewhereBody<'a> {
    stripe_customer: &'a str,
    detail: &'static str,
}

impl<'a> ErasureBody<'a> {
    fn of(erased: &'a Erased) -> Self {
        let Erased { account, erasure } = erased;
        Self {
            account: account.id.as_str(),
            closed_at: account.closed_at.map(time),
            complete: erasure.completed_at.is_some(),
            completed_at: erasure.completed_at.map(time),
            items_erased: erasure.items,
            balance: account.balance.get(),
            kept_elsewhere: KeptElsewhereBody {
                stripe_customer: account.customer.as_str(),
                detail: "Stripe keeps its customer, with invoices and payments. Delete or redact it there.",
            },
        }
    }
}
