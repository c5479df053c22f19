//! Parses a `CreateSchedule` request, and refuses what the service would refuse or what is not supported here.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::OneTimeSchedule;
use crate::{ACCOUNT, REGION};

/// What is stored about a schedule.
#[derive(Clone, Debug)]
pub(super) struct Created {
    pub schedule: OneTimeSchedule,
    pub token: Option<String>,
    pub is_deleted_after: bool,
    pub has_fired: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Request {
    action_after_completion: Option<String>,
    client_token: Option<String>,
    #[expect(dead_code, reason = "it does not affect when a schedule fires")]
    description: Option<String>,
    flexible_time_window: FlexibleTimeWindow,
    group_name: Option<String>,
    schedule_expression: String,
    schedule_expression_timezone: Option<String>,
    state: Option<String>,
    target: Target,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FlexibleTimeWindow {
    mode: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Target {
    arn: String,
    role_arn: String,
    input: Option<String>,
    retry_policy: Option<RetryPolicy>,
    dead_letter_config: Option<DeadLetterConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RetryPolicy {
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeadLetterConfig {
    arn: Option<String>,
}

/// # Errors
/// Why the request is not valid.
pub(super) fn read(name: &str, body: &[u8], now: Timestamp) -> Result<Created, String> {
    let request: Request = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let group = request.group_name.unwrap_or_else(|| "default".to_owned());
    demand(is_name(name, "-_."), "Name must be 1 to 64 of [0-9a-zA-Z-_.]")?;
    demand(is_name(&group, "-_."), "GroupName must be 1 to 64 of [0-9a-zA-Z-_.]")?;
    let has_token = request.client_token.as_deref().is_none_or(|token| is_name(token, "-_"));
    demand(has_token, "ClientToken must be 1 to 64 of [a-zA-Z0-9-_]")?;
    demand(request.flexible_time_window.mode == "OFF", "a FlexibleTimeWindow other than OFF is not supported here")?;
    demand(request.state.is_none_or(|state| state == "ENABLED"), "a State other than ENABLED is not supported here")?;
    let zone = request.schedule_expression_timezone.unwrap_or_else(|| "UTC".to_owned());
    demand(zone == "UTC", "a ScheduleExpressionTimezone other than UTC is not supported here")?;
    let after = request.action_after_completion.as_deref().unwrap_or("NONE");
    demand(["DELETE", "NONE"].contains(&after), "ActionAfterCompletion must be DELETE or NONE")?;
    let at = read_at(&request.schedule_expression)?;
    demand(at >= now, "ScheduleExpression is in the past")?;
    let target = read_target(&request.target)?;
    let schedule = OneTimeSchedule {
        arn: format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}"),
        group,
        name: name.to_owned(),
        at,
        target_arn: request.target.arn,
        input: request.target.input,
        retries: target.0,
        event_age_max_seconds: target.1,
    };
    let is_deleted_after = after == "DELETE";
    Ok(Created { schedule, token: request.client_token, is_deleted_after, has_fired: false })
}

/// The number of retries and the maximum age.
fn read_target(target: &Target) -> Result<(u32, u32), String> {
    demand(target.arn.starts_with("arn:aws:lambda:"), "a Target other than a function is not supported here")?;
    demand(target.role_arn.starts_with("arn:aws:iam::"), "RoleArn is not a role's ARN")?;
    let queue = target.dead_letter_config.as_ref().and_then(|queue| queue.arn.as_deref());
    demand(queue.is_none_or(|arn| arn.starts_with("arn:aws:sqs:")), "the dead-letter queue is not a queue's ARN")?;
    let retry = |field: fn(&RetryPolicy) -> Option<u32>| target.retry_policy.as_ref().and_then(field);
    let retries = retry(|policy| policy.maximum_retry_attempts).unwrap_or(185);
    let age = retry(|policy| policy.maximum_event_age_in_seconds).unwrap_or(86_400);
    demand(retries <= 185, "MaximumRetryAttempts must be 0 to 185")?;
    demand((60..=86_400).contains(&age), "MaximumEventAgeInSeconds must be 60 to 86400")?;
    Ok((retries, age))
}

/// `at(yyyy-mm-ddThh:mm:ss)`.
fn read_at(expression: &str) -> Result<Timestamp, String> {
    let repeats = ["rate(", "cron("].iter().any(|kind| expression.starts_with(kind));
    demand(!repeats, "recurring schedules are not supported here at run time; declare them in the template")?;
    let invalid = || format!("Invalid Schedule Expression {expression}.");
    let inside = expression.strip_prefix("at(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(invalid)?;
    let time = DateTime::strptime("%Y-%m-%dT%H:%M:%S", inside).map_err(|_| invalid())?;
    Ok(time.to_zoned(TimeZone::UTC).map_err(|_| invalid())?.timestamp())
}

fn is_name(text: &str, others: &str) -> bool {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || others.contains(character);
    (1..=64).contains(&text.len()) && text.chars().all(is_allowed)
}

fn demand(condition: bool, reason: &str) -> Result<(), String> {
    if condition { Ok(()) } else { Err(reason.to_owned()) }
}
