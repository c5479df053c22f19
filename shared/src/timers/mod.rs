//! Timers as one-time schedules of EventBridge Scheduler. The only module that names its SDK.
//!
//! A timer's name is its schedule's, so that setting it again makes no second one. [`message`] is what the function
//! that is woken finds in its event.

mod failure;
mod message;

pub use message::{UnreadableWake, wake_of_event};

use crate::config::{ConfigError, Environment};
use crate::ports::{Timer, Timers, TimersError};
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::BuildError;
use aws_sdk_scheduler::operation::create_schedule::builders::CreateScheduleFluentBuilder;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target,
};
use failure::{refused_before_sending, to_timers_error};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

/// What every timer of a deployment shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerSettings {
    /// The group of schedules that is the deployment's own.
    pub group: String,
    /// What the scheduler becomes in order to invoke the function.
    pub role_arn: String,
    /// The queue that takes what could not be delivered.
    pub dead_letter_arn: String,
}

/// How often and for how long the scheduler tries to hand a timer over, as the template's schedule does.
const RETRIES_MAX: i32 = 5;
const AGE_SECONDS_MAX: i32 = 1_500;

impl TimerSettings {
    /// `TIMER_GROUP`, `TIMER_ROLE_ARN` and `TIMER_DEAD_LETTER_ARN`.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            group: environment.required("TIMER_GROUP")?,
            role_arn: environment.required("TIMER_ROLE_ARN")?,
            dead_letter_arn: environment.required("TIMER_DEAD_LETTER_ARN")?,
        })
    }
}

/// Sets timers in one group of schedules.
#[derive(Clone, Debug)]
pub struct EventBridgeTimers {
    client: Client,
    settings: TimerSettings,
}

impl EventBridgeTimers {
    pub fn new(client: Client, settings: TimerSettings) -> Self {
        Self { client, settings }
    }

    /// The client token is left to the SDK, which sends the same one with each of its tries. Were it made of the name,
    /// a repetition a second later, for another instant, would be another request under the same token.
    fn request(&self, timer: &Timer) -> Result<CreateScheduleFluentBuilder, BuildError> {
        let target = Target::builder()
            .arn(&timer.function)
            .role_arn(&self.settings.role_arn)
            .input(message::of_wake(&timer.wake))
            .retry_policy(
                RetryPolicy::builder()
                    .maximum_retry_attempts(RETRIES_MAX)
                    .maximum_event_age_in_seconds(AGE_SECONDS_MAX)
                    .build(),
            )
            .dead_letter_config(DeadLetterConfig::builder().arn(&self.settings.dead_letter_arn).build())
            .build()?;
        let request = self.client.create_schedule();
        Ok(request
            .name(timer.name.as_str())
            .group_name(&self.settings.group)
            .schedule_expression(at_expression(timer.at))
            .schedule_expression_timezone("UTC")
            .flexible_time_window(FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build()?)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target))
    }
}

impl Timers for EventBridgeTimers {
    /// <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>
    async fn timer_set(&self, timer: &Timer) -> Result<(), TimersError> {
        let request = self.request(timer).map_err(refused_before_sending)?;
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|refusal| refusal.is_conflict_exception()) => Ok(()),
            Err(error) => Err(to_timers_error(error)),
        }
    }
}

/// Rounded up to the second, which is as fine as an expression is.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time>
fn at_expression(at: Timestamp) -> String {
    let whole = at.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil)).unwrap_or(at);
    whole.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string()
}

#[cfg(test)]
mod tests;
