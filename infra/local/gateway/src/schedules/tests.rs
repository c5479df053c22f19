use std::convert::Infallible;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex as StdMutex};

use lambda_runtime::{LambdaEvent, service_fn};

use super::*;
use crate::function::{Function, Invocation};
use crate::{Deployment, in_process};

const TEMPLATE: &str = include_str!("../../tests/fixtures/template.yaml");
const START: &str = "2026-11-22T07:45:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedules(sweep: Arc<dyn Function>) -> Schedules {
    schedules_of(TEMPLATE, sweep)
}

fn schedules_of(yaml: &str, sweep: Arc<dyn Function>) -> Schedules {
    let parameters = BTreeMap::from([("JwtIssuer".to_owned(), String::new())]);
    let template = Template::parse(yaml, &Deployment { parameters, ..Deployment::default() }).unwrap();
    let idle = in_process::event(service_fn(async |_: LambdaEvent<Value>| Ok::<_, Infallible>(())));
    let by_binary = [("pets", Arc::clone(&idle)), ("sweep", sweep), ("watcher", idle)];
    let by_binary = by_binary.into_iter().map(|(name, function)| (name.to_owned(), function)).collect();
    let clock: Clock = Arc::new(|| at(START));
    let functions = Functions::new(&template, by_binary, Arc::clone(&clock)).unwrap();
    Schedules::new(&template, functions, clock).unwrap()
}

/// Fails with each of the errors in turn, then answers with the payload. Records the request ids.
struct Script {
    errors: StdMutex<Vec<FunctionError>>,
    request_ids: Arc<StdMutex<Vec<String>>>,
}

impl Script {
    fn function(mut errors: Vec<FunctionError>) -> (Arc<dyn Function>, Arc<StdMutex<Vec<String>>>) {
        errors.reverse();
        let request_ids = Arc::default();
        (Arc::new(Self { errors: StdMutex::new(errors), request_ids: Arc::clone(&request_ids) }), request_ids)
    }
}

impl Function for Script {
    fn invoke(&self, invocation: Invocation) -> futures::future::BoxFuture<'_, Result<Value, FunctionError>> {
        self.request_ids.lock().unwrap().push(invocation.request_id);
        let error = self.errors.lock().unwrap().pop();
        Box::pin(async move { error.map_or(Ok(invocation.payload), Err) })
    }
}

fn failed() -> FunctionError {
    FunctionError::Reported { error_type: "E".to_owned(), error_message: String::new() }
}

fn unavailable() -> FunctionError {
    FunctionError::Unavailable { reason: String::new() }
}

fn summary(runs: &[Run]) -> Vec<(String, String, u32, bool)> {
    runs.iter().map(|run| (run.schedule.clone(), run.due.to_string(), run.attempt, run.result.is_ok())).collect()
}

fn ran(schedule: &str, due: &str, attempt: u32, succeeded: bool) -> (String, String, u32, bool) {
    (schedule.to_owned(), due.to_owned(), attempt, succeeded)
}

#[tokio::test]
async fn what_is_due_runs_in_order_and_only_once() {
    let schedules = schedules(Script::function(vec![]).0);
    assert_eq!(schedules.next_due().await, Some(at(START)));
    let runs = schedules.advance_to(at("2026-11-22T08:15:00Z")).await;
    assert_eq!(
        summary(&runs),
        [
            ran("SweepHalfHourly", START, 1, true),
            ran("daily", "2026-11-22T08:00:00Z", 1, true),
            ran("SweepHalfHourly", "2026-11-22T08:15:00Z", 1, true),
        ]
    );
    assert_eq!(schedules.advance_to(at("2026-11-22T08:15:00Z")).await, []);
    assert_eq!(schedules.advance_to(at(START)).await, []);
    assert_eq!(schedules.next_due().await, Some(at("2026-11-22T08:45:00Z")));
}

#[tokio::test]
async fn without_input_the_function_receives_the_schedulers_event() {
    let schedules = schedules(Script::function(vec![]).0);
    let runs = schedules.advance_to(at(START)).await;
    let mut payload = runs[0].result.clone().unwrap();
    assert!(payload["id"].take().is_string());
    assert_eq!(
        payload,
        json!({
            "version": "0",
            "id": null,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": "000000000000",
            "time": "2026-11-22T07:45:00Z",
            "region": "us-east-1",
            "resources": ["arn:aws:scheduler:us-east-1:000000000000:schedule/default/SweepHalfHourly"],
            "detail": "{}",
        })
    );
}

#[tokio::test]
async fn an_input_is_sent_with_its_context_attributes() {
    let schedules = schedules(Script::function(vec![]).0);
    let runs = schedules.advance_to(at("2026-11-22T08:00:00Z")).await;
    assert_eq!(runs[1].result, Ok(json!({ "at": "2026-11-22T08:00:00Z" })));
}

#[tokio::test]
async fn a_failed_function_is_tried_again_as_often_as_lambda_would() {
    let (sweep, request_ids) = Script::function(vec![failed(), failed()]);
    let schedules = schedules(sweep);
    let first = schedules.advance_to(at("2026-11-22T07:45:59Z")).await;
    assert_eq!(summary(&first), [ran("SweepHalfHourly", START, 1, false)]);
    assert_eq!(first[0].retry_at, Some(at("2026-11-22T07:46:00Z")));
    // The template allows one retry.
    let second = schedules.advance_to(at("2026-11-22T07:59:00Z")).await;
    assert_eq!(summary(&second), [ran("SweepHalfHourly", "2026-11-22T07:46:00Z", 2, false)]);
    assert_eq!(second[0].retry_at, None);
    let request_ids = request_ids.lock().unwrap();
    assert_eq!(request_ids[0], request_ids[1]);
}

#[tokio::test]
async fn two_retries_wait_one_and_two_minutes_unless_the_event_grows_too_old() {
    for (configuration, tries) in [
        ("{ MaximumRetryAttempts: 2 }", &["07:45:00", "07:46:00", "07:48:00"][..]),
        ("{ MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 60 }", &["07:45:00", "07:46:00"]),
        ("{ MaximumRetryAttempts: 0 }", &["07:45:00"]),
    ] {
        let yaml = TEMPLATE.replace("{ MaximumRetryAttempts: 1 }", configuration);
        let schedules = schedules_of(&yaml, Script::function(vec![failed(); 3]).0);
        let runs = schedules.advance_to(at("2026-11-22T07:59:00Z")).await;
        let due: Vec<_> = runs.iter().map(|run| run.due.strftime("%H:%M:%S").to_string()).collect();
        assert_eq!(due, tries, "{configuration}");
    }
}

#[tokio::test]
async fn the_schedules_own_retry_policy_counts_where_the_function_was_not_reached() {
    let schedules = schedules(Script::function(vec![unavailable(); 4]).0);
    let runs = schedules.advance_to(at("2026-11-22T07:59:00Z")).await;
    // Three retries as in the template, and none of them counts as one of Lambda's.
    assert_eq!(runs.len(), 4);
    assert_eq!(runs.last().unwrap().retry_at, None);
}

#[tokio::test]
async fn an_invocation_may_be_delivered_twice_under_one_id() {
    let (sweep, request_ids) = Script::function(vec![]);
    let schedules = schedules(sweep);
    schedules.deliver_twice(true);
    assert_eq!(schedules.advance_to(at(START)).await.len(), 2);
    let request_ids = request_ids.lock().unwrap().clone();
    assert_eq!((request_ids.len(), &request_ids[0]), (2, &request_ids[1]));
}

#[tokio::test]
async fn a_function_can_be_run_at_once() {
    let schedules = schedules(Script::function(vec![]).0);
    let payload = schedules.run_now("sweep").await.unwrap();
    assert_eq!((&payload["source"], &payload["time"]), (&json!("aws.scheduler"), &json!(START)));
    for binary in ["pets", "nobody"] {
        assert!(matches!(schedules.run_now(binary).await, Err(FunctionError::Unknown { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_background_the_clock_is_asked_at_every_tick() {
    let (sweep, request_ids) = Script::function(vec![]);
    let schedules = schedules(sweep);
    let ticking = tokio::time::timeout(Duration::from_secs(3), schedules.run(Duration::from_secs(1))).await;
    assert!(ticking.is_err());
    assert_eq!(request_ids.lock().unwrap().len(), 1);
}

/// Schedules created at run time, as a stand-in stores them.
#[derive(Clone, Default)]
struct Made(Arc<StdMutex<Vec<OneTime>>>);

impl Made {
    fn make(&self, name: &str, due: &str, target_arn: &str) {
        self.0.lock().unwrap().push(OneTime {
            name: name.to_owned(),
            arn: format!("arn:{name}"),
            due: at(due),
            target_arn: target_arn.to_owned(),
            input: Some(r#"{"name":"<aws.scheduler.schedule-arn>"}"#.to_owned()),
            retries: 1,
            event_age_max: Duration::from_secs(60),
        });
    }
}

impl OneTimeSource for Made {
    fn next_due(&self) -> Option<Timestamp> {
        self.0.lock().unwrap().iter().map(|one_time| one_time.due).min()
    }

    fn take_due(&self, now: Timestamp) -> Option<OneTime> {
        let mut waiting = self.0.lock().unwrap();
        let position = waiting.iter().position(|one_time| one_time.due <= now)?;
        Some(waiting.remove(position))
    }
}

const SWEEP_ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:local-Sweep";

#[tokio::test]
async fn what_functions_asked_for_fires_once_in_order_with_the_rest() {
    let made = Made::default();
    let schedules = schedules(Script::function(vec![]).0).with_one_time(Arc::new(made.clone()));
    schedules.advance_to(at(START)).await;
    made.make("second", "2026-11-22T08:00:01Z", SWEEP_ARN);
    made.make("first", "2026-11-22T07:59:59Z", SWEEP_ARN);
    assert_eq!(schedules.next_due().await, Some(at("2026-11-22T07:59:59Z")));
    let runs = schedules.advance_to(at("2026-11-22T08:10:00Z")).await;
    assert_eq!(
        summary(&runs),
        [
            ran("first", "2026-11-22T07:59:59Z", 1, true),
            ran("daily", "2026-11-22T08:00:00Z", 1, true),
            ran("second", "2026-11-22T08:00:01Z", 1, true),
        ]
    );
    assert_eq!(runs[0].result, Ok(json!({ "name": "arn:first" })));
    assert_eq!(schedules.advance_to(at("2026-11-22T08:14:59Z")).await, []);
}

#[tokio::test]
async fn what_a_run_asks_for_on_the_way_runs_on_the_way() {
    /// Requests another run a minute later, three times.
    struct Chain(Made, StdMutex<u32>);

    impl Function for Chain {
        fn invoke(&self, _: Invocation) -> futures::future::BoxFuture<'_, Result<Value, FunctionError>> {
            let mut count = self.1.lock().unwrap();
            *count += 1;
            if *count <= 3 {
                self.0.make(&format!("part {count}"), &format!("2026-11-22T07:4{}:00Z", 5 + *count), SWEEP_ARN);
            }
            Box::pin(async { Ok(Value::Null) })
        }
    }

    let made = Made::default();
    let sweep = Arc::new(Chain(made.clone(), StdMutex::default()));
    let schedules = schedules(sweep).with_one_time(Arc::new(made));
    let runs = schedules.advance_to(at("2026-11-22T07:50:00Z")).await;
    let names: Vec<_> = runs.iter().map(|run| run.schedule.as_str()).collect();
    assert_eq!(names, ["SweepHalfHourly", "part 1", "part 2", "part 3"]);
}

#[tokio::test]
async fn a_one_time_schedule_for_nobody_is_refused_as_often_as_its_own_policy_allows() {
    let made = Made::default();
    made.make("lost", START, "arn:aws:lambda:us-east-1:000000000000:function:nobody");
    let schedules = schedules(Script::function(vec![]).0).with_one_time(Arc::new(made));
    let runs = schedules.advance_to(at("2026-11-22T07:59:00Z")).await;
    let lost: Vec<_> = runs.iter().filter(|run| run.schedule == "lost").collect();
    assert_eq!(lost.len(), 2);
    assert!(lost.iter().all(|run| matches!(run.result, Err(FunctionError::Unknown { .. }))), "{lost:?}");
}

// R31
#[tokio::test]
async fn a_clock_moved_by_days_runs_over_nothing_once_and_over_changes_as_often_as_they_come() {
    let count = Arc::new(AtomicU64::new(0));
    for (changes_per_reading, runs_of_the_rate) in [(0, 1), (1, 48 * 30 + 1)] {
        let counted = Arc::clone(&count);
        let schedules = schedules(Script::function(vec![]).0)
            .leaving_out_idle_runs(Arc::new(move || counted.fetch_add(changes_per_reading, Ordering::Relaxed)));
        let runs = schedules.advance_to(at("2026-12-22T07:45:00Z")).await;
        let of_the_rate = runs.iter().filter(|run| run.schedule == "SweepHalfHourly").count();
        assert_eq!(of_the_rate, runs_of_the_rate, "{changes_per_reading}");
        assert_eq!(schedules.next_due().await, Some(at("2026-12-22T08:00:00Z")), "the other schedule's");
    }
}

// R31
#[tokio::test]
async fn a_failed_run_is_never_taken_for_an_idle_one() {
    let schedules = schedules(Script::function(vec![failed(); 2]).0).leaving_out_idle_runs(Arc::new(|| 0));
    let runs = schedules.advance_to(at("2026-11-22T10:00:00Z")).await;
    let of_the_rate: Vec<_> = runs.iter().filter(|run| run.schedule == "SweepHalfHourly").collect();
    assert_eq!(of_the_rate.iter().filter(|run| run.result.is_err()).count(), 2);
    assert_eq!(of_the_rate.iter().filter(|run| run.result.is_ok()).count(), 1);
}

/// R31: a clock that is moved by days shows once a day how far it has come.
#[test]
fn a_clock_moved_by_days_says_once_a_day_how_far_it_has_come() {
    let mut progress = Progress::default();
    let start = at("2026-11-22T12:00:00Z");
    let mut told = |half_hours: std::ops::Range<i64>| {
        half_hours.filter(|number| progress.is_due(start + SignedDuration::from_mins(30 * number))).count()
    };
    assert_eq!(told(0..47), 0, "less than a day takes no time");
    assert_eq!(told(47..48 * 3 + 1), 3);
}
