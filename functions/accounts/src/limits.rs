//! The limits of an account and of its spenders.

use crate::{Outside, existing};
use jiff::Timestamp;
use jiff::civil::Date;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::spending::{Bounds, Limit};
use shared::domain::{Account, Credits, Limits, Spender, SpenderLimits, start_of_next_day, start_of_next_month};
use shared::http::{
    Fields, Page, Problem, ReachedAccount, Reply, SPENDER, an_integer, integer, parse_body, parse_query, text, time,
};
use shared::ports::SpenderList;
use shared::use_cases::Context;
use shared::use_cases::accounts::{set_account_limits, set_spender_limits};

/// The account's own limits, and a page of its spenders with limits. The cursor is the last spender of the page.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, after) = parse_query(request, |query| {
        (query.limit(), query.optional("cursor", SPENDER, |spender| Spender::parse(spender).ok()))
    })?;
    let account = existing(context, account).await?;
    let now = context.now();
    let listed = context.ledger.spenders_page(&account.id, after.as_ref(), limit).await?;
    let last = listed.spenders.last().map(|limits| limits.spender.as_str().to_owned());
    let data = listed.spenders.iter().map(|limits| LimitsBody::of_spender(limits, account.seq, now)).collect();
    Reply::ok(&ListBody {
        account: LimitsBody::of_account(&account, now),
        page: Page::new(data, last.filter(|_| listed.has_more)),
    })
}

/// Sets the account's own limits, or those of one spender.
pub async fn put<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (spender, bounds) = parse_body(request, choice)?;
    let Some(spender) = spender else {
        let account = set_account_limits(context, account.id(), bounds.day, bounds.month).await?;
        return Reply::ok(&LimitsBody::of_account(&account, context.now()));
    };
    let (account, limits) = set_spender_limits(context, account.id(), &spender, bounds).await?;
    Reply::ok(&match &limits {
        Some(limits) => LimitsBody::of_spender(limits, account.seq, context.now()),
        None => LimitsBody::none_of(&spender),
    })
}

/// Every limit has to be named, so that none is removed by leaving it out.
fn choice(fields: &mut Fields<'_>) -> Option<(Option<Spender>, Bounds)> {
    let range = 0..=Credits::MAX.get();
    let is_of_spender = fields.is_given("spender");
    let spender = fields.optional("spender", SPENDER, text(Spender::parse));
    let mut bound = |name| fields.nullable(name, an_integer(&range), |json| Credits::new(integer(&range)(json)?));
    let (day, month) = (bound("day"), bound("month"));
    let total = if is_of_spender { bound("total") } else { Some(None) };
    if !is_of_spender {
        fields.must_not_have("total", || "must not be sent: only a spender has a limit in all".to_owned());
    }
    Some((spender, Bounds { day: day?, month: month?, total: total? }))
}

#[derive(Serialize)]
struct ListBody<'a> {
    account: LimitsBody<'a>,
    #[serde(flatten)]
    page: Page<LimitsBody<'a>>,
}

#[derive(Serialize)]
struct LimitsBody<'a> {
    spender: Option<&'a str>,
    day: Option<LimitBody>,
    month: Option<LimitBody>,
    total: Option<LimitBody>,
}

#[derive(Serialize)]
struct LimitBody {
    limit: i64,
    used: i64,
    left: i64,
    starts_again_at: Option<String>,
}

impl<'a> LimitsBody<'a> {
    fn of_account(account: &Account, now: Timestamp) -> Self {
        Self { spender: None, ..Self::of(account.limits_at(now), account.limits_day(now)) }
    }

    fn of_spender(limits: &'a SpenderLimits, seq: u64, now: Timestamp) -> Self {
        let current = limits.at(now, seq);
        Self { spender: Some(limits.spender.as_str()), ..Self::of(current.limits, current.date) }
    }

    fn none_of(spender: &'a Spender) -> Self {
        Self { spender: Some(spender.as_str()), day: None, month: None, total: None }
    }

    fn of(limits: Limits, day: Date) -> Self {
        Self {
            spender: None,
            day: limits.day.map(|limit| LimitBody::of(limit, start_of_next_day(day))),
            month: limits.month.map(|limit| LimitBody::of(limit, start_of_next_month(day))),
            total: limits.total.map(|limit| LimitBody::of(limit, None)),
        }
    }
}

impl LimitBody {
    fn of(limit: Limit, starts_again_at: Option<Timestamp>) -> Self {
        Self {
            limit: limit.max.get(),
            used: limit.used.get(),
            left: limit.left().get(),
            starts_again_at: starts_again_at.map(time),
        }
    }
}
