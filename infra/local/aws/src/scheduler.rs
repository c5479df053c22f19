//! EventBridge Scheduler: accepts one-time schedules and keeps them until they are due. The caller gets them with
//! [`LocalScheduler::take_due`] and fires them; nothing fires by itself.
//!
//! Only `CreateSchedule` is supported, with the expression `at(…)` in UTC and without a flexible window. Everything
//! else that the service would accept is refused as invalid, with a message that says so. AWS does not document that a
//! time in the past is refused; this is the harsher interpretation of reports about the service.
//! After firing, a schedule with the `ActionAfterCompletion` `NONE` keeps its name, and one with `DELETE` is removed;
//! the real service deletes it a little later.
//!
//! See <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>.

mod create_schedule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use serde_json::json;

use crate::Clock;
use crate::wire::{self, Door, Loss, WireAnswer, WireRequest};
use create_schedule::Created;

pub(crate) const PATH_PREFIX: &str = "/schedules/";

/// The schedules of one AWS account. Clones share them.
#[derive(Clone)]
pub struct LocalScheduler {
    clock: Clock,
    groups: Arc<BTreeSet<String>>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By group and name.
    schedules: BTreeMap<(String, String), Created>,
    faults: VecDeque<SchedulerFault>,
}

/// A schedule that fires once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeSchedule {
    pub group: String,
    pub name: String,
    pub arn: String,
    /// The time at which it is due, to the second.
    pub at: Timestamp,
    pub target_arn: String,
    /// The payload for the target; `None` for the service's own event.
    pub input: Option<String>,
    /// 0–185.
    pub retries: u32,
    /// 60–86,400.
    pub event_age_max_seconds: u32,
}

/// What happens to one `CreateSchedule` instead of a normal answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerFault {
    /// `ThrottlingException`, status 429; nothing is created.
    Throttle,
    /// `InternalServerException`, status 500; nothing is created.
    InternalServerError,
    /// Nothing is created, and no answer arrives.
    LoseRequest(Loss),
    /// The schedule is created, and no answer arrives.
    LoseAnswer(Loss),
}

impl LocalScheduler {
    /// `groups` exist in addition to `default`.
    pub fn new(groups: impl IntoIterator<Item = impl Into<String>>, clock: Clock) -> Self {
        let groups = groups.into_iter().map(Into::into).chain(["default".to_owned()]).collect();
        Self { clock, groups: Arc::new(groups), state: Arc::default() }
    }

    /// The schedules that have not fired yet, earliest first.
    pub fn schedules(&self) -> Vec<OneTimeSchedule> {
        let state = self.state();
        let waiting = state.schedules.values().filter(|created| !created.has_fired);
        let mut schedules: Vec<_> = waiting.map(|created| created.schedule.clone()).collect();
        schedules.sort_by_key(|schedule| schedule.at);
        schedules
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedules().first().map(|schedule| schedule.at)
    }

    /// The earliest schedule that is due by `now`, which then counts as fired.
    pub fn take_due(&self, now: Timestamp) -> Option<OneTimeSchedule> {
        let mut state = self.state();
        let due = state.schedules.iter().filter(|(_, created)| !created.has_fired && created.schedule.at <= now);
        let key = due.min_by_key(|(_, created)| created.schedule.at)?.0.clone();
        let created = state.schedules.get_mut(&key)?;
        created.has_fired = true;
        let schedule = created.schedule.clone();
        if created.is_deleted_after {
            state.schedules.remove(&key);
        }
        Some(schedule)
    }

    /// Applies `fault` to the next `times` calls that carry out `CreateSchedule`.
    pub fn fail_next(&self, times: usize, fault: SchedulerFault) {
        self.state().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// An HTTP client for an SDK configuration that sends Scheduler calls here, in process.
    pub fn sdk_config_http_client(&self) -> SharedHttpClient {
        wire::http_client(self.clone())
    }

    fn create_schedule(&self, name: &str, body: &[u8]) -> Result<WireAnswer, Loss> {
        let fault = self.state().faults.pop_front();
        match fault {
            None => Ok(self.create(name, body)),
            Some(SchedulerFault::Throttle) => Ok(WireAnswer::error(429, "ThrottlingException", "Rate exceeded")),
            Some(SchedulerFault::InternalServerError) => {
                Ok(WireAnswer::error(500, "InternalServerException", "Internal error"))
            }
            Some(SchedulerFault::LoseRequest(loss)) => Err(loss),
            Some(SchedulerFault::LoseAnswer(loss)) => {
                self.create(name, body);
                Err(loss)
            }
        }
    }

    fn create(&self, name: &str, body: &[u8]) -> WireAnswer {
        let created = match create_schedule::read(name, body, (self.clock)()) {
            Ok(created) => created,
            Err(reason) => return WireAnswer::error(400, "ValidationException", &reason),
        };
        let OneTimeSchedule { group, name, arn, .. } = created.schedule.clone();
        if !self.groups.contains(&group) {
            let message = format!("Schedule group {group} does not exist.");
            return WireAnswer::error(404, "ResourceNotFoundException", &message);
        }
        let mut state = self.state();
        let key = (group, name);
        let same_token = |existing: &Created| created.token.is_some() && existing.token == created.token;
        if state.schedules.get(&key).is_some_and(|existing| !same_token(existing)) {
            let message = format!("Schedule {} already exists.", key.1);
            return WireAnswer::error(409, "ConflictException", &message);
        }
        state.schedules.entry(key).or_insert(created);
        WireAnswer::ok(&json!({ "ScheduleArn": arn }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door for LocalScheduler {
    async fn exchange(&self, request: WireRequest) -> Result<WireAnswer, Loss> {
        match (request.method.as_str(), request.path.strip_prefix(PATH_PREFIX)) {
            ("POST", Some(name)) => self.create_schedule(name, &request.body),
            _ => Ok(WireAnswer::unknown_operation()),
        }
    }
}

impl fmt::Debug for LocalScheduler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalScheduler").finish_non_exhaustive()
    }
}
