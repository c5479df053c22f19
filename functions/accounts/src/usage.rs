//! What an account used, by day or month, and by operation or spender.

use crate::Outside;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use lambda_http::Request;
use lambda_http::http::{HeaderName, HeaderValue};
use serde::{Serialize, Serializer};
use shared::domain::usage::Groups;
use shared::domain::{Granularity, Period, Periods, UsageCounts, UsageRow, date_of};
use shared::http::{Cell, CsvTable, Page, Parameters, Problem, ReachedAccount, Reply, parse_query, time, wants_csv};
use shared::use_cases::Context;
use shared::use_cases::usage::{FoldLimits, Usage, read_usage};
use std::fmt;

const DATE: &str = "a date from 1970-01-01 to 9998-12-31, written YYYY-MM-DD";
const DAYS_MAX: i32 = 370;
const DAYS_DEFAULT: i32 = 30;
const MONTHS_MAX: i32 = 13;
const MONTHS_DEFAULT: i32 = 12;

/// Rows and groups in one answer, which must stay far below Lambda's limit of 6 MB. A row has at most 203 groups.
const LINES_MAX: usize = 5_000;

/// The rows of a range of days or months. The cursor is the first day of the next page's first row.
pub async fn get<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let wanted = parse_query(request, |query| Wanted::of(query, context.now()))?;
    // A range that is not valid was refused above.
    let wanted = wanted.ok_or_else(Problem::malformed_body)?;
    let usage = read_usage(context, account.id(), wanted.page, FoldLimits::READER).await?;
    let body = wanted.body(&usage);
    if wants_csv(request) { csv(&body) } else { Reply::ok(&body) }
}

/// New columns come last, so that those who count columns keep theirs.
const NAMES_BEFORE_SPENT: &[&str] = UsageCounts::NAMES.split_at(13).0;
const NAMES_AFTER_SPENT: &[&str] = UsageCounts::NAMES.split_at(13).1;

/// One line for each period, or with groups one for each of them. What a table cannot hold is in headers.
fn csv(body: &UsageBody<'_>) -> Result<Reply, Problem> {
    let names = ["from", "to", "kind", "name"].into_iter().chain(NAMES_BEFORE_SPENT.iter().copied());
    let names = names.chain(["credits_spent"]).chain(NAMES_AFTER_SPENT.iter().copied());
    let mut table = CsvTable::page(&names.collect::<Vec<_>>(), true)?;
    for row in &body.page.data {
        let mut line = |kind: &str, name: &str, CountsBody(counts): &CountsBody<'_>| {
            let dates = [row.from, row.to].map(|date| Cell::text(date.to_string()));
            let (before, after) =
                (counts.values().take(NAMES_BEFORE_SPENT.len()), counts.values().skip(NAMES_BEFORE_SPENT.len()));
            let numbers = before.chain([counts.credits_spent()]).chain(after).map(Cell::Number);
            table.row(dates.into_iter().chain([kind, name].map(Cell::text)).chain(numbers))
        };
        match &row.groups {
            None => line("total", "", &row.counts)?,
            Some(groups) => groups
                .iter()
                .try_for_each(|group| line(group.kind, group.name.as_deref().unwrap_or_default(), &group.counts))?,
        }
    }
    let header = |value: &str| HeaderValue::from_str(value).map_err(Problem::internal);
    let reply = table
        .into_reply(None)?
        .with_header(HeaderName::from_static("usage-as-of"), header(&body.as_of)?)
        .with_header(HeaderName::from_static("usage-through-seq"), HeaderValue::from(body.through_seq))
        .with_header(HeaderName::from_static("usage-is-complete"), header(&body.is_complete.to_string())?);
    Ok(match &body.page.next_cursor {
        Some(next) => reply.with_header(HeaderName::from_static("next-cursor"), header(next)?),
        None => reply,
    })
}

#[derive(Clone, Copy)]
enum GroupBy {
    Operation,
    Spender,
}

impl GroupBy {
    const ALL: [Self; 2] = [Self::Operation, Self::Spender];

    const fn name(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Spender => "spender",
        }
    }
}

struct Wanted {
    range: Periods,
    /// The part of the range that is still to be shown.
    page: Periods,
    group_by: Option<GroupBy>,
}

impl Wanted {
    /// `None` if the range is not valid, which is then reported.
    fn of(query: &mut Parameters, now: Timestamp) -> Option<Self> {
        let granularity = query.optional("granularity", "day or month", |name| Granularity::of_name(&name));
        let granularity = granularity.unwrap_or(Granularity::Day);
        let by = |name: String| GroupBy::ALL.into_iter().find(|by| by.name() == name);
        let group_by = query.optional("group_by", "operation or spender", by);
        let (from, to) = (query.optional("from", DATE, date), query.optional("to", DATE, date));
        let cursor = query.optional("cursor", "the next_cursor of the page before", date);
        let to = to.unwrap_or_else(|| date_of(now));
        let from = from.unwrap_or_else(|| first_by_default(granularity, to));
        let Some(range) = Periods::new(granularity, from, to) else {
            query.refuse("from", format!("must not be after `to`, which is {to}"));
            return None;
        };
        let earliest = earliest(granularity, to);
        if range.first().first() < earliest {
            let most = match granularity {
                Granularity::Day => format!("{DAYS_MAX} days"),
                Granularity::Month => format!("{MONTHS_MAX} months"),
            };
            query.refuse("from", format!("must be {earliest} or later: a range has at most {most}"));
            return None;
        }
        let page = Periods::new(granularity, cursor.unwrap_or(from).max(from), to);
        if page.is_none() {
            query.refuse("cursor", format!("must not be after `to`, which is {to}"));
        }
        Some(Self { range, page: page?, group_by })
    }

    fn body<'a>(&self, usage: &'a Usage) -> UsageBody<'a> {
        let lines = |row: &UsageRow| 1 + self.group_by.map_or(0, |by| by.groups(row).count());
        let mut left = LINES_MAX;
        let shown = usage.rows.iter().take_while(|row| {
            let is_shown = left > 0;
            left = left.saturating_sub(lines(row));
            is_shown
        });
        let shown: Vec<_> = shown.collect();
        let next = usage.rows.get(shown.len()).map(|row| row.period.first().to_string());
        let row = |row: &&'a UsageRow| RowBody::of(row, self.group_by);
        UsageBody {
            account: usage.account.id.as_str(),
            granularity: self.range.granularity().name(),
            from: self.range.first().first(),
            to: last_day(self.range.last()),
            group_by: self.group_by.map(GroupBy::name),
            page: Page::new(shown.iter().map(row).collect(), next),
            as_of: time(usage.as_of),
            through_seq: usage.through_seq,
            is_complete: usage.is_complete(),
        }
    }
}

fn date(text: String) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    ((1970..=9998).contains(&date.year()) && date.to_string() == text).then_some(date)
}

fn first_by_default(granularity: Granularity, to: Date) -> Date {
    match granularity {
        Granularity::Day => to.saturating_sub((DAYS_DEFAULT - 1).days()),
        Granularity::Month => to.first_of_month().saturating_sub((MONTHS_DEFAULT - 1).months()),
    }
}

fn earliest(granularity: Granularity, to: Date) -> Date {
    match granularity {
        Granularity::Day => to.saturating_sub((DAYS_MAX - 1).days()),
        Granularity::Month => to.first_of_month().saturating_sub((MONTHS_MAX - 1).months()),
    }
}

fn last_day(period: Period) -> Date {
    match period.granularity() {
        Granularity::Day => period.first(),
        Granularity::Month => period.first().last_of_month(),
    }
}

#[derive(Serialize)]
struct UsageBody<'a> {
    account: &'a str,
    granularity: &'static str,
    from: Date,
    to: Date,
    group_by: Option<&'static str>,
    #[serde(flatten)]
    page: Page<RowBody<'a>>,
    as_of: String,
    through_seq: u64,
    is_complete: bool,
}

#[derive(Serialize)]
struct RowBody<'a> {
    from: Date,
    to: Date,
    #[serde(flatten)]
    counts: CountsBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<GroupBody<'a>>>,
}

impl<'a> RowBody<'a> {
    fn of(row: &'a UsageRow, group_by: Option<GroupBy>) -> Self {
        Self {
            from: row.period.first(),
            to: last_day(row.period),
            counts: CountsBody(&row.total),
            groups: group_by.map(|by| by.groups(row).collect()),
        }
    }
}

/// One operation or spender; all those beyond the first 200 together; or what has no spender.
#[derive(Serialize)]
struct GroupBody<'a> {
    kind: &'static str,
    name: Option<String>,
    #[serde(flatten)]
    counts: CountsBody<'a>,
}

impl GroupBy {
    fn groups(self, row: &UsageRow) -> Box<dyn Iterator<Item = GroupBody<'_>> + '_> {
        match self {
            Self::Operation => Box::new(groups(&row.operations)),
            Self::Spender => Box::new(groups(&row.spenders)),
        }
    }
}

fn groups<N: fmt::Display>(groups: &Groups<N>) -> impl Iterator<Item = GroupBody<'_>> {
    let named = groups.named.iter().map(|(name, counts)| ("named", Some(name.to_string()), counts));
    let beside = [("others", None, &groups.others), ("unnamed", None, &groups.unnamed)];
    let beside = beside.into_iter().filter(|(.., counts)| !counts.is_zero());
    named.chain(beside).map(|(kind, name, counts)| GroupBody { kind, name, counts: CountsBody(counts) })
}

struct CountsBody<'a>(&'a UsageCounts);

impl Serialize for CountsBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spent = ("credits_spent", self.0.credits_spent());
        serializer.collect_map(UsageCounts::NAMES.iter().copied().zip(self.0.values()).chain([spent]))
    }
}
