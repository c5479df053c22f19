//! Charges, made by payment intents alone: <https://docs.stripe.com/api/charges>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::dispute;
use crate::cards::Decline;
use crate::error::ApiError;
use crate::parameters::{CreatedRange, NoParameters, Page, parse, parse_filters};
use crate::state::{Resource, State};

#[derive(Debug)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) customer: Option<String>,
    pub(crate) payment_intent: String,
    payment_method: String,
    decline: Option<&'static Decline>,
    pub(crate) amount_refunded: i64,
    pub(crate) is_disputed: bool,
}

impl Charge {
    pub(crate) fn is_paid(&self) -> bool {
        self.decline.is_none()
    }
}

impl Resource for Charge {
    const NAME: &'static str = "charge";

    fn render(&self, state: &State) -> Value {
        let intent = state.payment_intents.find(&self.payment_intent);
        let card = state.payment_methods.find(&self.payment_method).map(|method| method.render_card());
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": if self.is_paid() { self.amount } else { 0 },
            "amount_refunded": self.amount_refunded,
            "balance_transaction": null,
            "captured": self.is_paid(),
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": intent.and_then(|intent| intent.description.as_deref()),
            "disputed": self.is_disputed,
            "failure_code": self.decline.map(|decline| decline.code),
            "failure_message": self.decline.map(|decline| decline.error().message),
            "livemode": false,
            "metadata": intent.map(|intent| &intent.metadata),
            "outcome": {
                "network_status": if self.is_paid() { "approved_by_network" } else { "declined_by_network" },
                "reason": self.decline.and_then(|decline| decline.decline_code),
                "risk_level": "normal",
                "type": if self.is_paid() { "authorized" } else { "issuer_declined" },
            },
            "paid": self.is_paid(),
            "payment_intent": self.payment_intent,
            "payment_method": self.payment_method,
            "payment_method_details": { "card": card, "type": "card" },
            "receipt_email": null,
            "receipt_number": null,
            "receipt_url": self.is_paid().then(|| state.url(&format!("/receipts/{}", self.id))),
            "refunded": self.is_paid() && self.amount_refunded == self.amount,
            "status": if self.is_paid() { "succeeded" } else { "failed" },
        })
    }
}

/// Charges the intent's amount to a payment method and says so by an event.
pub(crate) fn insert(
    state: &mut State,
    payment_intent: &str,
    payment_method: &str,
    decline: Option<&'static Decline>,
) -> Result<String, ApiError> {
    let id = state.ids.next("ch_");
    let intent = state.payment_intents.get(payment_intent)?;
    let charge = Charge {
        id: id.clone(),
        created: state.now_seconds(),
        amount: intent.amount,
        currency: intent.currency.clone(),
        customer: intent.customer.clone(),
        payment_intent: payment_intent.to_owned(),
        payment_method: payment_method.to_owned(),
        decline,
        amount_refunded: 0,
        is_disputed: false,
    };
    state.charges.insert(&id, charge);
    state.payment_intents.get_mut(payment_intent)?.latest_charge = Some(id.clone());
    state.emit(if decline.is_none() { "charge.succeeded" } else { "charge.failed" }, &id);
    Ok(id)
}

/// Opens the dispute that some test cards bring about at once.
pub(crate) fn dispute_if_card_says_so(state: &mut State, id: &str) -> Result<(), ApiError> {
    let charge = state.charges.get(id)?;
    let card = state.payment_methods.get(&charge.payment_method)?.card;
    match card.dispute {
        Some(kind) => dispute::open(state, id, kind).map(drop),
        None => Ok(()),
    }
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.charges.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    payment_intent: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.charges, &Page::parse(encoded)?, "/v1/charges", |charge| {
        filters.customer.as_ref().is_none_or(|customer| charge.customer.as_ref() == Some(customer))
            && filters.payment_intent.as_ref().is_none_or(|intent| charge.payment_intent == *intent)
            && filters.created.is_none_or(|range| range.contains(charge.created))
    })
}
