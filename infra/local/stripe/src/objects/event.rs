//! Events, kept for thirty days: <https://docs.stripe.com/api/events>.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::parameters::{CreatedRange, NoParameters, Page, parse, parse_filters};
use crate::state::{API_VERSION, Resource, State};

/// <https://docs.stripe.com/api/events/list#list_events-types>
const TYPES_MAX: usize = 20;
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) kind: String,
    /// The object at that time, and the previous values that changed.
    pub(crate) data: Value,
}

impl Resource for Event {
    const NAME: &'static str = "event";

    fn render(&self, state: &State) -> Value {
        json!({
            "id": self.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": self.data,
            "livemode": false,
            "pending_webhooks": state.deliveries.pending_of(&self.id),
            "request": { "id": null, "idempotency_key": null },
            "type": self.kind,
        })
    }
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    let event = state.events.get(id)?;
    if is_listed(state, event) { Ok(event.render(state)) } else { Err(ApiError::no_such("event", id, None)) }
}

fn is_listed(state: &State, event: &Event) -> bool {
    event.created + LISTED_FOR.as_secs() >= state.now_seconds()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    #[serde(rename = "type")]
    kind: Option<String>,
    types: Vec<String>,
    created: Option<CreatedRange>,
    delivery_success: Option<bool>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    if filters.kind.is_some() && !filters.types.is_empty() {
        return Err(ApiError::invalid_parameter("parameter_invalid", "types", "Give either type or types."));
    }
    if filters.types.len() > TYPES_MAX {
        let message = format!("Give at most {TYPES_MAX} types.");
        return Err(ApiError::invalid_parameter("parameter_invalid", "types", &message));
    }
    state.list(&state.events, &Page::parse(encoded)?, "/v1/events", |event| {
        let matches = |pattern: &str| matches_kind(pattern, &event.kind);
        is_listed(state, event)
            && filters.kind.as_deref().is_none_or(matches)
            && (filters.types.is_empty() || filters.types.iter().any(|kind| matches(kind)))
            && filters.created.is_none_or(|range| range.contains(event.created))
            && filters.delivery_success.is_none_or(|wanted| state.deliveries.all_arrived(&event.id) == wanted)
    })
}

/// A type, `*` for all types, or a type that ends with `*`, such as `invoice.*`.
pub(crate) fn matches_kind(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => kind.starts_with(beginning),
        None => pattern == kind,
    }
}
