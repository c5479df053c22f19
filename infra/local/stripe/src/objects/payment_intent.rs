//! Payment intents, and the one place where a card is charged: <https://docs.stripe.com/api/payment_intents>.
//!
//! What a payment means to an invoice or a Checkout session is decided there, told by [`Outcome`].

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Address, charge, checkout_session, customer, invoice, payment_method};
use crate::cards::Verdict;
use crate::error::ApiError;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, currency, merge_metadata, parse, parse_filters,
    required,
};
use crate::state::{Resource, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Succeeded,
    Canceled,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// What is to be told of a payment's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Itself,
    Invoice(String),
    CheckoutSession(String),
}

/// What became of one attempt to pay.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Succeeded,
    ActionRequired,
    Declined(ApiError),
}

#[derive(Debug)]
pub(crate) struct PaymentIntent {
    id: String,
    created: i64,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) customer: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) payment_method: Option<String>,
    pub(crate) status: Status,
    pub(crate) setup_future_usage: Option<String>,
    pub(crate) latest_charge: Option<String>,
    pub(crate) purpose: Purpose,
    client_secret: String,
    last_payment_error: Option<Value>,
    is_off_session: bool,
    canceled_at: Option<i64>,
    cancellation_reason: Option<String>,
}

impl PaymentIntent {
    pub(crate) fn last_error_message(&self) -> Option<&str> {
        self.last_payment_error.as_ref().and_then(|error| error["message"].as_str())
    }
}

impl Resource for PaymentIntent {
    const NAME: &'static str = "payment_intent";

    fn render(&self, state: &State) -> Value {
        let next_action = (self.status == Status::RequiresAction).then(|| {
            let url = state.url(&format!("/authenticate/{}", self.id));
            json!({ "type": "redirect_to_url", "redirect_to_url": { "url": url, "return_url": null } })
        });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_received": if self.status == Status::Succeeded { self.amount } else { 0 },
            "automatic_payment_methods": null,
            "canceled_at": self.canceled_at,
            "cancellation_reason": self.cancellation_reason,
            "capture_method": "automatic",
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "last_payment_error": self.last_payment_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": next_action,
            "payment_method": self.payment_method,
            "payment_method_options": { "card": { "request_three_d_secure": "automatic" } },
            "payment_method_types": ["card"],
            "receipt_email": null,
            "setup_future_usage": self.setup_future_usage,
            "shipping": null,
            "statement_descriptor": null,
            "status": self.status.as_str(),
        })
    }
}

/// What a new intent is made of.
pub(crate) struct Draft {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) customer: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) setup_future_usage: Option<String>,
    pub(crate) purpose: Purpose,
}

pub(crate) fn insert(state: &mut State, draft: Draft) -> String {
    let id = state.ids.next("pi_");
    let client_secret = format!("{id}_secret_{}", state.ids.token(24));
    let intent = PaymentIntent {
        id: id.clone(),
        created: state.now_seconds(),
        amount: draft.amount,
        currency: draft.currency,
        customer: draft.customer,
        description: draft.description,
        metadata: draft.metadata,
        payment_method: None,
        status: Status::RequiresPaymentMethod,
        setup_future_usage: draft.setup_future_usage,
        latest_charge: None,
        purpose: draft.purpose,
        client_secret,
        last_payment_error: None,
        is_off_session: false,
        canceled_at: None,
        cancellation_reason: None,
    };
    state.payment_intents.insert(&id, intent);
    state.emit("payment_intent.created", &id);
    id
}

/// Charges a card for an intent; the invoice or session behind it follows.
pub(crate) fn attempt(
    state: &mut State,
    id: &str,
    payment_method: &str,
    is_off_session: bool,
) -> Result<Outcome, ApiError> {
    let needs_authentication = state.payment_methods.get(payment_method)?.needs_authentication(is_off_session);
    let intent = state.payment_intents.get_mut(id)?;
    intent.payment_method = Some(payment_method.to_owned());
    intent.is_off_session = is_off_session;
    intent.last_payment_error = None;
    let outcome = if needs_authentication {
        intent.status = Status::RequiresAction;
        state.emit("payment_intent.requires_action", id);
        Outcome::ActionRequired
    } else {
        charge_card(state, id, payment_method)?
    };
    follow_up(state, id, &outcome)?;
    Ok(outcome)
}

/// The customer came back from the bank's page: <https://docs.stripe.com/payments/3d-secure>.
pub(crate) fn finish_authentication(state: &mut State, id: &str, is_authenticated: bool) -> Result<Outcome, ApiError> {
    let intent = state.payment_intents.get(id)?;
    let Some(payment_method) = intent.payment_method.clone().filter(|_| intent.status == Status::RequiresAction) else {
        return Err(unexpected_state(intent.status));
    };
    let outcome = if is_authenticated {
        charge_card(state, id, &payment_method)?
    } else {
        let message = "The bank could not authenticate the card's holder; try again or use another card.";
        let refusal = ApiError::card("payment_intent_authentication_failure", None, message);
        decline(state, id, &payment_method, refusal)?
    };
    follow_up(state, id, &outcome)?;
    Ok(outcome)
}

fn charge_card(state: &mut State, id: &str, payment_method: &str) -> Result<Outcome, ApiError> {
    if let Verdict::Decline(reason) = state.payment_methods.get(payment_method)?.card.on_payment {
        let charge = charge::insert(state, id, payment_method, Some(reason))?;
        let refusal = reason.error().with("charge", json!(charge));
        return decline(state, id, payment_method, refusal);
    }
    let charge = charge::insert(state, id, payment_method, None)?;
    state.payment_intents.get_mut(id)?.status = Status::Succeeded;
    save_card_if_wanted(state, id, payment_method)?;
    state.emit("payment_intent.succeeded", id);
    charge::dispute_if_card_says_so(state, &charge)?;
    Ok(Outcome::Succeeded)
}

fn decline(state: &mut State, id: &str, payment_method: &str, refusal: ApiError) -> Result<Outcome, ApiError> {
    let refusal = refusal.with("payment_method", state.render(payment_method));
    let intent = state.payment_intents.get_mut(id)?;
    intent.status = Status::RequiresPaymentMethod;
    intent.payment_method = None;
    intent.last_payment_error = Some(refusal.object());
    state.emit("payment_intent.payment_failed", id);
    let refusal = refusal.with("payment_intent", state.render(id));
    Ok(Outcome::Declined(refusal))
}

/// `setup_future_usage` attaches the card to the customer but never makes it the default.
fn save_card_if_wanted(state: &mut State, id: &str, payment_method: &str) -> Result<(), ApiError> {
    let intent = state.payment_intents.get(id)?;
    let is_for_off_session = intent.setup_future_usage.as_deref() == Some("off_session");
    let Some(customer) = intent.customer.clone().filter(|_| intent.setup_future_usage.is_some()) else {
        return Ok(());
    };
    if is_for_off_session {
        state.payment_methods.get_mut(payment_method)?.is_set_up = true;
    }
    payment_method::attach_to(state, payment_method, &customer).map(drop)
}

fn follow_up(state: &mut State, id: &str, outcome: &Outcome) -> Result<(), ApiError> {
    match state.payment_intents.get(id)?.purpose.clone() {
        Purpose::Itself => Ok(()),
        Purpose::Invoice(invoice) => invoice::follow_payment(state, &invoice, outcome),
        Purpose::CheckoutSession(session) => checkout_session::follow_payment(state, &session, outcome),
    }
}

pub(crate) fn cancel(state: &mut State, id: &str, reason: &str) -> Result<(), ApiError> {
    let now = state.now_seconds();
    let intent = state.payment_intents.get_mut(id)?;
    if matches!(intent.status, Status::Succeeded | Status::Canceled) {
        return Err(unexpected_state(intent.status));
    }
    intent.status = Status::Canceled;
    intent.canceled_at = Some(now);
    intent.cancellation_reason = Some(reason.to_owned());
    state.emit("payment_intent.canceled", id);
    Ok(())
}

fn unexpected_state(status: Status) -> ApiError {
    let message = format!("This PaymentIntent has the status {}, which does not allow it.", status.as_str());
    ApiError::invalid_state(Some("payment_intent_unexpected_state"), message)
}

/// Taken and forgotten: nothing is shipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shipping {
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
    let id = insert(state, draft);
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
    if matches!(intent.status, Status::Succeeded | Status::Canceled | Status::RequiresAction) {
        return Err(unexpected_state(intent.status));
    }
    let payment_method = intent.payment_method.clone().ok_or_else(|| ApiError::missing_parameter("payment_method"))?;
    match attempt(state, id, &payment_method, is_off_session)? {
        Outcome::Declined(refusal) => Err(refusal),
        Outcome::ActionRequired if is_off_session => {
            let message = "The bank asks for authentication, but the customer is not present.";
            let refusal = ApiError::card("authentication_required", Some("authentication_required"), message);
            match decline(state, id, &payment_method, refusal)? {
                Outcome::Declined(refusal) => Err(refusal),
                Outcome::Succeeded | Outcome::ActionRequired => Ok(state.render(id)),
            }
        }
        Outcome::ActionRequired | Outcome::Succeeded => Ok(state.render(id)),
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
    cancel(state, id, cancellation.cancellation_reason.as_deref().unwrap_or("requested_by_customer"))?;
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
