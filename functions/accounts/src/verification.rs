//! Verifying the ledger of an account, a part at a time.

use crate::Outside;
use crate::position::{cursor_of, position_of};
use jiff::Timestamp;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::AccountId;
use shared::http::{Parameters, Problem, ReachedAccount, Reply, parse_query, time};
use shared::use_cases::Context;
use shared::use_cases::accounts::{Failure, LedgerPosition, LedgerVerification, verify_ledger};

const LIMIT_MAX: i64 = 500;

/// One part: the entries behind the cursor. It is answered with 200 whether they fit or not.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, from) = parse_query(request, |query| (limit(query), position(query)))?;
    let verification = verify_ledger(context, account.id(), from, limit).await?;
    Reply::ok(&VerificationBody::of(account.id(), &verification, context.now()))
}

fn limit(query: &mut Parameters) -> u32 {
    query.integer("limit", 1..=LIMIT_MAX).and_then(|limit| limit.try_into().ok()).unwrap_or(500)
}

fn position(query: &mut Parameters) -> LedgerPosition {
    let position = query.optional("cursor", "a cursor of an earlier answer", |text| position_of(&text));
    position.unwrap_or(LedgerPosition::BEGINNING)
}

#[derive(Serialize)]
struct VerificationBody<'a> {
    account: &'a str,
    status: &'static str,
    verified_through_seq: u64,
    balance: i64,
    head: Option<String>,
    failure: Option<FailureBody<'a>>,
    next_cursor: Option<String>,
    has_more: bool,
    as_of: String,
}

#[derive(Serialize)]
struct FailureBody<'a> {
    seq: u64,
    entry: Option<&'a str>,
    /// A row, a sum or a counter, if that is what does not fit.
    item: Option<&'a str>,
    problem: &'static str,
    detail: String,
}

impl<'a> VerificationBody<'a> {
    fn of(account: &'a AccountId, verification: &'a LedgerVerification, now: Timestamp) -> Self {
        let (status, verified, next, failure) = match verification {
            LedgerVerification::Verified(verified) => ("verified", verified, None, None),
            LedgerVerification::Unfinished(position) => ("unfinished", position.verified(), Some(position), None),
            LedgerVerification::Behind(position) => ("behind", position.verified(), Some(position), None),
            LedgerVerification::Failed(verified, failure) => ("failed", verified, None, Some(failure)),
        };
        Self {
            account: account.as_str(),
            status,
            verified_through_seq: verified.seq,
            balance: verified.balance.get(),
            head: verified.hash.map(|hash| hash.to_string()),
            failure: failure.map(FailureBody::of),
            next_cursor: next.map(cursor_of),
            has_more: next.is_some(),
            as_of: time(now),
        }
    }
}

impl<'a> FailureBody<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            seq: failure.seq,
            entry: failure.entry.as_deref(),
            item: failure.item.as_deref(),
            problem: failure.problem.name(),
            detail: failure.problem.to_string(),
        }
    }
}
