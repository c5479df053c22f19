//! What moved credits: the list, and one entry explained.

use super::layout::{Layout, Section, show};
use crate::text::{capitalized, in_query};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::CONTENT_DISPOSITION;
use shared::domain::account::HistoryFilter;
use shared::domain::{Cause, Credits, Entry, Origin, Reference};
use shared::http::bodies::history_csv;
use shared::http::{Problem, Reply, parse_query};
use shared::use_cases::accounts::{HistoryPage as Listed, explain_entry, list_history};
use shared::words::{self, explanation};

const PER_PAGE: usize = 25;
const ENTRIES_PER_QUERY: usize = 1_000;

/// One entry in a list.
pub struct Line {
    pub href: String,
    pub date: String,
    pub title: String,
    pub detail: Option<String>,
    pub credits: String,
    pub is_plus: bool,
    pub balance: String,
}

impl Line {
    pub fn of(entry: &Entry) -> Self {
        let (title, detail) = named(&entry.cause);
        Self {
            href: format!("/portal/history/{}", entry.seq),
            date: words::date_and_time(entry.created_at),
            title,
            detail,
            credits: signed(entry.credits),
            is_plus: entry.credits > Credits::ZERO,
            balance: entry.balance_after.grouped(),
        }
    }
}

/// With a plus or a real minus sign.
fn signed(credits: Credits) -> String {
    if credits.is_negative() {
        format!("−{}", credits.negated().grouped())
    } else {
        format!("+{}", credits.grouped())
    }
}

/// What it was, and for what.
fn named(cause: &Cause) -> (String, Option<String>) {
    match cause {
        Cause::Charge { operation, reference, spender, .. } => {
            let of = reference.as_ref().map(ToString::to_string);
            let by = spender.as_ref().map(|spender| format!("by {spender}"));
            let detail: Vec<String> = of.into_iter().chain(by).collect();
            (capitalized(operation.name.as_str()), (!detail.is_empty()).then(|| detail.join(", ")))
        }
        Cause::Capture { charge, .. } => ("Less than reserved".to_owned(), Some(charge.to_string())),
        Cause::Void { charge } => ("Canceled, given back".to_owned(), Some(charge.to_string())),
        Cause::Expiry { charge } => ("Not finished, given back".to_owned(), Some(charge.to_string())),
        Cause::Restore { charge } => ("Failed, given back".to_owned(), Some(charge.to_string())),
        Cause::Purchase { .. } => ("Credits bought".to_owned(), None),
        Cause::TopUp { .. } => ("Automatic top-up".to_owned(), None),
        Cause::Reversal { .. } => ("Payment reversed".to_owned(), None),
        Cause::Adjustment { reason, .. } => {
            ("Adjusted by support".to_owned(), reason.as_ref().map(|reason| reason.as_str().to_owned()))
        }
        Cause::Import { .. } => ("Opening balance".to_owned(), None),
    }
}

/// So many entries are written into one file, which stays below what Lambda can answer.
const FILE_ENTRIES_MAX: usize = 10_000;
const FILE_NAME: &str = "attachment; filename=\"history.csv\"";

/// The newest entries as a file.
pub async fn csv<O: Outside>(app: &App<O>, visitor: &Visitor) -> Result<Reply, Problem> {
    let mut entries: Vec<Entry> = vec![];
    let mut before = None;
    while entries.len() < FILE_ENTRIES_MAX {
        let place = (before, ENTRIES_PER_QUERY);
        let listed = list_history(&app.context, &visitor.account, &HistoryFilter::default(), place).await?;
        entries.extend(listed.entries);
        before = listed.next_before;
        if before.is_none() {
            break;
        }
    }
    let reply = history_csv(&entries, true)?.into_reply(None)?;
    Ok(reply.with_header(CONTENT_DISPOSITION, HeaderValue::from_static(FILE_NAME)))
}

/// The kinds of entries, as the filter names them.
const KINDS: [(&str, &str); 10] = [
    ("charge", "Charges"),
    ("capture", "Less than reserved"),
    ("void", "Canceled"),
    ("expiry", "Not finished"),
    ("restore", "Failed, given back"),
    ("purchase", "Credits bought"),
    ("top_up", "Automatic top-ups"),
    ("reversal", "Payments reversed"),
    ("adjustment", "Adjusted by support"),
    ("import", "Opening balance"),
];

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage<'a> {
    layout: Layout<'a>,
    kinds: [(&'static str, &'static str); 10],
    kind: &'static str,
    reference: String,
    is_filtered: bool,
    entries: Vec<Line>,
    older: Option<String>,
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let (kind, reference, before) = parse_query(request, |query| {
        // An empty field of the form is none.
        let kind = query.optional("kind", "a kind of entry", |kind| {
            if kind.is_empty() { Some(None) } else { Origin::KINDS.into_iter().find(|known| *known == kind).map(Some) }
        });
        let reference = query.optional("reference", "1 to 200 characters", |text| {
            if text.is_empty() { Some(None) } else { Reference::parse(text).ok().map(Some) }
        });
        (kind.flatten(), reference.flatten(), query.integer("before", 1..=i64::MAX))
    })?;
    let before = before.and_then(|before| u64::try_from(before).ok());
    let filter = HistoryFilter { kind, reference: reference.clone(), ..HistoryFilter::default() };
    let Listed { entries, next_before } =
        list_history(&app.context, &visitor.account, &filter, (before, PER_PAGE)).await?;
    let older = next_before.map(|before| {
        let kind = kind.map_or(String::new(), |kind| format!("&kind={kind}"));
        let reference =
            reference.as_ref().map_or(String::new(), |text| format!("&reference={}", in_query(text.as_str())));
        format!("/portal/history?before={before}{kind}{reference}")
    });
    let page = HistoryPage {
        layout: Layout::of(app, visitor, (Section::History, "History")),
        kinds: KINDS,
        kind: kind.unwrap_or_default(),
        is_filtered: kind.is_some() || reference.is_some() || before.is_some(),
        reference: reference.map_or(String::new(), |reference| reference.as_str().to_owned()),
        entries: entries.iter().map(Line::of).collect(),
        older,
    };
    show(200, &page)
}

#[derive(Template)]
#[template(path = "entry.html")]
struct EntryPage<'a> {
    layout: Layout<'a>,
    line: Line,
    seq: u64,
    before: String,
    explanation: String,
    status: Option<&'static str>,
    request_id: Option<String>,
    price_book: Option<String>,
    related: Vec<Line>,
}

pub async fn entry<O: Outside>(app: &App<O>, visitor: &Visitor, seq: &str) -> Result<Reply, Problem> {
    let seq = seq.parse::<u64>().ok().filter(|parsed| parsed.to_string() == seq);
    let seq = seq.ok_or_else(|| Problem::not_found("entry"))?;
    let explained = explain_entry(&app.context, &visitor.account.id, seq).await?;
    let entry = &explained.entry;
    let (request_id, price_book) = match &entry.cause {
        Cause::Charge { request_id, price, .. } => (request_id.as_ref(), price.as_ref()),
        _ => (None, None),
    };
    let page = EntryPage {
        layout: Layout::of(app, visitor, (Section::History, "Entry")),
        line: Line::of(entry),
        seq,
        before: entry.balance_after.minus(entry.credits).unwrap_or(Credits::ZERO).grouped(),
        explanation: explanation(entry),
        status: explained.status.map(|status| status.name()),
        request_id: request_id.map(ToString::to_string),
        price_book: price_book.map(|price| price.version.to_string()),
        related: explained.related.iter().map(Line::of).collect(),
    };
    show(200, &page)
}
