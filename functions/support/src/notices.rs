//! The e-mails of an account, and sending one again.

use crate::{Operation, Outside, asked, existing, operator, reason};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::{Notice, NoticeId, NoticeKind};
use shared::http::{Found, Page, Problem, ReachedAccount, Reply, parse_body, parse_query, time};
use shared::ports::NoticeList;
use shared::use_cases::Context;
use shared::use_cases::support::resend_notice;

/// One page of the e-mails of the last 30 days. The cursor is the last notice of the page.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, after) = parse_query(request, |query| {
        let after = query.cursor(|text| NoticeId::parse(text).ok());
        (query.limit(), after)
    })?;
    let account = existing(context, account).await?;
    let page = context.ledger.notices_page(&account.id, after.as_ref(), limit).await?;
    let next_cursor = page.records.last().filter(|_| page.has_more).map(|oldest| oldest.id.to_string());
    Reply::ok(&Page::new(page.records.iter().map(NoticeBody::of).collect(), next_cursor))
}

/// Stores the e-mail once more, and the table's stream sends it.
pub async fn resend<O: Outside>(
    context: &Context<O>,
    request: &Request,
    found: &Found<Operation>,
) -> Result<Reply, Problem> {
    let operator = operator(found)?;
    let notice = NoticeId::parse(found.parameter("notice")).map_err(|_| Problem::not_found("notice"))?;
    let reason = parse_body(request, reason)?;
    let resent = resend_notice(context, found.account()?.id(), &notice, &asked(operator, reason)).await?;
    Reply::ok(&NoticeBody::of(&resent))
}

#[derive(Serialize)]
pub struct NoticeBody<'a> {
    notice: &'a str,
    kind: &'static str,
    /// Where it was sent; until then the account's address.
    to: &'a str,
    /// What the e-mail is about.
    about: String,
    created_at: String,
    sent_at: Option<String>,
    returned_at: Option<String>,
}

impl<'a> NoticeBody<'a> {
    pub fn of(notice: &'a Notice) -> Self {
        let about = match (&notice.kind, notice.kind.paid_for()) {
            (_, Some(paid_for)) => paid_for.to_string(),
            (NoticeKind::ContactConfirmation { contact }, None) => contact.to_string(),
            (NoticeKind::CardExpiring { .. }, None) => "card".to_owned(),
            (NoticeKind::ContactsChanged(_), None) => "contacts".to_owned(),
            (_, None) => "balance".to_owned(),
        };
        Self {
            notice: notice.id.as_str(),
            kind: notice.kind.name(),
            to: notice.sent_to.as_ref().unwrap_or(&notice.to).as_str(),
            about,
            created_at: time(notice.created_at),
            sent_at: notice.sent_at.map(time),
            returned_at: notice.returned_at.map(time),
        }
    }
}
