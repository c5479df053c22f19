//! What was spent, as a picture and as a table.

use super::layout::{Layout, Section, show};
use crate::text::capitalized;
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use jiff::ToSpan;
use jiff::civil::Date;
use lambda_http::Request;
use shared::domain::usage::Groups;
use shared::domain::{Credits, Granularity, Periods, UsageRow, date_of};
use shared::http::{Problem, Reply, parse_query};
use shared::use_cases::usage::{FoldLimits, Usage, read_usage};
use shared::words;
use std::collections::BTreeMap;
use std::fmt;

/// The picture's size, in its own units.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 180;

#[derive(Template)]
#[template(path = "usage.html")]
struct UsagePage<'a> {
    layout: Layout<'a>,
    range: Range,
    total: String,
    highest: String,
    has_usage: bool,
    bars: Vec<Bar>,
    rows: Vec<Row>,
    operations: Vec<Share>,
    spenders: Vec<Share>,
    is_complete: bool,
    as_of: String,
    first: String,
    last: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    Days30,
    Days90,
    Months12,
}

impl Range {
    const ALL: [Self; 3] = [Self::Days30, Self::Days90, Self::Months12];

    const fn name(self) -> &'static str {
        match self {
            Self::Days30 => "30d",
            Self::Days90 => "90d",
            Self::Months12 => "12m",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Days30 => "30 days",
            Self::Days90 => "90 days",
            Self::Months12 => "12 months",
        }
    }

    fn periods(self, today: Date) -> Option<Periods> {
        match self {
            Self::Days30 => Periods::new(Granularity::Day, today.saturating_sub(29.days()), today),
            Self::Days90 => Periods::new(Granularity::Day, today.saturating_sub(89.days()), today),
            Self::Months12 => {
                Periods::new(Granularity::Month, today.first_of_month().saturating_sub(11.months()), today)
            }
        }
    }
}

struct Bar {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    title: String,
}

struct Row {
    period: String,
    credits: String,
    charges: String,
    given_back: String,
}

/// What one operation or spender has of the whole.
struct Share {
    name: String,
    credits: String,
    percent: i64,
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let range = parse_query(request, |query| {
        query.optional("range", "30d, 90d or 12m", |name| Range::ALL.into_iter().find(|range| range.name() == name))
    })?;
    let range = range.unwrap_or(Range::Days30);
    let periods = range.periods(date_of(app.context.now())).ok_or_else(|| Problem::not_found("page"))?;
    let usage = read_usage(&app.context, &visitor.account.id, periods, FoldLimits::READER).await?;
    let spent: Vec<(String, i64)> =
        periods.each().map(|period| (named(period.first(), range), spent_in(&usage, period.first()))).collect();
    let highest = spent.iter().map(|(_, credits)| *credits).max().unwrap_or(0);
    let total = spent.iter().map(|(_, credits)| *credits).sum::<i64>();
    let page = UsagePage {
        layout: Layout::of(app, visitor, (Section::Usage, "Usage")),
        range,
        total: grouped(total),
        highest: grouped(highest),
        has_usage: highest > 0,
        first: spent.first().map_or(String::new(), |(name, _)| name.clone()),
        last: spent.last().map_or(String::new(), |(name, _)| name.clone()),
        bars: bars(&spent, highest),
        rows: usage.rows.iter().rev().map(|row| Row::of(row, range)).collect(),
        operations: shares(&usage, total, |row| &row.operations).into_iter().map(Share::titled).collect(),
        spenders: shares(&usage, total, |row| &row.spenders),
        is_complete: usage.is_complete(),
        as_of: words::date_and_time(usage.as_of),
    };
    show(200, &page)
}

fn spent_in(usage: &Usage, first: Date) -> i64 {
    let row = usage.rows.iter().find(|row| row.period.first() == first);
    row.map_or(0, |row| row.total.credits_spent().max(0))
}

fn named(first: Date, range: Range) -> String {
    match range {
        Range::Days30 | Range::Days90 => first.strftime("%-d %b %Y").to_string(),
        Range::Months12 => first.strftime("%B %Y").to_string(),
    }
}

fn grouped(credits: i64) -> String {
    Credits::new(credits).unwrap_or(Credits::ZERO).grouped()
}

/// Something that was spent is seen, however little it is.
fn bars(spent: &[(String, i64)], highest: i64) -> Vec<Bar> {
    let count = i64::try_from(spent.len()).unwrap_or(i64::MAX).max(1);
    let step = WIDTH / count;
    let gap = (step / 5).max(1);
    let bar = |(place, (name, credits)): (i64, &(String, i64))| {
        let height = if *credits == 0 { 0 } else { (credits.saturating_mul(HEIGHT) / highest.max(1)).max(2) };
        Bar {
            x: place * step,
            y: HEIGHT - height,
            width: step - gap,
            height,
            title: format!("{name}: {} credits", grouped(*credits)),
        }
    };
    (0..).zip(spent).map(bar).collect()
}

impl Share {
    /// The name of an operation reads as a title; that of a spender stays as it is.
    fn titled(self) -> Self {
        Self { name: capitalized(&self.name), ..self }
    }
}

impl Row {
    fn of(row: &UsageRow, range: Range) -> Self {
        Self {
            period: named(row.period.first(), range),
            credits: grouped(row.total.credits_spent()),
            charges: grouped(row.total.charges),
            given_back: grouped(row.total.credits_restored),
        }
    }
}

/// The largest first, at most ten.
fn shares<N: Ord + Clone + fmt::Display>(
    usage: &Usage,
    total: i64,
    of: impl Fn(&UsageRow) -> &Groups<N>,
) -> Vec<Share> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for row in &usage.rows {
        for (name, counts) in &of(row).named {
            *sums.entry(name.to_string()).or_default() += counts.credits_spent();
        }
    }
    let mut sums: Vec<(String, i64)> = sums.into_iter().filter(|(_, credits)| *credits > 0).collect();
    sums.sort_by_key(|(name, credits)| (std::cmp::Reverse(*credits), name.clone()));
    let share = |(name, credits): (String, i64)| Share {
        name,
        credits: grouped(credits),
        percent: (credits.saturating_mul(100) / total.max(1)).clamp(0, 100),
    };
    sums.into_iter().take(10).map(share).collect()
}
