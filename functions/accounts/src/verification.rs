//! Verifying the ledger of an account, a part at a time.

use crate::Outside;
use jiff::Timestamp;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::{AccountId, Credits, EntryHash, Verified};
use shared::http::{Parameters, Problem, ReachedAccount, Reply, parse_query, time};
use shared::use_cases::Context;
use shared::use_cases::accounts::{Failure, Position, Verification, verify_history};

const LIMIT_MAX: i64 = 500;

/// One part: the entries behind the cursor. It is answered with 200 whether they fit or not.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, from) = parse_query(request, |query| (limit(query), position(query)))?;
    let verification = verify_history(context, account.id(), from, limit).await?;
    Reply::ok(&VerificationBody::of(account.id(), &verification, context.now()))
}

fn limit(query: &mut Parameters) -> u32 {
    query.integer("limit", 1..=LIMIT_MAX).and_then(|limit| limit.try_into().ok()).unwrap_or(500)
}

fn position(query: &mut Parameters) -> Position {
    let read = |text: String| cursor_position(&text).filter(|position| cursor_of(*position) == text);
    query.optional("cursor", "a cursor of an earlier answer", read).unwrap_or(Position::BEGINNING)
}

/// What the next part has to know. A caller who changes it deceives only himself.
fn cursor_of(position: Position) -> String {
    let Position { verified: Verified { seq, balance, hash }, waiting_since } = position;
    let hash = hash.map_or_else(String::new, |hash| hash.to_string());
    let since = waiting_since.map_or_else(String::new, |since| since.as_millisecond().to_string());
    format!("{seq}.{balance}.{hash}.{since}")
}

fn cursor_position(text: &str) -> Option<Position> {
    let mut parts = text.split('.');
    let seq = parts.next()?.parse().ok()?;
    let balance = Credits::new(parts.next()?.parse().ok()?)?;
    let hash = match parts.next()? {
        "" => None,
        hash => Some(EntryHash::parse(hash)?),
    };
    let waiting_since = match parts.next()? {
        "" => None,
        since => Some(Timestamp::from_millisecond(since.parse().ok()?).ok()?),
    };
    Some(Position { verified: Verified { seq, balance, hash }, waiting_since })
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
    problem: &'static str,
    detail: String,
}

impl<'a> VerificationBody<'a> {
    fn of(account: &'a AccountId, verification: &'a Verification, now: Timestamp) -> Self {
        let (status, verified, next, failure) = match verification {
            Verification::Verified(verified) => ("verified", verified, None, None),
            Verification::Unfinished(position) => ("unfinished", &position.verified, Some(position), None),
            Verification::Behind(position) => ("behind", &position.verified, Some(position), None),
            Verification::Failed(verified, failure) => ("failed", verified, None, Some(failure)),
        };
        Self {
            account: account.as_str(),
            status,
            verified_through_seq: verified.seq,
            balance: verified.balance.get(),
            head: verified.hash.map(|hash| hash.to_string()),
            failure: failure.map(FailureBody::of),
            next_cursor: next.copied().map(cursor_of),
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
            problem: failure.problem.name(),
            detail: failure.problem.to_string(),
        }
    }
}
