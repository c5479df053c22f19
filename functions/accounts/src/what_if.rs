//! What automatic top-ups with other settings would have done, before anybody agrees to them.

use crate::Outside;
use crate::auto_top_up::{Chosen, as_if_saved};
use jiff::civil::Date;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{Past, PastDay, Replay, TopUps, Tried, recommended, replay};
use shared::domain::price_book::AutoTopUpLimits;
use shared::domain::{Account, Period, Periods, PriceBook, UsageRow, date_of};
use shared::http::{Fields, Problem, ReachedAccount, Reply, an_integer, integer, parse_body};
use shared::use_cases::Context;
use shared::use_cases::usage::{FoldLimits, Usage, read_usage};
use std::ops::RangeInclusive;

/// The complete days before today that are replayed.
const DAYS: i32 = 90;
/// With fewer days, the answer says that the history is short.
const DAYS_ENOUGH: usize = 28;
const CREDITS_PER_DAY: RangeInclusive<i64> = 0..=1_000_000_000;
/// How the numbers are made, for whoever has to rely on them.
const METHOD: &str = "The complete days before today (UTC) are replayed with a check every 30 minutes and six hours \
                      between two attempts. Within a day, usage is spread evenly, purchases count from its beginning, \
                      and every payment succeeds at once. Prices are today's, before tax. With a cap, the first month \
                      counts from the first day.";

pub async fn post<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let limits = context.price_book.auto_top_up;
    let asked = parse_body(request, |fields| Asked::of(fields, &limits))?;
    // Through today, because what happened today leads back to yesterday's balance.
    let range = Periods::days_through(context.now(), DAYS).ok_or_else(|| Problem::not_found("account"))?;
    let usage = read_usage(context, account.id(), range, FoldLimits::READER).await?;
    let saved = as_if_saved(context, &usage.account, asked.chosen).await?;
    let cap = saved.auto_top_up.and_then(|settings| settings.cap);
    let Chosen { threshold, target, .. } = asked.chosen;
    let tried = Tried { threshold, target, cap };
    let past = match asked.credits_per_day {
        Some(rate) => at_a_rate(&usage.account, range, rate),
        None => lived_through(&usage, range),
    };
    Reply::ok(&WhatIfBody::of((&usage.account, &past), &context.price_book, tried, asked.credits_per_day))
}

struct Asked {
    chosen: Chosen,
    /// Instead of the account's own past.
    credits_per_day: Option<i64>,
}

impl Asked {
    fn of(fields: &mut Fields<'_>, limits: &AutoTopUpLimits) -> Option<Self> {
        let chosen = Chosen::of(fields, limits);
        let credits_per_day =
            fields.optional("credits_per_day", an_integer(&CREDITS_PER_DAY), integer(&CREDITS_PER_DAY));
        Some(Self { chosen: chosen?, credits_per_day })
    }
}

fn at_a_rate(account: &Account, range: Periods, rate: i64) -> Past {
    let days = dates(range, None).map(|date| PastDay { date, spent: rate, received: 0 });
    Past { balance: account.balance.get(), days: days.collect() }
}

/// The account's own days, from its balance at the beginning of the first.
fn lived_through(usage: &Usage, range: Periods) -> Past {
    let since: i64 = usage.rows.iter().map(|row| row.total.credits_moved()).sum();
    let balance = usage.account.balance.get().saturating_sub(since);
    let days = dates(range, Some(date_of(usage.account.created_at))).map(|date| {
        let row = usage.rows.iter().find(|row| row.period.first() == date);
        let spent = row.map_or(0, |row| row.total.credits_spent().max(0));
        let received = row.map_or(0, |row| moved(row).saturating_add(spent));
        PastDay { date, spent, received }
    });
    Past { balance, days: days.collect() }
}

/// What the entries of a day add up to, without those of automatic top-ups.
fn moved(row: &UsageRow) -> i64 {
    row.total.credits_moved().saturating_sub(row.total.credits_topped_up)
}

/// The complete days of the range, from that of the opening.
fn dates(range: Periods, opened: Option<Date>) -> impl Iterator<Item = Date> {
    let complete = range.each().take_while(move |day| *day < range.last()).map(Period::first);
    complete.skip_while(move |date| opened.is_some_and(|opened| *date < opened))
}

#[derive(Serialize)]
struct WhatIfBody<'a> {
    account: &'a str,
    /// The days that were replayed.
    days: usize,
    /// Whether there are too few days to rely on, if they are the account's own.
    is_history_short: bool,
    #[serde(flatten)]
    asked: ReplayBody,
    /// Settings that fit the same days. Null if nothing was used.
    recommended: Option<ReplayBody>,
    currency: &'static str,
    method: &'static str,
}

impl<'a> WhatIfBody<'a> {
    fn of(
        (account, past): (&'a Account, &Past),
        price_book: &PriceBook,
        tried: Tried,
        credits_per_day: Option<i64>,
    ) -> Self {
        let replayed = |tried| ReplayBody::of(&replay(past, price_book, tried));
        Self {
            account: account.id.as_str(),
            days: past.days.len(),
            is_history_short: credits_per_day.is_none() && past.days.len() < DAYS_ENOUGH,
            asked: replayed(tried),
            recommended: recommended(past, price_book).map(replayed),
            currency: price_book.currency.code(),
            method: METHOD,
        }
    }
}

#[derive(Serialize)]
struct ReplayBody {
    threshold: i64,
    target: i64,
    max_per_month: Option<i64>,
    top_ups: TopUpsBody,
    most_in_a_month: Option<MonthBody>,
    minutes_without_credits: i64,
    credits_not_covered: i64,
    /// Top-ups that bought less, because the cap left no more.
    top_ups_lowered: i64,
    /// The time in which only the cap held a top-up back.
    minutes_held_by_cap: i64,
}

#[derive(Serialize)]
struct TopUpsBody {
    count: i64,
    credits: i64,
    price: i64,
}

#[derive(Serialize)]
struct MonthBody {
    from: Date,
    #[serde(flatten)]
    top_ups: TopUpsBody,
}

impl ReplayBody {
    fn of(replay: &Replay) -> Self {
        Self {
            threshold: replay.tried.threshold,
            target: replay.tried.target,
            max_per_month: replay.tried.cap.map(|cap| cap.max.minor()),
            top_ups: TopUpsBody::of(replay.top_ups),
            most_in_a_month: replay
                .most_in_a_month
                .map(|(from, top_ups)| MonthBody { from, top_ups: TopUpsBody::of(top_ups) }),
            minutes_without_credits: replay.minutes_without_credits,
            credits_not_covered: replay.credits_not_covered,
            top_ups_lowered: replay.top_ups_lowered,
            minutes_held_by_cap: replay.minutes_held_by_cap,
        }
    }
}

impl TopUpsBody {
    fn of(TopUps { count, credits, price }: TopUps) -> Self {
        Self { count, credits, price }
    }
}
