//! EventBridge's default bus: rules of the template that pass events to functions.
//!
//! EventBridge only passes an event to Lambda, which queues it. So a function that fails is retried by Lambda's rules for
//! asynchronous invocations: once after one minute, and once more after two.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
//! EventBridge delivers an event at least once, and in no order.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html>
//!
//! Nothing is delivered by itself: [`EventBus::deliver`] delivers what is due on the movable clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::Clock;
use crate::function::Functions;
use crate::schedules::ASYNCHRONOUS_RETRY_DELAYS;
use crate::streams::{FailedBatch, OnFailure};
use crate::template::{EventRule, Template};

/// The rules of the template, and the events on their way.
pub struct EventBus {
    rules: Vec<EventRule>,
    functions: Functions,
    clock: Clock,
    on_failure: OnFailure,
    is_delivering_twice: AtomicBool,
    agenda: Mutex<Agenda>,
}

#[derive(Default)]
struct Agenda {
    /// Ordered by time, then by entry.
    tries: BTreeMap<(Timestamp, u64), Try>,
    entered: u64,
}

struct Try {
    function: String,
    event: Arc<Value>,
    request_id: String,
    failures: u32,
}

impl Agenda {
    fn enter(&mut self, due: Timestamp, attempt: Try) {
        self.entered += 1;
        self.tries.insert((due, self.entered), attempt);
    }
}

impl EventBus {
    /// A bus with every rule of the template.
    #[must_use]
    pub fn new(template: &Template, functions: Functions, clock: Clock, on_failure: OnFailure) -> Self {
        let rules = template.event_rules.clone();
        let is_delivering_twice = AtomicBool::new(false);
        Self { rules, functions, clock, on_failure, is_delivering_twice, agenda: Mutex::default() }
    }

    /// From now on, delivers each event twice, as EventBridge may do.
    pub fn deliver_twice(&self, twice: bool) {
        self.is_delivering_twice.store(twice, Ordering::Relaxed);
    }

    /// Puts events on the bus. Those that no rule matches are dropped.
    pub async fn put(&self, events: Vec<Value>) {
        let mut agenda = self.agenda.lock().await;
        let copies = if self.is_delivering_twice.load(Ordering::Relaxed) { 2 } else { 1 };
        for event in events.into_iter().map(Arc::new) {
            for rule in self.rules.iter().filter(|rule| rule.pattern.matches(&event)) {
                for _ in 0..copies {
                    let (function, request_id) = (rule.function.clone(), Uuid::now_v7().to_string());
                    let attempt = Try { function, event: Arc::clone(&event), request_id, failures: 0 };
                    agenda.enter((self.clock)(), attempt);
                }
            }
        }
    }

    /// Delivers everything that is due now. Returns the number of invocations.
    pub async fn deliver(&self) -> usize {
        let mut agenda = self.agenda.lock().await;
        let mut invocations = 0;
        while let Some(entry) = agenda.tries.first_entry().filter(|entry| entry.key().0 <= (self.clock)()) {
            let ((due, _), attempt) = entry.remove_entry();
            invocations += 1;
            let (payload, request_id) = (Value::clone(&attempt.event), attempt.request_id.clone());
            let Err(error) = self.functions.invoke_as(&attempt.function, payload, request_id).await else { continue };
            let retries = self.functions.configuration(&attempt.function).map_or(0, |known| known.asynchronous_retries);
            let delay = (attempt.failures < retries)
                .then(|| usize::try_from(attempt.failures).ok().and_then(|tries| ASYNCHRONOUS_RETRY_DELAYS.get(tries)))
                .flatten();
            match delay {
                Some(delay) => {
                    tracing::warn!(function = attempt.function, %error, "an event is tried again");
                    let retry_at = due.checked_add(*delay).unwrap_or(Timestamp::MAX);
                    agenda.enter(retry_at, Try { failures: attempt.failures + 1, ..attempt });
                }
                None => (self.on_failure)(FailedBatch {
                    function: attempt.function,
                    records: vec![Value::clone(&attempt.event)],
                    reason: error.to_string(),
                }),
            }
        }
        invocations
    }
}

#[cfg(test)]
#[path = "event_bus_tests.rs"]
mod tests;
