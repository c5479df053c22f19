//! EventBridge Scheduler through the SDK: what it accepts, what it refuses, and what becomes due when.

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::config::retry::RetryConfig;
use aws_sdk_scheduler::config::{BehaviorVersion, Region};
use aws_sdk_scheduler::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;
use aws_sdk_scheduler::operation::create_schedule::builders::CreateScheduleFluentBuilder;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target,
};
use jiff::Timestamp;
use local_aws::scheduler::{LocalScheduler, SchedulerFault};
use local_aws::wire::Loss;
use std::sync::Arc;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:sweep";
const ROLE: &str = "arn:aws:iam::000000000000:role/timers";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn scheduler() -> (LocalScheduler, Client) {
    let scheduler = LocalScheduler::new(["timers"], Arc::new(|| at("2026-01-05T00:00:00Z")));
    let config = aws_sdk_scheduler::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .allow_no_auth()
        .retry_config(RetryConfig::disabled())
        .http_client(scheduler.sdk_config_http_client());
    (scheduler, Client::from_conf(config.build()))
}

fn target() -> aws_sdk_scheduler::types::builders::TargetBuilder {
    Target::builder().arn(FUNCTION).role_arn(ROLE)
}

fn schedule(client: &Client, name: &str, expression: &str) -> CreateScheduleFluentBuilder {
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap();
    client
        .create_schedule()
        .name(name)
        .group_name("timers")
        .schedule_expression(expression)
        .flexible_time_window(window)
        .action_after_completion(ActionAfterCompletion::Delete)
        .target(target().input("{}").build().unwrap())
}

fn code(error: SdkError<CreateScheduleError>) -> String {
    error.into_service_error().code().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_due_is_taken_in_order_of_time_once_and_no_earlier() {
    let (scheduler, client) = scheduler();
    for (name, expression) in [("late", "at(2026-01-05T00:02:00)"), ("early", "at(2026-01-05T00:01:00)")] {
        let created = schedule(&client, name, expression).send().await.unwrap();
        let arn = format!("arn:aws:scheduler:us-east-1:000000000000:schedule/timers/{name}");
        assert_eq!(created.schedule_arn(), arn);
    }
    assert_eq!(scheduler.next_due(), Some(at("2026-01-05T00:01:00Z")));
    assert_eq!(scheduler.take_due(at("2026-01-05T00:00:59.999Z")), None);
    let now = at("2026-01-05T01:00:00Z");
    let taken: Vec<_> = std::iter::from_fn(|| scheduler.take_due(now)).collect();
    assert_eq!(taken.iter().map(|schedule| schedule.name.as_str()).collect::<Vec<_>>(), ["early", "late"]);
    assert_eq!((taken[0].target_arn.as_str(), taken[0].input.as_deref()), (FUNCTION, Some("{}")));
    assert_eq!((taken[0].retries, taken[0].event_age_max_seconds), (185, 86_400), "the service's defaults");
    assert_eq!((scheduler.next_due(), scheduler.schedules()), (None, vec![]));
}

#[tokio::test]
async fn a_name_is_given_once_while_its_schedule_is_there_and_a_repeated_request_is_the_same_one() {
    let (scheduler, client) = scheduler();
    let expression = "at(2026-01-05T00:01:00)";
    schedule(&client, "one", expression).client_token("a").send().await.unwrap();
    schedule(&client, "one", expression).client_token("a").send().await.unwrap();
    let again = schedule(&client, "one", "at(2026-01-05T00:02:00)").client_token("b").send().await;
    assert_eq!(code(again.unwrap_err()), "ConflictException");
    schedule(&client, "one", expression).group_name("default").send().await.unwrap();
    assert_eq!(scheduler.schedules().len(), 2, "each group has its own names");
    scheduler.take_due(at("2026-01-05T00:01:00Z")).unwrap();
    scheduler.take_due(at("2026-01-05T00:01:00Z")).unwrap();
    schedule(&client, "one", "at(2026-01-05T00:02:00)").send().await.expect("the name is free again");

    let kept = schedule(&client, "kept", expression).action_after_completion(ActionAfterCompletion::None);
    kept.clone().send().await.unwrap();
    scheduler.take_due(at("2026-01-05T00:01:00Z")).unwrap();
    assert_eq!(code(kept.send().await.unwrap_err()), "ConflictException", "a schedule that remains keeps its name");
}

#[tokio::test]
async fn what_the_service_would_refuse_or_this_one_cannot_do_is_invalid() {
    let (scheduler, client) = scheduler();
    let sound = || schedule(&client, "one", "at(2026-01-05T00:01:00)");
    let flexible = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(5);
    let retries = |attempts, age| {
        let policy = RetryPolicy::builder().maximum_retry_attempts(attempts).maximum_event_age_in_seconds(age);
        target().retry_policy(policy.build()).build().unwrap()
    };
    for (name, request) in [
        ("a name with a space", schedule(&client, "one two", "at(2026-01-05T00:01:00)")),
        ("a name too long", schedule(&client, &"a".repeat(65), "at(2026-01-05T00:01:00)")),
        ("a token with a dot", sound().client_token("a.b")),
        ("the past", schedule(&client, "one", "at(2026-01-04T23:59:59)")),
        ("a zone in the expression", schedule(&client, "one", "at(2026-01-05T00:01:00Z)")),
        ("a fraction", schedule(&client, "one", "at(2026-01-05T00:01:00.5)")),
        ("no day", schedule(&client, "one", "at(2026-02-30T00:01:00)")),
        ("no expression", schedule(&client, "one", "tomorrow")),
        ("a rate", schedule(&client, "one", "rate(5 minutes)")),
        ("another zone", sound().schedule_expression_timezone("Europe/Berlin")),
        ("a flexible window", sound().flexible_time_window(flexible.build().unwrap())),
        ("switched off", sound().state(ScheduleState::Disabled)),
        ("too many retries", sound().target(retries(186, 60))),
        ("too young", sound().target(retries(0, 59))),
        ("a queue", sound().target(target().arn("arn:aws:sqs:us-east-1:000000000000:q").build().unwrap())),
        ("no role", sound().target(target().role_arn("role").build().unwrap())),
    ] {
        assert_eq!(code(request.send().await.expect_err(name)), "ValidationException", "{name}");
    }
    let elsewhere = sound().group_name("nobodys").send().await.unwrap_err();
    assert_eq!(code(elsewhere), "ResourceNotFoundException");
    assert_eq!(scheduler.schedules(), vec![]);
}

#[tokio::test]
async fn faults_are_used_up_one_by_one() {
    let (scheduler, client) = scheduler();
    let request = || schedule(&client, "one", "at(2026-01-05T00:01:00)");
    scheduler.fail_next(1, SchedulerFault::Throttle);
    scheduler.fail_next(1, SchedulerFault::InternalServerError);
    scheduler.fail_next(1, SchedulerFault::LoseRequest(Loss::Timeout));
    assert_eq!(code(request().send().await.unwrap_err()), "ThrottlingException");
    assert_eq!(code(request().send().await.unwrap_err()), "InternalServerException");
    assert!(matches!(request().send().await, Err(SdkError::TimeoutError(_) | SdkError::DispatchFailure(_))));
    assert_eq!(scheduler.schedules(), vec![]);
    scheduler.fail_next(1, SchedulerFault::LoseAnswer(Loss::ConnectionReset));
    assert!(request().send().await.is_err());
    assert_eq!(scheduler.schedules().len(), 1, "it was created anyway");
    assert_eq!(code(request().send().await.unwrap_err()), "ConflictException");
}
