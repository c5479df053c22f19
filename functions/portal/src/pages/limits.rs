//! What the account and each of its spenders may spend, and what is left of it.

use super::layout::{Done, Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use lambda_http::Request;
use shared::domain::spending::{Bounds, Limit};
use shared::domain::{Credits, Limits, Spender, start_of_next_day, start_of_next_month};
use shared::http::{Parameters, Problem, Reply, SPENDER, parse_query};
use shared::ports::SpenderList;
use shared::use_cases::accounts::{set_account_limits, set_spender_limits};
use shared::words;

const PER_PAGE: u8 = 25;

#[derive(Template)]
#[template(path = "limits.html")]
struct LimitsPage<'a> {
    layout: Layout<'a>,
    account: LimitsRow,
    spenders: Vec<LimitsRow>,
    more: Option<String>,
}

/// The limits of one spender, or of the account.
struct LimitsRow {
    /// Empty for the account.
    spender: String,
    day: LimitCell,
    month: LimitCell,
    total: LimitCell,
}

/// One limit, as it is shown and as it stands in its field.
#[derive(Default)]
struct LimitCell {
    shown: Option<String>,
    typed: String,
}

impl LimitCell {
    fn of(limit: Option<Limit>, starts_again_at: Option<Timestamp>) -> Self {
        let Some(limit) = limit else { return Self::default() };
        let again = starts_again_at.map_or(String::new(), |at| format!(", again from {}", words::date_and_time(at)));
        Self {
            shown: Some(format!("{} of {} left{again}", limit.left().grouped(), limit.max.grouped())),
            typed: limit.max.get().to_string(),
        }
    }
}

impl LimitsRow {
    fn of(spender: String, limits: Limits, day: Date) -> Self {
        Self {
            spender,
            day: LimitCell::of(limits.day, start_of_next_day(day)),
            month: LimitCell::of(limits.month, start_of_next_month(day)),
            total: LimitCell::of(limits.total, None),
        }
    }
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let (done, after) = parse_query(request, |query| {
        (Done::read(query), query.optional("after", SPENDER, |spender| Spender::parse(spender).ok()))
    })?;
    let (account, now) = (&visitor.account, app.context.now());
    let listed = app.context.ledger.spenders_page(&account.id, after.as_ref(), PER_PAGE).await?;
    let last = listed.spenders.last().filter(|_| listed.has_more);
    let row = |limits: &shared::domain::SpenderLimits| {
        let current = limits.at(now, account.seq);
        LimitsRow::of(limits.spender.as_str().to_owned(), current.limits, current.date)
    };
    let page = LimitsPage {
        layout: Layout::of(app, visitor, (Section::Limits, "Limits")).with_done(done),
        account: LimitsRow::of(String::new(), account.limits_at(now), account.limits_day(now)),
        more: last.map(|limits| format!("/portal/limits?after={}", crate::text::in_query(limits.spender.as_str()))),
        spenders: listed.spenders.iter().map(row).collect(),
    };
    show(200, &page)
}

/// Sets the limits of the account, or of the spender that is named. An empty field removes its limit.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let (spender, bounds) = visitor.form(request, |fields| {
        let spender = fields.optional("spender", SPENDER, |text| {
            if text.is_empty() { Some(None) } else { Spender::parse(text).ok().map(Some) }
        });
        let bounds = Bounds { day: bound(fields, "day"), month: bound(fields, "month"), total: bound(fields, "total") };
        (spender.flatten(), bounds)
    })?;
    let (context, account) = (&app.context, &visitor.account.id);
    match spender {
        Some(spender) => drop(set_spender_limits(context, account, &spender, bounds).await?),
        None => drop(set_account_limits(context, account, bounds.day, bounds.month).await?),
    }
    Done::LimitsSet.then("/portal/limits")
}

fn bound(fields: &mut Parameters, name: &str) -> Option<Credits> {
    let most = Credits::MAX;
    let read =
        fields.optional(name, format_args!("a whole number of credits up to {most}, or empty for no limit"), |text| {
            let text = text.trim();
            if text.is_empty() {
                return Some(None);
            }
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits).and_then(Credits::new).map(Some)
        });
    read.flatten()
}
