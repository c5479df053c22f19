//! Charges that were refused in the last 30 days, and why.

use super::layout::{Layout, Section, show};
use crate::text::capitalized;
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::charging::{RefusalPlace, RefusalRow, Refused, RefusedBecause};
use shared::http::{Problem, Reply, parse_query};
use shared::ports::RefusalList;
use shared::words;

const PER_PAGE: u8 = 25;

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage<'a> {
    layout: Layout<'a>,
    rows: Vec<RequestRow>,
    older: Option<String>,
}

struct RequestRow {
    at: String,
    what: String,
    reason: String,
    credits: Option<String>,
    request_id: Option<String>,
}

impl RequestRow {
    fn of(row: &RefusalRow) -> Self {
        match &row.refused {
            Refused::One(one) => {
                let reference = one.reference.as_ref().map(|reference| format!(" {reference}")).unwrap_or_default();
                Self {
                    at: words::date_and_time(one.at),
                    what: format!("{}{reference}", capitalized(one.operation.name.as_str())),
                    reason: one.detail.clone(),
                    credits: Some(one.credits.grouped()),
                    request_id: one.request_id.as_ref().map(ToString::to_string),
                }
            }
            Refused::More(more) => {
                let counts = more.counts.iter().map(|(because, count)| format!("{count} × {}", named(*because)));
                Self {
                    at: words::date_and_time(more.first_at),
                    what: format!("{} more in this minute", more.total()),
                    reason: counts.collect::<Vec<_>>().join(", "),
                    credits: None,
                    request_id: None,
                }
            }
        }
    }
}

fn named(because: RefusedBecause) -> &'static str {
    match because {
        RefusedBecause::AccountRestricted => "the account is restricted",
        RefusedBecause::IdempotencyKeyReused => "the key was used for another request",
        RefusedBecause::InsufficientCredits => "not enough credits",
        RefusedBecause::LimitReached => "a limit was reached",
        RefusedBecause::SpendingStopped => "spending was stopped",
        RefusedBecause::TooManyRequests => "too many requests",
    }
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let before = parse_query(request, |query| query.optional("before", "a place in this list", |text| place(&text)))?;
    let oldest = app.context.now().saturating_sub(RefusalRow::KEPT_FOR).map_err(Problem::internal)?;
    let oldest = RefusalPlace::first_of(oldest);
    let listed = app.context.ledger.refusals_page(&visitor.account.id, oldest, before, PER_PAGE).await?;
    let last = listed.rows.last().filter(|_| listed.has_more).map(|row| row.place);
    let page = RequestsPage {
        layout: Layout::of(app, visitor, (Section::History, "Refused requests")),
        rows: listed.rows.iter().map(RequestRow::of).collect(),
        older: last.map(|place| format!("/portal/requests?before={}-{}", place.minute(), place.slot())),
    };
    show(200, &page)
}

fn place(text: &str) -> Option<RefusalPlace> {
    let (minute, slot) = text.split_once('-')?;
    RefusalPlace::new(minute.parse().ok()?, slot.parse().ok()?)
}
