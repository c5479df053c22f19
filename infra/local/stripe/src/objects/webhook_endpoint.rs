//! Where events are sent: <https://docs.stripe.com/api/webhook_endpoints>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::event::matches_kind;
use crate::error::ApiError;
use crate::parameters::{Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters, required};
use crate::state::{API_VERSION, Resource, State};
use crate::webhooks::WebhookTarget;

pub(crate) struct WebhookEndpoint {
    id: String,
    created: i64,
    pub(crate) target: WebhookTarget,
    pub(crate) secret: String,
    enabled_events: Vec<String>,
    description: Option<String>,
    is_disabled: bool,
    metadata: Metadata,
}

impl WebhookEndpoint {
    pub(crate) fn wants(&self, kind: &str) -> bool {
        !self.is_disabled && self.enabled_events.iter().any(|pattern| matches_kind(pattern, kind))
    }
}

impl Resource for WebhookEndpoint {
    const NAME: &'static str = "webhook_endpoint";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": API_VERSION,
            "application": null,
            "created": self.created,
            "description": self.description,
            "enabled_events": self.enabled_events,
            "livemode": false,
            "metadata": self.metadata,
            "status": if self.is_disabled { "disabled" } else { "enabled" },
            "url": self.target.url(),
        })
    }
}

pub(crate) fn insert(
    state: &mut State,
    target: WebhookTarget,
    secret: Option<String>,
    enabled_events: Vec<String>,
) -> String {
    let id = state.ids.next("we_");
    let secret = secret.unwrap_or_else(|| format!("whsec_{}", state.ids.token(32)));
    let endpoint = WebhookEndpoint {
        id: id.clone(),
        created: state.now_seconds(),
        target,
        secret,
        enabled_events,
        description: None,
        is_disabled: false,
        metadata: Metadata::new(),
    };
    state.webhook_endpoints.insert(&id, endpoint);
    id
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    url: Option<String>,
    enabled_events: Option<Vec<String>>,
    description: Option<String>,
    metadata: Option<MetadataChange>,
    disabled: Option<bool>,
    api_version: Option<String>,
}

/// The secret is shown only here.
pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let fields: Fields = parse(encoded)?;
    let url = required(fields.url, "url")?;
    let enabled_events = required(fields.enabled_events, "enabled_events")?;
    if fields.api_version.as_deref().is_some_and(|version| version != API_VERSION) {
        let message = format!("Only {API_VERSION} is simulated.");
        return Err(ApiError::invalid_parameter("parameter_invalid", "api_version", message));
    }
    let metadata = merge_metadata(&Metadata::new(), fields.metadata)?;
    let id = insert(state, WebhookTarget::Url(url), None, enabled_events);
    let endpoint = state.webhook_endpoints.get_mut(&id)?;
    endpoint.metadata = metadata;
    endpoint.description = fields.description;
    let secret = endpoint.secret.clone();
    let mut object = state.render(&id);
    object["secret"] = json!(secret);
    Ok(object)
}

pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let fields: Fields = parse(encoded)?;
    let endpoint = state.webhook_endpoints.get_mut(id)?;
    endpoint.metadata = merge_metadata(&endpoint.metadata, fields.metadata)?;
    if let Some(url) = fields.url {
        endpoint.target = WebhookTarget::Url(url);
    }
    if let Some(enabled_events) = fields.enabled_events {
        endpoint.enabled_events = enabled_events;
    }
    endpoint.is_disabled = fields.disabled.unwrap_or(endpoint.is_disabled);
    Ok(state.render(id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.webhook_endpoints.get(id)?.render(state))
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    parse_filters::<NoParameters>(encoded)?;
    state.list(&state.webhook_endpoints, &Page::parse(encoded)?, "/v1/webhook_endpoints", |_| true)
}

pub(crate) fn delete(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    state.webhook_endpoints.get(id)?;
    state.webhook_endpoints.remove(id);
    state.deliveries.forget_endpoint(id);
    Ok(json!({ "id": id, "object": "webhook_endpoint", "deleted": true }))
}
