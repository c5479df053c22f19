//! The requests on payment intents: <https://docs.stripe.com/api/payment_intents>.

use serde::Deserialize;
use serde_json::Value;

use super::payment_intent::{self, Draft, Outcome, Purpose, Status};
use super::{Address, customer, payment_method};
use crate::currencies::{require_minimum, require_step};
use crate::error::ApiError;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, currency, merge_metadata, parse, parse_filters,
    required,
};
use crate::search;
use crate::state::{Resource, State};

/// Accepted but ignored, because nothing is shipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shipping {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "address")]
    _address: Address,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    amount: Option<i64>,
    currency: Option<String>,
    customer: Option<String>,
    description: Option<String>,
    metadata: Option<MetadataChange>,
    setup_future_usage: Option<String>,
    payment_method: Option<String>,
    #[serde(rename = "payment_method_types")]
    _payment_method_types: Vec<String>,
    #[serde(rename = "shipping")]
    _shipping: Shipping,
    confirm: bool,
    off_session: bool,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let amount = required(creation.amount, "amount")?;
    if amount < 1 {
        return Err(ApiError::invalid_parameter("parameter_invalid_integer", "amount", "amount must be at least 1."));
    }
    let currency = currency(&required(creation.currency, "currency")?)?;
    require_step(amount, &currency, "amount")?;
    require_minimum(amount, &currency)?;
    if let Some(customer) = &creation.customer {
        customer::existing(state, customer, Some("customer"))?;
    }
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    let payment_method = creation
        .payment_method
        .map(|given| payment_method::usable(state, &given, creation.customer.as_deref()))
        .transpose()?;
    let draft = Draft {
        amount,
        currency,
        customer: creation.customer,
        description: creation.description,
        metadata,
        setup_future_usage: creation.setup_future_usage,
        purpose: Purpose::Itself,
    };
    let id = payment_intent::insert(state, draft);
    if let Some(payment_method) = payment_method {
        let intent = state.payment_intents.get_mut(&id)?;
        intent.payment_method = Some(payment_method);
        intent.status = Status::RequiresConfirmation;
    }
    if creation.confirm { confirm_now(state, &id, creation.off_session) } else { Ok(state.render(&id)) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Confirmation {
    payment_method: Option<String>,
    off_session: bool,
    #[serde(rename = "return_url")]
    _return_url: Option<String>,
}

pub(crate) fn confirm(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let confirmation: Confirmation = parse(encoded)?;
    let customer = state.payment_intents.get(id)?.customer.clone();
    if let Some(given) = confirmation.payment_method {
        let payment_method = payment_method::usable(state, &given, customer.as_deref())?;
        state.payment_intents.get_mut(id)?.payment_method = Some(payment_method);
    }
    confirm_now(state, id, confirmation.off_session)
}

fn confirm_now(state: &mut State, id: &str, is_off_session: bool) -> Result<Value, ApiError> {
    let intent = state.payment_intents.get(id)?;
    let is_over = matches!(intent.status, Status::Processing | Status::Succeeded | Status::Canceled);
    if is_over || intent.status == Status::RequiresAction {
        return Err(payment_intent::unexpected_state(intent.status));
    }
    let payment_method = intent.payment_method.clone().ok_or_else(|| ApiError::missing_parameter("payment_method"))?;
    match payment_intent::attempt(state, id, &payment_method, is_off_session)? {
        Outcome::Declined(refusal) => Err(refusal),
        Outcome::ActionRequired if is_off_session => {
            let message = "The bank asks for authentication, but the customer is not present.";
            let refusal = ApiError::card("authentication_required", Some("authentication_required"), message);
            match payment_intent::decline(state, id, &payment_method, refusal)? {
                Outcome::Declined(refusal) => Err(refusal),
                _ => Ok(state.render(id)),
            }
        }
        Outcome::ActionRequired | Outcome::Processing | Outcome::Succeeded => Ok(state.render(id)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cancellation {
    cancellation_reason: Option<String>,
}

pub(crate) fn cancel_by_request(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let cancellation: Cancellation = parse(encoded)?;
    if let Purpose::Invoice(_) = state.payment_intents.get(id)?.purpose {
        let message = "The PaymentIntent of an invoice is canceled by voiding the invoice.";
        return Err(ApiError::invalid_state(None, message));
    }
    payment_intent::cancel(state, id, cancellation.cancellation_reason.as_deref().unwrap_or("requested_by_customer"))?;
    Ok(state.render(id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.payment_intents.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.payment_intents, &Page::parse(encoded)?, "/v1/payment_intents", |intent| {
        filters.customer.as_ref().is_none_or(|customer| intent.customer.as_ref() == Some(customer))
            && filters.created.is_none_or(|range| range.contains(intent.created))
    })
}

pub(crate) fn search(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    search::search(state, &state.payment_intents, ("/v1/payment_intents/search", encoded), |intent| {
        Some(search::Indexed { created: intent.created, number: None, email: None, metadata: &intent.metadata })
    })
}
