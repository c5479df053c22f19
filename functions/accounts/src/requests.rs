//! Requests that were refused, newest first.

use crate::{Outside, existing};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::charging::{RefusalPlace, RefusalRow, Refused, RefusedBecause, RefusedRequest, RefusedRequests};
use shared::http::bodies::OperationBody;
use shared::http::{Page, Problem, ReachedAccount, Reply, parse_query, status_of, time};
use shared::ports::RefusalList;
use shared::use_cases::Context;
use std::collections::BTreeMap;

/// One page. The cursor is the place of its last row; a row that is written later in the same minute may be missing from
/// the pages that follow.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let expected = "the next_cursor of the previous page";
    let (limit, before) =
        parse_query(request, |query| (query.limit(), query.optional("cursor", expected, |text| parse_place(&text))))?;
    let account = existing(context, account).await?;
    let oldest = context.now().saturating_sub(RefusalRow::KEPT_FOR).map_err(Problem::internal)?;
    let page = context.ledger.refusals_page(&account.id, RefusalPlace::first_of(oldest), before, limit).await?;
    let last = page.rows.last().filter(|_| page.has_more).map(|row| written_place(row.place));
    Reply::ok(&Page::new(page.rows.iter().map(RowBody::of).collect(), last))
}

/// `29573312-07`.
fn written_place(place: RefusalPlace) -> String {
    format!("{}-{:02}", place.minute(), place.slot())
}

/// The place that is written like this, and in no other way.
fn parse_place(text: &str) -> Option<RefusalPlace> {
    let (minute, slot) = text.split_once('-')?;
    let place = RefusalPlace::new(minute.parse().ok()?, slot.parse().ok()?)?;
    (written_place(place) == text).then_some(place)
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum RowBody<'a> {
    Request(Box<RequestBody<'a>>),
    More(MoreBody),
}

/// A request, as it was.
#[derive(Serialize)]
struct RequestBody<'a> {
    at: String,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    charge: &'a str,
    credits: i64,
    #[serde(flatten)]
    operation: OperationBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spender: Option<&'a str>,
}

/// Further requests of the same minute.
#[derive(Serialize)]
struct MoreBody {
    at: String,
    last_at: String,
    requests: u64,
    /// How many of them, by code.
    codes: BTreeMap<&'static str, u64>,
}

impl<'a> RowBody<'a> {
    fn of(row: &'a RefusalRow) -> Self {
        match &row.refused {
            Refused::One(one) => Self::Request(Box::new(RequestBody::of(one))),
            Refused::More(more) => Self::More(MoreBody::of(more)),
        }
    }
}

impl<'a> RequestBody<'a> {
    fn of(one: &'a RefusedRequest) -> Self {
        Self {
            at: time(one.at),
            status: status_of(one.because),
            code: one.because.name(),
            detail: &one.detail,
            request_id: one.request_id.as_ref().map(|request_id| request_id.as_str()),
            charge: one.key.as_str(),
            credits: one.credits.get(),
            operation: OperationBody::of(&one.operation, None),
            reference: one.reference.as_ref().map(|reference| reference.as_str()),
            spender: one.spender.as_ref().map(|spender| spender.as_str()),
        }
    }
}

impl MoreBody {
    fn of(more: &RefusedRequests) -> Self {
        let count = |(because, count): (&RefusedBecause, &u64)| (because.name(), *count);
        Self {
            at: time(more.first_at),
            last_at: time(more.last_at),
            requests: more.total(),
            codes: more.counts.iter().map(count).collect(),
        }
    }
}
