//! Setup intents, created by Checkout in setup mode or by request: <https://docs.stripe.com/api/setup_intents>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{checkout_session, customer, payment_method};
use crate::error::ApiError;
use crate::instruments::Verdict;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters,
};
use crate::state::{Resource, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    RequiresPaymentMethod,
    RequiresAction,
    Succeeded,
    Canceled,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresAction => "requires_action",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

#[derive(Debug)]
pub(crate) struct SetupIntent {
    id: String,
    created: i64,
    customer: Option<String>,
    description: Option<String>,
    metadata: Metadata,
    payment_method: Option<String>,
    pub(crate) status: Status,
    /// This session is completed on success.
    pub(crate) checkout_session: Option<String>,
    client_secret: String,
    last_setup_error: Option<Value>,
}

impl SetupIntent {
    pub(crate) fn last_error_message(&self) -> Option<&str> {
        self.last_setup_error.as_ref().and_then(|error| error["message"].as_str())
    }
}

impl Resource for SetupIntent {
    const NAME: &'static str = "setupintent";

    fn render(&self, state: &State) -> Value {
        let next_action = (self.status == Status::RequiresAction).then(|| {
            let url = state.url(&format!("/authenticate/{}", self.id));
            json!({ "type": "redirect_to_url", "redirect_to_url": { "url": url, "return_url": null } })
        });
        json!({
            "id": self.id,
            "object": "setup_intent",
            "cancellation_reason": null,
            "client_secret": self.client_secret,
            "created": self.created,
            "customer": self.customer,
            "description": self.description,
            "last_setup_error": self.last_setup_error,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": next_action,
            "payment_method": self.payment_method,
            "payment_method_types": ["card"],
            "status": self.status.as_str(),
            "usage": "off_session",
        })
    }
}

pub(crate) fn insert(
    state: &mut State,
    customer: Option<String>,
    description: Option<String>,
    metadata: Metadata,
    checkout_session: Option<&str>,
) -> String {
    let id = state.ids.next("seti_");
    let client_secret = format!("{id}_secret_{}", state.ids.token(24));
    let intent = SetupIntent {
        id: id.clone(),
        created: state.now_seconds(),
        customer,
        description,
        metadata,
        payment_method: None,
        status: Status::RequiresPaymentMethod,
        checkout_session: checkout_session.map(str::to_owned),
        client_secret,
        last_setup_error: None,
    };
    state.setup_intents.insert(&id, intent);
    state.emit("setup_intent.created", &id);
    id
}

/// Saves a card for payments while its customer is not present. Returns the bank's refusal, if it refuses.
pub(crate) fn attempt(state: &mut State, id: &str, payment_method: &str) -> Result<Option<ApiError>, ApiError> {
    let needs_authentication = state.payment_methods.get(payment_method)?.needs_authentication(false);
    let intent = state.setup_intents.get_mut(id)?;
    intent.payment_method = Some(payment_method.to_owned());
    intent.last_setup_error = None;
    if needs_authentication {
        intent.status = Status::RequiresAction;
        state.emit("setup_intent.requires_action", id);
        return Ok(None);
    }
    verify(state, id, payment_method)
}

/// The customer returned from the bank's page.
pub(crate) fn finish_authentication(state: &mut State, id: &str, is_authenticated: bool) -> Result<(), ApiError> {
    let intent = state.setup_intents.get(id)?;
    let Some(payment_method) = intent.payment_method.clone().filter(|_| intent.status == Status::RequiresAction) else {
        let message = format!("This SetupIntent has the status {}.", intent.status.as_str());
        return Err(ApiError::invalid_state(Some("setup_intent_unexpected_state"), message));
    };
    if is_authenticated {
        return verify(state, id, &payment_method).map(drop);
    }
    let message = "The bank could not authenticate the card's holder; try again or use another card.";
    fail(state, id, ApiError::card("setup_intent_authentication_failure", None, message)).map(drop)
}

fn verify(state: &mut State, id: &str, payment_method: &str) -> Result<Option<ApiError>, ApiError> {
    let instrument = state.payment_methods.get(payment_method)?.instrument;
    if let Verdict::Decline(reason) = instrument.on_attach {
        return fail(state, id, reason.error()).map(Some);
    }
    state.payment_methods.get_mut(payment_method)?.is_set_up = true;
    let intent = state.setup_intents.get_mut(id)?;
    intent.status = Status::Succeeded;
    let session = intent.checkout_session.clone();
    if let Some(customer) = intent.customer.clone() {
        payment_method::attach_to(state, payment_method, &customer)?;
    }
    state.emit("setup_intent.succeeded", id);
    match session {
        Some(session) => checkout_session::complete_setup(state, &session).map(|()| None),
        None => Ok(None),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    customer: Option<String>,
    description: Option<String>,
    metadata: Option<MetadataChange>,
    payment_method: Option<String>,
    confirm: bool,
    usage: Option<String>,
    #[serde(rename = "payment_method_types")]
    _payment_method_types: Vec<String>,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    if creation.usage.as_deref().is_some_and(|usage| usage != "off_session") {
        return Err(ApiError::invalid_parameter("parameter_invalid", "usage", "Only off_session is simulated."));
    }
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    if let Some(customer) = &creation.customer {
        customer::existing(state, customer, Some("customer"))?;
    }
    let given = creation.payment_method;
    let payment_method =
        given.map(|given| payment_method::usable(state, &given, creation.customer.as_deref())).transpose()?;
    if creation.confirm && payment_method.is_none() {
        return Err(ApiError::missing_parameter("payment_method"));
    }
    let id = insert(state, creation.customer, creation.description, metadata, None);
    if let Some(payment_method) = payment_method {
        state.setup_intents.get_mut(&id)?.payment_method = Some(payment_method);
    }
    if creation.confirm { confirm_now(state, &id) } else { Ok(state.render(&id)) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Confirmation {
    payment_method: Option<String>,
    #[serde(rename = "return_url")]
    _return_url: Option<String>,
}

pub(crate) fn confirm(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let confirmation: Confirmation = parse(encoded)?;
    let customer = state.setup_intents.get(id)?.customer.clone();
    if let Some(given) = confirmation.payment_method {
        let payment_method = payment_method::usable(state, &given, customer.as_deref())?;
        state.setup_intents.get_mut(id)?.payment_method = Some(payment_method);
    }
    confirm_now(state, id)
}

fn confirm_now(state: &mut State, id: &str) -> Result<Value, ApiError> {
    let intent = state.setup_intents.get(id)?;
    if intent.status != Status::RequiresPaymentMethod {
        let message = format!("This SetupIntent has the status {}.", intent.status.as_str());
        return Err(ApiError::invalid_state(Some("setup_intent_unexpected_state"), message));
    }
    let payment_method = intent.payment_method.clone().ok_or_else(|| ApiError::missing_parameter("payment_method"))?;
    match attempt(state, id, &payment_method)? {
        Some(refusal) => Err(refusal.with("setup_intent", state.render(id))),
        None => Ok(state.render(id)),
    }
}

fn fail(state: &mut State, id: &str, refusal: ApiError) -> Result<ApiError, ApiError> {
    let intent = state.setup_intents.get_mut(id)?;
    intent.status = Status::RequiresPaymentMethod;
    intent.payment_method = None;
    intent.last_setup_error = Some(refusal.object());
    state.emit("setup_intent.setup_failed", id);
    Ok(refusal)
}

/// Also ends the session that was going to save a card.
pub(crate) fn cancel(state: &mut State, id: &str) -> Result<(), ApiError> {
    state.setup_intents.get_mut(id)?.status = Status::Canceled;
    state.emit("setup_intent.canceled", id);
    Ok(())
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.setup_intents.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    payment_method: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.setup_intents, &Page::parse(encoded)?, "/v1/setup_intents", |intent| {
        filters.customer.as_ref().is_none_or(|customer| intent.customer.as_ref() == Some(customer))
            && filters.payment_method.as_ref().is_none_or(|method| intent.payment_method.as_ref() == Some(method))
            && filters.created.is_none_or(|range| range.contains(intent.created))
    })
}
