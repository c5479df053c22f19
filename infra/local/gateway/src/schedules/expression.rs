//! `rate(…)` and `cron(…)` as EventBridge Scheduler reads them, in UTC.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// When a schedule is due.
#[derive(Clone, Debug)]
pub enum Expression {
    /// Begins at once and comes again after each interval.
    Rate(SignedDuration),
    Cron(Box<Cron>),
}

/// Why an expression is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expression} is not a schedule: {reason}")]
pub struct ExpressionError {
    expression: String,
    reason: String,
}

impl Expression {
    /// Reads `rate(5 minutes)` or `cron(0 8 1 * ? *)`.
    ///
    /// # Errors
    /// When it is neither; `at(…)` belongs to schedules made at run time, not to a template.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let wrong = |reason: String| ExpressionError { expression: text.to_owned(), reason };
        let inside = |kind: &str| text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inside("rate") {
            return parse_rate(rate).map(Self::Rate).ok_or_else(|| wrong("a rate is a number and a unit".to_owned()));
        }
        let fields = inside("cron").ok_or_else(|| wrong("only rate(…) and cron(…) repeat".to_owned()))?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        if fields.len() != 6 {
            return Err(wrong("cron takes minutes, hours, day of month, month, day of week and year".to_owned()));
        }
        if (fields[2] == "?") == (fields[4] == "?") {
            return Err(wrong("one of day of month and day of week must be ?".to_owned()));
        }
        // Counts Sunday as 1 and takes the seconds first, which EventBridge does not have.
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Required)
            .alternative_weekdays(true)
            .sloppy_ranges(true)
            .build();
        let cron = parser.parse(&format!("0 {}", fields.join(" "))).map_err(|error| wrong(error.to_string()))?;
        Ok(Self::Cron(Box::new(cron)))
    }

    /// The first time that is due for a schedule which begins at `start`.
    #[must_use]
    pub fn first(&self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(_) => Some(start),
            Self::Cron(cron) => next(cron, start, true),
        }
    }

    /// The time that is due after `previous`.
    #[must_use]
    pub fn after(&self, previous: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(interval) => previous.checked_add(*interval).ok(),
            Self::Cron(cron) => next(cron, previous, false),
        }
    }
}

fn parse_rate(text: &str) -> Option<SignedDuration> {
    let (count, unit) = text.trim().split_once(' ')?;
    let count = count.parse::<i64>().ok().filter(|count| *count > 0)?;
    match unit.trim() {
        "minute" | "minutes" => count.checked_mul(60),
        "hour" | "hours" => count.checked_mul(60 * 60),
        "day" | "days" => count.checked_mul(24 * 60 * 60),
        _ => None,
    }
    .map(SignedDuration::from_secs)
}

fn next(cron: &Cron, from: Timestamp, inclusive: bool) -> Option<Timestamp> {
    let from = from.to_zoned(TimeZone::UTC);
    cron.find_next_occurrence(&from, inclusive).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, start: &str, count: usize) -> Vec<String> {
        let expression = Expression::parse(expression).unwrap();
        let first = expression.first(start.parse().unwrap());
        std::iter::successors(first, |time| expression.after(*time)).take(count).map(|time| time.to_string()).collect()
    }

    #[test]
    fn a_rate_begins_at_once_and_keeps_its_interval() {
        let expected = ["2026-11-22T10:00:07Z", "2026-11-22T10:30:07Z", "2026-11-22T11:00:07Z"];
        assert_eq!(times("rate(30 minutes)", "2026-11-22T10:00:07Z", 3), expected);
        assert_eq!(times("rate(1 day)", "2026-11-22T10:00:07Z", 2)[1], "2026-11-23T10:00:07Z");
    }

    #[test]
    fn cron_follows_the_calendar_and_counts_sunday_as_one() {
        let expected = ["2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z"];
        assert_eq!(times("cron(0 8 1 * ? *)", "2026-11-22T10:00:00Z", 2), expected);
        // 22 November 2026 is a Sunday.
        assert_eq!(times("cron(15 10 ? * 1 *)", "2026-11-22T10:00:00Z", 1), ["2026-11-22T10:15:00Z"]);
        assert_eq!(times("cron(15 10 ? * MON *)", "2026-11-22T10:00:00Z", 1), ["2026-11-23T10:15:00Z"]);
        let quarter = ["2026-11-22T10:00:00Z", "2026-11-22T10:15:00Z"];
        assert_eq!(times("cron(0/15 * * * ? *)", "2026-11-22T10:00:00Z", 2), quarter);
    }

    #[test]
    fn what_is_no_schedule_of_a_template_is_refused() {
        for expression in [
            "every hour",
            "rate(0 minutes)",
            "rate(5 seconds)",
            "rate(minutes)",
            "at(2026-11-22T10:00:00)",
            "cron(0 8 1 * ?)",
            "cron(0 8 1 * * *)",
            "cron(0 8 ? * ? *)",
            "cron(99 8 1 * ? *)",
        ] {
            assert!(Expression::parse(expression).is_err(), "{expression}");
        }
    }
}
