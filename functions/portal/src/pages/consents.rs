//! Everything that was agreed to, word for word, and how it ended.

use super::layout::{Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::ConsentId;
use shared::domain::payments::ConsentRecord;
use shared::http::{Problem, Reply, parse_query};
use shared::ports::ConsentList;
use shared::words::{self, off_because};

const PER_PAGE: u8 = 10;

#[derive(Template)]
#[template(path = "consents.html")]
struct ConsentsPage<'a> {
    layout: Layout<'a>,
    consents: Vec<ConsentRow<'a>>,
    older: Option<String>,
}

struct ConsentRow<'a> {
    at: String,
    by: Option<&'a str>,
    text: &'a str,
    turned_off: Option<String>,
}

impl<'a> ConsentRow<'a> {
    fn of(record: &'a ConsentRecord) -> Self {
        let turned_off = record.turned_off.as_ref().map(|turned_off| {
            let by = turned_off.by.as_ref().map(|by| format!(" By {}.", by.as_str())).unwrap_or_default();
            format!("{}: {}{by}", words::date_and_time(turned_off.at), off_because(turned_off.because))
        });
        Self {
            at: words::date_and_time(record.consent.accepted_at),
            by: record.consent.accepted_by.as_ref().map(|name| name.as_str()),
            text: &record.text,
            turned_off,
        }
    }
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let after = parse_query(request, |query| query.optional("after", "a consent", |id| ConsentId::parse(id).ok()))?;
    let listed = app.context.ledger.consents_page(&visitor.account.id, after.as_ref(), PER_PAGE).await?;
    let last = listed.records.last().filter(|_| listed.has_more);
    let page = ConsentsPage {
        layout: Layout::of(app, visitor, (Section::TopUps, "What was agreed to")),
        older: last.map(|record| format!("/portal/consents?after={}", record.consent.id)),
        consents: listed.records.iter().map(ConsentRow::of).collect(),
    };
    show(200, &page)
}
