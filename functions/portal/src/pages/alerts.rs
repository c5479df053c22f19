//! At which levels the contacts for alerts are told that the balance runs low.

use super::layout::{Done, Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::alerts::{AlertLevel, Alerts, ChosenLevels, InvalidLevels, LevelChoice};
use shared::http::{Parameters, Problem, Reply, parse_query};
use shared::ports::AlertRows;
use shared::use_cases::alerts::set_alerts;
use shared::words;

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage<'a> {
    layout: Layout<'a>,
    rows: Vec<LevelRow>,
    problem: Option<String>,
}

/// One line of the form; an empty one adds a level.
#[derive(Clone, Debug, Default)]
struct LevelRow {
    place: usize,
    number: String,
    is_in_days: bool,
    is_on: bool,
    told_at: Option<String>,
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let done = parse_query(request, Done::read)?;
    page(app, visitor, (None, None, done)).await
}

async fn page<O: Outside>(
    app: &App<O>,
    visitor: &Visitor,
    (typed, problem, done): (Option<Vec<LevelRow>>, Option<String>, Option<Done>),
) -> Result<Reply, Problem> {
    let mut rows = match typed {
        Some(typed) => typed,
        None => {
            let stored = app.context.ledger.alerts_get(&visitor.account.id).await?.unwrap_or_default();
            let row = |(place, alert): (usize, &shared::domain::alerts::LevelAlert)| LevelRow {
                place,
                number: alert.level.number().to_string(),
                is_in_days: matches!(alert.level, AlertLevel::DaysLeft(_)),
                is_on: alert.is_on,
                told_at: alert.state.told_at.map(words::date_and_time),
            };
            stored.levels.iter().enumerate().map(row).collect()
        }
    };
    let (used, may_add) = (rows.len(), rows.len() < Alerts::LEVELS_MAX && !visitor.is_read_only());
    rows.extend(may_add.then(|| LevelRow { place: used, is_on: true, ..LevelRow::default() }));
    let layout = Layout::of(app, visitor, (Section::Contacts, "Low balance")).with_done(done);
    let page = AlertsPage { layout, rows, problem };
    show(if page.problem.is_some() { 422 } else { 200 }, &page)
}

/// Replaces all levels. A line without a number is left out.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let typed = visitor.form(request, read)?;
    match chosen(&typed) {
        Ok(levels) => {
            set_alerts(&app.context, &visitor.account.id, &levels).await?;
            Done::LevelsSaved.then("/portal/alerts")
        }
        Err(problem) => page(app, visitor, (Some(typed), Some(problem), None)).await,
    }
}

fn read(fields: &mut Parameters) -> Vec<LevelRow> {
    let mut rows = vec![];
    for place in 0..Alerts::LEVELS_MAX {
        let number = fields.optional(&format!("number-{place}"), "a number", Some).unwrap_or_default();
        let unit = fields.optional(&format!("unit-{place}"), "credits or days", |unit| match unit.as_str() {
            "credits" => Some(false),
            "days" => Some(true),
            _ => None,
        });
        let is_on = fields.optional(&format!("on-{place}"), "on", Some).is_some();
        let number: String = number.trim().chars().take(20).collect();
        if !number.is_empty() {
            let is_in_days = unit.unwrap_or(false);
            rows.push(LevelRow { place: rows.len(), number, is_in_days, is_on, told_at: None });
        }
    }
    rows
}

fn chosen(typed: &[LevelRow]) -> Result<ChosenLevels, String> {
    let mut choices = vec![];
    for row in typed {
        let digits = row.number.bytes().all(|byte| byte.is_ascii_digit());
        let number = row.number.parse::<i64>().ok().filter(|_| digits);
        let number = number.ok_or_else(|| format!("{} is not a whole number.", row.number))?;
        let level = if row.is_in_days { AlertLevel::days_left(number) } else { AlertLevel::credits(number) };
        let level = level.map_err(|range| format!("{}: {range}.", row.number))?;
        choices.push(LevelChoice { level, is_on: row.is_on });
    }
    ChosenLevels::new(choices).map_err(|invalid| match invalid {
        InvalidLevels::TooMany => format!("There may be {} levels.", Alerts::LEVELS_MAX),
        InvalidLevels::Repeated { .. } => "Two levels are the same.".to_owned(),
    })
}
