//! EventBridge Scheduler: recurring schedules from the template, and one-time schedules that functions create at run
//! time ([`OneTimeSource`]).
//!
//! Nothing runs by itself. [`Schedules::advance_to`] runs what is due on the movable clock, in order, and returns what
//! ran. [`Schedules::run`] does the same in real time.
//!
//! The scheduler only passes an invocation to Lambda, which queues it. So its retry policy applies only if the function
//! could not be reached. A function that failed is retried by Lambda's rules for asynchronous invocations.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

mod calendar;
mod expression;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

pub use expression::{Expression, ExpressionError};

use crate::Clock;
use crate::function::{FunctionError, Functions};
use crate::template::{Schedule, Template};

/// Lambda waits one minute before the first retry of an asynchronous invocation, and two before the last one.
pub(crate) const ASYNCHRONOUS_RETRY_DELAYS: [SignedDuration; 2] =
    [SignedDuration::from_mins(1), SignedDuration::from_mins(2)];

/// The one-time schedules that were created at run time.
pub trait OneTimeSource: Send + Sync {
    /// When the next one is due.
    fn next_due(&self) -> Option<Timestamp>;

    /// The earliest one that is due by `now`. It is not returned again.
    fn take_due(&self, now: Timestamp) -> Option<OneTime>;
}

/// A schedule that fires once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTime {
    pub name: String,
    pub arn: String,
    pub due: Timestamp,
    pub target_arn: String,
    /// The function's payload; `None` for the scheduler's own event.
    pub input: Option<String>,
    /// How many times an invocation is retried if it could not reach the function.
    pub retries: u32,
    pub event_age_max: Duration,
}

/// Increases with every possible effect of a function.
pub type ChangeCount = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The template's schedules, and the due invocations of these schedules and of those created at run time.
pub struct Schedules {
    schedules: Vec<Arc<Planned>>,
    one_time: Option<Arc<dyn OneTimeSource>>,
    functions: Functions,
    clock: Clock,
    account_id: String,
    region: String,
    is_delivering_twice: AtomicBool,
    /// The functions whose schedules are left out.
    left_out: std::sync::Mutex<BTreeSet<String>>,
    changes: Option<ChangeCount>,
    agenda: Mutex<Agenda>,
}

/// The result of one invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The name of the schedule.
    pub schedule: String,
    /// The logical id of the function.
    pub function: String,
    /// When this try was due.
    pub due: Timestamp,
    /// Counted from 1.
    pub attempt: u32,
    pub result: Result<Value, FunctionError>,
    /// When it is retried; `None` after a success and if it was given up.
    pub retry_at: Option<Timestamp>,
}

#[derive(Default)]
struct Agenda {
    /// Ordered by time, then by entry.
    tries: BTreeMap<(Timestamp, u64), Try>,
    entered: u64,
}

/// A schedule and its next time, if it has one.
struct Planned {
    schedule: Schedule,
    expression: Option<Expression>,
}

#[derive(Clone)]
struct Try {
    planned: Arc<Planned>,
    scheduled: Timestamp,
    execution_id: String,
    /// Earlier tries that did not reach the function.
    refusals: u32,
    /// Earlier tries in which the function failed.
    failures: u32,
}

impl Agenda {
    fn enter(&mut self, due: Timestamp, attempt: Try) {
        self.entered += 1;
        self.tries.insert((due, self.entered), attempt);
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.tries.first_key_value().map(|((due, _), _)| *due)
    }

    fn take_due(&mut self, now: Timestamp) -> Option<(Timestamp, Try)> {
        let entry = self.tries.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((due, _), attempt) = entry.remove_entry();
        Some((due, attempt))
    }
}

/// Logs the progress of the clock, because a move of several days may take a while.
#[derive(Default)]
struct Progress {
    last_told: Option<Timestamp>,
}

impl Progress {
    /// Whether a day has passed since the last message.
    fn is_due(&mut self, due: Timestamp) -> bool {
        let day = SignedDuration::from_hours(24);
        let is_due = due.duration_since(*self.last_told.get_or_insert(due)) >= day;
        if is_due {
            self.last_told = Some(due);
        }
        is_due
    }
}

impl Schedules {
    /// Every schedule of the template, created now on the clock.
    ///
    /// # Errors
    /// If an expression never fires. Reading the template has already refused invalid ones.
    pub fn new(template: &Template, functions: Functions, clock: Clock) -> Result<Self, ExpressionError> {
        let mut agenda = Agenda::default();
        let mut schedules = Vec::new();
        for schedule in &template.schedules {
            let (expression, first) = Expression::parse_from(&schedule.expression, clock())?;
            let planned = Arc::new(Planned { schedule: schedule.clone(), expression: Some(expression) });
            agenda.enter(first, Try::new(&planned, first));
            schedules.push(planned);
        }
        Ok(Self {
            schedules,
            one_time: None,
            functions,
            clock,
            account_id: template.account_id.clone(),
            region: template.region.clone(),
            is_delivering_twice: AtomicBool::new(false),
            left_out: std::sync::Mutex::default(),
            changes: None,
            agenda: Mutex::new(agenda),
        })
    }

    /// Also fires the schedules of this source.
    #[must_use]
    pub fn with_one_time(self, source: Arc<dyn OneTimeSource>) -> Self {
        Self { one_time: Some(source), ..self }
    }

    /// Skips repetitions of a run that changed nothing by this count, while nothing else changes either.
    ///
    /// A schedule that is due hundreds of times in one move of the clock has the same effect with and without this,
    /// since all its runs happen at the same instant.
    #[must_use]
    pub fn leaving_out_idle_runs(self, changes: ChangeCount) -> Self {
        Self { changes: Some(changes), ..self }
    }

    /// As if every schedule were created now: what was due before does not run any more.
    pub async fn begin_anew(&self) {
        let mut agenda = Agenda::default();
        for planned in &self.schedules {
            let first = planned.expression.as_ref().and_then(|expression| expression.first((self.clock)()));
            first.into_iter().for_each(|first| agenda.enter(first, Try::new(planned, first)));
        }
        *self.agenda.lock().await = agenda;
    }

    /// From now on, delivers each invocation twice, as both services may do.
    pub fn deliver_twice(&self, twice: bool) {
        self.is_delivering_twice.store(twice, Ordering::Relaxed);
    }

    /// From now on, the schedules of the function built from `binary` fire without running it.
    pub fn leave_out(&self, binary: &str) {
        let function = self.functions.logical_id_of_binary(binary).map(str::to_owned);
        self.left_out.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(function);
    }

    fn is_left_out(&self, function: &str) -> bool {
        self.left_out.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains(function)
    }

    /// When something is due next, so that a test can move the clock exactly to it.
    pub async fn next_due(&self) -> Option<Timestamp> {
        let of_template = self.agenda.lock().await.next_due();
        let of_functions = self.one_time.as_ref().and_then(|source| source.next_due());
        of_template.into_iter().chain(of_functions).min()
    }

    /// Runs everything that is due until `now`, one after the other in order of time, and returns what ran.
    ///
    /// A schedule that was due several times runs as many times, except for the idle runs that are skipped. If a run
    /// creates something that is due by `now`, that runs as well.
    pub async fn advance_to(&self, now: Timestamp) -> Vec<Run> {
        let mut agenda = self.agenda.lock().await;
        let mut runs = Vec::new();
        let mut idle = BTreeMap::new();
        let mut progress = Progress::default();
        loop {
            self.enter_one_time(&mut agenda, now);
            let Some((due, attempt)) = agenda.take_due(now) else { break };
            if progress.is_due(due) {
                tracing::info!(schedules.at = %due, schedules.until = %now, schedules.runs = runs.len(), "the clock moves on");
            }
            let expression = attempt.planned.expression.as_ref().filter(|_| attempt.is_first());
            if let Some(next) = expression.and_then(|expression| expression.after(due)) {
                agenda.enter(next, Try::new(&attempt.planned, next));
            }
            if self.is_left_out(&attempt.planned.schedule.function) {
                continue;
            }
            let before = self.changes.as_ref().map(|count| count());
            if before.is_some() && attempt.is_first() && idle.get(&attempt.planned.schedule.name) == before.as_ref() {
                continue;
            }
            let copies = if self.is_delivering_twice.load(Ordering::Relaxed) { 2 } else { 1 };
            for _ in 0..copies {
                let run = self.attempt(due, &attempt).await;
                if let (Some(retry_at), Err(error)) = (run.retry_at, &run.result) {
                    agenda.enter(retry_at, attempt.after(error));
                }
                if let Some(before) = before.filter(|_| run.result.is_ok()) {
                    idle.insert(run.schedule.clone(), before);
                }
                runs.push(run);
            }
        }
        runs
    }

    /// Adds the due schedules that functions have created.
    fn enter_one_time(&self, agenda: &mut Agenda, now: Timestamp) {
        let Some(source) = &self.one_time else { return };
        while let Some(one_time) = source.take_due(now) {
            let OneTime { name, arn, due, target_arn, input, retries, event_age_max } = one_time;
            // If the function does not exist, the invocation is refused, as by Lambda.
            let function = self.functions.logical_id_of_arn(&target_arn).map_or(target_arn.clone(), str::to_owned);
            let expression = format!("at({due})");
            let schedule = Schedule { name, arn, expression, function, input, retries, event_age_max };
            agenda.enter(due, Try::new(&Arc::new(Planned { schedule, expression: None }), due));
        }
    }

    /// Runs the function built from `binary` once and now, as its first schedule would.
    ///
    /// # Errors
    /// If the function failed or has no schedule.
    pub async fn run_now(&self, binary: &str) -> Result<Value, FunctionError> {
        let unknown = || FunctionError::Unknown { name: binary.to_owned() };
        let function = self.functions.logical_id_of_binary(binary).ok_or_else(unknown)?;
        let planned = self.schedules.iter().find(|planned| planned.schedule.function == function);
        let attempt = Try::new(planned.ok_or_else(unknown)?, (self.clock)());
        self.functions.invoke(function, self.payload(&attempt)).await
    }

    /// Runs what is due on the clock every `interval` until the future is dropped.
    pub async fn run(&self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        loop {
            ticks.tick().await;
            for run in self.advance_to((self.clock)()).await {
                match &run.result {
                    Ok(_) => tracing::info!(schedule = run.schedule, "ran on schedule"),
                    Err(error) => tracing::error!(schedule = run.schedule, %error, "failed on schedule"),
                }
            }
        }
    }

    async fn attempt(&self, due: Timestamp, attempt: &Try) -> Run {
        let schedule = &attempt.planned.schedule;
        let payload = self.payload(attempt);
        let result = self.functions.invoke_as(&schedule.function, payload, attempt.execution_id.clone()).await;
        let retry_at = result.as_ref().err().and_then(|error| self.retry_at(due, attempt, error));
        Run {
            schedule: schedule.name.clone(),
            function: schedule.function.clone(),
            due,
            attempt: attempt.number(),
            result,
            retry_at,
        }
    }

    fn retry_at(&self, due: Timestamp, attempt: &Try, error: &FunctionError) -> Option<Timestamp> {
        let schedule = &attempt.planned.schedule;
        let (delay, age_max) = if error.is_refusal() {
            if attempt.refusals >= schedule.retries {
                return None;
            }
            // The scheduler backs off exponentially. The limit is not documented.
            (SignedDuration::from_secs(1 << attempt.refusals.min(6)), schedule.event_age_max)
        } else {
            let configuration = self.functions.configuration(&schedule.function)?;
            if attempt.failures >= configuration.asynchronous_retries {
                return None;
            }
            let delay = ASYNCHRONOUS_RETRY_DELAYS.get(usize::try_from(attempt.failures).ok()?)?;
            (*delay, configuration.asynchronous_age_max)
        };
        let retry_at = due.checked_add(delay).ok()?;
        let age = Duration::try_from(retry_at.duration_since(attempt.scheduled)).ok()?;
        (age <= age_max).then_some(retry_at)
    }

    /// The schedule's input with its context attributes filled in, or the scheduler's own event.
    ///
    /// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
    fn payload(&self, attempt: &Try) -> Value {
        let schedule = &attempt.planned.schedule;
        let time = attempt.scheduled.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let Some(input) = &schedule.input else {
            return json!({
                "version": "0",
                "id": attempt.execution_id,
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": self.account_id,
                "time": time,
                "region": self.region,
                "resources": [schedule.arn],
                "detail": "{}",
            });
        };
        let input = input
            .replace("<aws.scheduler.schedule-arn>", &schedule.arn)
            .replace("<aws.scheduler.scheduled-time>", &time)
            .replace("<aws.scheduler.execution-id>", &attempt.execution_id)
            .replace("<aws.scheduler.attempt-number>", &attempt.number().to_string());
        serde_json::from_str(&input).unwrap_or(Value::String(input))
    }
}

impl Try {
    fn new(planned: &Arc<Planned>, scheduled: Timestamp) -> Self {
        let planned = Arc::clone(planned);
        Self { planned, scheduled, execution_id: Uuid::now_v7().to_string(), refusals: 0, failures: 0 }
    }

    fn is_first(&self) -> bool {
        self.number() == 1
    }

    fn number(&self) -> u32 {
        self.refusals + self.failures + 1
    }

    fn after(&self, error: &FunctionError) -> Self {
        let refused = u32::from(error.is_refusal());
        Self { refusals: self.refusals + refused, failures: self.failures + 1 - refused, ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
