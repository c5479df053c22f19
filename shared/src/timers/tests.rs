use super::*;
use crate::aws::wire::{Answer, Wire};
use crate::ports::SweepPart;
use crate::ports::{TimerName, Wake};
use aws_sdk_scheduler::config::http::HttpResponse;
use aws_sdk_scheduler::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::{Value, json};

fn timers(answer: Answer) -> (EventBridgeTimers, Wire) {
    let wire = Wire::new(answer);
    let config = crate::aws::scheduler(&wire.environment()).config().to_builder().retry_config(RetryConfig::disabled());
    let settings = TimerSettings {
        group: "prepaid".into(),
        role_arn: "arn:aws:iam::000000000000:role/timers".into(),
        dead_letter_arn: "arn:aws:sqs:eu-central-1:000000000000:failures".into(),
    };
    (EventBridgeTimers::new(Client::from_conf(config.build()), settings), wire)
}

fn timer() -> Timer {
    let midnight = "2026-01-05T00:00:00Z".parse().unwrap();
    let part = SweepPart { number: 3, ..SweepPart::first(midnight, midnight) };
    Timer {
        name: TimerName::of_sweep(&part),
        at: "2026-01-05T00:11:00.001Z".parse().unwrap(),
        function: "arn:aws:lambda:eu-central-1:000000000000:function:sweep".into(),
        wake: Wake::ContinueSweep(part),
    }
}

fn answer(status: u16, error_type: Option<&'static str>, body: &'static str) -> Result<HttpResponse, ConnectorError> {
    let mut response = HttpResponse::new(status.try_into().unwrap(), body.into());
    if let Some(error_type) = error_type {
        response.headers_mut().insert("x-amzn-errortype", error_type);
    }
    Ok(response)
}

fn set() -> Result<HttpResponse, ConnectorError> {
    answer(200, None, r#"{"ScheduleArn":"arn:aws:scheduler:eu-central-1:000000000000:schedule/prepaid/x"}"#)
}

#[tokio::test]
async fn a_timer_is_a_schedule_that_fires_once_and_is_then_deleted() {
    let (timers, wire) = timers(set);
    timers.timer_set(&timer()).await.unwrap();
    let (url, mut body) = wire.sent.lock().unwrap().remove(0);
    assert_eq!(url, "POST https://scheduler.eu-central-1.amazonaws.com/schedules/sweep-1767571200-3");
    assert!(body["ClientToken"].take().is_string());
    let input: Value = serde_json::from_str(body["Target"]["Input"].take().as_str().unwrap()).unwrap();
    assert_eq!(wake_of_event(&input).unwrap(), Some(timer().wake));
    assert_eq!(
        body,
        json!({
            "ActionAfterCompletion": "DELETE",
            "ClientToken": null,
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "GroupName": "prepaid",
            "ScheduleExpression": "at(2026-01-05T00:11:01)",
            "ScheduleExpressionTimezone": "UTC",
            "Target": {
                "Arn": "arn:aws:lambda:eu-central-1:000000000000:function:sweep",
                "DeadLetterConfig": { "Arn": "arn:aws:sqs:eu-central-1:000000000000:failures" },
                "Input": null,
                "RetryPolicy": { "MaximumEventAgeInSeconds": 1500, "MaximumRetryAttempts": 5 },
                "RoleArn": "arn:aws:iam::000000000000:role/timers",
            },
        })
    );
}

#[tokio::test]
async fn a_timer_that_is_set_already_is_success() {
    let conflict = || answer(409, Some("ConflictException"), r#"{"Message":"Schedule x already exists."}"#);
    timers(conflict).0.timer_set(&timer()).await.unwrap();
}

/// Every failure of the scheduler or of the connection, and whether a retry may help.
#[tokio::test]
async fn every_failure_is_classified_as_temporary_or_permanent() {
    let temporary: [(&str, Answer); 7] = [
        ("rate", || answer(429, Some("ThrottlingException"), r#"{"Message":"Rate exceeded"}"#)),
        ("internal", || answer(500, Some("InternalServerException"), r#"{"Message":"?"}"#)),
        ("unavailable, not even JSON", || answer(503, None, "<html>Service Unavailable</html>")),
        ("throttled under another name", || answer(429, Some("TooManyRequestsException"), "{}")),
        ("unreadable response", || answer(200, None, "<html>")),
        ("timeout", || Err(ConnectorError::timeout("no answer in time".into()))),
        ("connection", || Err(ConnectorError::io("connection reset".into()))),
    ];
    let permanent: [(&str, Answer); 5] = [
        ("the past", || answer(400, Some("ValidationException"), r#"{"Message":"in the past"}"#)),
        ("no group", || answer(404, Some("ResourceNotFoundException"), r#"{"Message":"no group"}"#)),
        ("too many", || answer(402, Some("ServiceQuotaExceededException"), r#"{"Message":"quota"}"#)),
        ("permission", || answer(403, Some("AccessDeniedException"), "{}")),
        ("signature", || answer(403, Some("InvalidSignatureException"), "{}")),
    ];
    for (answers, is_temporary) in [(&temporary[..], true), (&permanent[..], false)] {
        for (name, answer) in answers {
            let error = timers(*answer).0.timer_set(&timer()).await.expect_err(name);
            assert_eq!(matches!(error, TimersError::Unavailable(_)), is_temporary, "{name}: {error:?}");
        }
    }
}

#[test]
fn a_time_is_rounded_up_to_the_second() {
    for (at, expression) in [
        ("2026-01-05T00:11:00Z", "at(2026-01-05T00:11:00)"),
        ("2026-01-05T00:11:00.000000001Z", "at(2026-01-05T00:11:01)"),
        ("2026-12-31T23:59:59.9Z", "at(2027-01-01T00:00:00)"),
    ] {
        assert_eq!(at_expression(at.parse().unwrap()), expression);
    }
}
