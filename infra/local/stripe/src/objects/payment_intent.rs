//! Payment intents, and the only place that charges a card or an account:
//! <https://docs.stripe.com/api/payment_intents>.
//!
//! The requests are in [`super::payment_intent_operations`].
//! The invoice or the Checkout session decides what an [`Outcome`] means for it.

use serde_json::{Value, json};

use super::charge::{self, Answer};
use super::{checkout_session, invoice, payment_method};
use crate::error::ApiError;
use crate::instruments::{Kind, Settlement, Verdict};
use crate::parameters::Metadata;
use crate::state::{Resource, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    /// A bank debit is in progress, which may take days.
    Processing,
    Succeeded,
    Canceled,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// The object that is informed of a payment's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Itself,
    Invoice(String),
    CheckoutSession(String),
}

/// The outcome of one attempt to pay.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Succeeded,
    /// The outcome arrives days later.
    Processing,
    ActionRequired,
    Declined(ApiError),
}

#[derive(Debug)]
pub(crate) struct PaymentIntent {
    id: String,
    pub(crate) created: i64,
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
            "payment_method_types": Kind::ALL.map(Kind::as_str),
            "receipt_email": null,
            "setup_future_usage": self.setup_future_usage,
            "shipping": null,
            "statement_descriptor": null,
            "status": self.status.as_str(),
        })
    }
}

/// The content of a new intent.
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

/// Charges a card for an intent, and updates the invoice or session behind it.
pub(crate) fn attempt(
    state: &mut State,
    id: &str,
    payment_method: &str,
    is_off_session: bool,
) -> Result<Outcome, ApiError> {
    let method = state.payment_methods.get(payment_method)?;
    let (kind, needs_authentication) = (method.instrument.kind, method.needs_authentication(is_off_session));
    let intent = state.payment_intents.get_mut(id)?;
    if !kind.takes(&intent.currency) {
        let message = format!("A {} pays nothing in {}.", kind.as_str(), intent.currency);
        return Err(ApiError::invalid_state(Some("payment_method_currency_mismatch"), message));
    }
    intent.payment_method = Some(payment_method.to_owned());
    intent.is_off_session = is_off_session;
    intent.last_payment_error = None;
    let outcome = if needs_authentication {
        intent.status = Status::RequiresAction;
        state.emit("payment_intent.requires_action", id);
        Outcome::ActionRequired
    } else {
        charge_instrument(state, id, payment_method)?
    };
    follow_up(state, id, &outcome)?;
    Ok(outcome)
}

/// The customer returned from the bank's page: <https://docs.stripe.com/payments/3d-secure>.
pub(crate) fn finish_authentication(state: &mut State, id: &str, is_authenticated: bool) -> Result<Outcome, ApiError> {
    let intent = state.payment_intents.get(id)?;
    let Some(payment_method) = intent.payment_method.clone().filter(|_| intent.status == Status::RequiresAction) else {
        return Err(unexpected_state(intent.status));
    };
    let outcome = if is_authenticated {
        charge_instrument(state, id, &payment_method)?
    } else {
        let message = "The bank could not authenticate the card's holder; try again or use another card.";
        let refusal = ApiError::card("payment_intent_authentication_failure", None, message);
        decline(state, id, &payment_method, refusal)?
    };
    follow_up(state, id, &outcome)?;
    Ok(outcome)
}

fn charge_instrument(state: &mut State, id: &str, payment_method: &str) -> Result<Outcome, ApiError> {
    match state.payment_methods.get(payment_method)?.instrument.settlement {
        Settlement::AtOnce => answer_at_once(state, id, payment_method),
        Settlement::After(duration) => {
            let due_at = state.seconds_after(duration);
            state.debits_underway.insert((due_at, id.to_owned()));
            begin_debit(state, id, payment_method)
        }
        Settlement::Never => begin_debit(state, id, payment_method),
    }
}

fn answer_at_once(state: &mut State, id: &str, payment_method: &str) -> Result<Outcome, ApiError> {
    let answer = bank_answer(state, payment_method)?;
    let charge = charge::insert(state, id, payment_method, answer)?;
    if answer == Answer::Paid {
        save_card_if_wanted(state, id, payment_method)?;
    }
    conclude(state, id, payment_method, &charge, answer)
}

fn bank_answer(state: &State, payment_method: &str) -> Result<Answer, ApiError> {
    Ok(match state.payment_methods.get(payment_method)?.instrument.on_payment {
        Verdict::Approve => Answer::Paid,
        Verdict::Decline(reason) => Answer::Declined(reason),
    })
}

/// Requests the money, and stores the customer's account.
fn begin_debit(state: &mut State, id: &str, payment_method: &str) -> Result<Outcome, ApiError> {
    charge::insert(state, id, payment_method, Answer::Pending)?;
    state.payment_intents.get_mut(id)?.status = Status::Processing;
    save_card_if_wanted(state, id, payment_method)?;
    state.emit("payment_intent.processing", id);
    Ok(Outcome::Processing)
}

/// Applies the banks' answers that are due.
pub(crate) fn settle_due(state: &mut State) {
    let now = state.now_seconds();
    while let Some((due_at, _)) = state.debits_underway.first()
        && *due_at <= now
        && let Some((_, id)) = state.debits_underway.pop_first()
    {
        if let Err(refusal) = settle(state, &id) {
            tracing::warn!(payment_intent.id = id, message = refusal.message, "a bank debit could not be settled");
        }
    }
}

fn settle(state: &mut State, id: &str) -> Result<(), ApiError> {
    let intent = state.payment_intents.get(id)?;
    let (Status::Processing, Some(payment_method), Some(charge)) =
        (intent.status, intent.payment_method.clone(), intent.latest_charge.clone())
    else {
        return Ok(());
    };
    let answer = bank_answer(state, &payment_method)?;
    charge::settle(state, &charge, answer)?;
    let outcome = conclude(state, id, &payment_method, &charge, answer)?;
    match state.payment_intents.get(id)?.purpose.clone() {
        Purpose::Itself => Ok(()),
        Purpose::Invoice(invoice) => invoice::follow_settlement(state, &invoice, &outcome),
        Purpose::CheckoutSession(session) => checkout_session::follow_settlement(state, &session, &outcome),
    }
}

fn conclude(
    state: &mut State,
    id: &str,
    payment_method: &str,
    charge: &str,
    answer: Answer,
) -> Result<Outcome, ApiError> {
    if let Answer::Declined(reason) = answer {
        let refusal = reason.error().with("charge", json!(charge));
        return decline(state, id, payment_method, refusal);
    }
    state.payment_intents.get_mut(id)?.status = Status::Succeeded;
    state.emit("payment_intent.succeeded", id);
    charge::dispute_if_card_says_so(state, charge)?;
    Ok(Outcome::Succeeded)
}

pub(crate) fn decline(
    state: &mut State,
    id: &str,
    payment_method: &str,
    refusal: ApiError,
) -> Result<Outcome, ApiError> {
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

/// A bank transfer paid it: <https://docs.stripe.com/payments/customer-balance>.
pub(crate) fn succeed_by_transfer(state: &mut State, id: &str) -> Result<(), ApiError> {
    let intent = state.payment_intents.get_mut(id)?;
    intent.status = Status::Succeeded;
    intent.last_payment_error = None;
    state.emit("payment_intent.succeeded", id);
    Ok(())
}

pub(crate) fn set_amount(state: &mut State, id: &str, amount: i64) -> Result<(), ApiError> {
    state.payment_intents.get_mut(id)?.amount = amount;
    Ok(())
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
    if matches!(intent.status, Status::Processing | Status::Succeeded | Status::Canceled) {
        return Err(unexpected_state(intent.status));
    }
    intent.status = Status::Canceled;
    intent.canceled_at = Some(now);
    intent.cancellation_reason = Some(reason.to_owned());
    state.emit("payment_intent.canceled", id);
    Ok(())
}

pub(crate) fn unexpected_state(status: Status) -> ApiError {
    let message = format!("This PaymentIntent has the status {}, which does not allow it.", status.as_str());
    ApiError::invalid_state(Some("payment_intent_unexpected_state"), message)
}
