//! `rate(…)` and `cron(…)` as in EventBridge Scheduler, in UTC.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use super::calendar;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// When a schedule is due.
#[derive(Clone, Debug)]
pub enum Expression {
    /// Due immediately, and again after each interval.
    Rate(SignedDuration),
    Cron(Box<Cron>),
}

/// Why an expression is invalid.
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
    /// If it is neither of them, or not documented by AWS. `at(…)` is for schedules created at run time, not for a
    /// template.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let wrong = |reason: String| ExpressionError { expression: text.to_owned(), reason };
        let inside = |kind: &str| text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inside("rate") {
            return parse_rate(rate)
                .map(Self::Rate)
                .ok_or_else(|| wrong("a rate consists of a number and a unit".to_owned()));
        }
        let fields = inside("cron").ok_or_else(|| wrong("only rate(…) and cron(…) are recurring".to_owned()))?;
        let fields = calendar::read(fields).map_err(&wrong)?;
        // Counts Sunday as 1 and expects seconds first, which EventBridge does not have.
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Required)
            .alternative_weekdays(true)
            .sloppy_ranges(true)
            .build();
        let cron = parser.parse(&format!("0 {fields}")).map_err(|error| wrong(error.to_string()))?;
        Ok(Self::Cron(Box::new(cron)))
    }

    /// Parses it and returns when it is first due.
    ///
    /// # Errors
    /// If it is invalid or never fires again.
    pub fn parse_from(text: &str, start: Timestamp) -> Result<(Self, Timestamp), ExpressionError> {
        let expression = Self::parse(text)?;
        let never = || ExpressionError { expression: text.to_owned(), reason: "it never fires".to_owned() };
        let first = expression.first(start).ok_or_else(never)?;
        Ok((expression, first))
    }

    /// The first due time of a schedule that begins at `start`.
    #[must_use]
    pub fn first(&self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(_) => Some(start),
            Self::Cron(cron) => next(cron, start, true),
        }
    }

    /// The next due time after `previous`.
    #[must_use]
    pub fn after(&self, previous: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(interval) => previous.checked_add(*interval).ok(),
            Self::Cron(cron) => next(cron, previous, false),
        }
    }
}

fn parse_rate(text: &str) -> Option<SignedDuration> {
    let (count, unit) = text.split_once(' ')?;
    let is_number = count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse::<i64>().ok().filter(|count| is_number && *count > 0)?;
    match unit {
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

    // R38
    #[test]
    fn the_examples_that_aws_documents_fire_as_it_says() {
        // 22 November 2026 is a Sunday.
        for (expression, expected) in [
            ("rate(1 minute)", &["2026-11-22T10:00:00Z", "2026-11-22T10:01:00Z"][..]),
            ("rate(5 minutes)", &["2026-11-22T10:00:00Z", "2026-11-22T10:05:00Z"]),
            ("rate(1 hour)", &["2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"]),
            ("rate(12 hours)", &["2026-11-22T10:00:00Z", "2026-11-22T22:00:00Z"]),
            ("rate(7 days)", &["2026-11-22T10:00:00Z", "2026-11-29T10:00:00Z"]),
            ("cron(0 10 * * ? *)", &["2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z"]),
            ("cron(15 12 * * ? *)", &["2026-11-22T12:15:00Z", "2026-11-23T12:15:00Z"]),
            ("cron(0 18 ? * MON-FRI *)", &["2026-11-23T18:00:00Z", "2026-11-24T18:00:00Z"]),
            ("cron(0 8 1 * ? *)", &["2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z"]),
            ("cron(0/15 * * * ? *)", &["2026-11-22T10:00:00Z", "2026-11-22T10:15:00Z"]),
            ("cron(1/10 * * * ? *)", &["2026-11-22T10:01:00Z", "2026-11-22T10:11:00Z"]),
            ("cron(0/10 * ? * MON-FRI *)", &["2026-11-23T00:00:00Z", "2026-11-23T00:10:00Z"]),
            ("cron(0/5 8-17 ? * MON-FRI *)", &["2026-11-23T08:00:00Z", "2026-11-23T08:05:00Z"]),
            ("cron(0 9 ? * 2#1 *)", &["2026-12-07T09:00:00Z", "2027-01-04T09:00:00Z"]),
            ("cron(0 9 ? * 3#2 *)", &["2026-12-08T09:00:00Z", "2027-01-12T09:00:00Z"]),
            ("cron(15 10 ? * 6L 2026-2027)", &["2026-11-27T10:15:00Z", "2026-12-25T10:15:00Z"]),
            ("cron(0 0 3W * ? *)", &["2026-12-03T00:00:00Z", "2027-01-04T00:00:00Z"]),
            ("cron(0 0 L * ? *)", &["2026-11-30T00:00:00Z", "2026-12-31T00:00:00Z"]),
            ("cron(15 10 ? * L *)", &["2026-11-28T10:15:00Z", "2026-12-05T10:15:00Z"]),
            ("cron(0 0 ? JAN,MAR,DEC SUN *)", &["2026-12-06T00:00:00Z", "2026-12-13T00:00:00Z"]),
            ("cron(0 0 1 1 ? */2)", &["2028-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
            ("cron(0 0 1 1 ? 2027/5)", &["2027-01-01T00:00:00Z", "2032-01-01T00:00:00Z"]),
            ("cron(0 0 29 2 ? *)", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
            ("cron(0 0 1 1 ? 2199)", &["2199-01-01T00:00:00Z"]),
        ] {
            assert_eq!(times(expression, "2026-11-22T10:00:00Z", 2), expected, "{expression}");
        }
    }

    // R38
    #[test]
    fn what_is_no_schedule_of_a_template_is_refused() {
        for expression in [
            "every hour",
            "rate(0 minutes)",
            "rate(+5 minutes)",
            "rate(-5 minutes)",
            "rate(1.5 hours)",
            "rate(5  minutes)",
            "rate( 5 minutes )",
            "rate(5 seconds)",
            "rate(minutes)",
            "at(2026-11-22T10:00:00)",
            "cron(0 8 1 * ?)",
            "cron(0 8 1 * * *)",
            "cron(0 8 ? * ? *)",
            "cron(0 8 * * * *)",
            "cron(99 8 1 * ? *)",
            "cron(0 24 1 * ? *)",
            "cron(0 8 0 * ? *)",
            "cron(0 8 32 * ? *)",
            "cron(0 8 1 13 ? *)",
            "cron(0 8 ? * 0 *)",
            "cron(0 8 ? * 8 *)",
            "cron(0 8 1 * ? 1969)",
            "cron(0 8 1 * ? 2200)",
            "cron(0 8 1 * ? 1900-2300)",
            "cron(0 8 ? * 3#1,6#3 *)",
            "cron(0 8 ? * 3#1,5 *)",
            "cron(0 8 ? * 1-7#2 *)",
            "cron(0 8 ? * 2#6 *)",
            "cron(0 8 ? * 2#0 *)",
            "cron(0 8 ? * 2/2 *)",
            "cron(1,,2 8 1 * ? *)",
            "cron(,1 8 1 * ? *)",
            "cron(1, 8 1 * ? *)",
            "cron(5-1 8 1 * ? *)",
            "cron(+1 8 1 * ? *)",
            "cron(0/0 8 1 * ? *)",
            "cron(0/ 8 1 * ? *)",
            "cron(/5 8 1 * ? *)",
            "cron(L 8 1 * ? *)",
            "cron(0 8 W * ? *)",
            "cron(0 8 ? * 2W *)",
            "cron(0 8 1,? * ? *)",
            "cron(0 8 1 *,2 ? *)",
        ] {
            assert!(Expression::parse(expression).is_err(), "{expression}");
        }
    }

    // R38
    #[test]
    fn a_schedule_that_can_never_fire_is_refused_when_it_begins() {
        let start = "2026-11-22T10:00:00Z".parse().unwrap();
        for expression in
            ["cron(0 0 30 2 ? *)", "cron(0 0 1 1 ? 2020)", "cron(0 0 31 4,6 ? *)", "cron(0 0 29 2 ? 2027)"]
        {
            let refusal = Expression::parse_from(expression, start).unwrap_err().to_string();
            assert_eq!(refusal, format!("{expression} is not a schedule: it never fires"));
        }
        assert!(Expression::parse_from("cron(0 0 1 1 ? 2027)", start).is_ok());
    }
}
