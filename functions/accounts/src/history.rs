//! The entries of an account, newest first.

use crate::{Outside, existing};
use lambda_http::Request;
use shared::domain::account::HistoryFilter;
use shared::domain::{OperationName, Origin, Reference, Spender};
use shared::http::bodies::{EntryBody, history_csv};
use shared::http::{
    Limits, Page, Parameters, Problem, ReachedAccount, Reply, SPENDER, parse_query, query_with_cursor, wants_csv,
};
use shared::use_cases::Context;
use shared::use_cases::accounts::{HistoryPage, list_history};

/// Eighteen digits, which every JSON parser and every pattern can handle. No ledger gets that long.
const SEQ_MAX: i64 = 999_999_999_999_999_999;
/// A page of CSV is a part of a file, so it is larger than one that is looked at: about 250 KB.
const CSV_LIMITS: Limits = Limits { default: 1_000, max: 1_000 };

/// One page. The cursor is the `seq` that the next page begins below. Entries never change, and new ones are above every
/// cursor, so pages do not change either.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let is_csv = wants_csv(request);
    let limits = if is_csv { CSV_LIMITS } else { Page::<()>::LIMITS };
    let (filter, cursor, limit) =
        parse_query(request, |query| (filter(query), seq(query, "cursor"), query.limit_within(limits)))?;
    let account = existing(context, account).await?;
    let HistoryPage { entries, next_before } = list_history(context, &account, &filter, (cursor, limit)).await?;
    let next_cursor = next_before.map(|before| before.to_string());
    if is_csv {
        // The page after this one has the query that its link names.
        let next = next_cursor.map(|cursor| query_with_cursor(request, &cursor));
        return history_csv(&entries, cursor.is_none())?.into_reply(next.as_deref());
    }
    Reply::ok(&Page::new(entries.iter().map(EntryBody::of).collect(), next_cursor))
}

fn filter(query: &mut Parameters) -> HistoryFilter {
    let kinds = format!("one of {}", Origin::KINDS.join(", "));
    let filter = HistoryFilter {
        kind: query.optional("kind", &kinds, |text| Origin::KINDS.into_iter().find(|kind| *kind == text)),
        operation: query.optional("operation", "the name of an operation", |text| OperationName::parse(text).ok()),
        spender: query.optional("spender", SPENDER, |text| Spender::parse(text).ok()),
        reference: query.optional("reference", "1 to 200 characters", |text| Reference::parse(text).ok()),
        from: query.instant("from"),
        to: query.instant("to"),
        seq: seq(query, "seq"),
    };
    if filter.from.is_some_and(|from| filter.to.is_some_and(|to| to <= from)) {
        query.refuse("to", "must be later than from");
    }
    filter
}

fn seq(query: &mut Parameters, name: &str) -> Option<u64> {
    query.integer(name, 1..=SEQ_MAX).and_then(|seq| u64::try_from(seq).ok())
}

/// The `seq` in a path, in its one form.
pub fn parse_seq(text: &str) -> Option<u64> {
    let seq = text.parse::<i64>().ok().filter(|seq| seq.to_string() == text && (1..=SEQ_MAX).contains(seq))?;
    u64::try_from(seq).ok()
}
