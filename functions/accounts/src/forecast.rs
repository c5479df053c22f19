//! What an account will probably spend, and when its balance runs out.

use crate::Outside;
use jiff::civil::Date;
use serde::Serialize;
use shared::domain::Periods;
use shared::domain::usage::{Accuracy, Average, DAYS_NEEDED, Forecast, HORIZON_DAYS, RunsOut, forecast};
use shared::http::{Problem, ReachedAccount, Reply, time};
use shared::use_cases::Context;
use shared::use_cases::usage::{FoldLimits, Usage, read_usage};

/// How the numbers are made, for whoever has to rely on them.
const METHOD: &str = "The averages are over complete days before today (UTC). At least is the smaller of the two less a \
                      fifth, at most the larger plus a fifth. The balance runs out if nothing is bought.";

pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let now = context.now();
    let days = Periods::days_through(now, DAYS_NEEDED).ok_or_else(|| Problem::not_found("account"))?;
    let usage = read_usage(context, account.id(), days, FoldLimits::READER).await?;
    Reply::ok(&ForecastBody::of(&usage, &forecast(&usage.account, &usage.rows, now)))
}

#[derive(Serialize)]
struct ForecastBody<'a> {
    account: &'a str,
    balance: i64,
    has_recent_usage: bool,
    averages: [AverageBody; 2],
    runs_out: Option<RunsOutBody>,
    month: MonthBody,
    accuracy: Option<AccuracyBody>,
    method: &'static str,
    as_of: String,
    through_seq: u64,
    is_complete: bool,
}

#[derive(Serialize)]
struct AverageBody {
    days: i32,
    credits_spent: i64,
    credits_per_day: i64,
}

#[derive(Serialize)]
struct RunsOutBody {
    earliest: Option<Date>,
    latest: Option<Date>,
}

#[derive(Serialize)]
struct MonthBody {
    from: Date,
    to: Date,
    credits_spent: i64,
    expected: Option<ExpectedBody>,
}

#[derive(Serialize)]
struct ExpectedBody {
    min: i64,
    max: i64,
}

#[derive(Serialize)]
struct AccuracyBody {
    horizon_days: i32,
    forecasts: u32,
    right: u32,
}

impl<'a> ForecastBody<'a> {
    fn of(usage: &'a Usage, forecast: &Forecast) -> Self {
        let month = forecast.month;
        Self {
            account: usage.account.id.as_str(),
            balance: usage.account.balance.get(),
            has_recent_usage: forecast.runs_out.is_some(),
            averages: forecast.averages.map(|average| AverageBody::of(&average)),
            runs_out: forecast.runs_out.map(|RunsOut { earliest, latest }| RunsOutBody { earliest, latest }),
            month: MonthBody {
                from: month.first,
                to: month.first.last_of_month(),
                credits_spent: month.credits_spent,
                expected: month.expected.map(|(min, max)| ExpectedBody { min, max }),
            },
            accuracy: forecast.accuracy.map(|Accuracy { forecasts, right }| AccuracyBody {
                horizon_days: HORIZON_DAYS,
                forecasts,
                right,
            }),
            method: METHOD,
            as_of: time(usage.as_of),
            through_seq: usage.through_seq,
            is_complete: usage.is_complete(),
        }
    }
}

impl AverageBody {
    fn of(average: &Average) -> Self {
        let Average { days, credits_spent } = *average;
        Self { days, credits_spent, credits_per_day: average.credits_per_day() }
    }
}
