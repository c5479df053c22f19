//! One entry, explained in numbers and a sentence.

use crate::{Outside, history};
use serde::Serialize;
use shared::domain::{Credits, Entry};
use shared::http::bodies::EntryBody;
use shared::http::{Problem, ReachedAccount, Reply, time};
use shared::use_cases::Context;
use shared::use_cases::accounts::explain_entry;
use shared::words::explanation;

pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount, seq: &str) -> Result<Reply, Problem> {
    let seq = history::parse_seq(seq).ok_or_else(|| Problem::not_found("entry"))?;
    let explained = explain_entry(context, account.id(), seq).await?;
    let entry = &explained.entry;
    Reply::ok(&ExplainedBody {
        entry: EntryBody::of(entry),
        balance_before: entry.balance_after.minus(entry.credits).unwrap_or(Credits::ZERO).get(),
        explanation: explanation(entry),
        status: explained.status.map(|status| status.name()),
        related: explained.related.iter().map(RelatedBody::of).collect(),
    })
}

#[derive(Serialize)]
struct ExplainedBody<'a> {
    #[serde(flatten)]
    entry: EntryBody<'a>,
    balance_before: i64,
    explanation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    related: Vec<RelatedBody>,
}

/// Another entry that belongs to the explained one.
#[derive(Serialize)]
struct RelatedBody {
    entry: String,
    kind: &'static str,
    credits: i64,
    seq: u64,
    created_at: String,
    explanation: String,
}

impl RelatedBody {
    fn of(entry: &Entry) -> Self {
        let origin = entry.origin();
        Self {
            entry: origin.to_string(),
            kind: origin.kind(),
            credits: entry.credits.get(),
            seq: entry.seq,
            created_at: time(entry.created_at),
            explanation: explanation(entry),
        }
    }
}
