//! Timers as one-time schedules of EventBridge Scheduler. No other module uses its SDK.
//!
//! The schedule has the timer's name, so setting a timer again does not create a second one. [`message`] is the event
//! that the woken function receives.

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

/// The settings of all timers of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerSettings {
    /// The deployment's own schedule group.
    pub group: String,
    /// The role that the scheduler assumes to invoke the function.
    pub role_arn: String,
    /// The queue for events that could not be delivered.
    pub dead_letter_arn: String,
}

/// How often and for how long the scheduler tries to deliver a timer's event, as for the schedule in the template.
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

/// Sets timers in one schedule group.
#[derive(Clone, Debug)]
pub struct EventBridgeTimers {
    client: Client,
    settings: TimerSettings,
}

impl EventBridgeTimers {
    pub fn new(client: Client, settings: TimerSettings) -> Self {
        Self { client, settings }
    }

    /// The SDK sets the client token, and sends the same one with each of its tries. A token derived from the name would
    /// be wrong: setting the timer a second later, for another time, would be a different request under the same token.
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

/// Rounded up to the second, the precision of an expression.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time>
fn at_expression(at: Timestamp) -> String {
    let whole = at.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil)).unwrap_or(at);
    whole.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string()
}

#[cfg(test)]
mod tests;
