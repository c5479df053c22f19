//! What the company owes its customers in credits: at the end of a day, and month by month.

use crate::Outside;
use jiff::ToSpan;
use jiff::civil::Date;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::date_of;
use shared::domain::liability::Flow;
use shared::http::{Cell, CsvTable, Parameters, Problem, Reply, parse_query, time, wants_csv};
use shared::use_cases::Context;
use shared::use_cases::liability::{DayLiability, MonthLiability, read_day, read_months};

/// The longest range.
const MONTHS_MAX: i32 = 36;
const DAY: &str = "a day such as 2026-01-31";
const MONTH: &str = "a month such as 2026-01";

/// One day, or the months of a range, also as a table.
pub async fn get<O: Outside>(context: &Context<O>, request: &Request) -> Result<Reply, Problem> {
    let today = date_of(context.now());
    match parse_query(request, |query| wanted(query, today))? {
        Some(Wanted::Day(day)) => Reply::ok(&DayBody::of(&read_day(context, day).await?, time(context.now()))),
        Some(Wanted::Months(range)) => {
            let months = read_months(context, range).await?;
            if wants_csv(request) { table(&months) } else { Reply::ok(&MonthsBody::of(&months)) }
        }
        // The query was refused.
        None => Reply::ok(&MonthsBody { data: vec![] }),
    }
}

enum Wanted {
    Day(Date),
    /// The first days of the first and the last month.
    Months((Date, Date)),
}

/// By default the last twelve months.
fn wanted(query: &mut Parameters, today: Date) -> Option<Wanted> {
    let on = query.optional("on", DAY, exact_date);
    let (from, to) = (query.optional("from", MONTH, month), query.optional("to", MONTH, month));
    if let Some(day) = on {
        if from.or(to).is_some() {
            query.refuse("on", "must not be sent with from or to");
        }
        return Some(Wanted::Day(day));
    }
    let to = to.unwrap_or_else(|| today.first_of_month());
    let months_before = |months: i32| to.checked_sub(months.saturating_sub(1).months()).unwrap_or(Date::MIN);
    let from = from.unwrap_or_else(|| months_before(12));
    if from > to {
        query.refuse("from", format!("must not be after `to`, which is {}", to.strftime("%Y-%m")));
    } else if from < months_before(MONTHS_MAX) {
        query.refuse("from", format!("must be at most {MONTHS_MAX} months long with `to`, both included"));
    }
    Some(Wanted::Months((from, to)))
}

/// In its one form, and in this or any century in which there can be credits.
fn exact_date(text: String) -> Option<Date> {
    let day = text.parse::<Date>().ok()?;
    (day.to_string() == text && (1970..=9998).contains(&day.year())).then_some(day)
}

fn month(text: String) -> Option<Date> {
    exact_date(format!("{text}-01"))
}

#[derive(Serialize)]
struct DayBody {
    date: String,
    /// The first day that is counted.
    since: String,
    accounts: u64,
    /// Credits that customers have left at the end of the day.
    outstanding: i64,
    /// Whether the balances are what the entries add up to.
    agrees: bool,
    day: FlowBody,
    total: FlowBody,
    as_of: String,
}

impl DayBody {
    fn of(liability: &DayLiability, as_of: String) -> Self {
        let DayLiability { day, since, accounts, flow, total } = liability;
        Self {
            date: day.to_string(),
            since: since.to_string(),
            accounts: *accounts,
            outstanding: flow.outstanding,
            agrees: total.difference() == 0,
            day: FlowBody::of(flow),
            total: FlowBody::of(total),
            as_of,
        }
    }
}

/// `opening` + `brought_forward` + what came in − `credits_reversed` − `credits_used` + `difference` = `outstanding`.
#[derive(Serialize)]
struct FlowBody {
    opening: i64,
    brought_forward: i64,
    credits_sold: i64,
    credits_purchased: i64,
    credits_topped_up: i64,
    credits_imported: i64,
    credits_adjusted: i64,
    credits_used: i64,
    credits_charged: i64,
    credits_captured_back: i64,
    credits_voided: i64,
    credits_expired: i64,
    credits_restored: i64,
    outstanding: i64,
    difference: i64,
    credits_reversed: i64,
}

impl FlowBody {
    fn of(flow: &Flow) -> Self {
        let moved = &flow.moved;
        Self {
            opening: flow.opening,
            brought_forward: flow.brought_forward,
            credits_sold: moved.credits_purchased.saturating_add(moved.credits_topped_up),
            credits_purchased: moved.credits_purchased,
            credits_topped_up: moved.credits_topped_up,
            credits_imported: moved.credits_imported,
            credits_adjusted: moved.credits_adjusted,
            credits_used: moved.credits_spent(),
            credits_charged: moved.credits_charged,
            credits_captured_back: moved.credits_captured_back,
            credits_voided: moved.credits_voided,
            credits_expired: moved.credits_expired,
            credits_restored: moved.credits_restored,
            outstanding: flow.outstanding,
            difference: flow.difference(),
            credits_reversed: moved.credits_reversed,
        }
    }
}

#[derive(Serialize)]
struct MonthsBody {
    data: Vec<MonthBody>,
}

#[derive(Serialize)]
struct MonthBody {
    month: String,
    accounts: u64,
    #[serde(flatten)]
    flow: FlowBody,
}

impl MonthsBody {
    fn of(months: &[MonthLiability]) -> Self {
        Self { data: months.iter().map(MonthBody::of).collect() }
    }
}

impl MonthBody {
    fn of(liability: &MonthLiability) -> Self {
        let MonthLiability { month, accounts, flow } = liability;
        Self { month: month.strftime("%Y-%m").to_string(), accounts: *accounts, flow: FlowBody::of(flow) }
    }
}

/// New columns come last, so that those who count columns keep theirs.
const COLUMNS: [&str; 18] = [
    "month",
    "accounts",
    "opening",
    "brought_forward",
    "credits_sold",
    "credits_purchased",
    "credits_topped_up",
    "credits_imported",
    "credits_adjusted",
    "credits_used",
    "credits_charged",
    "credits_captured_back",
    "credits_voided",
    "credits_expired",
    "credits_restored",
    "outstanding",
    "difference",
    "credits_reversed",
];

fn table(months: &[MonthLiability]) -> Result<Reply, Problem> {
    let mut table = CsvTable::page(&COLUMNS, true)?;
    for MonthBody { month, accounts, flow } in months.iter().map(MonthBody::of) {
        let numbers = [
            i64::try_from(accounts).unwrap_or(i64::MAX),
            flow.opening,
            flow.brought_forward,
            flow.credits_sold,
            flow.credits_purchased,
            flow.credits_topped_up,
            flow.credits_imported,
            flow.credits_adjusted,
            flow.credits_used,
            flow.credits_charged,
            flow.credits_captured_back,
            flow.credits_voided,
            flow.credits_expired,
            flow.credits_restored,
            flow.outstanding,
            flow.difference,
            flow.credits_reversed,
        ];
        table.row([Cell::Text(month)].into_iter().chain(numbers.map(Cell::Number)))?;
    }
    table.into_reply(None)
}
