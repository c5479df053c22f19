//! The entries of an account, newest first.

use crate::{Outside, existing};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::{Cause, Entry};
use shared::http::{Page, Problem, ReachedAccount, Reply, parse_query, time};
use shared::ports::History;
use shared::use_cases::Context;

/// Eighteen digits, which every JSON parser and every pattern can handle. No ledger gets that long.
const CURSOR_MAX: i64 = 999_999_999_999_999_999;

/// One page. The cursor is the `seq` of the last entry on the page. Entries never change, so pages do not change
/// either.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, cursor) = parse_query(request, |query| (query.limit(), query.integer("cursor", 1..=CURSOR_MAX)))?;
    let account = existing(context, account).await?;
    let before_seq = cursor.and_then(|cursor| u64::try_from(cursor).ok());
    let entries = context.ledger.history_page(&account.id, before_seq, limit.into()).await?;
    let has_more = entries.last().is_some_and(|oldest| oldest.seq > 1);
    let next_cursor = entries.last().filter(|_| has_more).map(|oldest| oldest.seq.to_string());
    Reply::ok(&Page::new(entries.iter().map(EntryBody::of).collect(), next_cursor))
}

#[derive(Serialize)]
struct EntryBody<'a> {
    entry: String,
    kind: &'static str,
    credits: i64,
    balance_after: i64,
    seq: u64,
    created_at: String,
    #[serde(flatten)]
    cause: CauseBody<'a>,
}

#[derive(Default, Serialize)]
struct CauseBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spender: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charge: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_up: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> EntryBody<'a> {
    fn of(entry: &'a Entry) -> Self {
        let origin = entry.origin();
        let cause = match &entry.cause {
            Cause::Charge { key, operation, reference, spender, .. } => CauseBody {
                charge: Some(key.as_str()),
                operation: Some(operation.name.as_str()),
                reference: reference.as_ref().map(|reference| reference.as_str()),
                spender: spender.as_ref().map(|spender| spender.as_str()),
                ..CauseBody::default()
            },
            Cause::Capture { charge, operation, price: _ } => CauseBody {
                charge: Some(charge.as_str()),
                operation: Some(operation.name.as_str()),
                ..CauseBody::default()
            },
            Cause::Void { charge } | Cause::Expiry { charge } | Cause::Restore { charge } => {
                CauseBody { charge: Some(charge.as_str()), ..CauseBody::default() }
            }
            Cause::Purchase { purchase, package } => {
                CauseBody { purchase: Some(purchase.as_str()), package: Some(package.as_str()), ..CauseBody::default() }
            }
            Cause::TopUp { top_up } => CauseBody { top_up: Some(top_up.as_str()), ..CauseBody::default() },
            // Who adjusted is for support alone.
            Cause::Adjustment { key: _, reason, operator: _ } => {
                CauseBody { reason: Some(reason.as_str()), ..CauseBody::default() }
            }
        };
        Self {
            entry: origin.to_string(),
            kind: origin.kind(),
            credits: entry.credits.get(),
            balance_after: entry.balance_after.get(),
            seq: entry.seq,
            created_at: time(entry.created_at),
            cause,
        }
    }
}
